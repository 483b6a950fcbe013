//! Payloads that are read and printed without their type.

use super::*;
use crate::error::PayloadError;

#[derive(Serialize, Deserialize)]
struct Message {
    id: u64,
    large: u128,
    signed: i8,
    real: f32,
    from: Option<String>,
    letter: char,
    bytes: Vec<u8>,
    pair: (bool, ()),
    by_name: BTreeMap<String, Kind>,
    by_number: BTreeMap<u8, char>,
    by_pair: BTreeMap<(u8, u8), u8>,
    tree: Tree,
}

#[derive(Serialize, Deserialize)]
enum Kind {
    Nothing,
    One(i64),
    Two(u8, String),
    Named { x: Option<u32> },
}

#[derive(Serialize, Deserialize)]
struct Tree(Vec<Tree>);

fn message() -> Message {
    Message {
        id: 1 << 40,
        large: u128::MAX,
        signed: -1,
        real: 0.5,
        from: Some("työ \"1\"".into()),
        letter: 'ö',
        bytes: vec![0, 255],
        pair: (true, ()),
        by_name: BTreeMap::from([
            ("a".into(), Kind::Nothing),
            ("b".into(), Kind::One(-9)),
            ("c".into(), Kind::Two(1, "x".into())),
            ("d".into(), Kind::Named { x: None }),
        ]),
        by_number: BTreeMap::from([(7, 'y')]),
        by_pair: BTreeMap::from([((1, 2), 3)]),
        tree: Tree(vec![Tree(vec![]), Tree(vec![Tree(vec![])])]),
    }
}

fn encoded<T: Serialize>(value: &T) -> Vec<u8> {
    postcard::to_stdvec(value).unwrap()
}

#[test]
fn a_payload_is_printed_as_its_type_would_be() {
    let schema = Schema::of::<Message>().unwrap();
    let payload = encoded(&message());
    let value = schema.read(&payload).unwrap();
    assert_eq!(
        serde_json::to_string(&value).unwrap(),
        r#"{"id":1099511627776,"large":340282366920938463463374607431768211455,"signed":-1,"#
            .to_owned()
            + r#""real":0.5,"from":"työ \"1\"","letter":"ö","bytes":[0,255],"pair":[true,null],"#
            + r#""by_name":{"a":"Nothing","b":{"One":-9},"c":{"Two":[1,"x"]},"d":{"Named":{"x":null}}},"#
            + r#""by_number":{"7":"y"},"by_pair":[[[1,2],3]],"tree":[[],[[]]]}"#
    );
}

/// Values that hold nothing, each in the way of `serde_json`.
#[test]
fn what_holds_nothing_is_printed_as_what_it_is() {
    #[derive(Serialize, Deserialize)]
    struct Unit;
    #[derive(Serialize, Deserialize)]
    struct Tuple();
    #[derive(Serialize, Deserialize)]
    struct Fields {}
    #[derive(Serialize, Deserialize)]
    enum Choice {
        Unit,
        Tuple(),
        Fields {},
    }

    let values = (Unit, Tuple(), Fields {}, [Choice::Unit, Choice::Tuple(), Choice::Fields {}]);
    let schema = Schema::of::<(Unit, Tuple, Fields, [Choice; 3])>().unwrap();
    let payload = encoded(&values);
    let printed = serde_json::to_string(&schema.read(&payload).unwrap()).unwrap();
    assert_eq!(printed, serde_json::to_string(&values).unwrap());
}

#[test]
fn a_schema_can_be_sent_and_kept() {
    let schema = Schema::of::<Message>().unwrap();
    let copy: Schema = postcard::from_bytes(&encoded(&schema)).unwrap();
    assert_eq!(copy, schema);
    assert_eq!(copy.fingerprint(), schema.fingerprint());
}

#[test]
fn a_schema_with_a_hole_is_refused_when_it_comes() {
    for (text, said) in [
        (r#"{"shapes":[]}"#, "without a shape"),
        (r#"{"shapes":[{"kind":"Option","names":[],"parts":[1]}]}"#, "does not have"),
    ] {
        let error = serde_json::from_str::<Schema>(text).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
}

#[test]
fn a_payload_of_another_type_is_an_error() {
    let schema = Schema::of::<(u8, bool)>().unwrap();
    assert_eq!(schema.read(&[1]), Err(PayloadError::Truncated { len: 1 }));
    assert_eq!(schema.read(&[1, 0, 9]), Err(PayloadError::Trailing { len: 3, extra: 1 }));
    assert!(matches!(schema.read(&[1, 2]), Err(PayloadError::Malformed { .. })));
    let schema = Schema::of::<Kind>().unwrap();
    assert!(matches!(schema.read(&[4]), Err(PayloadError::Refused { .. })));
}

/// A schema that somebody sent, with the parts that they like.
fn schema(shapes: &[(super::super::Kind, &[u32])]) -> Schema {
    let shape = |&(kind, parts): &(_, &[u32])| Shape { kind, names: vec![], parts: parts.into() };
    Schema { shapes: shapes.iter().map(shape).collect() }
}

#[test]
fn a_schema_that_makes_no_sense_costs_an_error() {
    use super::super::Kind::{Option, Sequence, Struct, Tuple, Unit};

    let refused = |schema: Schema, payload: &[u8]| match schema.read(payload) {
        Err(PayloadError::Refused { reason, .. }) => reason,
        other => panic!("{other:?}"),
    };
    let part = "the schema names a part that it does not have";
    assert_eq!(refused(schema(&[]), &[]), part);
    assert_eq!(refused(schema(&[(Tuple, &[1])]), &[]), part);
    assert_eq!(refused(schema(&[(Option, &[])]), &[1]), "the schema lacks a part");
    let endless = schema(&[(Struct, &[0])]);
    assert!(matches!(endless.read(&[]), Err(PayloadError::TooDeep { .. })));
    // A thousand values in each element, none of which takes a byte.
    let nothing = [1; 1000];
    let bomb = schema(&[(Sequence, &[2]), (Unit, &[]), (Tuple, &nothing)]);
    let payload = encoded(&100_u32);
    assert_eq!(refused(bomb, &payload), "the values take up too much memory");
}
