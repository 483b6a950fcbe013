//! What is encoded and decoded: postcard's format, and every way to miss it.

use super::*;

#[test]
fn every_value_is_encoded_as_postcard_does_and_comes_back() {
    same_as_postcard(&record());
    same_as_postcard(&Bytes(vec![0, 1, 255]));
    same_as_postcard(&List::Next(Box::new(List::End)));
    same_as_postcard(&Chain { next: None });
    same_as_postcard(&Nest(vec![Nest(vec![]), Nest(vec![Nest(vec![])])]));
    same_as_postcard(&Maps(BTreeMap::from([(3, Maps(BTreeMap::new()))])));
    same_as_postcard(&());
    same_as_postcard(&vec![(); 300]);
    same_as_postcard(&(Some(Some(())), None::<u8>, true, f32::EPSILON, "text".to_owned(), ' '));
    for bit in 0..64 {
        let numbers = [1_u64 << bit, (1 << bit) - 1, u64::MAX << bit];
        same_as_postcard(&numbers.map(|number| (number, number as i64, -(number as i128))));
        same_as_postcard(&numbers.map(|n| (n as u32, n as i32, n as u16, n as i16, n as u8)));
    }
    same_as_postcard(&(i8::MIN, i16::MIN, i32::MIN, i64::MIN, i128::MIN));
    same_as_postcard(&(u8::MAX, u16::MAX, u32::MAX, u64::MAX, u128::MAX));
    same_as_postcard(&(usize::MAX, isize::MIN, f64::MIN_POSITIVE, '\u{10ffff}'));
    for seed in 1..500 {
        let mut random = Random(seed);
        let value = random.record();
        let bytes = encoded(&value);
        assert_eq!(bytes, postcard::to_stdvec(&value).unwrap(), "seed {seed}");
        let mut scratch = vec![0xff; bytes.len() * (seed % 2) as usize];
        let len = encode_over(&value, &mut scratch).unwrap();
        assert_eq!(scratch[..len], bytes, "seed {seed}");
        assert_eq!(decoded::<Record>(&bytes), Ok(value), "seed {seed}");
    }
}

#[test]
fn every_truncation_of_a_value_is_an_error() {
    for seed in 1..50 {
        let bytes = encoded(&Random(seed).record());
        for len in 0..bytes.len() {
            let truncated = decoded::<Record>(&bytes[..len]);
            assert!(truncated.is_err(), "seed {seed}, {len} bytes");
        }
    }
    let bytes = encoded("text");
    assert_eq!(error::<String>(&bytes[..3]), PayloadError::Truncated { len: 3 });
}

#[test]
fn bytes_after_the_value_are_an_error() {
    let mut bytes = encoded(&record());
    bytes.extend([0, 0]);
    let len = bytes.len();
    assert_eq!(error::<Record>(&bytes), PayloadError::Trailing { len, extra: 2 });
    assert_eq!(error::<()>(&[7]), PayloadError::Trailing { len: 1, extra: 1 });
}

/// Every other first byte is refused by itself.
#[test]
fn three_bytes_that_begin_a_variant_are_decoded_as_postcard_does_or_refused() {
    for first in (0..=4).chain(0x80..=0x84) {
        for rest in 0..=u16::MAX {
            let [second, third] = rest.to_le_bytes();
            agrees::<Kind>(&[first, second, third]);
        }
    }
}

#[test]
fn up_to_two_bytes_are_decoded_as_postcard_does_or_refused() {
    let inputs: Vec<Vec<u8>> = std::iter::once(vec![])
        .chain((0..=u8::MAX).map(|a| vec![a]))
        .chain((0..=u16::MAX).map(|ab| ab.to_be_bytes().to_vec()))
        .collect();
    assert_eq!(inputs.len(), 65_793);
    for input in &inputs {
        agrees::<Record>(input);
        agrees::<Kind>(input);
        agrees::<List>(input);
        agrees::<Chain>(input);
        agrees::<Nest>(input);
        agrees::<Maps>(input);
        agrees::<Bytes>(input);
        agrees::<String>(input);
        agrees::<char>(input);
        agrees::<bool>(input);
        agrees::<u16>(input);
        agrees::<i64>(input);
        agrees::<u128>(input);
        agrees::<f32>(input);
        agrees::<(Option<u8>, u8)>(input);
        agrees::<Vec<u8>>(input);
        agrees::<Vec<Option<u64>>>(input);
        agrees::<HashMap<u8, u8>>(input);
        agrees::<Result<u8, String>>(input);
        agrees::<[(); 4]>(input);
    }
}

#[test]
fn a_vec_of_bytes_is_taken_whole_and_a_text_has_to_be_utf_8() {
    round_trips(&Bytes(vec![9; 100_000]));
    round_trips(&"ö".repeat(50_000));
    let PayloadError::Malformed { reason, .. } = error::<String>(&[2, 0xff, 0xff]) else {
        panic!("not malformed");
    };
    assert_eq!(reason, "a text is not UTF-8");
}

#[test]
fn what_a_type_says_when_it_refuses_a_value_is_kept() {
    #[derive(Debug)]
    struct Even;

    impl<'de> Deserialize<'de> for Even {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            match u8::deserialize(deserializer)? {
                odd if odd % 2 == 1 => Err(de::Error::custom(format_args!("{odd} is odd"))),
                _ => Ok(Self),
            }
        }
    }

    assert_eq!(
        error::<(u8, Vec<Even>)>(&[1, 3, 2, 7, 2]),
        PayloadError::Refused { reason: "7 is odd".into(), at: 4 }
    );
    let PayloadError::Refused { reason, at: 1 } = error::<Kind>(&[9]) else {
        panic!("not refused");
    };
    assert!(reason.contains("variant index 0 <= i < 4"), "{reason}");
    let PayloadError::Refused { reason, at: 1 } = error::<std::num::NonZeroU8>(&[0]) else {
        panic!("not refused");
    };
    assert!(reason.contains("nonzero"), "{reason}");
}

#[test]
fn a_type_that_needs_a_self_describing_format_is_unsupported() {
    #[derive(Debug, Serialize, Deserialize)]
    #[serde(untagged)]
    enum Untagged {
        Number(u8),
    }

    #[derive(Debug, Serialize, Deserialize)]
    #[serde(tag = "kind")]
    enum Tagged {
        Empty {},
    }

    let bytes = encoded(&Untagged::Number(1));
    let unsupported = error::<Untagged>(&bytes);
    assert!(matches!(unsupported, PayloadError::Unsupported { .. }));
    let bytes = encoded(&Tagged::Empty {});
    let unsupported = error::<Tagged>(&bytes);
    assert!(matches!(unsupported, PayloadError::Unsupported { .. }));
    let unsupported = error::<Vec<de::IgnoredAny>>(&[1, 1]);
    assert!(matches!(unsupported, PayloadError::Unsupported { .. }));
}

#[test]
fn formats_for_people_are_not_used() {
    let address = std::net::Ipv4Addr::LOCALHOST;
    assert_eq!(encoded(&address), [127, 0, 0, 1]);
    round_trips(&address);
}

#[test]
fn encoding_appends() {
    let mut buffer = vec![1, 2];
    encode(&(3u8, "x"), &mut buffer).unwrap();
    encode("", &mut buffer).unwrap();
    assert_eq!(buffer, [1, 2, 3, 1, b'x', 0]);
}

#[test]
fn a_value_without_encoding_is_an_error_and_leaves_the_buffer_alone() {
    struct Endless;

    impl Serialize for Endless {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.serialize_seq(None)?.end()
        }
    }

    struct Refuses;

    impl Serialize for Refuses {
        fn serialize<S: Serializer>(&self, _serializer: S) -> Result<S::Ok, S::Error> {
            Err(ser::Error::custom("no"))
        }
    }

    let mut buffer = vec![1, 2];
    for (result, word) in [
        (encode(&(5u8, Endless), &mut buffer), "length"),
        (encode(&("abc", Refuses), &mut buffer), "Serialize"),
    ] {
        let Err(PayloadError::Unencodable { reason }) = result else {
            panic!("{word}: {result:?}");
        };
        assert!(reason.contains(word), "{reason}");
    }
    assert_eq!(buffer, [1, 2]);
}

#[test]
fn a_value_that_changes_while_it_is_encoded_is_encoded_as_it_is_last() {
    struct Changing {
        times: Cell<usize>,
        texts: [&'static str; 3],
    }

    impl Serialize for Changing {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let times = self.times.replace(self.times.get() + 1);
            serializer.serialize_str(self.texts[times])
        }
    }

    for (texts, last) in [
        (["short", "longer", "longest"], "longest"),
        (["short", "longer", "s"], "s"),
        (["long", "s", "unused"], "s"),
    ] {
        let mut buffer = vec![1];
        let times = Cell::new(0);
        encode(&Changing { times, texts }, &mut buffer).unwrap();
        assert_eq!(buffer[0], 1);
        assert_eq!(decoded::<String>(&buffer[1..]).unwrap(), last);
    }
}

#[test]
fn an_error_says_what_failed_and_with_which_sizes() {
    for (error, text) in [
        (
            error::<(u8, bool)>(&[1, 2]),
            "payload is malformed before byte 2: a bool is neither 0 nor 1",
        ),
        (error::<u8>(&[1, 2, 3]), "payload of 3 bytes goes on for 2 after its value"),
        (error::<u8>(&[]), "payload of 0 bytes ends before its value does"),
        (error::<List>(&[1; 100]), "payload is nested deeper than 64 levels"),
        (
            error::<Vec<()>>(&[0xff, 0xff, 0xff, 0xff, 0x0f]),
            "payload of 5 bytes claims more than 16704 bytes of memory",
        ),
    ] {
        assert_eq!(error.to_string(), text);
    }
}

fn same_as_postcard<T>(value: &T)
where
    T: Serialize + DeserializeOwned + PartialEq + Debug,
{
    let encoding = postcard::to_stdvec(value).unwrap();
    assert_eq!(encoded(value), encoding);
    // Whether the buffer has to grow, fits, or is longer than any number takes.
    for room in 0..encoding.len() + 12 {
        let mut scratch = vec![0xff; room];
        let len = encode_over(value, &mut scratch).unwrap();
        assert_eq!(scratch[..len], encoding, "over {room} bytes");
    }
    round_trips(value);
}

fn agrees<T: DeserializeOwned + PartialEq + Debug>(input: &[u8]) {
    let plain = match postcard::take_from_bytes::<T>(input) {
        Ok((value, [])) => Some(value),
        _ => None,
    };
    assert_eq!(decoded::<T>(input).ok(), plain, "{input:?}");
}

/// A xorshift generator; its seed is not zero.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number of any length in bits.
    fn number(&mut self) -> u64 {
        let bits = self.next() % 64;
        self.next() >> bits
    }

    fn text(&mut self) -> String {
        (0..self.next() % 20).map(|_| self.letter()).collect()
    }

    fn letter(&mut self) -> char {
        char::from_u32(self.next() as u32 % 0x11_0000).unwrap_or('x')
    }

    fn many<T>(&mut self, mut make: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.next() % 10).map(|_| make(self)).collect()
    }

    fn kind(&mut self) -> Kind {
        match self.next() % 4 {
            0 => Kind::Nothing,
            1 => Kind::One(self.number() as i64),
            2 => Kind::Two(self.next() as u8, self.text()),
            _ => Kind::Named {
                x: (self.next() % 2 == 0).then(|| self.number() as u32),
                y: self.many(|random| random.next() % 2 == 0),
            },
        }
    }

    fn record(&mut self) -> Record {
        Record {
            id: self.number(),
            name: self.text(),
            small: (
                self.next() as i8,
                self.number() as u16,
                self.number() as i32,
                i128::from(self.number() as i64) << (self.next() % 64),
            ),
            real: [self.next() as f32, 0.5, -1e9],
            letter: self.letter(),
            flag: self.next() % 2 == 0,
            maybe: [None, Some(None), Some(Some(2.5))][self.next() as usize % 3],
            kinds: self.many(Self::kind),
            by_name: (self.many(|random| (random.text(), random.many(|r| r.next() as u8))))
                .into_iter()
                .collect(),
            by_number: (self.many(|random| (random.next() as u8, random.text())))
                .into_iter()
                .collect(),
            wait: Duration::new(self.number() >> 1, 7),
            unit: (),
            boxed: Box::new(Wrapped(self.number() as u32)),
        }
    }
}

#[test]
fn what_a_type_shows_of_itself_is_a_text() {
    struct Shown(u32);
    impl Serialize for Shown {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_str(&format_args!("number {}", self.0))
        }
    }
    let text = postcard::to_stdvec("number 7").unwrap();
    for room in [0, text.len() - 1, text.len()] {
        let mut scratch = vec![0xff; room];
        let len = encode_over(&Shown(7), &mut scratch).unwrap();
        assert_eq!(scratch[..len], text);
    }
}

#[test]
fn a_scratch_buffer_serves_values_of_any_length() {
    let mut scratch = Vec::new();
    for len in [3, 0, 500, 20, 499] {
        let value = vec![7_u8; len];
        let written = encode_over(&value, &mut scratch).unwrap();
        assert_eq!(scratch[..written], postcard::to_stdvec(&value).unwrap());
    }
}
