//! The name of an endpoint, right by construction.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::{self, FromStr};
use std::sync::Arc;

use crate::error::NameError;

/// Names an endpoint on its event bus.
///
/// A name is 1 to [`EndpointName::MAX_LEN`] bytes of UTF-8. It becomes part of a file name, so it
/// holds no `/`, no control character (NUL among them) and no `..`, and does not begin with a dot.
/// Cloning is cheap: clones share the text, or copy it if it is short.
///
/// # Examples
///
/// ```
/// use lahja_core::EndpointName;
///
/// let name: EndpointName = "worker-1".parse()?;
/// assert_eq!(name.as_str(), "worker-1");
/// assert!(EndpointName::new("../etc").is_err());
/// # Ok::<(), lahja_core::NameError>(())
/// ```
#[derive(Clone)]
pub struct EndpointName {
    // Every received event has a name, so a short one takes no reference count. Copies of it are made
    // and moved in the same pieces: mixed ones would have the processor wait.
    short: Short,
    // Invariant: `None` if the text is in `short`.
    long: Option<Arc<Box<str>>>,
}

/// A text of up to 16 bytes, and zeros behind it, of which a name has none.
#[derive(Clone, Copy)]
#[repr(align(8))]
struct Short([u8; 16]);

impl EndpointName {
    /// The longest name, in bytes. With the extension of its socket it leaves room for a bus
    /// directory of 38 bytes within the 107 that a Unix socket's path may have.
    pub const MAX_LEN: usize = 64;

    /// Checks `name` and takes it as an endpoint's name.
    ///
    /// # Errors
    ///
    /// [`NameError`] tells which rule the text breaks.
    pub fn new(name: impl AsRef<str>) -> Result<Self, NameError> {
        let name = name.as_ref();
        check(name)?;
        let mut short = Short([0; 16]);
        let long = match short.0.get_mut(..name.len()) {
            Some(text) => {
                text.copy_from_slice(name.as_bytes());
                None
            }
            None => Some(Arc::new(name.into())),
        };
        Ok(Self { short, long })
    }

    /// Returns the name as text.
    pub fn as_str(&self) -> &str {
        match &self.long {
            None => str::from_utf8(self.as_bytes()).expect("it was made of a text"),
            Some(text) => text,
        }
    }

    fn as_bytes(&self) -> &[u8] {
        let Short(short) = &self.short;
        match &self.long {
            None => short.split(|&byte| byte == 0).next().expect("there is a first part"),
            Some(text) => text.as_bytes(),
        }
    }
}

fn check(name: &str) -> Result<(), NameError> {
    if name.is_empty() {
        return Err(NameError::Empty);
    }
    if name.len() > EndpointName::MAX_LEN {
        return Err(NameError::TooLong { len: name.len() });
    }
    let forbidden = |c: char| c == '/' || c.is_control();
    if let Some((at, character)) = name.char_indices().find(|&(_, c)| forbidden(c)) {
        return Err(NameError::Forbidden { name: name.into(), character, at });
    }
    if name.starts_with('.') || name.contains("..") {
        return Err(NameError::Dots { name: name.into() });
    }
    Ok(())
}

impl PartialEq for EndpointName {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for EndpointName {}

impl PartialOrd for EndpointName {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for EndpointName {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl Hash for EndpointName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

impl AsRef<str> for EndpointName {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl PartialEq<str> for EndpointName {
    fn eq(&self, other: &str) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl PartialEq<&str> for EndpointName {
    fn eq(&self, other: &&str) -> bool {
        self == *other
    }
}

impl FromStr for EndpointName {
    type Err = NameError;

    fn from_str(name: &str) -> Result<Self, NameError> {
        Self::new(name)
    }
}

impl TryFrom<&str> for EndpointName {
    type Error = NameError;

    fn try_from(name: &str) -> Result<Self, NameError> {
        Self::new(name)
    }
}

impl TryFrom<String> for EndpointName {
    type Error = NameError;

    fn try_from(name: String) -> Result<Self, NameError> {
        Self::new(name)
    }
}

impl From<&Self> for EndpointName {
    fn from(name: &Self) -> Self {
        name.clone()
    }
}

impl fmt::Display for EndpointName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for EndpointName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_be_up_to_64_bytes_of_any_script() {
        let [short, long, longest] = [16, 17, 64].map(|len| "x".repeat(len));
        for text in ["e1", "a.b", "työ läinen", &short, &long, &longest] {
            let name = EndpointName::new(text).unwrap();
            assert_eq!(name, text);
            assert_eq!(name.clone(), name);
            assert_eq!(name.to_string(), text);
        }
    }

    #[test]
    fn names_are_ordered_like_their_texts() {
        let mut texts = ["b", "a", "aa", &"x".repeat(30), &"x".repeat(22), "ä"].map(str::to_owned);
        let mut names = texts.clone().map(|text| EndpointName::new(text).unwrap());
        texts.sort();
        names.sort();
        assert_eq!(names.map(|name| name.to_string()), texts);
    }

    #[test]
    fn a_name_takes_no_more_room_than_a_vector() {
        assert_eq!(size_of::<EndpointName>(), size_of::<Vec<u8>>());
    }

    #[test]
    fn each_broken_rule_has_its_own_error() {
        use NameError::{Dots, Empty, Forbidden, TooLong};
        assert!(matches!(EndpointName::new(""), Err(Empty)));
        let long = "x".repeat(65);
        assert!(matches!(EndpointName::new(&long), Err(TooLong { len: 65 })));
        for (name, position) in [("a/b", 1), ("\0", 0), ("ab\n", 2)] {
            let Err(Forbidden { at, .. }) = EndpointName::new(name) else {
                panic!("{name:?} was taken");
            };
            assert_eq!(at, position);
        }
        for name in ["..", "a..b", ".hidden", "."] {
            assert!(matches!(EndpointName::new(name), Err(Dots { .. })), "{name}");
        }
    }

    #[test]
    fn an_error_says_what_is_wrong_and_where() {
        let error = EndpointName::new("a/b").unwrap_err().to_string();
        assert_eq!(error, r#"endpoint name "a/b" holds '/' at byte 1"#);
    }
}
