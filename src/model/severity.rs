//! How much a person should care (severity) and about what (category). Given by severity rules, never by a log line.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Ordered: `Low < Critical`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Low,
    Medium,
    High,
    Critical,
}

impl Severity {
    pub const ALL: [Severity; 4] = [Severity::Low, Severity::Medium, Severity::High, Severity::Critical];

    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Low => "low",
            Severity::Medium => "medium",
            Severity::High => "high",
            Severity::Critical => "critical",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What a finding is about. The closed set of DESIGN section 5.4.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Category {
    Security,
    Performance,
    Availability,
    Hardware,
    Storage,
    Network,
    Configuration,
    Application,
    Other,
}

impl Category {
    pub const ALL: [Category; 9] = [
        Category::Security,
        Category::Performance,
        Category::Availability,
        Category::Hardware,
        Category::Storage,
        Category::Network,
        Category::Configuration,
        Category::Application,
        Category::Other,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Category::Security => "security",
            Category::Performance => "performance",
            Category::Availability => "availability",
            Category::Hardware => "hardware",
            Category::Storage => "storage",
            Category::Network => "network",
            Category::Configuration => "configuration",
            Category::Application => "application",
            Category::Other => "other",
        }
    }
}

impl fmt::Display for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
