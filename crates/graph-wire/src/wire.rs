//! How one JSON type is described, read and written in one place.
//!
//! `wire_object!` and `wire_enum!` bind a type of `model` to its JSON; types that need more implement [`Wire`] by hand.
//! The descriptions end up in the OpenAPI document.

use model::Timestamp;
use serde_json::{Map, Value};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::InvalidRequest;
use crate::invalid_request::Path;

/// A type with a JSON form.
pub(crate) trait Wire: Sized {
    /// What the OpenAPI document says about it.
    fn shape() -> Shape;
    /// Reads a value that is not null.
    fn read(value: &Value, at: &Path<'_>) -> Result<Self, InvalidRequest>;
    fn write(&self, nulls: Nulls) -> Value;
}

/// What becomes of members without a value: responses show them, notifications leave them out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Nulls {
    Omit,
    Show,
}

/// A JSON type, as far as OpenAPI cares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Boolean,
    Int32,
    Int64,
    /// A date and time with its zone.
    Moment,
    Text,
    /// An enumeration or object by its name without `microsoft.graph.`.
    Named(&'static str),
    /// An object that is never there, by its name: the member is always null or empty.
    Open(&'static str),
    List(Box<Shape>),
    /// An object by its name, or a list of such.
    OneOrMany(&'static str),
}

/// A member of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) name: &'static str,
    pub(crate) shape: Shape,
    pub(crate) is_nullable: bool,
}

impl Member {
    pub(crate) fn new(name: &'static str, shape: Shape) -> Self {
        Self { name, shape, is_nullable: false }
    }

    pub(crate) fn nullable(name: &'static str, shape: Shape) -> Self {
        Self { name, shape, is_nullable: true }
    }

    pub(crate) fn of_required<S, T: Wire>(name: &'static str, _: fn(&S) -> &T) -> Self {
        Self::new(name, T::shape())
    }

    pub(crate) fn of_nullable<S, T: Wire>(name: &'static str, _: fn(&S) -> &Option<T>) -> Self {
        Self::nullable(name, T::shape())
    }

    pub(crate) fn of_endpoint_type<S>(name: &'static str, _: fn(&S) -> &Option<String>) -> Self {
        Self::nullable(name, Shape::Named("endpointType"))
    }

    pub(crate) fn of_removed_from_audio<S>(name: &'static str, _: fn(&S) -> &Option<bool>) -> Self {
        Self::nullable(name, Shape::Boolean)
    }

    pub(crate) fn of_optional<S, T: Wire>(name: &'static str, field: fn(&S) -> &Option<T>) -> Self {
        Self::of_nullable(name, field)
    }
}

/// What the OpenAPI document says about a named type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Definition {
    Enumeration { name: &'static str, members: Vec<&'static str> },
    Object { name: &'static str, base: Option<&'static str>, members: Vec<Member> },
}

impl Definition {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Enumeration { name, .. } | Self::Object { name, .. } => name,
        }
    }
}

impl Wire for bool {
    fn shape() -> Shape {
        Shape::Boolean
    }

    fn read(value: &Value, at: &Path<'_>) -> Result<Self, InvalidRequest> {
        value.as_bool().ok_or_else(|| at.expected("true or false"))
    }

    fn write(&self, _: Nulls) -> Value {
        Value::from(*self)
    }
}

impl Wire for i32 {
    fn shape() -> Shape {
        Shape::Int32
    }

    fn read(value: &Value, at: &Path<'_>) -> Result<Self, InvalidRequest> {
        value
            .as_i64()
            .and_then(|number| number.try_into().ok())
            .ok_or_else(|| at.expected("a 32-bit integer"))
    }

    fn write(&self, _: Nulls) -> Value {
        Value::from(*self)
    }
}

impl Wire for i64 {
    fn shape() -> Shape {
        Shape::Int64
    }

    fn read(value: &Value, at: &Path<'_>) -> Result<Self, InvalidRequest> {
        value.as_i64().ok_or_else(|| at.expected("a 64-bit integer"))
    }

    fn write(&self, _: Nulls) -> Value {
        Value::from(*self)
    }
}

impl Wire for String {
    fn shape() -> Shape {
        Shape::Text
    }

    fn read(value: &Value, at: &Path<'_>) -> Result<Self, InvalidRequest> {
        value.as_str().map(str::to_owned).ok_or_else(|| at.expected("a string"))
    }

    fn write(&self, _: Nulls) -> Value {
        Value::from(self.as_str())
    }
}

impl Wire for Timestamp {
    fn shape() -> Shape {
        Shape::Moment
    }

    /// A time without a zone is in UTC; what is finer than milliseconds is dropped.
    fn read(value: &Value, at: &Path<'_>) -> Result<Self, InvalidRequest> {
        let text = value.as_str().unwrap_or_default();
        let parse = |text: &str| OffsetDateTime::parse(text, &Rfc3339).ok();
        let moment = parse(text).or_else(|| parse(&format!("{text}Z")));
        let moment = moment.ok_or_else(|| at.expected("a date and time such as 2027-01-31T10:00:00Z"))?;
        let millis = moment.unix_timestamp_nanos().div_euclid(1_000_000);
        i64::try_from(millis).map(Self::from_millis).map_err(|_| at.expected("a date that calendars have"))
    }

    fn write(&self, _: Nulls) -> Value {
        Value::from(self.to_string())
    }
}

impl<T: Wire> Wire for Vec<T> {
    fn shape() -> Shape {
        Shape::List(Box::new(T::shape()))
    }

    fn read(value: &Value, at: &Path<'_>) -> Result<Self, InvalidRequest> {
        let items = value.as_array().ok_or_else(|| at.expected("an array"))?;
        items.iter().enumerate().map(|(index, item)| T::read(item, &Path::Item(at, index))).collect()
    }

    fn write(&self, nulls: Nulls) -> Value {
        self.iter().map(|item| item.write(nulls)).collect()
    }
}

/// The members of an object in a request. Members that nobody asks for are ignored: every type may be open.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fields<'a> {
    members: &'a Map<String, Value>,
    at: &'a Path<'a>,
}

impl<'a> Fields<'a> {
    /// Takes any object.
    pub(crate) fn any(value: &'a Value, at: &'a Path<'a>) -> Result<Self, InvalidRequest> {
        let members = value.as_object().ok_or_else(|| at.expected("an object"))?;
        Ok(Self { members, at })
    }

    /// Takes an object that is of one of these types or does not say its type.
    pub(crate) fn of(value: &'a Value, at: &'a Path<'a>, names: &[&str]) -> Result<Self, InvalidRequest> {
        let fields = Self::any(value, at)?;
        match fields.declared_type()? {
            Some(declared) if !names.iter().any(|name| is_type(declared, name)) => {
                let first = names.first().copied().unwrap_or_default();
                Err(fields.expected("@odata.type", format!("#microsoft.graph.{first}")))
            }
            Some(_) | None => Ok(fields),
        }
    }

    /// What `@odata.type` says.
    pub(crate) fn declared_type(&self) -> Result<Option<&'a str>, InvalidRequest> {
        let Some(value) = self.value("@odata.type") else { return Ok(None) };
        value.as_str().map(Some).ok_or_else(|| self.expected("@odata.type", "a string"))
    }

    /// The value of a member that is there and not null.
    pub(crate) fn value(&self, name: &str) -> Option<&'a Value> {
        self.members.get(name).filter(|value| !value.is_null())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'a String, &'a Value)> {
        self.members.iter()
    }

    pub(crate) fn required<T: Wire>(&self, name: &str) -> Result<T, InvalidRequest> {
        self.nullable(name)?.ok_or_else(|| self.expected(name, "a value: the member is required"))
    }

    pub(crate) fn nullable<T: Wire>(&self, name: &str) -> Result<Option<T>, InvalidRequest> {
        self.value(name).map(|value| T::read(value, &Path::Member(self.at, name))).transpose()
    }

    pub(crate) fn optional<T: Wire>(&self, name: &str) -> Result<Option<T>, InvalidRequest> {
        self.nullable(name)
    }

    /// An endpoint type in its canonical spelling.
    pub(crate) fn endpoint_type(&self, name: &str) -> Result<Option<String>, InvalidRequest> {
        let Some(text) = self.nullable::<String>(name)? else { return Ok(None) };
        let known = ENDPOINT_TYPES.iter().find(|known| known.eq_ignore_ascii_case(&text));
        known
            .map(|known| Some((*known).to_owned()))
            .ok_or_else(|| self.expected(name, one_of(ENDPOINT_TYPES)))
    }

    /// The switch that starts someone outside of the common sound. Documented requests spell it in two ways, one for each
    /// place; both are taken in both.
    pub(crate) fn removed_from_audio(&self, name: &str) -> Result<Option<bool>, InvalidRequest> {
        let mut found = self.optional(name)?;
        for spelling in ["removeFromDefaultAudioGroup", "removeFromDefaultAudioRoutingGroup"] {
            let spelled = self.optional(spelling)?;
            found = found.or(spelled);
        }
        Ok(found)
    }

    /// A list of at most `most` items; empty where there is none.
    pub(crate) fn list<T: Wire>(&self, name: &str, most: usize) -> Result<Vec<T>, InvalidRequest> {
        let is_too_long = |items: &Vec<Value>| items.len() > most;
        match self.value(name) {
            None => Ok(Vec::new()),
            Some(value) if value.as_array().is_some_and(is_too_long) => {
                Err(self.expected(name, format!("at most {most} item{}", if most == 1 { "" } else { "s" })))
            }
            Some(value) => Vec::read(value, &Path::Member(self.at, name)),
        }
    }

    /// The error that a member is not what it should be.
    pub(crate) fn expected(&self, name: &str, expected: impl Into<String>) -> InvalidRequest {
        Path::Member(self.at, name).expected(expected)
    }

    pub(crate) fn at(&self) -> &'a Path<'a> {
        self.at
    }
}

/// The values of `endpointType`.
pub(crate) const ENDPOINT_TYPES: &[&str] =
    &["default", "voicemail", "skypeForBusiness", "skypeForBusinessVoipPhone", "unknownFutureValue"];

/// Whether `@odata.type` names this type: any case, with or without the number sign.
pub(crate) fn is_type(declared: &str, name: &str) -> bool {
    let qualified = declared.strip_prefix('#').unwrap_or(declared);
    let is_local = |local: &str| local.eq_ignore_ascii_case(name);
    let namespace = "microsoft.graph.";
    match qualified.split_at_checked(namespace.len()) {
        Some((prefix, local)) if prefix.eq_ignore_ascii_case(namespace) => is_local(local),
        Some(_) | None => false,
    }
}

/// An object that is being written.
#[derive(Clone, Debug)]
pub(crate) struct Body {
    members: Map<String, Value>,
    nulls: Nulls,
}

impl Body {
    /// An object that says its type.
    pub(crate) fn of(name: &str, nulls: Nulls) -> Self {
        let mut body = Self { members: Map::new(), nulls };
        body.set("@odata.type", format!("#microsoft.graph.{name}"));
        body
    }

    pub(crate) fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.members.insert(name.to_owned(), value.into());
    }

    pub(crate) fn required<T: Wire>(&mut self, name: &str, value: &T) {
        self.set(name, value.write(self.nulls));
    }

    /// A member that responses show even without a value.
    pub(crate) fn nullable<T: Wire>(&mut self, name: &str, value: &Option<T>) {
        match (value, self.nulls) {
            (Some(value), nulls) => self.set(name, value.write(nulls)),
            (None, Nulls::Show) => self.set(name, Value::Null),
            (None, Nulls::Omit) => {}
        }
    }

    pub(crate) fn endpoint_type(&mut self, name: &str, value: &Option<String>) {
        self.nullable(name, value);
    }

    pub(crate) fn removed_from_audio(&mut self, name: &str, value: &Option<bool>) {
        self.optional(name, value);
    }

    /// A member that is left out where it has no value.
    pub(crate) fn optional<T: Wire>(&mut self, name: &str, value: &Option<T>) {
        if let Some(value) = value {
            self.required(name, value);
        }
    }

    /// A member that never has a value here, shown where nulls are.
    pub(crate) fn null(&mut self, name: &str) {
        if self.nulls == Nulls::Show {
            self.set(name, Value::Null);
        }
    }

    /// A list that never has items here, shown where nulls are.
    pub(crate) fn empty(&mut self, name: &str) {
        if self.nulls == Nulls::Show {
            self.set(name, Value::Array(Vec::new()));
        }
    }
}

impl From<Body> for Value {
    fn from(body: Body) -> Self {
        Self::Object(body.members)
    }
}

/// Binds a struct to a JSON object: `field: "member" kind`, where the kind is `required` (always there), `nullable`
/// (responses show null), `optional` (left out where there is none), `endpoint_type` or `removed_from_audio`.
/// A base makes the type one of several that may stand where the base is asked for.
macro_rules! wire_object {
    ($type:ty as $name:literal $( : $base:literal )? { $( $field:ident : $json:literal $kind:ident ),* $(,)? }) => {
        impl $crate::wire::Wire for $type {
            fn shape() -> $crate::wire::Shape {
                $crate::wire::Shape::Named(*[$name, $( $base )?].last().unwrap_or(&$name))
            }

            fn read(
                value: &serde_json::Value,
                at: &$crate::invalid_request::Path<'_>,
            ) -> Result<Self, $crate::InvalidRequest> {
                let fields = $crate::wire::Fields::of(value, at, &[$name, $( $base )?])?;
                Ok(Self { $( $field: fields.$kind($json)? ),* })
            }

            fn write(&self, nulls: $crate::wire::Nulls) -> serde_json::Value {
                let mut body = $crate::wire::Body::of($name, nulls);
                $( body.$kind($json, &self.$field); )*
                body.into()
            }
        }

        impl $crate::wire::Defined for $type {
            fn definition() -> $crate::wire::Definition {
                $crate::wire::Definition::Object {
                    name: $name,
                    base: [$( $base )?].first().copied(),
                    members: vec![$( wire_object!(@member $kind, $json, |whole: &$type| &whole.$field) ),*],
                }
            }
        }
    };
    (@member endpoint_type, $json:literal, $field:expr) => { $crate::wire::Member::of_endpoint_type($json, $field) };
    (@member removed_from_audio, $json:literal, $field:expr) => {
        $crate::wire::Member::of_removed_from_audio($json, $field)
    };
    (@member required, $json:literal, $field:expr) => { $crate::wire::Member::of_required($json, $field) };
    (@member nullable, $json:literal, $field:expr) => { $crate::wire::Member::of_nullable($json, $field) };
    (@member optional, $json:literal, $field:expr) => { $crate::wire::Member::of_optional($json, $field) };
}

/// Binds an enum to its JSON strings, which are read in any case and written as they stand here.
macro_rules! wire_enum {
    ($type:ty as $name:literal { $( $variant:path = $json:literal ),* $(,)? }) => {
        impl $crate::wire::Wire for $type {
            fn shape() -> $crate::wire::Shape {
                $crate::wire::Shape::Named($name)
            }

            fn read(
                value: &serde_json::Value,
                at: &$crate::invalid_request::Path<'_>,
            ) -> Result<Self, $crate::InvalidRequest> {
                let known = [$( ($json, $variant) ),*];
                let text = value.as_str();
                let found = known.into_iter().find(|(name, _)| text.is_some_and(|text| text.eq_ignore_ascii_case(name)));
                found.map(|(_, variant)| variant).ok_or_else(|| at.expected($crate::wire::one_of(&[$( $json ),*])))
            }

            fn write(&self, _: $crate::wire::Nulls) -> serde_json::Value {
                serde_json::Value::from(match self { $( $variant => $json ),* })
            }
        }

        impl $crate::wire::Defined for $type {
            fn definition() -> $crate::wire::Definition {
                $crate::wire::Definition::Enumeration { name: $name, members: vec![$( $json ),*] }
            }
        }
    };
}

/// A type that the OpenAPI document defines by name.
pub(crate) trait Defined {
    fn definition() -> Definition;
}

/// `one of a, b, c`.
pub(crate) fn one_of(names: &[&str]) -> String {
    format!("one of {}", names.join(", "))
}

pub(crate) use {wire_enum, wire_object};
