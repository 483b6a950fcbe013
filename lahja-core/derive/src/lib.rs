//! `#[derive(Event)]` for lahja.
use proc_macro::TokenStream;
/// Derives `Event`.
#[proc_macro_derive(Event, attributes(event))]
pub fn derive_event(_input: TokenStream) -> TokenStream {
    TokenStream::new()
}
