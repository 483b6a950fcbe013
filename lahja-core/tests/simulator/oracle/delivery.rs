//! Order, no duplicate, no gap that is not told, true origins, bounded room, and ends that come last.

use std::collections::{HashMap, HashSet};

use lahja_core::Overflow;

use crate::record::{Got, Link, Moment, Outcome, Record, Sent, Subscriber};
use crate::run::Run;

/// What an event is charged on top of its body: its number, its length, its frame and its place.
const LEAST_OVERHEAD: u64 = 2 + 16;
const MOST_OVERHEAD: u64 = 10 + 3 + 16;

pub(super) fn judge(run: &Run, record: &Record) {
    for (number, subscriber) in record.subscribers.iter().enumerate() {
        let view = View::new(run, record, subscriber);
        let context = || format!("subscriber {number}: {subscriber:?}");
        view.judge_each(&context);
        view.judge_order(&context);
        view.judge_gaps(&context);
        view.judge_room(&context);
        view.judge_barriers(&context);
    }
}

/// Judges how many events the handlers of an endpoint are said to have lost.
pub(super) fn judge_lost(run: &Run, record: &Record, endpoint: usize, told: u64) {
    let (mut least, mut most) = (0, 0);
    for subscriber in &record.subscribers {
        if subscriber.endpoint == endpoint && subscriber.has_handler {
            let view = View::new(run, record, subscriber);
            most += view.most_losses();
            if subscriber.dropped.is_none() {
                least += view.losses().len() as u64;
            }
        }
    }
    assert!(least <= told, "e{endpoint}: {told} of {least} or more are said to be lost");
    // Those who answer may lose requests of their own endpoint by a stall.
    assert!(
        told <= most || run.mood.may_stall,
        "e{endpoint}: {told} of {most} are said to be lost"
    );
}

/// What one subscriber got, and what it should have.
struct View<'a> {
    run: &'a Run,
    record: &'a Record,
    subscriber: &'a Subscriber,
    got: HashMap<u64, Moment>,
    spans: Vec<Span>,
}

/// While events of one origin come over one connection.
struct Span {
    origin: usize,
    /// When the origin knew of the subscription.
    known: Moment,
    /// When somebody saw that the connection was over.
    until: Moment,
    /// Whether everything comes that is sent within the span.
    is_whole: bool,
    /// Everything comes that was sent before this.
    whole_until: Moment,
}

impl<'a> View<'a> {
    fn new(run: &'a Run, record: &'a Record, subscriber: &'a Subscriber) -> Self {
        let got = subscriber.got.iter().filter_map(|(at, got)| match got {
            Got::Event { id, .. } => Some((*id, *at)),
            Got::Lagged(_) => None,
        });
        let got = got.collect();
        let mut view = Self { run, record, subscriber, got, spans: Vec::new() };
        let here = subscriber.endpoint;
        let until = record.closed[here].began.unwrap_or(Moment::MAX);
        view.spans.push(view.span(here, subscriber.made, until, true));
        for link in &record.links {
            if let Some(end) = link.ends.iter().position(|&end| end == here) {
                view.spans.extend(view.link_span(link, end));
            }
        }
        view
    }

    /// Returns the span of a connection of which the subscriber is at `end`.
    fn link_span(&self, link: &Link, end: usize) -> Option<Span> {
        let origin = link.ends[1 - end];
        let known = match self.subscriber.ready {
            _ if self.subscriber.made < link.begun => link.attached[1 - end]?,
            Some(ready) if link.attached[end]? < self.subscriber.made => ready,
            _ => return None,
        };
        let closed = &self.record.closed[origin];
        let ends = [link.lost[0], link.lost[1], closed.began];
        let until = ends.into_iter().flatten().min().unwrap_or(Moment::MAX);
        let is_whole = !link.is_doomed
            && match closed.began {
                Some(_) => closed.undelivered == Some(0),
                None => true,
            };
        Some(self.span(origin, known, until, is_whole))
    }

    fn span(&self, origin: usize, known: Moment, until: Moment, is_whole: bool) -> Span {
        let Self { record, subscriber, .. } = self;
        let closed = record.closed[subscriber.endpoint].began;
        let is_whole = is_whole && subscriber.dropped.is_none() && closed.is_none();
        // Whatever has come over a connection tells that what was sent before has, too. What its
        // peer missed when it was stalled it learns only if the connection lasts.
        let sees_others =
            !self.run.mood.may_stall && subscriber.dropped.is_none() && closed.is_none();
        let others = record.subscribers.iter().filter(|other| {
            sees_others && other.endpoint == subscriber.endpoint
                || std::ptr::eq(*other, *subscriber)
        });
        let starts = others.flat_map(|other| &other.got).filter_map(|(_, got)| match got {
            Got::Event { id, .. } => Some(&record.sent[*id as usize]),
            Got::Lagged(_) => None,
        });
        let within =
            starts.filter(|sent| sent.origin == origin && (known..until).contains(&sent.start));
        let whole_until = within.map(|sent| sent.start).max().unwrap_or(0);
        Span { origin, known, until, is_whole, whole_until }
    }

    /// Returns the events of a span that the subscriber should have got or be told of.
    fn due(&self, span: &'a Span) -> impl Iterator<Item = (u64, &'a Sent)> + use<'_, 'a> {
        let sent = self.record.sent.iter().enumerate().map(|(id, sent)| (id as u64, sent));
        sent.filter(move |&(id, sent)| {
            sent.origin == span.origin
                && sent.outcome == Outcome::Ok
                && (span.known..span.until).contains(&sent.start)
                && sent.end < span.until
                && self.subscriber.wants(id, sent)
        })
    }

    /// Tells whether something due must have come by now.
    fn is_overdue(&self, span: &Span, sent: &Sent) -> bool {
        span.is_whole || sent.end < span.whole_until
    }

    /// Nothing comes that was not sent, not wanted, of another origin, twice or too late.
    fn judge_each(&self, context: &impl Fn() -> String) {
        let mut ids = HashSet::new();
        for (at, got) in &self.subscriber.got {
            let dropped = self.subscriber.dropped;
            assert!(dropped.is_none_or(|dropped| *at < dropped), "{}", context());
            let Got::Event { id, origin } = got else { continue };
            let sent = &self.record.sent[*id as usize];
            let context = || format!("event {id}: {sent:?}, {}", context());
            assert!(ids.insert(id), "it comes twice: {}", context());
            assert_eq!(sent.origin, *origin, "its origin is true: {}", context());
            assert!(sent.start < *at, "{}", context());
            assert!(sent.outcome != Outcome::Nobody, "nobody has it: {}", context());
            assert!(self.subscriber.wants(*id, sent), "it is not wanted: {}", context());
        }
    }

    /// What was sent before something else comes before it.
    fn judge_order(&self, context: &impl Fn() -> String) {
        let mut latest = HashMap::new();
        for (_, got) in &self.subscriber.got {
            let Got::Event { id, origin } = got else { continue };
            let sent = &self.record.sent[*id as usize];
            let latest = latest.entry(*origin).or_insert(0);
            assert!(sent.end > *latest, "event {id} comes late: {}", context());
            *latest = sent.start.max(*latest);
        }
    }

    /// Returns the events that are missing, each with when the subscriber should have been told.
    fn losses(&self) -> Vec<(Moment, u64)> {
        let mut losses = Vec::new();
        for span in &self.spans {
            for (id, sent) in self.due(span) {
                if !self.got.contains_key(&id) && self.is_overdue(span, sent) {
                    // It is told before the first event that comes from behind it.
                    let behind = self.got.iter().filter(|(other, _)| {
                        let other = &self.record.sent[**other as usize];
                        other.origin == span.origin
                            && other.start > sent.end
                            && other.start < span.until
                    });
                    let by = behind.map(|(_, at)| *at).min().unwrap_or(Moment::MAX);
                    losses.push((by, id));
                }
            }
        }
        losses.sort_unstable();
        losses
    }

    /// Returns how many events may be missing.
    fn most_losses(&self) -> u64 {
        // What a stall loses has not come to the filter.
        let is_before_filter = self.is_lossless() || self.run.mood.may_stall;
        let lost = self.record.sent.iter().enumerate().filter(|(id, sent)| {
            let filter = self.subscriber.filter;
            !self.got.contains_key(&(*id as u64))
                && sent.outcome != Outcome::Nobody
                && sent.topic == self.subscriber.topic
                && sent.reach.admits(sent.origin, self.subscriber.endpoint)
                && self.subscriber.from.is_none_or(|from| from == sent.origin)
                && (is_before_filter || filter.is_none_or(|filter| *id as u64 % 3 != filter))
        });
        lost.count() as u64
    }

    fn is_lossless(&self) -> bool {
        self.subscriber.overflow == Overflow::Wait
    }

    /// Nothing is missing that the subscriber was not told of, where it was.
    fn judge_gaps(&self, context: &impl Fn() -> String) {
        let is_lossless = self.is_lossless() && !self.run.mood.may_stall;
        if self.subscriber.has_handler && !is_lossless {
            return;
        }
        let mut told = 0;
        let tales = self.subscriber.got.iter().filter_map(|(at, got)| match got {
            Got::Lagged(count) => Some((*at, *count)),
            Got::Event { .. } => None,
        });
        let mut tales = tales.peekable();
        for (lost, (by, id)) in self.losses().iter().enumerate() {
            while let Some((_, count)) = tales.next_if(|(at, _)| at < by) {
                told += count;
            }
            assert!((lost as u64) < told, "event {id} is missing: {}", context());
        }
        told += tales.map(|(_, count)| count).sum::<u64>();
        if is_lossless {
            assert_eq!(told, 0, "nothing has a reason to be lost: {}", context());
        }
        let lost = self.most_losses();
        assert!(told <= lost, "{told} of {lost} are said to be lost: {}", context());
    }

    /// Returns when each event that the subscriber got was consumed.
    fn consumed(&self) -> HashMap<u64, Moment> {
        if !self.subscriber.has_handler {
            return self.got.clone();
        }
        let got = self.subscriber.got.iter().filter_map(|(_, got)| match got {
            Got::Event { id, .. } => Some(*id),
            Got::Lagged(_) => None,
        });
        got.zip(self.subscriber.handled.iter().copied()).collect()
    }

    /// What is on its way to who loses nothing is no more than a window and an event.
    fn judge_room(&self, context: &impl Fn() -> String) {
        let Self { subscriber, run, .. } = self;
        if subscriber.overflow != Overflow::Wait || run.mood.may_stall {
            return;
        }
        let consumed = self.consumed();
        for span in self.spans.iter().filter(|span| span.is_whole) {
            let is_local = span.origin == subscriber.endpoint;
            let mut changes = Vec::new();
            let mut largest = 0;
            for (id, sent) in self.due(span) {
                let (size, most) = match is_local {
                    true => (1, 0),
                    false => (sent.len as u64 + LEAST_OVERHEAD, sent.len as u64 + MOST_OVERHEAD),
                };
                largest = most.max(largest);
                let Some(&got) = consumed.get(&id) else { continue };
                changes.extend([(sent.end.min(got), size as i64), (got, -(size as i64))]);
            }
            // What comes and goes at the same moment does so in this order.
            changes.sort_by_key(|&(at, change)| (at, -change));
            let room = match is_local {
                true => subscriber.capacity as u64,
                false => u64::from(run.mood.limits.window) + largest,
            };
            let mut held = 0;
            for (_, change) in changes {
                held += change;
                assert!(held <= room as i64, "{held} of {room} are held: {}", context());
            }
        }
    }

    /// Nothing comes that should have come before an answer, or before an end.
    fn judge_barriers(&self, context: &impl Fn() -> String) {
        let Self { subscriber, record, .. } = self;
        for barrier in &record.barriers {
            let applies = barrier.endpoint == subscriber.endpoint
                && barrier.origin != subscriber.endpoint
                && subscriber.collected < barrier.at;
            if !applies {
                continue;
            }
            for (at, got) in &subscriber.got {
                let Got::Event { id, origin } = got else { continue };
                let sent = &record.sent[*id as usize];
                let is_before = *origin == barrier.origin && sent.end < barrier.until;
                assert!(
                    !is_before || *at < barrier.at,
                    "event {id} comes behind what it was before: {barrier:?}, {}",
                    context()
                );
            }
        }
    }
}
