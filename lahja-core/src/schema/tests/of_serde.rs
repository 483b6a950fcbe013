//! What serde's attributes come to, and what of them a payload cannot hold.

use std::cell::Cell;

use super::*;

#[derive(Deserialize)]
#[allow(dead_code)]
struct Renamed {
    #[serde(alias = "other")]
    one: u8,
    #[serde(rename = "2")]
    two: u16,
    #[serde(skip)]
    skipped: u32,
    #[serde(default)]
    three: Aliased,
}

#[derive(Default, Deserialize)]
#[allow(dead_code)]
enum Aliased {
    #[default]
    #[serde(alias = "B")]
    A,
    C(u8),
}

#[test]
fn aliases_add_names_but_no_parts() {
    let schema = Schema::of::<Renamed>().unwrap();
    assert_eq!(schema.shapes[0].names.len(), 4);
    assert_eq!(schema.shapes[0].parts.len(), 3);
    let last = &schema.shapes[schema.shapes[0].parts[2] as usize];
    assert_eq!((last.names.len(), last.parts.len()), (3, 2));
}

#[derive(Debug, Deserialize)]
#[serde(tag = "kind", content = "value")]
#[allow(dead_code)]
enum Adjacent {
    A(u8),
    B(String),
}

#[derive(Debug, Deserialize)]
#[allow(dead_code)]
struct Flat {
    first: u8,
    #[serde(flatten)]
    rest: BTreeMap<String, u8>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
#[allow(dead_code)]
enum Untagged {
    A(u8),
    B(String),
}

#[derive(Debug, Deserialize)]
#[serde(tag = "kind")]
#[allow(dead_code)]
enum Internal {
    A { x: u8 },
    B,
}

#[derive(Debug, Deserialize)]
#[allow(dead_code)]
struct Within {
    good: u8,
    list: Vec<Option<Holder>>,
}

#[derive(Debug, Deserialize)]
#[allow(dead_code)]
enum Holder {
    Good,
    Bad { number: u8, bad: (u8, Untagged) },
}

fn refusal<T: DeserializeOwned>() -> String {
    Schema::of::<T>().unwrap_err().to_string()
}

#[test]
fn what_a_payload_cannot_hold_is_refused_with_its_place() {
    assert_eq!(
        refusal::<Flat>(),
        "type cannot be decoded: 0 asks for a field's name, which is not in a payload"
    );
    assert_eq!(
        refusal::<Untagged>(),
        "type cannot be decoded: it asks for a value of unknown type, \
         which is not in a payload"
    );
    assert_eq!(refusal::<Internal>(), refusal::<Untagged>());
    assert_eq!(
        refusal::<Adjacent>(),
        "type cannot be decoded: kind asks for a field's name, which is not in a payload"
    );
    assert_eq!(refusal::<serde_json::Value>(), refusal::<Untagged>());
    assert_eq!(
        refusal::<Within>(),
        "type cannot be decoded: list.0.0.Bad.bad.1 asks for a value of unknown type, \
         which is not in a payload"
    );
    assert_eq!(
        refusal::<(u8, IgnoredAny)>(),
        "type cannot be decoded: 1 asks for the end of a value of unknown type, \
         which is not in a payload"
    );
}

thread_local! {
    static CALLS: Cell<usize> = const { Cell::new(0) };
}

/// Counts how often it is asked for.
struct Counted;

impl<'de> Deserialize<'de> for Counted {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        CALLS.set(CALLS.get() + 1);
        u8::deserialize(deserializer).map(|_| Self)
    }
}

#[derive(Deserialize)]
#[allow(dead_code)]
struct AliasedAndCounted {
    #[serde(alias = "other")]
    counted: Counted,
    last: u8,
}

#[test]
fn an_alias_does_not_make_the_search_go_on() {
    assert_eq!(Schema::of::<AliasedAndCounted>().unwrap().shapes[0].parts.len(), 2);
    assert!(CALLS.get() < 10, "{} runs", CALLS.get());
}
