//! Writes a JSON schema for servers that are not Google's: properties in the order they are to be written, objects closed.
//!
//! A server that enforces a schema writes properties in the order it finds them; a map of ours would sort them by name and
//! let a model give its reasons before it has said what about.

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value};

/// A schema with `propertyOrdering` obeyed and left out, and `additionalProperties` forbidden.
pub struct InOrder<'a>(pub &'a Value);

struct Properties<'a> {
    properties: &'a Map<String, Value>,
    order: &'a [Value],
}

impl Serialize for InOrder<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Object(schema) => {
                let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
                    return serializer.collect_map(schema.iter().map(|(name, value)| (name, InOrder(value))));
                };
                let order = schema.get("propertyOrdering").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
                let mut map = serializer.serialize_map(None)?;
                for (name, value) in schema {
                    match name.as_str() {
                        "propertyOrdering" | "additionalProperties" => {}
                        "properties" => map.serialize_entry(name, &Properties { properties, order })?,
                        _ => map.serialize_entry(name, &InOrder(value))?,
                    }
                }
                map.serialize_entry("additionalProperties", &false)?;
                map.end()
            }
            Value::Array(list) => serializer.collect_seq(list.iter().map(InOrder)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => self.0.serialize(serializer),
        }
    }
}

impl Serialize for Properties<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let first = self.order.iter().filter_map(|name| self.properties.get_key_value(name.as_str()?));
        let others = self.properties.iter().filter(|(name, _)| !self.order.iter().any(|known| known == name.as_str()));
        serializer.collect_map(first.chain(others).map(|(name, value)| (name, InOrder(value))))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn properties_come_in_order_and_objects_are_closed() {
        let schema = json!({
            "type": "object",
            "properties": {
                "b": {"type": "array", "items": {"type": "object", "properties": {"y": {"enum": ["n", "m"]}, "x": {"type": "string"}},
                    "propertyOrdering": ["y", "x"]}},
                "a": {"type": "string"},
                "c": {"type": "string"},
            },
            "propertyOrdering": ["b", "a", "gone"],
            "required": ["b"],
        });
        let expected = concat!(
            r#"{"properties":{"b":{"items":{"properties":{"y":{"enum":["n","m"]},"x":{"type":"string"}},"type":"object","#,
            r#""additionalProperties":false},"type":"array"},"a":{"type":"string"},"c":{"type":"string"}},"#,
            r#""required":["b"],"type":"object","additionalProperties":false}"#,
        );
        assert_eq!(serde_json::to_string(&InOrder(&schema)).unwrap(), expected);
    }
}
