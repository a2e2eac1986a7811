//! The names of things that are decided once: templates and kinds. Ids depend on text alone and never on order or host.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use xxhash_rust::xxh3::xxh3_64;

use super::{Level, Timestamp};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:016x}", self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = std::num::ParseIntError;

            fn from_str(text: &str) -> Result<$name, Self::Err> {
                u64::from_str_radix(text, 16).map($name)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<$name, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

id! {
    /// Names a template: XXH3 of the masked text it was born with. It keeps its id when it generalizes. 16 hex digits.
    TemplateId
}
id! {
    /// Names a kind: XXH3 of program, level and template id. 16 hex digits.
    KindId
}
id! {
    /// Names an incident: what joins findings into one. 16 hex digits.
    Fingerprint
}

impl TemplateId {
    /// The id of the template born as `masked_text`.
    pub fn of(masked_text: &str) -> TemplateId {
        TemplateId(xxh3_64(masked_text.as_bytes()))
    }
}

impl Fingerprint {
    /// Hashes the parts with a separator that cannot occur inside one of them unescaped.
    pub fn of(parts: &[&str]) -> Fingerprint {
        Fingerprint(hash_parts(parts))
    }
}

fn hash_parts(parts: &[&str]) -> u64 {
    let mut bytes = Vec::with_capacity(64);
    for part in parts {
        bytes.extend_from_slice(&(part.len() as u64).to_le_bytes());
        bytes.extend_from_slice(part.as_bytes());
    }
    xxh3_64(&bytes)
}

/// The key everything expensive hangs on: baselines, verdicts, rates, mutes and incidents belong to a kind.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Kind {
    pub program: Arc<str>,
    pub level: Level,
    pub template: TemplateId,
}

impl Kind {
    pub fn id(&self) -> KindId {
        KindId(hash_parts(&[&self.program, self.level.as_str(), &self.template.to_string()]))
    }
}

/// A template as the store keeps it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct TemplateRow {
    pub id: TemplateId,
    /// Current text with typed placeholders.
    pub text: String,
    /// Lines seen, learning included.
    pub count: u64,
    pub first_seen: Timestamp,
    pub last_seen: Timestamp,
    /// Set when the template was merged into another: look there.
    pub merged_into: Option<TemplateId>,
}

/// A kind as the store keeps it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct KindRow {
    pub kind: Kind,
    /// Was part of the baseline when learning ended.
    pub learned: bool,
    pub count: u64,
    pub first_seen: Timestamp,
    pub last_seen: Timestamp,
}
