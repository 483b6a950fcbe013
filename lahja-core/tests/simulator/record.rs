//! What happened in a run, in the order in which it happened, for the oracles to judge.

use std::time::Duration;

use lahja_core::Overflow;

use crate::events::TOPICS;

/// A position in the order of everything that happened.
pub(crate) type Moment = u64;

/// Everything that happened so far.
#[derive(Debug, Default)]
pub(crate) struct Record {
    moment: Moment,
    pub(crate) sent: Vec<Sent>,
    pub(crate) subscribers: Vec<Subscriber>,
    pub(crate) questions: Vec<Question>,
    pub(crate) links: Vec<Link>,
    pub(crate) barriers: Vec<Barrier>,
    /// When each endpoint began to close, and what it says it has not delivered.
    pub(crate) closed: Vec<Closed>,
    /// Who has ceased to answer requests, and when.
    pub(crate) answerers_gone: Vec<(usize, Moment)>,
    /// How many handlers were made to panic at each endpoint.
    pub(crate) panics: Vec<u64>,
    /// When the last of those who act was done.
    pub(crate) done: Duration,
    /// What is said of the run while it is watched.
    pub(crate) story: Option<Vec<String>>,
}

/// Whom an event may reach, by the numbers of endpoints.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Reach {
    pub(crate) to: Option<usize>,
    pub(crate) group: Option<usize>,
    pub(crate) except: Option<usize>,
    pub(crate) internal: bool,
}

/// How a broadcast ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Everybody within reach has it or will have it.
    Ok,
    /// Nobody has it.
    Nobody,
    /// Whoever had room has it.
    Given,
}

/// One broadcast. Its place in the record is its number.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) origin: usize,
    pub(crate) topic: usize,
    pub(crate) len: usize,
    pub(crate) reach: Reach,
    pub(crate) start: Moment,
    pub(crate) end: Moment,
    pub(crate) outcome: Outcome,
    /// Whether it failed because nobody had subscribed.
    pub(crate) found_nobody: bool,
}

/// One subscription.
#[derive(Debug)]
pub(crate) struct Subscriber {
    pub(crate) endpoint: usize,
    pub(crate) topic: usize,
    pub(crate) from: Option<usize>,
    /// It takes events whose number does not leave this remainder by three.
    pub(crate) filter: Option<u64>,
    pub(crate) overflow: Overflow,
    pub(crate) capacity: usize,
    pub(crate) has_handler: bool,
    pub(crate) made: Moment,
    /// Since when what it gets can be taken at any moment. Never, for a handler.
    pub(crate) collected: Moment,
    /// Since when it was ready, if that was asked when it was made.
    pub(crate) ready: Option<Moment>,
    pub(crate) dropped: Option<Moment>,
    pub(crate) got: Vec<(Moment, Got)>,
    /// When its handler was done with each event that it got.
    pub(crate) handled: Vec<Moment>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Got {
    Event { id: u64, origin: usize },
    Lagged(u64),
}

/// How a request ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ending {
    Answered(usize),
    Nobody,
    TimedOut,
    Gone { peer: usize, sent: bool },
    Unanswered,
    Closed,
    GivenUp,
}

/// One request. Its place in the record is its number.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) origin: usize,
    pub(crate) reach: Reach,
    pub(crate) timeout: Option<Duration>,
    pub(crate) began: Duration,
    pub(crate) start: Moment,
    pub(crate) end: Option<(Moment, Duration, Ending)>,
    /// Who has seen it, and who has answered it since when.
    pub(crate) seen: Vec<usize>,
    pub(crate) answered: Vec<(usize, Moment)>,
    pub(crate) declined: Vec<usize>,
}

/// One attempt to connect two endpoints.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) ends: [usize; 2],
    pub(crate) is_doomed: bool,
    pub(crate) begun: Moment,
    pub(crate) attached: [Option<Moment>; 2],
    pub(crate) lost: [Option<Moment>; 2],
}

/// What was seen at `at`: everything from the origin that was sent until `until` had come, and
/// from a link that is gone nothing more will.
#[derive(Debug)]
pub(crate) struct Barrier {
    pub(crate) endpoint: usize,
    pub(crate) origin: usize,
    pub(crate) until: Moment,
    pub(crate) at: Moment,
}

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Closed {
    pub(crate) began: Option<Moment>,
    pub(crate) undelivered: Option<u64>,
}

impl Record {
    pub(crate) fn new(endpoints: usize, is_watched: bool) -> Self {
        Self {
            closed: vec![Closed::default(); endpoints],
            panics: vec![0; endpoints],
            story: is_watched.then(Vec::new),
            ..Self::default()
        }
    }

    /// Returns a moment that is later than any before.
    pub(crate) fn moment(&mut self) -> Moment {
        self.moment += 1;
        self.moment
    }

    pub(crate) fn say(&mut self, what: impl FnOnce() -> String) {
        let moment = self.moment;
        if let Some(story) = &mut self.story {
            story.push(format!("{moment}: {}", what()));
        }
    }

    /// Notes that an endpoint is closed.
    pub(crate) fn closed(&mut self, at: usize, undelivered: u64) {
        self.say(|| format!("e{at} is closed, {undelivered} are not delivered"));
        self.closed[at].undelivered = Some(undelivered);
    }

    /// Notes the begin of a broadcast and returns its number.
    pub(crate) fn send(&mut self, origin: usize, topic: usize, len: usize, reach: Reach) -> u64 {
        debug_assert!(topic < TOPICS);
        let id = self.sent.len() as u64;
        let start = self.moment();
        self.say(|| format!("e{origin} broadcasts {id} of topic {topic}, {len} long: {reach:?}"));
        let (end, outcome, found_nobody) = (Moment::MAX, Outcome::Given, false);
        self.sent.push(Sent { origin, topic, len, reach, start, end, outcome, found_nobody });
        id
    }

    /// Notes the end of a broadcast.
    pub(crate) fn sent(&mut self, id: u64, outcome: Outcome, found_nobody: bool) {
        let end = self.moment();
        self.say(|| format!("broadcast {id}: {outcome:?}"));
        let sent = &mut self.sent[id as usize];
        (sent.end, sent.outcome, sent.found_nobody) = (end, outcome, found_nobody);
    }

    /// Notes a new subscription and returns its number.
    pub(crate) fn subscribe(&mut self, subscriber: Subscriber) -> usize {
        let number = self.subscribers.len();
        self.say(|| format!("subscriber {number} comes: {subscriber:?}"));
        let made = self.moment();
        self.subscribers.push(Subscriber { made, ..subscriber });
        number
    }

    /// Notes that what a subscriber gets is taken from now on.
    pub(crate) fn collects(&mut self, subscriber: usize) {
        self.subscribers[subscriber].collected = self.moment();
    }

    /// Notes what a subscriber got.
    pub(crate) fn got(&mut self, subscriber: usize, got: Got) {
        let at = self.moment();
        self.say(|| format!("subscriber {subscriber} got {got:?}"));
        self.subscribers[subscriber].got.push((at, got));
    }

    /// Notes the begin of a request and returns its number.
    pub(crate) fn ask(
        &mut self,
        origin: usize,
        reach: Reach,
        timeout: Option<Duration>,
        began: Duration,
    ) -> u64 {
        let id = self.questions.len() as u64;
        let start = self.moment();
        self.say(|| format!("e{origin} asks {id}: {reach:?}, {timeout:?}"));
        let (seen, answered, declined) = Default::default();
        let end = None;
        self.questions.push(Question {
            origin,
            reach,
            timeout,
            began,
            start,
            end,
            seen,
            answered,
            declined,
        });
        id
    }

    /// Notes the end of a request. Returns who has answered it, and since when.
    pub(crate) fn ended(
        &mut self,
        id: u64,
        now: Duration,
        ending: Ending,
    ) -> Option<(usize, Moment)> {
        let end = self.moment();
        self.say(|| format!("question {id} has ended: {ending:?}"));
        let question = &mut self.questions[id as usize];
        let answered = match ending {
            Ending::Answered(by) => {
                let answered = question.answered.iter().find(|answered| answered.0 == by);
                Some(*answered.expect("who answers has said so before"))
            }
            _ => None,
        };
        question.end = Some((end, now, ending));
        answered
    }

    /// Notes that an endpoint ceases to answer requests.
    pub(crate) fn answerer_gone(&mut self, endpoint: usize) {
        let now = self.moment();
        self.say(|| format!("e{endpoint} answers no more"));
        self.answerers_gone.push((endpoint, now));
    }

    /// Notes an attempt to connect two endpoints and returns its number, unless they are connected
    /// or attempt it.
    pub(crate) fn connect(&mut self, ends: [usize; 2], is_doomed: bool) -> Option<usize> {
        if self.link(ends[0], ends[1]).is_some_and(|(link, _)| link.lost.contains(&None)) {
            return None;
        }
        self.say(|| format!("{ends:?} connect, {}", if is_doomed { "doomed" } else { "fine" }));
        let begun = self.moment();
        self.links.push(Link { ends, is_doomed, begun, attached: [None; 2], lost: [None; 2] });
        Some(self.links.len() - 1)
    }

    /// Notes that an endpoint has seen the end of its connection to a peer, and returns when.
    pub(crate) fn lost(&mut self, endpoint: usize, peer: usize) -> Moment {
        self.say(|| format!("e{endpoint} has lost e{peer}"));
        let lost = self.moment();
        let (link, end) = self.link(endpoint, peer).expect("they were connected");
        link.lost[end] = Some(lost);
        lost
    }

    /// Notes that a handler is done with the next of the events that it got.
    pub(crate) fn handled(&mut self, subscriber: usize) {
        let now = self.moment();
        self.subscribers[subscriber].handled.push(now);
    }

    /// Returns the last attempt to connect two endpoints, and which of its ends the first is.
    pub(crate) fn link(&mut self, at: usize, peer: usize) -> Option<(&mut Link, usize)> {
        let link = self.links.iter_mut().rev();
        let mut fitting = link.filter_map(|link| {
            let end = link.ends.iter().position(|&end| end == at)?;
            (link.ends[1 - end] == peer).then_some((link, end))
        });
        fitting.next()
    }
}

impl Reach {
    /// Tells whether an event of `origin` may reach an endpoint, which is in the group of its
    /// number's last bit.
    pub(crate) fn admits(&self, origin: usize, endpoint: usize) -> bool {
        self.to.is_none_or(|to| to == endpoint)
            && self.group.is_none_or(|group| endpoint % 2 == group)
            && self.except != Some(endpoint)
            && (!self.internal || origin == endpoint)
    }
}

impl Subscriber {
    /// Tells whether the subscription wants an event.
    pub(crate) fn wants(&self, id: u64, sent: &Sent) -> bool {
        self.topic == sent.topic
            && self.from.is_none_or(|from| from == sent.origin)
            && self.filter.is_none_or(|filter| id % 3 != filter)
            && sent.reach.admits(sent.origin, self.endpoint)
    }
}
