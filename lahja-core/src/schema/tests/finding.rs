//! What is found out of types, be they as unhelpful as they like.

use super::*;

#[derive(Deserialize)]
#[allow(dead_code)]
struct Everything {
    numbers: (i8, i16, i32, i64, i128, u8, u16, u32, u64, u128),
    reals: (f32, f64),
    unit: (),
    flag: bool,
    letter: char,
    text: String,
    bytes: Vec<u8>,
    array: [u16; 3],
    maybe: Option<Option<Box<str>>>,
    by_number: HashMap<u8, Vec<String>>,
    set: HashSet<u32>,
    newtype: Wrapped,
    nothing: Nothing,
    choice: Choice,
}

#[derive(Deserialize)]
#[allow(dead_code)]
struct Wrapped(u32);

#[derive(Deserialize)]
struct Nothing;

#[derive(Deserialize)]
#[allow(dead_code)]
enum Choice {
    Unit,
    Newtype(Wrapped),
    Tuple(u8, String),
    Named { x: Option<u32>, y: Deep },
}

#[derive(Deserialize)]
#[allow(dead_code)]
enum Deep {
    A,
    B(Option<Deeper>),
}

#[derive(Deserialize)]
#[allow(dead_code)]
enum Deeper {
    C(u8),
    D(u16),
    E { last: u32 },
}

#[test]
fn every_kind_of_value() {
    assert_eq!(
        structure::<Everything>(),
        "{numbers: (I8, I16, I32, I64, I128, U8, U16, U32, U64, U128), reals: (F32, F64), \
         unit: (), flag: Bool, letter: Char, text: Text, bytes: [U8], array: (U16, U16, U16), \
         maybe: Option<Option<Text>>, by_number: Map<U8, [Text]>, set: [U32], newtype: U32, \
         nothing: (), choice: Enum{Unit: (), Newtype: U32, Tuple: (U8, Text), \
         Named: {x: Option<U32>, y: Enum{A: (), B: Option<Enum{C: U8, D: U16, E: {last: U32}}>}}}}"
    );
}

#[test]
fn types_of_the_standard_library() {
    assert_eq!(structure::<Duration>(), "{secs: U64, nanos: U32}");
    assert_eq!(structure::<SystemTime>(), "{secs_since_epoch: U64, nanos_since_epoch: U32}");
    assert_eq!(structure::<Range<u8>>(), "{start: U8, end: U8}");
    assert_eq!(structure::<PathBuf>(), "Text");
    let address = |len| format!("({})", vec!["U8"; len].join(", "));
    let both = format!("Enum{{V4: {}, V6: {}}}", address(4), address(16));
    assert_eq!(structure::<IpAddr>(), both);
    assert_eq!(structure::<Result<u8, String>>(), "Enum{Ok: U8, Err: Text}");
}

mod recursive {
    use super::*;

    #[derive(Deserialize)]
    #[allow(dead_code)]
    enum List {
        Next(u8, Box<List>),
        End,
    }

    #[derive(Deserialize)]
    #[allow(dead_code)]
    struct Chain {
        next: Option<Box<Chain>>,
        last: Last,
    }

    #[derive(Deserialize)]
    #[allow(dead_code)]
    enum Last {
        A,
        B(u8),
    }

    #[derive(Deserialize)]
    #[allow(dead_code)]
    struct Nest(Vec<Nest>);

    #[derive(Deserialize)]
    #[allow(dead_code)]
    enum Expression {
        Sum(Box<Expression>, Box<Expression>),
        Block(Vec<Statement>),
        Literal(u32),
    }

    #[derive(Deserialize)]
    #[allow(dead_code)]
    enum Statement {
        If { condition: Expression, then: Box<Statement>, or: Option<Box<Statement>> },
        Evaluate(Expression),
        Return,
    }

    #[derive(Debug, Deserialize)]
    #[allow(dead_code)]
    enum Endless {
        Again(Box<Endless>),
    }

    #[test]
    fn types_contain_themselves() {
        assert_eq!(structure::<List>(), "Enum{Next: (U8, ^2), End: ()}");
        assert_eq!(structure::<Chain>(), "{next: Option<^2>, last: Enum{A: (), B: U8}}");
        assert_eq!(structure::<Nest>(), "[^1]");
        assert_eq!(
            structure::<Expression>(),
            "Enum{Sum: (^2, ^2), Block: [Enum{If: {condition: ^4, then: ^2, or: Option<^3>}, \
             Evaluate: ^3, Return: ()}], Literal: U32}"
        );
    }

    #[derive(Debug, Deserialize)]
    #[allow(dead_code)]
    struct EndlessNewtype(Box<EndlessNewtype>);

    #[test]
    fn a_newtype_of_itself_does_not_exhaust_the_stack() {
        assert_eq!(gap::<EndlessNewtype>(), "");
    }

    #[test]
    fn a_type_that_has_no_value_is_looked_into_all_the_same() {
        assert_eq!(structure::<Endless>(), "Enum{Again: ^1}");
    }
}

mod refused {
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
}

/// A tuple of many parts.
struct Many<const N: usize, T>(PhantomData<T>);

impl<'de, const N: usize, T: Deserialize<'de>> Deserialize<'de> for Many<N, T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All<const N: usize, T>(PhantomData<T>);

        impl<'de, const N: usize, T: Deserialize<'de>> de::Visitor<'de> for All<N, T> {
            type Value = ();

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{N} parts")
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, mut parts: A) -> Result<(), A::Error> {
                (0..N).try_for_each(|_| parts.next_element::<T>().map(drop))
            }
        }

        deserializer.deserialize_tuple(N, All::<N, T>(PhantomData)).map(|()| Self(PhantomData))
    }
}

#[test]
fn what_is_beyond_the_bounds_is_a_gap() {
    assert_eq!(structure::<Many<3, u8>>(), "(U8, U8, U8)");
    assert_eq!(Schema::of::<Many<65_536, u8>>().map(|schema| schema.shapes.len()), Ok(2));
    assert_eq!(gap::<Many<65_537, u8>>(), "");
    assert_eq!(gap::<Many<1_024, Many<1_024, u8>>>(), "");
}

/// Two types whose visitors have one name are both looked into.
#[test]
fn visitors_of_one_name_are_not_taken_for_each_other() {
    struct Same<const N: usize>;

    impl<'de, const N: usize> Deserialize<'de> for Same<N> {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct Pair(usize);

            impl<'de> de::Visitor<'de> for Pair {
                type Value = ();

                fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.write_str("a pair")
                }

                fn visit_seq<A: de::SeqAccess<'de>>(self, mut parts: A) -> Result<(), A::Error> {
                    match self.0 {
                        0 => parts.next_element::<(u8, Deep)>().map(drop),
                        _ => parts.next_element::<(u16, Deep)>().map(drop),
                    }
                }
            }

            deserializer.deserialize_tuple(1, Pair(N)).map(|()| Self)
        }
    }

    let one = fingerprint_of::<(Same<0>, Same<0>)>();
    assert_ne!(one, fingerprint_of::<(Same<0>, Same<1>)>());
}
