//! `#[derive(Event)]` for lahja.
//!
//! `lahja-core` and the adapters re-export the derive: no other crate depends on this one.

use proc_macro::TokenStream;
use syn::{DeriveInput, Error, parse_macro_input};

mod expand;

/// Implements [`Event`] for a type, and [`Request`] if it names its answer.
///
/// The type is a struct or an enum without generic parameters that serde can read and write, so
/// serde's two derives stand next to this one.
///
/// | attribute                         | meaning                                                 | without it                 |
/// |-----------------------------------|---------------------------------------------------------|----------------------------|
/// | `#[event(name = "demo.Started")]` | the topic's name on the wire                            | the package and the type   |
/// | `#[event(version = 2)]`           | the type's version, which both ends have to share       | there is none              |
/// | `#[event(response = Answer)]`     | the type is also a [`Request`], answered by an `Answer` | the type is no request     |
/// | `#[event(crate = some::path)]`    | where lahja is found                                    | looked up in `Cargo.toml`  |
///
/// The keys may share one attribute. A name is 1 to 255 bytes of UTF-8 without control characters.
///
/// The default name joins the name of the package and that of the type with a dot:
/// `my-crate.FirstThingHappened`. Modules have no part in it, so two types of one name in one
/// package need an explicit name, and so does an event that is defined in more than one package.
///
/// The derive finds `lahja-core`, `lahja-smol` or `lahja-async-std`, in this order, among the
/// package's dependencies and dev-dependencies, also under another name. Where the first of them is
/// out of reach, or lahja comes by way of some other crate, `crate` says where it is.
///
/// # Examples
///
/// ```
/// use lahja_core::Event;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize, Event)]
/// struct FirstThingHappened {
///     payload: String,
/// }
///
/// #[derive(Serialize, Deserialize, Event)]
/// #[event(name = "demo.GetSomething", response = DeliverSomething)]
/// struct GetSomething;
///
/// #[derive(Serialize, Deserialize, Event)]
/// #[event(name = "demo.DeliverSomething")]
/// struct DeliverSomething(String);
///
/// assert_eq!(
///     FirstThingHappened::NAME,
///     concat!(env!("CARGO_PKG_NAME"), ".FirstThingHappened"),
/// );
/// assert_eq!(GetSomething::NAME, "demo.GetSomething");
/// assert_eq!(GetSomething::RESPONSE.map(|answer| answer.name()), Some("demo.DeliverSomething"));
/// ```
///
/// What serde cannot write and read is no event:
///
/// ```compile_fail,E0277
/// #[derive(lahja_core::Event)]
/// struct NeitherSerializeNorDeserialize;
/// ```
///
/// A library that hands lahja on to its own users, from a macro for instance, names the path:
///
/// ```
/// mod bus {
///     pub use lahja_core::*;
/// }
///
/// #[derive(serde::Serialize, serde::Deserialize, bus::Event)]
/// #[event(crate = crate::bus)]
/// enum Light {
///     Red,
///     Green,
/// }
/// # fn main() {}
/// ```
///
/// [`Event`]: https://docs.rs/lahja-core/latest/lahja_core/trait.Event.html
/// [`Request`]: https://docs.rs/lahja-core/latest/lahja_core/trait.Request.html
#[proc_macro_derive(Event, attributes(event))]
pub fn derive_event(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    expand::event(&input).unwrap_or_else(Error::into_compile_error).into()
}
