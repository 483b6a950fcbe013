use super::*;
use crate::name::EndpointName;

fn hello() -> Hello {
    Hello {
        oldest_version: 1,
        newest_version: 2,
        features: 300,
        nonce: 0x0102,
        max_frame: 16 << 20,
        max_topics: 4096,
        max_requests: 1,
        name: EndpointName::new("e1").unwrap(),
        groups: vec![EndpointName::new("g").unwrap()],
    }
}

/// Every kind with the bytes that it has had since version 1. A change here is a change of the
/// wire format: it needs a new version.
fn golden() -> Vec<(Message<'static>, Vec<u8>)> {
    let mut hello_bytes = b"\x01lahja\x01\x02\xac\x02\x02\x01".to_vec();
    hello_bytes.extend([0; 14]);
    hello_bytes.extend(b"\x80\x80\x80\x08\x80\x20\x01\x02e1\x01\x01g");
    let announce =
        Message::Announce { epoch: 1, number: 5, window: 262_144, fingerprint: 9, name: "a.B" };
    let event = |request| Message::Event { number: 130, request, payload: b"xy" };
    let begin = |request| Message::Begin { number: 130, request, total: 262_144 };
    let part = |place| Message::Part { number: 130, place, payload: b"xy" };
    let response = Message::Response { id: 7, response_type: 1, payload: b"z" };
    let failure = Message::Failure { id: 7, reason: FailureReason::Unanswered };
    vec![
        (Message::Hello(Box::new(hello())), hello_bytes),
        (Message::Refuse(Refusal::NameTaken), b"\x02\x02".to_vec()),
        (announce, b"\x03\x01\x05\x80\x80\x10\x09\0\0\0\0\0\0\0\x03a.B".to_vec()),
        (Message::Withdraw { epoch: 2, number: 5 }, b"\x04\x02\x05".to_vec()),
        (Message::Ready, b"\x05".to_vec()),
        (Message::Acknowledge { epoch: 2 }, b"\x06\x02".to_vec()),
        (Message::Credit { number: 5, bytes: 128 }, b"\x07\x05\x80\x01".to_vec()),
        (event(None), b"\x08\0\x82\x01xy".to_vec()),
        (event(Some(3)), b"\x08\x01\x82\x01\x03xy".to_vec()),
        (response, b"\x09\0\x07\x01\0\0\0\0\0\0\0z".to_vec()),
        (failure, b"\x0a\x07\x01".to_vec()),
        (Message::Cancel { id: 7 }, b"\x0b\x07".to_vec()),
        (Message::Lagged { number: 5, count: 9 }, b"\x0c\x05\x09".to_vec()),
        (Message::Goodbye, b"\x0d".to_vec()),
        (begin(None), b"\x0e\0\x82\x01\x80\x80\x10".to_vec()),
        (begin(Some(3)), b"\x0e\x01\x82\x01\x03\x80\x80\x10".to_vec()),
        (part(Place::Within), b"\x0f\0\x82\x01xy".to_vec()),
        (part(Place::Last), b"\x0f\x01\x82\x01xy".to_vec()),
        (Message::Abandon { number: 130 }, b"\x10\x82\x01".to_vec()),
        (Message::Mismatch { number: 5 }, b"\x80\x05".to_vec()),
        (Message::Unknown, b"\x81".to_vec()),
    ]
}

#[test]
fn every_message_has_its_golden_bytes() {
    for (message, bytes) in golden() {
        let mut encoded = Vec::new();
        message.encode(&mut encoded);
        assert_eq!(encoded, bytes, "{message:?}");
        assert_eq!(Message::decode(&bytes), Ok(message));
    }
}

#[test]
fn a_message_cut_short_is_an_error_and_never_a_panic() {
    for (message, bytes) in golden() {
        let payload = match message {
            Message::Event { payload, .. }
            | Message::Response { payload, .. }
            | Message::Part { payload, .. } => payload.len(),
            _ => 0,
        };
        for len in 0..bytes.len() - payload {
            let result = Message::decode(&bytes[..len]);
            assert!(result.is_err(), "{message:?} cut to {len}: {result:?}");
        }
    }
}

#[test]
fn every_content_of_up_to_three_bytes_is_read_or_refused() {
    for first in 0..=255 {
        let _ = Message::decode(&[first]);
        for second in 0..=255 {
            let _ = Message::decode(&[first, second]);
            for third in 0..=255 {
                let _ = Message::decode(&[first, second, third]);
            }
        }
    }
}

#[test]
fn an_unknown_optional_kind_is_skipped_and_an_unknown_other_kind_refused() {
    assert_eq!(Message::decode(&[0xff, 1, 2]), Ok(Message::Unknown));
    let kind = 0x11;
    assert_eq!(Message::decode(&[kind]), Err(ProtocolError::UnknownKind { kind }));
}

#[test]
fn options_are_skipped_and_other_flags_refused() {
    let payload = b"xy".as_slice();
    let event = Message::Event { number: 5, request: None, payload };
    assert_eq!(Message::decode(b"\x08\x02\x05\x03abcxy"), Ok(event));
    let flags = 4;
    let refused = Err(ProtocolError::UnknownFlags { flags });
    assert_eq!(Message::decode(b"\x08\x04\x05xy"), refused);
    let begin = Message::Begin { number: 5, request: None, total: 9 };
    assert_eq!(Message::decode(b"\x0e\x02\x05\x03abc\x09"), Ok(begin));
    assert_eq!(Message::decode(b"\x0e\x04\x05\x09"), refused);
    assert_eq!(Message::decode(b"\x0f\x04\x05xy"), refused);
}

#[test]
fn a_number_over_its_width_is_refused() {
    let too_large = Err(ProtocolError::NumberTooLarge);
    let mut cancel = b"\x0b".to_vec();
    cancel.extend([0xff; 9]);
    cancel.push(1);
    assert_eq!(Message::decode(&cancel), Ok(Message::Cancel { id: u64::MAX }));
    *cancel.last_mut().unwrap() = 2;
    assert_eq!(Message::decode(&cancel), too_large);
    *cancel.last_mut().unwrap() = 0xff;
    assert_eq!(Message::decode(&cancel), too_large);
    assert_eq!(Message::decode(b"\x07\xff\xff\xff\xff\x1f\0"), too_large);
}

#[test]
fn numbers_of_every_length_come_back_and_are_errors_at_every_cut() {
    let boundaries = (0..64).flat_map(|bit| [(1 << bit) - 1, 1 << bit, (1 << bit) + 1]);
    for number in boundaries.chain([u64::MAX]) {
        let mut messages = vec![
            Message::Acknowledge { epoch: number },
            Message::Cancel { id: number },
            Message::Lagged { number: 5, count: number },
        ];
        if let Ok(number) = u32::try_from(number) {
            messages.push(Message::Credit { number, bytes: 1 });
            messages.push(Message::Withdraw { epoch: 1, number });
        }
        for message in messages {
            let mut bytes = Vec::new();
            message.encode(&mut bytes);
            for len in 0..bytes.len() {
                let cut = Message::decode(&bytes[..len]);
                assert_eq!(cut, Err(ProtocolError::TruncatedHeader { len }), "{message:?}");
            }
            assert_eq!(Message::decode(&bytes), Ok(message));
        }
    }
}

#[test]
fn a_stranger_and_a_bad_name_are_told_apart() {
    let not_lahja = Message::decode(b"\x01GET /");
    assert_eq!(not_lahja, Err(ProtocolError::NotLahja));
    let mut bytes = Vec::new();
    Message::Hello(Box::new(hello())).encode(&mut bytes);
    let name = bytes.windows(2).position(|two| two == b"e1").unwrap();
    bytes[name] = b'/';
    assert!(matches!(Message::decode(&bytes), Err(ProtocolError::BadName(_))));
}

#[test]
fn the_short_way_to_read_an_event_agrees_with_the_long_one() {
    for (message, bytes) in golden() {
        assert_eq!(Message::decode_plain_event(&bytes), None, "{message:?}");
    }
    for number in [0, 5, 127, 128] {
        let mut bytes = Vec::new();
        let event = Message::Event { number, request: None, payload: b"xy" };
        event.encode(&mut bytes);
        assert_eq!(Message::decode(&bytes), Ok(event));
        let plain = (number < 128).then_some((number, b"xy".as_slice()));
        assert_eq!(Message::decode_plain_event(&bytes), plain);
    }
    assert_eq!(Message::decode_plain_event(&[8, 0]), None);
}
