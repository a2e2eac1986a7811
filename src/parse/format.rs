//! The closed set of formats: their names in config and `explain`, and one line about each. Knows no parsing.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What the lines of a source look like.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Format {
    Rfc3164,
    Rfc5424,
    Rfc3339,
    JournalJson,
    Docker,
    Json,
    Cri,
    Access,
    NginxError,
    ApacheError,
    Postgres,
    Klog,
    Kernel,
    Audit,
    Logfmt,
    Application,
    Plain,
}

impl Format {
    /// In the order in which a line of unknown format is tried: the more a format demands of a line, the earlier.
    pub const ALL: [Format; 17] = [
        Format::Rfc3164,
        Format::Rfc5424,
        Format::Rfc3339,
        Format::JournalJson,
        Format::Docker,
        Format::Json,
        Format::Cri,
        Format::Access,
        Format::NginxError,
        Format::ApacheError,
        Format::Postgres,
        Format::Klog,
        Format::Kernel,
        Format::Audit,
        Format::Logfmt,
        Format::Application,
        Format::Plain,
    ];

    /// The name `format =` takes and `explain` shows.
    pub fn name(self) -> &'static str {
        match self {
            Format::Rfc3164 => "rfc3164",
            Format::Rfc5424 => "rfc5424",
            Format::Rfc3339 => "rfc3339",
            Format::JournalJson => "journal-json",
            Format::Docker => "docker",
            Format::Json => "json",
            Format::Cri => "cri",
            Format::Access => "access",
            Format::NginxError => "nginx-error",
            Format::ApacheError => "apache-error",
            Format::Postgres => "postgres",
            Format::Klog => "klog",
            Format::Kernel => "kernel",
            Format::Audit => "audit",
            Format::Logfmt => "logfmt",
            Format::Application => "application",
            Format::Plain => "plain",
        }
    }

    /// One line for a person, for `logwren components`.
    pub fn description(self) -> &'static str {
        match self {
            Format::Rfc3164 => {
                "BSD syslog: `Nov 22 05:55:40 host sshd[42]: ...`, with or without <PRI>, year and fractions"
            }
            Format::Rfc5424 => "syslog of RFC 5424: `<34>1 2026-11-22T05:55:40Z host app 42 ID [data] ...`",
            Format::Rfc3339 => "rsyslog's default: `2026-11-22T05:55:40.746959+00:00 host sshd[42]: ...`",
            Format::JournalJson => "what `journalctl --output=json` prints",
            Format::Docker => {
                "Docker's json-file: `{\"log\":\"...\",\"stream\":\"stdout\",\"time\":\"...\"}`, the inner line parsed too"
            }
            Format::Json => "JSON lines with the usual names for time, level, message and logger",
            Format::Cri => "Kubernetes CRI: `2026-11-22T05:55:40Z stdout F ...`, the inner line parsed too",
            Format::Access => "access log of nginx and Apache, common and combined",
            Format::NginxError => "error log of nginx",
            Format::ApacheError => "error log of Apache httpd",
            Format::Postgres => "PostgreSQL's stderr log",
            Format::Klog => "Kubernetes and glog: `I1122 05:55:40.123456  42 file.go:7] ...`",
            Format::Kernel => "dmesg: `[   12.345678] ...`",
            Format::Audit => "auditd: `type=AVC msg=audit(1700000000.123:456): ...`",
            Format::Logfmt => "key=value pairs with the usual names",
            Format::Application => "any line led by a time or level column; the columns are learned",
            Format::Plain => "text without a header",
        }
    }

    /// Reads `format =` of a source: `auto` is `None`.
    pub fn from_config(name: &str) -> Result<Option<Format>, String> {
        if name == "auto" { Ok(None) } else { name.parse().map(Some) }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Format, String> {
        Format::ALL.into_iter().find(|format| format.name() == text).ok_or_else(|| {
            let names: Vec<&str> = Format::ALL.into_iter().map(Format::name).collect();
            format!("`{text}` is not a format; allowed: auto, {}", names.join(", "))
        })
    }
}

impl Serialize for Format {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Format {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Format, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back() {
        for format in Format::ALL {
            assert_eq!(Format::from_config(format.name()), Ok(Some(format)));
            assert!(!format.description().is_empty());
        }
        assert_eq!(Format::from_config("auto"), Ok(None));
        assert!(Format::from_config("syslog").expect_err("no such name").contains("rfc3164"));
    }
}
