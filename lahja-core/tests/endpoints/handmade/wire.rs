//! What a peer says, written from the documentation of the format, not with lahja's own encoder.

use lahja_core::schema::fingerprint;
use lahja_core::{Event, PayloadError};

/// The first byte of each message that the tests use.
pub(super) mod kind {
    pub(in super::super) const HELLO: u8 = 0x01;
    pub(in super::super) const ANNOUNCE: u8 = 0x03;
    pub(in super::super) const WITHDRAW: u8 = 0x04;
    pub(in super::super) const READY: u8 = 0x05;
    pub(in super::super) const ACKNOWLEDGE: u8 = 0x06;
    pub(in super::super) const CREDIT: u8 = 0x07;
    pub(in super::super) const EVENT: u8 = 0x08;
    pub(in super::super) const RESPONSE: u8 = 0x09;
    pub(in super::super) const FAILURE: u8 = 0x0a;
    pub(in super::super) const CANCEL: u8 = 0x0b;
    pub(in super::super) const LAGGED: u8 = 0x0c;
    pub(in super::super) const GOODBYE: u8 = 0x0d;
    pub(in super::super) const BEGIN: u8 = 0x0e;
    pub(in super::super) const PART: u8 = 0x0f;
    pub(in super::super) const ABANDON: u8 = 0x10;
    /// Of a message that every reader skips.
    pub(in super::super) const OPTIONAL: u8 = 0xff;
}

/// Why a request gets no response: whoever received it dropped it.
pub(super) const UNANSWERED: u8 = 1;

/// An event that asks for an answer.
const FLAG_REQUEST: u8 = 1;

/// Puts the length in front of a frame's content.
pub(super) fn frame(content: &[u8]) -> Vec<u8> {
    let len = u32::try_from(content.len()).unwrap();
    [&len.to_le_bytes(), content].concat()
}

/// Encodes an unsigned number as LEB128, as payloads do, too.
pub(super) fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

/// Decodes an unsigned number and returns it with what follows.
fn split_varint(bytes: &[u8]) -> (u64, &[u8]) {
    let len = 1 + bytes.iter().position(|byte| byte & 0x80 == 0).unwrap();
    let (number, rest) = bytes.split_at(len);
    let bits = number.iter().rev().fold(0, |bits, byte| bits << 7 | u64::from(byte & 0x7f));
    (bits, rest)
}

/// Encodes a text, as payloads do, too.
pub(super) fn text(text: &str) -> Vec<u8> {
    [&varint(text.len() as u64), text.as_bytes()].concat()
}

fn numbers(kind: u8, numbers: &[u64]) -> Vec<u8> {
    let mut content = vec![kind];
    numbers.iter().for_each(|&number| content.extend(varint(number)));
    content
}

/// Introduces an endpoint that is in no group and has the default limits.
pub(super) fn hello(name: &str) -> Vec<u8> {
    hello_with(name, [16 << 20, 4_096, 4_096])
}

/// Introduces an endpoint with limits of its own: the largest frame, topics and requests.
pub(super) fn hello_with(name: &str, limits: [u64; 3]) -> Vec<u8> {
    let mut content = vec![kind::HELLO];
    content.extend(b"lahja");
    content.extend([1, 1, 0]);
    content.extend(0x6d61_6465_5f62_795f_6861_6e64_u128.to_le_bytes());
    limits.iter().for_each(|&limit| content.extend(varint(limit)));
    content.extend(text(name));
    content.push(0);
    content
}

/// Has an endpoint that introduces itself say that it takes events in parts.
pub(super) fn taking_parts(mut hello: Vec<u8>) -> Vec<u8> {
    const FEATURES: usize = 8;
    assert_eq!(hello[FEATURES], 0);
    hello[FEATURES] = 1;
    hello
}

/// A topic: its name, and how to find its fingerprint.
#[derive(Clone, Copy)]
pub(super) struct Topic(&'static str, fn() -> Result<u64, PayloadError>);

/// Returns the topic of a type.
pub(super) const fn topic<E: Event>() -> Topic {
    Topic(E::NAME, fingerprint::<E>)
}

/// Announces a topic.
pub(super) fn announce(epoch: u64, number: u64, window: u32, topic: Topic) -> Vec<u8> {
    let Topic(name, fingerprint) = topic;
    let mut content = numbers(kind::ANNOUNCE, &[epoch, number, window.into()]);
    content.extend(fingerprint().unwrap().to_le_bytes());
    content.extend(text(name));
    content
}

/// Withdraws a topic.
pub(super) fn withdraw(epoch: u64, number: u64) -> Vec<u8> {
    numbers(kind::WITHDRAW, &[epoch, number])
}

/// A topic that an endpoint has announced.
pub(super) struct Announced {
    pub(super) number: u64,
    pub(super) name: String,
}

/// Reads an announcement.
pub(super) fn announced(content: &[u8]) -> Announced {
    let (_epoch, rest) = split_varint(&content[1..]);
    let (number, rest) = split_varint(rest);
    let (_window, rest) = split_varint(rest);
    let (len, name) = split_varint(&rest[8..]);
    let name = String::from_utf8(name[..len as usize].to_vec()).unwrap();
    Announced { number, name }
}

/// Sends an event.
pub(super) fn event(number: u64, payload: &[u8]) -> Vec<u8> {
    [&[kind::EVENT, 0], &varint(number)[..], payload].concat()
}

/// Sends a request.
pub(super) fn request(number: u64, id: u64, payload: &[u8]) -> Vec<u8> {
    [&[kind::EVENT, FLAG_REQUEST], &varint(number)[..], &varint(id), payload].concat()
}

/// Begins an event whose payload has so many bytes.
pub(super) fn begin(number: u64, total: usize) -> Vec<u8> {
    [&[kind::BEGIN, 0], &varint(number)[..], &varint(total as u64)].concat()
}

/// Begins a request likewise.
pub(super) fn begin_request(number: u64, id: u64, total: usize) -> Vec<u8> {
    let numbers = [number, id, total as u64].map(varint).concat();
    [&[kind::BEGIN, FLAG_REQUEST], &numbers[..]].concat()
}

/// Sends a part that is not the last.
pub(super) fn part(number: u64, payload: &[u8]) -> Vec<u8> {
    [&[kind::PART, 0], &varint(number)[..], payload].concat()
}

/// Sends the last part.
pub(super) fn last_part(number: u64, payload: &[u8]) -> Vec<u8> {
    [&[kind::PART, 1], &varint(number)[..], payload].concat()
}

/// Gives up an event that has begun.
pub(super) fn abandon(number: u64) -> Vec<u8> {
    numbers(kind::ABANDON, &[number])
}

/// Returns the id of a request, or of one that begins.
pub(super) fn request_id(content: &[u8]) -> u64 {
    assert!(matches!(content[..2], [kind::EVENT | kind::BEGIN, FLAG_REQUEST]), "a request");
    let (_number, rest) = split_varint(&content[2..]);
    split_varint(rest).0
}

/// Answers a request with a response of the topic `name`.
pub(super) fn response(id: u64, name: &str, payload: &[u8]) -> Vec<u8> {
    let mut content = vec![kind::RESPONSE, 0];
    content.extend(varint(id));
    content.extend(topic_hash(name).to_le_bytes());
    content.extend_from_slice(payload);
    content
}

/// Says that a request gets no response.
pub(super) fn failure(id: u64, reason: u8) -> Vec<u8> {
    [numbers(kind::FAILURE, &[id]), vec![reason]].concat()
}

/// Gives credit back.
pub(super) fn credit(number: u64, bytes: u64) -> Vec<u8> {
    numbers(kind::CREDIT, &[number, bytes])
}

/// Returns how much credit a message gives back.
pub(super) fn credited(content: &[u8]) -> u64 {
    let (_number, rest) = split_varint(&content[1..]);
    split_varint(rest).0
}

/// Says how many events were left out.
pub(super) fn lagged(number: u64, count: u64) -> Vec<u8> {
    numbers(kind::LAGGED, &[number, count])
}

/// Returns the type that a response of a topic has: FNV-1a (64 bit) of the topic's name.
fn topic_hash(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
