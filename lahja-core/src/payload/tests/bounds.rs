//! What a payload may claim: depth, memory, and what visitors are told to expect.

use super::*;

/// 2^32 - 1 as a length.
const FOUR_BILLION: [u8; 5] = [0xff, 0xff, 0xff, 0xff, 0x0f];

#[test]
fn ordinary_types_pass_however_many_and_empty() {
    const MANY: usize = 100_000;
    round_trips(&vec![String::new(); MANY]);
    round_trips(&vec![None::<u64>; MANY]);
    round_trips(&vec![None::<[u64; 4]>; MANY]);
    round_trips(&vec![None::<String>; MANY]);
    round_trips(&vec![Vec::<u8>::new(); MANY]);
    round_trips(&vec![Some(Vec::<u8>::new()); MANY]);
    round_trips(&vec![HashMap::<u8, String>::new(); MANY]);
    round_trips(&vec![Kind::Nothing; MANY]);
    round_trips(&vec![Box::<[u8]>::default(); MANY]);
    round_trips(&vec![Box::new(Kind::Nothing); MANY]);
    round_trips(&vec![(0u128, 0u8); MANY]);
    round_trips(&vec![Duration::ZERO; MANY]);
    round_trips(&(0..=u8::MAX).map(|n| (n, String::new())).collect::<HashMap<_, _>>());
    let names = (0..MANY).map(|n| (n.to_string(), None));
    round_trips(&names.collect::<BTreeMap<String, Option<u64>>>());
    round_trips(&(0..MANY).collect::<HashSet<usize>>());
    round_trips(&vec![record(); 1_000]);
}

#[test]
fn a_hundred_large_elements_pass_however_empty() {
    type Large = Option<[u64; 24]>;
    assert_eq!(size_of::<Large>(), 200);
    round_trips(&vec![None::<[u64; 24]>; 100]);
    round_trips(&vec![[Some(3u64); 24]; 10_000]);
}

#[test]
fn a_large_value_in_a_box_is_charged_when_it_is_there() {
    type Large = Option<[u64; 32]>;
    let len = 3 + 1_000_000;
    let bytes = encoded(&vec![None::<Box<[u64; 32]>>; 1_000_000]);
    assert_eq!(bytes.len(), len);
    decoded::<Vec<Option<Box<[u64; 32]>>>>(&bytes).unwrap();
    assert_eq!(error::<Vec<Box<Large>>>(&bytes), over_budget(len));
    assert_eq!(error::<Vec<Large>>(&bytes), over_budget(len));
}

#[test]
fn a_length_that_the_bytes_cannot_hold_is_an_error_at_once() {
    assert_eq!(error::<Vec<()>>(&FOUR_BILLION), over_budget(5));
    assert_eq!(error::<HashSet<()>>(&FOUR_BILLION), over_budget(5));
    assert_eq!(error::<HashMap<(), ()>>(&FOUR_BILLION), over_budget(5));
    assert_eq!(error::<Vec<u8>>(&FOUR_BILLION), over_budget(5));

    let mut bytes = FOUR_BILLION.to_vec();
    bytes.extend([1, 2, 3, 4, 5]);
    assert_eq!(error::<HashMap<u64, u64>>(&bytes), over_budget(10));
    assert_eq!(error::<BTreeMap<u8, String>>(&bytes), over_budget(10));

    let longest = encoded(&usize::MAX);
    let len = longest.len();
    assert_eq!(error::<Vec<()>>(&longest), over_budget(len));
    assert_eq!(error::<Vec<u64>>(&longest), over_budget(len));
    let after_one_key = [longest, vec![1]].concat();
    assert_eq!(error::<HashMap<(), u64>>(&after_one_key), over_budget(len + 1));
}

#[test]
fn a_mebibyte_cannot_claim_a_quarter_of_a_gibibyte() {
    let mut bytes = vec![0; 1 << 20];
    bytes[..3].copy_from_slice(&[0xfd, 0xff, 0x3f]);
    assert_eq!(error::<Vec<Option<[u64; 32]>>>(&bytes), over_budget(1 << 20));
    assert_eq!(decoded::<Vec<Option<u64>>>(&bytes).unwrap().len(), (1 << 20) - 3);
}

#[test]
fn zero_sized_elements_are_at_most_four_a_byte() {
    round_trips(&vec![(); 1_024]);
    let more = encoded(&vec![(); 1_100]);
    assert_eq!(error::<Vec<()>>(&more), over_budget(more.len()));
    let mut bytes = vec![0xff, 0xff, 0xff, 0x7f];
    bytes.resize(1 << 20, 0);
    assert_eq!(error::<HashSet<()>>(&bytes), over_budget(1 << 20));
}

#[test]
fn elements_that_grow_while_they_are_decoded_are_charged_for_it() {
    #[derive(Debug)]
    struct FirstSmall;

    impl<'de> Deserialize<'de> for FirstSmall {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct Elements;

            impl<'de> Visitor<'de> for Elements {
                type Value = FirstSmall;

                fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str("a sequence")
                }

                fn visit_seq<A: de::SeqAccess<'de>>(
                    self,
                    mut seq: A,
                ) -> Result<FirstSmall, A::Error> {
                    seq.next_element::<u8>()?;
                    while seq.next_element::<Option<[u64; 32]>>()?.is_some() {}
                    Ok(FirstSmall)
                }
            }

            deserializer.deserialize_seq(Elements)
        }
    }

    let bytes = encoded(&vec![0u8; 1_000]);
    assert_eq!(error::<FirstSmall>(&bytes), over_budget(bytes.len()));
}

#[test]
fn visitors_expect_no_more_elements_than_there_are_bytes() {
    for (bytes, expected) in [
        (&[0u8][..], 0),
        (&[3, 1, 1, 1], 3),
        (&[3, 1, 1, 1, 1, 1], 3),
        (&[200, 1, 1, 1], 2),
        (&[0xff, 0xff, 0xff, 0xff, 0x0f, 1, 2, 3, 4, 5], 5),
    ] {
        assert_eq!(hint::<OfSeq>(bytes), Some(expected), "{bytes:?}");
        assert_eq!(hint::<OfMap>(bytes), Some(expected), "{bytes:?}");
    }
}

#[test]
fn a_collection_reserves_what_it_holds() {
    let bytes = encoded(&(0..1_000).collect::<Vec<u64>>());
    let numbers: Vec<u64> = decoded(&bytes).unwrap();
    assert_eq!(numbers.capacity(), 1_000);
}

#[test]
fn nesting_is_an_error_below_the_last_level_and_none_on_it() {
    fn list(levels: usize) -> Vec<u8> {
        let mut bytes = vec![1; levels - 1];
        bytes.push(0);
        bytes
    }

    assert!(decode::<List>(&list(64), 64).is_ok());
    assert_eq!(decode::<List>(&list(65), 64), Err(PayloadError::TooDeep { max: 64 }));
    assert!(decode::<List>(&list(3), 3).is_ok());
    assert_eq!(decode::<List>(&list(4), 3), Err(PayloadError::TooDeep { max: 3 }));
    assert!(decode::<u8>(&[1], 0).is_ok());
}

#[test]
fn every_kind_of_nesting_counts() {
    fn levels<T: Serialize + DeserializeOwned>(value: &T) -> usize {
        let bytes = encoded(value);
        (0..=MAX_DEPTH).find(|&depth| decode::<T>(&bytes, depth).is_ok()).unwrap()
    }

    assert_eq!(levels(&"text".to_owned()), 0);
    assert_eq!(levels(&Box::new(())), 0);
    assert_eq!(levels(&vec![0u8]), 1);
    assert_eq!(levels(&BTreeMap::from([(0u8, 0u8)])), 1);
    assert_eq!(levels(&(0u8, 0u8)), 1);
    assert_eq!(levels(&[0u8; 4]), 1);
    assert_eq!(levels(&Some(0u8)), 1);
    assert_eq!(levels(&Wrapped(0)), 1);
    assert_eq!(levels(&Chain { next: None }), 2);
    assert_eq!(levels(&Kind::One(0)), 1);
    assert_eq!(levels(&Kind::Two(0, String::new())), 1);
    assert_eq!(levels(&Kind::Named { x: Some(0), y: vec![] }), 2);
}

#[test]
fn a_recursive_type_does_not_overflow_a_stack_of_two_mebibytes() {
    let decode_all = || {
        let ones = vec![1; 1 << 20];
        for error in [
            error::<List>(&ones),
            error::<Chain>(&ones),
            error::<Nest>(&ones),
            error::<Maps>(&ones),
            error::<Endless>(&ones),
        ] {
            assert_eq!(error, PayloadError::TooDeep { max: MAX_DEPTH });
        }
    };
    std::thread::Builder::new().stack_size(2 << 20).spawn(decode_all).unwrap().join().unwrap();
}

/// A type that no value has and no byte encodes.
#[derive(Debug, Deserialize)]
struct Endless {
    #[expect(dead_code, reason = "no value exists")]
    next: Box<Endless>,
}

fn over_budget(len: usize) -> PayloadError {
    let budget = 64 * len + 16 * 1024;
    PayloadError::OverBudget { len, budget }
}

thread_local! {
    static HINT: Cell<Option<usize>> = const { Cell::new(None) };
}

fn hint<T: DeserializeOwned>(bytes: &[u8]) -> Option<usize> {
    HINT.set(None);
    // The visitor takes no element, so that what remains is trailing.
    let _: Result<T, PayloadError> = decoded(bytes);
    HINT.get()
}

#[derive(Debug)]
struct OfSeq;

#[derive(Debug)]
struct OfMap;

impl<'de> Deserialize<'de> for OfSeq {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(HintVisitor).map(|()| Self)
    }
}

impl<'de> Deserialize<'de> for OfMap {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(HintVisitor).map(|()| Self)
    }
}

struct HintVisitor;

impl<'de> Visitor<'de> for HintVisitor {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a collection")
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, seq: A) -> Result<(), A::Error> {
        HINT.set(seq.size_hint());
        Ok(())
    }

    fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        HINT.set(map.size_hint());
        Ok(())
    }
}
