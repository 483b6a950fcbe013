//! From the definition of a type to its impls of `Event` and `Request`.

use proc_macro_crate::FoundCrate;
use proc_macro2::{Group, Span, TokenStream};
use quote::quote;
use syn::ext::IdentExt;
use syn::meta::ParseNestedMeta;
use syn::parse::{Parse, ParseStream};
use syn::token::Paren;
use syn::{
    Attribute, Data, DeriveInput, Error, Expr, GenericParam, Generics, Ident, LitInt, LitStr, Meta,
    Path, Result, Token, Type,
};

/// The longest wire name, in bytes.
const MAX_NAME_LEN: usize = 255;

const KEYS: &str = "`#[event(…)]` takes `name = \"…\"`, `version = 1`, `response = Type` and \
                    `crate = path`";

/// Implements `Event`, and `Request` if the type names its answer.
///
/// # Errors
///
/// All that is wrong with the type and its attributes, in one report.
pub(crate) fn event(input: &DeriveInput) -> Result<TokenStream> {
    let mut errors = Vec::new();
    check_shape(input, &mut errors);
    let settings = Settings::read(&input.attrs, &mut errors);
    if let Some(error) = errors.into_iter().reduce(|mut all, error| {
        all.combine(error);
        all
    }) {
        return Err(error);
    }

    let core = match settings.core {
        Some(path) => path,
        None => core_path(proc_macro_crate::crate_name)?,
    };
    let ident = &input.ident;
    let where_clause = &input.generics.where_clause;
    let name = match settings.name {
        Some(name) => quote!(#name),
        None => {
            let name = format!(".{}", ident.unraw());
            quote!(::core::concat!(::core::env!("CARGO_PKG_NAME"), #name))
        }
    };
    let version = settings.version.map(|version| {
        quote! {
            const VERSION: ::core::option::Option<::core::primitive::u32> =
                ::core::option::Option::Some(#version);
        }
    });
    // By way of a function, so that a response that is no event is one error, not two.
    let response_type = settings.response.is_some().then(|| {
        quote! {
            const RESPONSE: ::core::option::Option<#core::ResponseType> = {
                const fn response<R: #core::Request>() -> #core::ResponseType {
                    #core::ResponseType::of::<R::Response>()
                }
                ::core::option::Option::Some(response::<Self>())
            };
        }
    });
    let request = settings.response.map(|response| {
        quote! {
            #[automatically_derived]
            #[allow(deprecated)]
            impl #core::Request for #ident #where_clause {
                type Response = #response;
            }
        }
    });
    Ok(quote! {
        #[automatically_derived]
        #[allow(deprecated)]
        impl #core::Event for #ident #where_clause {
            const NAME: &'static ::core::primitive::str = #name;
            #version
            #response_type
        }
        #request
    })
}

/// Refuses what cannot be an event, and attributes where they would be ignored.
fn check_shape(input: &DeriveInput, errors: &mut Vec<Error>) {
    check_generics(&input.generics).unwrap_or_else(|error| errors.push(error));
    let mut check_attributes = |attrs, skips| {
        for attr in event_attributes(attrs) {
            let message = "`#[event(…)]` speaks of the whole type: put it above the type";
            errors.push(Error::new_spanned(attr, message));
        }
        check_skips(attrs, skips, errors);
    };
    match &input.data {
        Data::Struct(data) => {
            for field in &data.fields {
                check_attributes(&field.attrs, ONE_WAY);
            }
        }
        Data::Enum(data) => {
            for variant in &data.variants {
                check_attributes(&variant.attrs, ANY_WAY);
                for field in &variant.fields {
                    check_attributes(&field.attrs, ONE_WAY);
                }
            }
        }
        Data::Union(data) => {
            let message = "an event is a struct or an enum: a union does not say what it holds";
            errors.push(Error::new(data.union_token.span, message));
        }
    }
}

/// What serde writes and does not read of a field, or the other way round.
const ONE_WAY: &[&str] = &["skip_serializing", "skip_deserializing", "skip_serializing_if"];

/// What makes serde number variants otherwise when it writes them than when it reads them.
const ANY_WAY: &[&str] = &["skip", "skip_serializing", "skip_deserializing"];

/// Refuses what serde is told to skip, where payloads would be misread for it.
fn check_skips(attrs: &[Attribute], skips: &[&str], errors: &mut Vec<Error>) {
    for attr in attrs.iter().filter(|attr| attr.path().is_ident("serde")) {
        // What is wrong with the attribute itself is serde's to say.
        let _ = attr.parse_nested_meta(|meta| {
            if let Some(skip) = skips.iter().find(|skip| meta.path.is_ident(skip)) {
                let message = format!("what is written with `{skip}` is not what is read");
                errors.push(meta.error(message));
            }
            // Whatever comes with it: a value, or a list.
            if meta.input.peek(Token![=]) {
                meta.value()?.parse::<Expr>()?;
            } else if meta.input.peek(Paren) {
                meta.input.parse::<Group>()?;
            }
            Ok(())
        });
    }
}

fn check_generics(generics: &Generics) -> Result<()> {
    if generics.params.is_empty() {
        return Ok(());
    }
    let borrows = |param: &GenericParam| matches!(param, GenericParam::Lifetime(_));
    let message = if generics.params.iter().all(borrows) {
        "an event owns its data: a type with a lifetime cannot leave its process"
    } else {
        "a generic type has no single wire name: derive `Event` on a concrete type"
    };
    Err(Error::new_spanned(&generics.params, message))
}

fn event_attributes(attrs: &[Attribute]) -> impl Iterator<Item = &Attribute> {
    attrs.iter().filter(|attr| attr.path().is_ident("event"))
}

/// What the type's `#[event(…)]` attributes say.
#[derive(Default)]
struct Settings {
    name: Option<LitStr>,
    version: Option<u32>,
    response: Option<Type>,
    core: Option<Path>,
}

impl Settings {
    fn read(attrs: &[Attribute], errors: &mut Vec<Error>) -> Self {
        let mut settings = Self::default();
        for attr in event_attributes(attrs) {
            match &attr.meta {
                Meta::List(list) if !list.tokens.is_empty() => {
                    let result = attr.parse_nested_meta(|meta| settings.set(&meta, errors));
                    result.unwrap_or_else(|error| errors.push(error));
                }
                empty => errors.push(Error::new_spanned(empty, KEYS)),
            }
        }
        settings
    }

    fn set(&mut self, meta: &ParseNestedMeta<'_>, errors: &mut Vec<Error>) -> Result<()> {
        let key = meta.path.get_ident().map(Ident::to_string);
        let key = key.as_deref().unwrap_or_default();
        let twice = match key {
            "name" => {
                let expected = "`name` takes a string: `name = \"demo.GetSomething\"`";
                let name = value(meta, <LitStr as Parse>::parse, expected)?;
                check_name(&name).unwrap_or_else(|error| errors.push(error));
                self.name.replace(name).is_some()
            }
            "version" => {
                let expected = "`version` takes a number from 0 to 4294967295: `version = 1`";
                let number = value(meta, <LitInt as Parse>::parse, expected)?;
                let version =
                    number.base10_parse().map_err(|_| Error::new(number.span(), expected))?;
                self.version.replace(version).is_some()
            }
            "response" => {
                let expected = "`response` takes the type of the answer: `response = TheAnswer`";
                let response = value(meta, Type::parse, expected)?;
                self.response.replace(response).is_some()
            }
            "crate" => {
                let expected = "`crate` takes the path to lahja: `crate = some::path`";
                let core = value(meta, Path::parse_mod_style, expected)?;
                self.core.replace(core).is_some()
            }
            _ => return Err(meta.error(format!("unknown key: {KEYS}"))),
        };
        if twice {
            errors.push(meta.error(format!("`{key}` is given twice")));
        }
        Ok(())
    }
}

fn value<T>(
    meta: &ParseNestedMeta<'_>,
    parse: fn(ParseStream<'_>) -> Result<T>,
    expected: &str,
) -> Result<T> {
    let value = meta.value().map_err(|_| meta.error(expected))?;
    parse(value).map_err(|error| Error::new(error.span(), expected))
}

fn check_name(name: &LitStr) -> Result<()> {
    let text = name.value();
    if text.is_empty() {
        return Err(Error::new(name.span(), "an event's name is not empty"));
    }
    let len = text.len();
    if len > MAX_NAME_LEN {
        let message = format!("an event's name of {len} bytes is longer than {MAX_NAME_LEN}");
        return Err(Error::new(name.span(), message));
    }
    if let Some((at, character)) = text.char_indices().find(|(_, c)| c.is_control()) {
        let message = format!("an event's name holds {character:?} at byte {at}");
        return Err(Error::new(name.span(), message));
    }
    Ok(())
}

/// Finds `lahja-core`, or an adapter that re-exports it, from the package being compiled.
///
/// Core itself is found by its name too: it is `extern crate self as lahja_core`, which makes the
/// same path hold in its modules, tests, examples and doctests.
fn core_path(
    find: impl Fn(&str) -> std::result::Result<FoundCrate, proc_macro_crate::Error>,
) -> Result<Path> {
    for package in ["lahja-core", "lahja-smol", "lahja-async-std"] {
        match find(package) {
            Ok(FoundCrate::Itself) => return absolute(&package.replace('-', "_")),
            Ok(FoundCrate::Name(name)) => return absolute(&name),
            Err(proc_macro_crate::Error::CrateNotFound { .. }) => {}
            // Built without Cargo, or from a single-file package: no manifest to look into.
            Err(_) => return absolute("lahja_core"),
        }
    }
    Err(Error::new(
        Span::call_site(),
        "neither `lahja-core` nor an adapter is a dependency of this package: add one, or say \
         where lahja is with `#[event(crate = some::path)]`",
    ))
}

fn absolute(name: &str) -> Result<Path> {
    syn::parse_str(&format!("::{name}"))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use proc_macro_crate::Error::{CargoManifestDirNotSet, CrateNotFound};
    use quote::ToTokens;

    use super::*;

    /// The path found in a package with these dependencies: (package, name in the package).
    fn path_among(dependencies: &[(&str, &str)]) -> Result<String> {
        let find = |package: &str| match dependencies.iter().find(|(p, _)| *p == package) {
            Some((_, name)) => Ok(FoundCrate::Name((*name).into())),
            None => Err(CrateNotFound { crate_name: package.into(), path: PathBuf::new() }),
        };
        core_path(find).map(|path| path.to_token_stream().to_string().replace(' ', ""))
    }

    #[test]
    fn core_comes_before_adapters_and_any_of_them_may_be_renamed() {
        let core = ("lahja-core", "lahja_core");
        let smol = ("lahja-smol", "lahja_smol");
        assert_eq!(path_among(&[smol, core]).unwrap(), "::lahja_core");
        assert_eq!(path_among(&[smol]).unwrap(), "::lahja_smol");
        assert_eq!(path_among(&[("lahja-async-std", "bus")]).unwrap(), "::bus");
    }

    #[test]
    fn a_package_without_lahja_is_told_what_to_do() {
        let error = path_among(&[]).unwrap_err().to_string();
        assert!(error.contains("#[event(crate = some::path)]"), "{error}");
    }

    #[test]
    fn a_build_without_a_manifest_takes_core_by_its_name() {
        let path = core_path(|_| Err(CargoManifestDirNotSet)).unwrap();
        assert_eq!(path.to_token_stream().to_string(), ":: lahja_core");
    }
}
