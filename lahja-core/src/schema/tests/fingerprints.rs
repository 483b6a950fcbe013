//! What changes a fingerprint, and what does not.

use super::*;

/// A type in several versions, each in a module of its own.
macro_rules! versions {
    ($($version:ident { $($item:item)* })*) => {$(
        #[allow(dead_code)]
        mod $version {
            use super::*;
            $(#[derive(Deserialize)] $item)*
        }
    )*};
}

versions! {
    base {
        pub(super) struct Order { id: u64, name: String, lines: Vec<Line>, state: State }
        pub(super) struct Line { article: u32, count: Option<u16>, next: Option<Box<Line>> }
        pub(super) enum State { Open, Paid(u32), Sent { at: u64 } }
    }
    same_under_other_names {
        pub(super) struct Purchase { id: Id, name: Box<str>, lines: HashSet<Row>, state: Box<Step> }
        pub(super) struct Id(u64);
        #[derive(PartialEq, Eq, Hash)]
        pub(super) struct Row { article: u32, count: Option<u16>, next: Option<Box<OtherRow>> }
        #[derive(PartialEq, Eq, Hash)]
        pub(super) struct OtherRow { article: u32, count: Option<u16>, next: Option<Box<Row>> }
        pub(super) enum Step { Open, Paid(u32), Sent { at: u64 } }
    }
    field_added {
        pub(super) struct Order { id: u64, name: String, lines: Vec<Line>, state: State, more: () }
        pub(super) struct Line { article: u32, count: Option<u16>, next: Option<Box<Line>> }
        pub(super) enum State { Open, Paid(u32), Sent { at: u64 } }
    }
    field_removed {
        pub(super) struct Order { id: u64, name: String, lines: Vec<Line> }
        pub(super) struct Line { article: u32, count: Option<u16>, next: Option<Box<Line>> }
    }
    field_renamed {
        pub(super) struct Order { id: u64, title: String, lines: Vec<Line>, state: State }
        pub(super) struct Line { article: u32, count: Option<u16>, next: Option<Box<Line>> }
        pub(super) enum State { Open, Paid(u32), Sent { at: u64 } }
    }
    fields_swapped {
        pub(super) struct Order { name: String, id: u64, lines: Vec<Line>, state: State }
        pub(super) struct Line { article: u32, count: Option<u16>, next: Option<Box<Line>> }
        pub(super) enum State { Open, Paid(u32), Sent { at: u64 } }
    }
    field_retyped {
        pub(super) struct Order { id: i64, name: String, lines: Vec<Line>, state: State }
        pub(super) struct Line { article: u32, count: Option<u16>, next: Option<Box<Line>> }
        pub(super) enum State { Open, Paid(u32), Sent { at: u64 } }
    }
    field_made_optional {
        pub(super) struct Order { id: u64, name: Option<String>, lines: Vec<Line>, state: State }
        pub(super) struct Line { article: u32, count: Option<u16>, next: Option<Box<Line>> }
        pub(super) enum State { Open, Paid(u32), Sent { at: u64 } }
    }
    nested_field_retyped {
        pub(super) struct Order { id: u64, name: String, lines: Vec<Line>, state: State }
        pub(super) struct Line { article: u32, count: Option<u32>, next: Option<Box<Line>> }
        pub(super) enum State { Open, Paid(u32), Sent { at: u64 } }
    }
    recursion_ended {
        pub(super) struct Order { id: u64, name: String, lines: Vec<Line>, state: State }
        pub(super) struct Line { article: u32, count: Option<u16>, next: Option<Box<Last>> }
        pub(super) struct Last { article: u32, count: Option<u16>, next: Option<()> }
        pub(super) enum State { Open, Paid(u32), Sent { at: u64 } }
    }
    variant_added {
        pub(super) struct Order { id: u64, name: String, lines: Vec<Line>, state: State }
        pub(super) struct Line { article: u32, count: Option<u16>, next: Option<Box<Line>> }
        pub(super) enum State { Open, Paid(u32), Sent { at: u64 }, Lost }
    }
    variant_renamed {
        pub(super) struct Order { id: u64, name: String, lines: Vec<Line>, state: State }
        pub(super) struct Line { article: u32, count: Option<u16>, next: Option<Box<Line>> }
        pub(super) enum State { Open, Payed(u32), Sent { at: u64 } }
    }
    variants_swapped {
        pub(super) struct Order { id: u64, name: String, lines: Vec<Line>, state: State }
        pub(super) struct Line { article: u32, count: Option<u16>, next: Option<Box<Line>> }
        pub(super) enum State { Paid(u32), Open, Sent { at: u64 } }
    }
    variant_retyped {
        pub(super) struct Order { id: u64, name: String, lines: Vec<Line>, state: State }
        pub(super) struct Line { article: u32, count: Option<u16>, next: Option<Box<Line>> }
        pub(super) enum State { Open, Paid(u32), Sent { at: u32 } }
    }
}

#[test]
fn every_change_of_the_structure_shows() {
    let fingerprints = [
        fingerprint_of::<base::Order>(),
        fingerprint_of::<field_added::Order>(),
        fingerprint_of::<field_removed::Order>(),
        fingerprint_of::<field_renamed::Order>(),
        fingerprint_of::<fields_swapped::Order>(),
        fingerprint_of::<field_retyped::Order>(),
        fingerprint_of::<field_made_optional::Order>(),
        fingerprint_of::<nested_field_retyped::Order>(),
        fingerprint_of::<recursion_ended::Order>(),
        fingerprint_of::<variant_added::Order>(),
        fingerprint_of::<variant_renamed::Order>(),
        fingerprint_of::<variants_swapped::Order>(),
        fingerprint_of::<variant_retyped::Order>(),
    ];
    for (at, fingerprint) in fingerprints.iter().enumerate() {
        let other = fingerprints[..at].iter().position(|other| other == fingerprint);
        assert_eq!(other, None, "version {at} looks like another one");
    }
}

#[test]
fn names_and_places_of_types_do_not_show() {
    let base = fingerprint_of::<base::Order>();
    assert_eq!(fingerprint_of::<same_under_other_names::Purchase>(), base);
}

/// What tells these apart lies deeper than anything that tells their parts apart.
#[test]
fn the_deepest_change_shows() {
    #[derive(Deserialize)]
    #[allow(dead_code)]
    struct A<T> {
        a: B<T>,
    }
    #[derive(Deserialize)]
    #[allow(dead_code)]
    struct B<T> {
        b: C<T>,
    }
    #[derive(Deserialize)]
    #[allow(dead_code)]
    struct C<T> {
        c: (u8, T),
    }
    assert_ne!(fingerprint_of::<A<u16>>(), fingerprint_of::<A<u32>>());
    assert_ne!(fingerprint_of::<A<(u16,)>>(), fingerprint_of::<A<u16>>());
}

/// An address that only those accept who know the company.
#[derive(Debug, Serialize, Deserialize)]
#[serde(try_from = "String")]
struct Internal(String);

impl TryFrom<String> for Internal {
    type Error = &'static str;

    fn try_from(address: String) -> Result<Self, Self::Error> {
        match address.ends_with("@example.com") {
            true => Ok(Self(address)),
            false => Err("not one of us"),
        }
    }
}

/// Events of one structure, or of none that can be found, in several versions.
macro_rules! events {
    ($($name:ident $(= $version:literal)? ($($part:ty),*);)*) => {$(
        #[derive(Serialize, Deserialize)]
        struct $name($($part),*);

        impl Event for $name {
            const NAME: &'static str = "an event";
            $(const VERSION: Option<u32> = Some($version);)?
        }
    )*};
}

events! {
    Plain(u8, u16);
    First = 1 (u8, u16);
    Second = 2 (u8, u16);
    FirstOfOthers = 1 (u8, u8);
    Open(Internal, u8);
    Closed = 1 (Internal, u8);
    ClosedAlike = 1 (Internal, u16);
    ClosedAnew = 2 (Internal, u16);
}

#[test]
fn a_version_tells_apart_what_is_built_alike() {
    let numbers = [
        fingerprint::<Plain>(),
        fingerprint::<First>(),
        fingerprint::<Second>(),
        fingerprint::<FirstOfOthers>(),
    ];
    for (at, number) in numbers.iter().enumerate() {
        assert!(number.is_ok() && !numbers[..at].contains(number), "{at} looks like another one");
    }
}

#[test]
fn what_cannot_be_compared_is_refused_unless_it_has_a_version() {
    let undetermined = fingerprint::<Open>().unwrap_err();
    assert_eq!(undetermined, PayloadError::Undetermined { place: "1".into() });
    assert!(undetermined.to_string().contains("what 1 is was not found"), "{undetermined}");
    assert_eq!(fingerprint::<Closed>(), fingerprint::<ClosedAlike>());
    assert_ne!(fingerprint::<Closed>(), fingerprint::<ClosedAnew>());
}

/// A change of how fingerprints are made keeps old builds and new ones apart.
#[test]
fn fingerprints_are_the_same_for_ever() {
    assert_eq!(fingerprint_of::<u8>(), 0x6174_8116_8b6e_f446);
    assert_eq!(fingerprint_of::<base::Order>(), 0x3c3c_8952_6345_de38);
}
