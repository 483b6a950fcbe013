//! `#[derive(Event)]`: the names it gives, the requests it makes, and what it refuses.
#![cfg(feature = "derive")]

use lahja_core::{Event, Request, ResponseType};
use serde::{Deserialize, Serialize};

/// Lahja as a crate sees it that re-exports it under a path of its own.
mod bus {
    pub(crate) use lahja_core::*;
}

#[derive(Serialize, Deserialize, Event)]
struct FirstThingHappened {
    _payload: String,
}

#[derive(Serialize, Deserialize, Event)]
#[event(name = "demo.GetSomething", response = DeliverSomething)]
struct GetSomething;

#[derive(Serialize, Deserialize, Event)]
struct DeliverSomething(String);

fn response_of<R: Request>() -> &'static str {
    R::Response::NAME
}

#[test]
fn the_default_name_is_that_of_the_package_and_the_type() {
    assert_eq!(FirstThingHappened::NAME, "lahja-core.FirstThingHappened");
}

#[test]
fn a_module_and_a_raw_identifier_leave_no_trace_in_the_default_name() {
    #[allow(non_camel_case_types)]
    #[derive(Serialize, Deserialize, Event)]
    struct r#async;

    assert_eq!(r#async::NAME, "lahja-core.async");
}

#[test]
fn an_explicit_name_is_taken_as_it_is_written() {
    #[derive(Serialize, Deserialize, Event)]
    #[event(name = r#"työ "läinen""#)]
    struct Quoted;

    assert_eq!(GetSomething::NAME, "demo.GetSomething");
    assert_eq!(Quoted::NAME, "työ \"läinen\"");
}

#[test]
fn a_name_may_have_255_bytes() {
    #[derive(Serialize, Deserialize, Event)]
    #[event(name = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\
                0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\
                0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\
                0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde")]
    struct Long;

    assert_eq!(Long::NAME.len(), 255);
}

#[test]
fn only_a_request_names_a_response() {
    assert_eq!(FirstThingHappened::RESPONSE.map(ResponseType::name), None);
    assert_eq!(GetSomething::RESPONSE.map(ResponseType::name), Some("lahja-core.DeliverSomething"));
    assert_eq!(response_of::<GetSomething>(), "lahja-core.DeliverSomething");
}

#[test]
fn a_request_may_be_answered_by_its_own_type() {
    #[derive(Serialize, Deserialize, Event)]
    #[event(response = Self)]
    struct Echo;

    assert_eq!(Echo::RESPONSE.map(ResponseType::name), Some("lahja-core.Echo"));
    assert_eq!(response_of::<Echo>(), Echo::NAME);
}

#[test]
fn the_keys_may_stand_in_attributes_of_their_own_and_in_any_order() {
    #[derive(Serialize, Deserialize, Event)]
    #[event(crate = crate::bus, response = GetSomething,)]
    #[event(name = "demo.Split")]
    enum Split {
        One,
        Other { _field: u8 },
    }

    assert_eq!(Split::NAME, "demo.Split");
    assert_eq!(response_of::<Split>(), "demo.GetSomething");
}

#[test]
fn the_crate_may_be_any_path_that_leads_to_lahja() {
    #[derive(Serialize, Deserialize, bus::Event)]
    #[event(crate = bus)]
    struct Relative;

    #[derive(Serialize, Deserialize, Event)]
    #[event(crate = ::lahja_core)]
    struct Absolute;

    assert_eq!(Relative::NAME, "lahja-core.Relative");
    assert_eq!(Absolute::NAME, "lahja-core.Absolute");
}

#[test]
fn a_macro_may_define_an_event_for_its_users() {
    macro_rules! event {
        ($event:ident, $name:literal, $response:ty) => {
            #[derive(Serialize, Deserialize, Event)]
            #[event(crate = $crate::bus, name = $name, response = $response)]
            struct $event;
        };
    }
    event!(Made, "demo.Made", GetSomething);

    assert_eq!(Made::NAME, "demo.Made");
    assert_eq!(Made::RESPONSE.map(ResponseType::name), Some("demo.GetSomething"));
}

#[test]
fn correct_uses_compile() {
    trybuild::TestCases::new().pass("tests/compile_pass/*.rs");
}

#[test]
fn misuse_is_explained_by_the_derive() {
    trybuild::TestCases::new().compile_fail("tests/compile_fail/*.rs");
}

/// The words around ours differ between versions of rustc: the expected ones are stable's.
#[test]
fn a_missing_impl_is_explained_by_rustc() {
    trybuild::TestCases::new().compile_fail("tests/compile_fail/in_the_words_of_rustc/*.rs");
}
