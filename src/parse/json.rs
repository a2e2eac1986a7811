//! JSON lines: one object a line. Nested objects become dotted keys; `fields` says which key means what.

use std::borrow::Cow;

use crate::model::Header;

use super::fields;
use super::format::Format;
use super::line::{self, Setting};
use super::value::Value;

/// Objects nested deeper than this stay one value.
const DEPTH_MAX: usize = 3;

pub(super) fn parse<'a>(bytes: &'a [u8], setting: &mut Setting) -> Option<Header<'a>> {
    line::json_object(bytes)?;
    line::with_text(bytes, |text| {
        let Value::Map(entries) = serde_json::from_str(text).ok()? else { return None };
        let mut pairs = Vec::with_capacity(entries.len());
        flatten(entries, "", DEPTH_MAX, &mut pairs);
        (!pairs.is_empty()).then(|| fields::compose(Format::Json, pairs, setting))
    })
}

fn flatten<'a>(
    entries: Vec<(Cow<'a, str>, Value<'a>)>,
    prefix: &str,
    depth: usize,
    pairs: &mut Vec<(Cow<'a, str>, Value<'a>)>,
) {
    for (key, value) in entries {
        let key = if prefix.is_empty() { key } else { Cow::Owned(format!("{prefix}.{key}")) };
        match value {
            Value::Map(inner) if depth > 1 => flatten(inner, &key, depth - 1, pairs),
            value => pairs.push((key, value)),
        }
    }
}
