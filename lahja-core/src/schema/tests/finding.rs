//! What is found out of types, be they as unhelpful as they like.

use super::*;

mod refused;

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

/// Two types whose visitors have one name look like one that is not always the same.
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

    let deep = "Enum{A: (), B: Option<Enum{C: U8, D: U16, E: {last: U32}}>}";
    assert_eq!(structure::<(Same<0>, Same<0>)>(), format!("(((U8, {deep})), ((U8, {deep})))"));
    assert_eq!(gap::<(Same<0>, Same<1>)>(), "0.0");
}

/// A number or a text, as a tag before it says.
struct Tagged;

impl<'de> Deserialize<'de> for Tagged {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        enum Tag {
            Number,
            Text,
        }

        struct Both;

        impl<'de> de::Visitor<'de> for Both {
            type Value = ();

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a tag and a value")
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, mut parts: A) -> Result<(), A::Error> {
                match parts.next_element()? {
                    Some(Tag::Number) => parts.next_element::<u32>().map(drop),
                    _ => parts.next_element::<String>().map(drop),
                }
            }
        }

        deserializer.deserialize_tuple(2, Both).map(|()| Self)
    }
}

/// Which tag leads to which would not show.
#[test]
fn what_depends_on_what_came_before_is_a_gap() {
    assert_eq!(gap::<(u8, Tagged)>(), "1.1");
}
