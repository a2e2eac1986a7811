//! `[[sources.journald]]`: which journal, from where, and whose entries. Nothing is needed for the host's own.

use std::path::PathBuf;

use globset::{Glob, GlobMatcher};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::source::ReadFrom;

/// One `[[sources.journald]]` table.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, try_from = "Unchecked")]
pub struct JournalConfig {
    /// What its position is kept under; by default the namespace, the directory, or `system`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// A journal namespace (`journalctl --namespace`); not together with `directory`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// A directory of journal files (`journalctl --directory`); its entries may be of any machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub directory: Option<PathBuf>,
    /// What becomes of entries that are there before we first look.
    pub read_from: ReadFrom,
    /// Only entries of these units, when there are any.
    pub units: Vec<UnitPattern>,
    /// No entries of these units; stronger than `units`.
    pub exclude_units: Vec<UnitPattern>,
    /// Also entries of other machines (`/var/log/journal/remote`).
    pub other_machines: bool,
    /// The program to run.
    pub journalctl: PathBuf,
}

/// A unit name with `*`, `?` and `[a-z]`, as systemctl takes it: `ssh*.service`.
#[derive(Clone, Debug)]
pub struct UnitPattern(GlobMatcher);

impl JournalConfig {
    pub(super) const SYSTEM: &str = "system";

    /// What the position is kept under.
    pub(super) fn stream_name(&self) -> String {
        let directory = || self.directory.as_ref().map(|directory| directory.display().to_string());
        let name = self.name.clone().or_else(|| self.namespace.clone()).or_else(directory);
        name.unwrap_or_else(|| JournalConfig::SYSTEM.to_owned())
    }
}

impl Default for JournalConfig {
    fn default() -> JournalConfig {
        JournalConfig {
            name: None,
            namespace: None,
            directory: None,
            read_from: ReadFrom::End,
            units: Vec::new(),
            exclude_units: Vec::new(),
            other_machines: false,
            journalctl: "journalctl".into(),
        }
    }
}

/// The table as written, before the check that needs two keys.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Unchecked {
    name: Option<String>,
    namespace: Option<String>,
    directory: Option<PathBuf>,
    read_from: ReadFrom,
    units: Vec<UnitPattern>,
    exclude_units: Vec<UnitPattern>,
    other_machines: bool,
    journalctl: PathBuf,
}

impl Default for Unchecked {
    fn default() -> Unchecked {
        let JournalConfig { name, namespace, directory, read_from, units, exclude_units, other_machines, journalctl } =
            JournalConfig::default();
        Unchecked { name, namespace, directory, read_from, units, exclude_units, other_machines, journalctl }
    }
}

impl TryFrom<Unchecked> for JournalConfig {
    type Error = &'static str;

    fn try_from(table: Unchecked) -> Result<JournalConfig, &'static str> {
        let Unchecked { name, namespace, directory, read_from, units, exclude_units, other_machines, journalctl } =
            table;
        if namespace.is_some() && directory.is_some() {
            return Err("`namespace` and `directory` exclude each other; write two [[sources.journald]]");
        }
        if name.as_deref() == Some("") {
            return Err("`name` is empty; leave it out or write any text");
        }
        if namespace.as_deref().is_some_and(|namespace| namespace.is_empty() || namespace.contains('/')) {
            return Err("`namespace` is not the name of a journal namespace, such as \"web\"");
        }
        if directory.as_ref().is_some_and(|directory| !directory.is_absolute()) {
            return Err("`directory` must be an absolute path");
        }
        Ok(JournalConfig { name, namespace, directory, read_from, units, exclude_units, other_machines, journalctl })
    }
}

impl UnitPattern {
    pub(super) fn matches(&self, unit: &str) -> bool {
        self.0.is_match(unit)
    }
}

impl std::str::FromStr for UnitPattern {
    type Err = String;

    fn from_str(text: &str) -> Result<UnitPattern, String> {
        let wrong = |error: globset::Error| {
            format!("`{text}` is not a unit name or pattern such as \"ssh*.service\": {}", error.kind())
        };
        Glob::new(text).map(|glob| UnitPattern(glob.compile_matcher())).map_err(wrong)
    }
}

impl PartialEq for UnitPattern {
    fn eq(&self, other: &UnitPattern) -> bool {
        self.0.glob() == other.0.glob()
    }
}

impl Serialize for UnitPattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.glob().glob())
    }
}

impl<'de> Deserialize<'de> for UnitPattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<UnitPattern, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(toml_text: &str, expected: Result<&str, &str>) {
        let read = toml::from_str::<JournalConfig>(toml_text);
        match expected {
            Ok(name) => assert_eq!(read.expect("a good table").stream_name(), name),
            Err(part) => {
                let error = read.expect_err("a bad table").to_string();
                assert!(error.contains(part), "{error}");
            }
        }
    }

    #[test]
    fn tables() {
        check("", Ok("system"));
        check("namespace = 'web'", Ok("web"));
        check("directory = '/srv/j'", Ok("/srv/j"));
        check("name = 'n'\ndirectory = '/srv/j'", Ok("n"));
        check("read_from = 'beginning'\nunits = ['ssh*.service']", Ok("system"));
        check("directory = 'j'", Err("absolute"));
        check("namespace = 'a/b'", Err("namespace"));
        check("name = ''", Err("empty"));
        check("namespace = 'a'\ndirectory = '/j'", Err("exclude each other"));
        check("units = ['a[']", Err("such as \"ssh*.service\""));
        check("unit = 'a'", Err("unknown field `unit`"));
        check("read_from = 'middle'", Err("`end` or `beginning`"));
        assert_eq!(toml::from_str::<JournalConfig>("").expect("reads"), JournalConfig::default());
    }
}
