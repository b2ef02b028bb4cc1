//! JSON into the shapes of the API. serde_json's own way compiles its parser into every shape, and a way to read each
//! struct from an array besides: a fifth of the console. Here the text is parsed once into a value, and each shape has
//! only what picks its fields from one.

use std::fmt;

use serde::de::value::StringDeserializer;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error as _, Expected, IntoDeserializer, MapAccess,
    SeqAccess, Unexpected, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;
use serde_json::{Error, Value, map};

/// Reads an answer of the API.
///
/// # Errors
/// It is no JSON, or has another shape.
pub fn read<T: DeserializeOwned>(text: &str) -> Result<T, Error> {
    T::deserialize(Parsed(serde_json::from_str(text)?))
}

/// A value that gives its fields away.
struct Parsed(Value);

#[cold]
fn wrong(value: &Value, expected: &dyn Expected) -> Error {
    let found = match value {
        Value::Null => Unexpected::Unit,
        Value::Bool(value) => Unexpected::Bool(*value),
        Value::Number(_) => Unexpected::Other("number"),
        Value::String(text) => Unexpected::Str(text),
        Value::Array(_) => Unexpected::Seq,
        Value::Object(_) => Unexpected::Map,
    };
    Error::invalid_type(found, expected)
}

/// What kinds of numbers have in common.
fn number<'de, V: Visitor<'de>>(value: Value, visitor: V) -> Result<V::Value, Error> {
    let Value::Number(number) = &value else { return Err(wrong(&value, &visitor)) };
    match (number.as_u64(), number.as_i64()) {
        (Some(number), _) => visitor.visit_u64(number),
        (None, Some(number)) => visitor.visit_i64(number),
        (None, None) => visitor.visit_f64(number.as_f64().unwrap_or_default()),
    }
}

macro_rules! numbers {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            number(self.0, visitor)
        })*
    };
}

impl<'de> Deserializer<'de> for Parsed {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(value),
            Value::Number(_) => number(self.0, visitor),
            Value::String(text) => visitor.visit_string(text),
            Value::Array(items) => visitor.visit_seq(Items(items.into_iter())),
            Value::Object(fields) => visitor.visit_map(Fields(fields.into_iter(), None)),
        }
    }

    numbers! {
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_u8 deserialize_u16 deserialize_u32
        deserialize_u64 deserialize_f32 deserialize_f64
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Value::Bool(value) => visitor.visit_bool(value),
            other => Err(wrong(&other, &visitor)),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Value::String(text) => visitor.visit_string(text),
            other => Err(wrong(&other, &visitor)),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Value::Array(items) => visitor.visit_seq(Items(items.into_iter())),
            other => Err(wrong(&other, &visitor)),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Value::Object(fields) => visitor.visit_map(Fields(fields.into_iter(), None)),
            other => Err(wrong(&other, &visitor)),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self.0 {
            Value::String(name) => visitor.visit_enum(Variant(name, Value::Null)),
            Value::Object(fields) if fields.len() == 1 => match fields.into_iter().next() {
                Some((name, value)) => visitor.visit_enum(Variant(name, value)),
                None => Err(wrong(&Value::Null, &visitor)),
            },
            other => Err(wrong(&other, &visitor)),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! { i128 u128 char bytes byte_buf unit unit_struct tuple_struct }
}

struct Items(std::vec::IntoIter<Value>);

impl<'de> SeqAccess<'de> for Items {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        self.0.next().map(|item| seed.deserialize(Parsed(item))).transpose()
    }
}

/// Fields, with the value of the one whose key was given away.
struct Fields(map::IntoIter, Option<Value>);

impl<'de> MapAccess<'de> for Fields {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        let Some((name, value)) = self.0.next() else { return Ok(None) };
        self.1 = Some(value);
        let name: StringDeserializer<Error> = name.into_deserializer();
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Error> {
        seed.deserialize(Parsed(self.1.take().unwrap_or_default()))
    }
}

/// A variant's name and what it carries.
struct Variant(String, Value);

impl<'de> EnumAccess<'de> for Variant {
    type Error = Error;
    type Variant = Parsed;

    fn variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<(T::Value, Parsed), Error> {
        let name: StringDeserializer<Error> = self.0.into_deserializer();
        Ok((seed.deserialize(name)?, Parsed(self.1)))
    }
}

impl<'de> VariantAccess<'de> for Parsed {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        match self.0 {
            Value::Null => Ok(()),
            other => Err(wrong(&other, &Nothing)),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Error> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], visitor: V) -> Result<V::Value, Error> {
        self.deserialize_map(visitor)
    }
}

/// A variant that carries nothing.
struct Nothing;

impl Expected for Nothing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a variant without a value")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::fmt::Debug;

    use serde::Deserialize;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Inner {
        n: i64,
        share: f64,
        small: u8,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Outside {
        Bare,
        Carries(u32),
        Pair(u32, String),
        Named { on: bool },
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(tag = "kind", rename_all = "snake_case")]
    enum Tagged {
        Wait { minutes: u32 },
        Exit,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(transparent)]
    struct Id(i64);

    #[derive(Debug, PartialEq, Deserialize)]
    struct Whole {
        #[serde(flatten)]
        inner: Inner,
        id: Id,
        name: Option<String>,
        #[serde(default)]
        missing: Vec<u64>,
        outside: Vec<Outside>,
        tagged: Vec<Tagged>,
        by: BTreeMap<String, u64>,
        pair: (bool, String),
        any: Value,
        nothing: (),
    }

    const WHOLE: &str = r#"{"n": -3, "share": 0.25, "small": 7, "id": 9007199254740993, "name": null, "unknown": {"a": [1]},
        "outside": ["bare", {"carries": 4}, {"pair": [5, "b"]}, {"named": {"on": true}}],
        "tagged": [{"kind": "wait", "minutes": 3}, {"kind": "exit"}], "by": {"é": 18446744073709551615},
        "pair": [true, "\u00fc"], "any": {"deep": [1.5, null, "x"]}, "nothing": null}"#;

    /// It reads what serde_json reads, and refuses what that refuses.
    fn check<T: DeserializeOwned + Debug + PartialEq>(text: &str, good: bool) {
        let (ours, theirs) = (read::<T>(text), serde_json::from_str::<T>(text));
        assert_eq!((ours.is_ok(), theirs.is_ok()), (good, good), "{text}: {ours:?} {theirs:?}");
        if let (Ok(ours), Ok(theirs)) = (ours, theirs) {
            assert_eq!(ours, theirs, "{text}");
        }
    }

    #[test]
    fn reads_what_serde_json_reads() {
        check::<Whole>(WHOLE, true);
        for text in ["", "{", "[]", "{}", "null", &WHOLE.replace("-3", "\"-3\""), &WHOLE.replace(": 7", ": 256")] {
            check::<Whole>(text, false);
        }
        for (text, good) in
            [("\"bare\"", true), ("{\"bare\": null}", true), ("{\"bare\": 1}", false), ("\"odd\"", false)]
        {
            check::<Outside>(text, good);
        }
        check::<Outside>("{\"carries\": 1, \"named\": 2}", false);
        check::<Outside>("7", false);
        for (text, good) in [("1", true), ("0.5", true), ("-1", true), ("true", false), ("null", false)] {
            check::<f64>(text, good);
        }
        check::<Option<bool>>("null", true);
        check::<bool>("0", false);
        check::<Vec<u8>>("{\"a\": 1}", false);
        check::<BTreeMap<String, u8>>("[1]", false);
    }

    #[test]
    fn says_what_it_did_not_expect() {
        let said = |error: Error| error.to_string();
        assert_eq!(
            read::<Outside>("{\"bare\": 1}").map_err(said),
            Err("invalid type: number, expected a variant without a value".to_owned())
        );
        assert_eq!(read::<Vec<u8>>("{}").map_err(said), Err("invalid type: map, expected a sequence".to_owned()));
        assert_eq!(read::<Inner>("{\"n\": 1}").map_err(said), Err("missing field `share`".to_owned()));
    }
}
