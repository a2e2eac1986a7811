//! The few knobs of the miner. Must not know where they are written (`config` reads files).

use serde::{Deserialize, Deserializer, Serialize};

/// `[mine]` of the config.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Templates at most, 100 to 1,000,000. Beyond, lines of a new kind go to the most similar template or to one that
    /// takes everything, which is counted and reported.
    #[serde(deserialize_with = "template_limit")]
    pub max_templates: usize,
    /// Shapes remembered at most, 1,024 to 16,777,216; 16 bytes each. Rounded up to a power of two.
    #[serde(deserialize_with = "shape_limit")]
    pub max_shapes: usize,
}

impl Default for Config {
    fn default() -> Config {
        Config { max_templates: 10_000, max_shapes: 65_536 }
    }
}

fn template_limit<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    within(usize::deserialize(deserializer)?, 100, 1_000_000)
}

fn shape_limit<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    within(usize::deserialize(deserializer)?, 1_024, 16_777_216)
}

fn within<E: serde::de::Error>(number: usize, least: usize, most: usize) -> Result<usize, E> {
    if (least..=most).contains(&number) {
        return Ok(number);
    }
    Err(E::custom(format!("{number} is not allowed; write a number from {least} to {most}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(toml: &str, expected: Result<Config, &str>) {
        match (toml::from_str::<Config>(toml), expected) {
            (Ok(config), Ok(expected)) => assert_eq!(config, expected),
            (Err(error), Err(expected)) => assert!(error.to_string().contains(expected), "{error}"),
            (found, expected) => panic!("{toml}: {found:?}, not {expected:?}"),
        }
    }

    #[test]
    fn says_what_is_allowed() {
        check("", Ok(Config::default()));
        check("max_templates = 500", Ok(Config { max_templates: 500, ..Config::default() }));
        check("max_templates = 1", Err("1 is not allowed; write a number from 100 to 1000000"));
        check("max_shapes = 5", Err("5 is not allowed; write a number from 1024 to 16777216"));
        check("depth = 4", Err("unknown field"));
    }
}
