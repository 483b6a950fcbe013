//! The name of an endpoint, right by construction.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::error::NameError;

/// Names an endpoint on its event bus.
///
/// A name is 1 to [`EndpointName::MAX_LEN`] bytes of UTF-8. It becomes part of a file name, so it
/// holds no `/`, no control character (NUL among them) and no `..`, and does not begin with a dot.
/// Cloning is cheap: clones share the text.
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
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EndpointName(Arc<str>);

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
        Ok(Self(name.into()))
    }

    /// Returns the name as text.
    pub fn as_str(&self) -> &str {
        &self.0
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

impl AsRef<str> for EndpointName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl PartialEq<str> for EndpointName {
    fn eq(&self, other: &str) -> bool {
        &*self.0 == other
    }
}

impl PartialEq<&str> for EndpointName {
    fn eq(&self, other: &&str) -> bool {
        &*self.0 == *other
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
        f.pad(&self.0)
    }
}

impl fmt::Debug for EndpointName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_be_up_to_64_bytes_of_any_script() {
        for name in ["e1", "a.b", "työ läinen", "x".repeat(64).as_str()] {
            assert_eq!(EndpointName::new(name).unwrap(), name);
        }
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
