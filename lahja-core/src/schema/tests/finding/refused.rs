//! Types that refuse what they are given.

use super::*;

#[derive(PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
struct Never;

impl TryFrom<String> for Never {
    type Error = &'static str;

    fn try_from(_text: String) -> Result<Self, Self::Error> {
        Err("nothing is good enough")
    }
}

#[derive(Deserialize)]
#[serde(try_from = "(u8, u8)")]
struct Ordered;

impl TryFrom<(u8, u8)> for Ordered {
    type Error = &'static str;

    fn try_from((first, second): (u8, u8)) -> Result<Self, Self::Error> {
        (first < second).then_some(Self).ok_or("they are not in order")
    }
}

#[derive(Deserialize)]
#[allow(dead_code)]
struct Picky {
    number: NonZeroU8,
    ordered: Ordered,
    also: NonZeroI64,
    version: Version,
    last: Option<Deep>,
}

#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Version;

impl TryFrom<String> for Version {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        (text.split('.').count() == 3).then_some(Self).ok_or("not three numbers")
    }
}

#[test]
fn other_values_are_tried() {
    assert_eq!(
        structure::<Picky>(),
        "{number: U8, ordered: (U8, U8), also: I64, version: Text, \
         last: Option<Enum{A: (), B: Option<Enum{C: U8, D: U16, E: {last: U32}}>}>}"
    );
}

#[derive(Deserialize)]
#[serde(try_from = "u16")]
struct Port;

impl TryFrom<u16> for Port {
    type Error = &'static str;

    fn try_from(port: u16) -> Result<Self, Self::Error> {
        (port >= 1_024).then_some(Self).ok_or("it is for superusers")
    }
}

#[test]
fn large_numbers_are_among_them() {
    assert_eq!(structure::<(Port, u8)>(), "(U16, U8)");
}

#[derive(Deserialize)]
#[allow(dead_code)]
struct Hopeless {
    first: Deep,
    never: Never,
    inner: Inner,
    last: Option<Deep>,
}

#[derive(Deserialize)]
#[allow(dead_code)]
struct Inner {
    before: u8,
    never: Vec<Never>,
    as_well: Never,
    behind: (u8, Choice),
}

#[test]
fn fields_behind_one_that_takes_nothing_are_found_all_the_same() {
    let deep = "Enum{A: (), B: Option<Enum{C: U8, D: U16, E: {last: U32}}>}";
    let choice = format!(
        "Enum{{Unit: (), Newtype: U32, Tuple: (U8, Text), Named: {{x: Option<U32>, y: {deep}}}}}"
    );
    let inner = format!("{{before: U8, never: [Text], as_well: Text, behind: (U8, {choice})}}");
    assert_eq!(
        structure::<Hopeless>(),
        format!("{{first: {deep}, never: Text, inner: {inner}, last: Option<{deep}>}}")
    );
}

#[derive(Deserialize)]
#[allow(dead_code)]
struct Renamed {
    never: Never,
    #[serde(alias = "old", alias = "older")]
    new: u8,
    #[serde(alias = "former")]
    last: u16,
}

#[test]
fn fields_with_other_names_are_found_behind_it() {
    assert_eq!(
        structure::<Renamed>(),
        "{never: Text, new: U8, old: U8, older: U8, former: U16, last: U16}"
    );
}

#[test]
fn what_follows_in_a_tuple_or_an_entry_cannot_be_found() {
    assert_eq!(gap::<(u8, Never, u16)>(), "2");
    assert_eq!(gap::<(u8, Option<(Never, u8)>)>(), "1.0.1");
    assert_eq!(gap::<BTreeMap<Never, u8>>(), "1");
    assert_eq!(structure::<(u8, Never)>(), "(U8, Text)");
}

#[derive(Deserialize)]
#[allow(dead_code)]
enum Some {
    Never(u8, Never),
    Good(u8),
    Also { never: Never, deep: Deep },
}

#[derive(Deserialize)]
#[allow(dead_code)]
enum Hiding {
    Never(Never, u8),
    Good(u8),
}

#[test]
fn a_variant_that_takes_nothing_does_not_hide_the_others() {
    assert_eq!(
        structure::<(Some, u8)>(),
        "(Enum{Never: (U8, Text), Good: U8, Also: {never: Text, \
         deep: Enum{A: (), B: Option<Enum{C: U8, D: U16, E: {last: U32}}>}}}, U8)"
    );
    assert_eq!(gap::<(Hiding, u8)>(), "0.Never.1");
}

/// A collection that is never empty.
#[derive(Deserialize)]
#[serde(try_from = "Vec<u8>")]
struct Full;

impl TryFrom<Vec<u8>> for Full {
    type Error = &'static str;

    fn try_from(bytes: Vec<u8>) -> Result<Self, Self::Error> {
        (!bytes.is_empty()).then_some(Self).ok_or("nothing in it")
    }
}

#[test]
fn a_collection_may_have_to_hold_something() {
    assert_eq!(structure::<(Full, Full, Deep, Full, u8)>().matches("[U8]").count(), 3);
    assert!(structure::<(Full, Full, Deep, Full, u8)>().ends_with("[U8], U8)"));
}

struct Panics;

impl<'de> Deserialize<'de> for Panics {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u8::deserialize(deserializer)? {
            3 => Ok(Self),
            number => panic!("{number} is not 3"),
        }
    }
}

#[test]
fn a_panic_is_a_refusal() {
    assert_eq!(structure::<(Panics, u16)>(), "(U8, U16)");
}
