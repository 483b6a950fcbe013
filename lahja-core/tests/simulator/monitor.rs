//! A model of the protocol that reads along what both ends of a wire write.
//!
//! It knows what each end has written, which is at least what the other has read. What it objects
//! to is wrong however late the bytes arrive. It is written from the documentation of the format.

use std::collections::HashMap;

/// What each event is charged on top of its payload.
const EVENT_OVERHEAD: u64 = 16;

/// Both ends of one wire.
pub(crate) struct Monitor {
    ends: [End; 2],
    window: u64,
    cancellations: u64,
    breach: Option<String>,
}

/// What one end has written.
#[derive(Default)]
struct End {
    // Bytes of a frame that has begun.
    bytes: Vec<u8>,
    is_closed: bool,
    said_hello: bool,
    said_ready: bool,
    has_ended: bool,
    epoch: u64,
    acknowledged: u64,
    topics: HashMap<u64, Topic>,
    requests: HashMap<u64, Request>,
}

/// A topic that an end has announced.
struct Topic {
    window: u64,
    outstanding: u64,
    withdrawn: Option<u64>,
    begun: Option<Begun>,
}

/// An event that comes in parts.
struct Begun {
    rest: u64,
    request: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Request {
    Open,
    Cancelled,
    Ended,
}

/// The header of a message, as far as it was read.
struct Header<'a>(&'a [u8]);

impl Header<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (&byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(byte)
    }

    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    /// Reads what an event begins with: its topic, and its id if it is a request.
    fn event(&mut self) -> Option<(u64, Option<u64>)> {
        let flags = self.byte()?;
        let number = self.number()?;
        let request = match flags & 1 {
            1 => Some(self.number()?),
            _ => None,
        };
        Some((number, request))
    }
}

impl Monitor {
    /// Creates one for ends that grant this window for each topic.
    pub(crate) fn new(window: u64) -> Self {
        Self { ends: Default::default(), window, cancellations: 0, breach: None }
    }

    /// Notes what an end has written.
    pub(crate) fn written(&mut self, end: usize, bytes: &[u8]) {
        self.ends[end].bytes.extend_from_slice(bytes);
        while self.breach.is_none() {
            let bytes = &self.ends[end].bytes;
            let Some((prefix, rest)) = bytes.split_first_chunk() else { return };
            let len = u32::from_le_bytes(*prefix) as usize;
            if rest.len() < len {
                return;
            }
            let content = rest[..len].to_vec();
            self.ends[end].bytes.drain(..prefix.len() + len);
            if let Err(what) = self.follow(end, &content) {
                let start = &content[..len.min(40)];
                self.breach = Some(format!("end {end} wrote {start:02x?}: {what}"));
            }
        }
    }

    /// Notes that an end has closed in order.
    pub(crate) fn closed(&mut self, end: usize) {
        self.ends[end].is_closed = true;
    }

    /// Checks that both ends have kept the protocol.
    pub(crate) fn assert_kept(&self, context: &str) {
        assert_eq!(self.breach, None, "{context}");
        for end in &self.ends {
            assert!(!end.is_closed || end.bytes.is_empty(), "closed within a frame: {context}");
        }
    }

    /// Returns how often a request was cancelled.
    pub(crate) fn cancellations(&self) -> u64 {
        self.cancellations
    }

    fn follow(&mut self, at: usize, content: &[u8]) -> Result<(), String> {
        let window = self.window;
        let (first, second) = self.ends.split_at_mut(1);
        let (end, peer) = match at {
            0 => (&mut first[0], &mut second[0]),
            _ => (&mut second[0], &mut first[0]),
        };
        let mut header = Header(content);
        let kind = header.byte().ok_or("an empty frame")?;
        if end.has_ended {
            return Err("a message behind the end".into());
        }
        if end.said_hello == (kind == 0x01) {
            return Err("a hello that is not the first message".into());
        }
        if !end.said_ready && matches!(kind, 0x07..=0x0c | 0x0e..=0x10) {
            return Err("traffic before ready".into());
        }
        let mut number = || header.number().ok_or("a header that is cut off");
        match kind {
            0x01 => end.said_hello = true,
            0x02 | 0x0d => end.has_ended = true,
            0x03 => {
                end.enter(number()?)?;
                let (key, granted) = (number()?, number()?);
                if granted != window {
                    return Err(format!("a window of {granted}"));
                }
                let topic = Topic { window, outstanding: 0, withdrawn: None, begun: None };
                if end.topics.insert(key, topic).is_some() {
                    return Err("a number that is in use".into());
                }
            }
            0x04 => {
                let epoch = number()?;
                end.enter(epoch)?;
                let topic = end.topics.get_mut(&number()?).ok_or("no such topic")?;
                if topic.withdrawn.replace(epoch).is_some() {
                    return Err("withdrawn twice".into());
                }
            }
            0x05 => {
                if std::mem::replace(&mut end.said_ready, true) {
                    return Err("ready twice".into());
                }
            }
            0x06 => {
                let epoch = number()?;
                if epoch <= end.acknowledged || epoch > peer.epoch {
                    return Err(format!("not between {} and {}", end.acknowledged, peer.epoch));
                }
                end.acknowledged = epoch;
                peer.topics.retain(|_, topic| topic.withdrawn.is_none_or(|at| at > epoch));
            }
            0x07 => {
                let topic = end.topics.get_mut(&number()?).ok_or("no such topic")?;
                let bytes = number()?;
                if topic.withdrawn.is_some() || bytes == 0 || bytes > topic.outstanding {
                    return Err(format!("{} are outstanding", topic.outstanding));
                }
                topic.outstanding -= bytes;
            }
            0x08 => {
                let (number, request) = header.event().ok_or("a header that is cut off")?;
                end.ask(request)?;
                let topic = peer.topics.get_mut(&number).ok_or("a topic that is not wanted")?;
                topic.charge(header.0.len() as u64)?;
            }
            0x0e => {
                let (number, request) = header.event().ok_or("a header that is cut off")?;
                let rest = header.number().ok_or("a header that is cut off")?;
                let topic = peer.topics.get_mut(&number).ok_or("a topic that is not wanted")?;
                topic.charge(rest)?;
                if topic.begun.replace(Begun { rest, request }).is_some() {
                    return Err("an event begins within another".into());
                }
            }
            0x0f => {
                let is_last = header.byte() == Some(1);
                let number = header.number().ok_or("a header that is cut off")?;
                let topic = peer.topics.get_mut(&number).ok_or("a topic that is not wanted")?;
                let begun = topic.begun.as_mut().ok_or("a part of nothing")?;
                let len = header.0.len() as u64;
                if len == 0 || len > begun.rest || is_last != (len == begun.rest) {
                    return Err(format!("{len} of {} bytes", begun.rest));
                }
                begun.rest -= len;
                if is_last {
                    let request = topic.begun.take().and_then(|begun| begun.request);
                    end.ask(request)?;
                }
            }
            0x10 => {
                let topic = peer.topics.get_mut(&number()?).ok_or("no such topic")?;
                topic.begun.take().ok_or("nothing has begun")?;
            }
            0x09 | 0x0a => {
                if kind == 0x09 {
                    header.byte();
                }
                let id = header.number().ok_or("a header that is cut off")?;
                let request = peer.requests.get_mut(&id).ok_or("no such request")?;
                if std::mem::replace(request, Request::Ended) == Request::Ended {
                    return Err("a request that has ended".into());
                }
            }
            0x0b => {
                let request = end.requests.get_mut(&number()?).ok_or("no such request")?;
                if *request == Request::Cancelled {
                    return Err("cancelled twice".into());
                }
                self.cancellations += 1;
                if *request == Request::Open {
                    *request = Request::Cancelled;
                }
            }
            0x0c => {
                let topic = peer.topics.get(&number()?).ok_or("no such topic")?;
                if number()? == 0 {
                    return Err(format!("nothing lost, {} outstanding", topic.outstanding));
                }
            }
            _ => return Err("no such kind".into()),
        }
        Ok(())
    }
}

impl Topic {
    /// Notes an event that uses up credit.
    fn charge(&mut self, len: u64) -> Result<(), String> {
        if self.outstanding >= self.window {
            return Err(format!("{} of {}", self.outstanding, self.window));
        }
        self.outstanding += len + EVENT_OVERHEAD;
        Ok(())
    }
}

impl End {
    /// Notes a request, if an event is one.
    fn ask(&mut self, request: Option<u64>) -> Result<(), String> {
        let Some(id) = request else { return Ok(()) };
        match self.requests.insert(id, Request::Open) {
            None => Ok(()),
            Some(_) => Err("a request's id is used twice".into()),
        }
    }

    fn enter(&mut self, epoch: u64) -> Result<(), String> {
        if epoch != self.epoch + 1 {
            return Err(format!("epoch {epoch} behind {}", self.epoch));
        }
        self.epoch = epoch;
        Ok(())
    }
}
