//! What is odd about a line, said without any model? Detectors that look at a kind when it is new or changes, and at
//! every line of the few kinds they asked for: shipped and user rules, level, novelty.
//!
//! Findings propose a severity; they do not decide one. Pure: event time comes with the line, nothing is read or sent.
//! *Not here:* severity and incidents (triage), what a model thinks (judge), templates (mine).

mod seen;
mod words;
mod detector;
mod panel;
pub mod rules;
mod level;
mod novelty;
mod scan;
mod rate;
mod errors;
mod slots;
mod windows;
mod forest;
mod silence;
mod rare;
mod watched;
mod change;
mod sessions;
mod difference;
mod substance;
mod news;
mod pending;
mod repeat;
mod mark;
mod tally;
mod gaps;
mod hours;
mod baseline;
mod spikes;
mod wave;
mod keyed;
mod recent;
mod wording;

pub use change::Config as ChangeConfig;
pub use detector::{Detector, View, Want};
pub use errors::Config as ErrorsConfig;
pub use level::Config as LevelConfig;
pub use mark::Mark;
pub use novelty::Config as NoveltyConfig;
pub use panel::{Detect, Interest};
pub use rare::Config as RareConfig;
pub use rate::Config as RateConfig;
pub use rules::{RuleFile, RuleProblem, RuleSet, RuleSpec};
pub use scan::Config as ScanConfig;
pub use seen::Seen;
pub use sessions::Config as SessionsConfig;
pub use silence::Config as SilenceConfig;
pub use slots::{FEW as NEW_VALUE, FewConfig, NUMBERS as OUTLIER, NumbersConfig};
pub use tally::{Beat, Closed, Counted, Horizon, MeterId, Meters, Minute, Of, Spoke};
pub use watched::{Watch, limit as watch_limit, usual as watch_usual};
pub use windows::Config as WindowsConfig;
pub use words::Words;

use serde::{Deserialize, Serialize};

use crate::model::Period;
use crate::registry::Component;

/// `[detect]` of the config.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Lines of one incident within this time are one finding (plus one each time their number doubles). Default 10 m.
    /// A rule's own `within` goes before it.
    pub repeat: Period,
    pub novelty: NoveltyConfig,
    pub level: LevelConfig,
    pub scan: ScanConfig,
    pub rate: RateConfig,
    pub errors: ErrorsConfig,
    pub new_value: FewConfig,
    pub outlier: NumbersConfig,
    pub windows: WindowsConfig,
    pub silence: SilenceConfig,
    pub rare: RareConfig,
    pub change: ChangeConfig,
    pub sessions: SessionsConfig,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            repeat: Period::from_secs(600),
            novelty: NoveltyConfig::default(),
            level: LevelConfig::default(),
            scan: ScanConfig::default(),
            rate: RateConfig::default(),
            errors: ErrorsConfig::default(),
            new_value: FewConfig::default(),
            outlier: NumbersConfig::default(),
            windows: WindowsConfig::default(),
            silence: SilenceConfig::default(),
            rare: RareConfig::default(),
            change: ChangeConfig::default(),
            sessions: SessionsConfig::default(),
        }
    }
}

/// One line for each detector, in the order they are asked. A new one is a file, a `mod` line, a line here and one in
/// `detectors`.
pub const COMPONENTS: &[Component] = &[
    Component { role: "detector", name: rules::NAME, does: "rules of rules.d: what is known to be bad, and how often" },
    Component {
        role: "detector",
        name: change::NAME,
        does: "upgrades, reboots, restarts, and the new lines after them",
    },
    Component { role: "detector", name: level::NAME, does: "a kind of line that is new at err or worse, or got worse" },
    Component { role: "detector", name: novelty::NAME, does: "a kind of line this host never logged before" },
    Component { role: "detector", name: scan::NAME, does: "a client that tries many different things and is refused" },
    Component { role: "detector", name: rate::NAME, does: "far more or far fewer lines than usual at this hour" },
    Component { role: "detector", name: errors::NAME, does: "a program that logs far more errors than usual" },
    Component { role: "detector", name: slots::FEW, does: "a value never seen where only few values are used" },
    Component { role: "detector", name: slots::NUMBERS, does: "a number far beyond all others in its place" },
    Component { role: "detector", name: windows::NAME, does: "five minutes unlike the others, by an isolation forest" },
    Component { role: "detector", name: silence::NAME, does: "a recurring line that stopped" },
    Component { role: "detector", name: rare::NAME, does: "a kind of line that is seldom, or not seen for a month" },
    Component {
        role: "detector",
        name: sessions::NAME,
        does: "a session (block, request, job) that does not go like the others",
    },
    Component { role: "detector", name: watched::NAME, does: "what the model calls odd when frequent, and is" },
];

/// All detectors but the rules and the changes, which the panel holds itself.
fn detectors(config: &Config) -> Vec<Box<dyn Detector>> {
    vec![
        Box::new(level::LevelDetector::new(&config.level, config.repeat)),
        Box::new(novelty::Novelty::new(&config.novelty)),
        Box::new(scan::Scan::new(&config.scan, config.repeat)),
        Box::new(rate::Rate::new(&config.rate)),
        Box::new(errors::Errors::new(&config.errors)),
        Box::new(slots::Few::new(&config.new_value)),
        Box::new(slots::Numbers::new(&config.outlier, config.repeat)),
        Box::new(windows::Windows::new(&config.windows)),
        Box::new(silence::Silence::new(&config.silence)),
        Box::new(rare::Rare::new(&config.rare)),
        Box::new(sessions::Sessions::new(&config.sessions, config.repeat)),
        Box::<watched::WatchedKinds>::default(),
    ]
}

#[cfg(test)]
mod script;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod values_test;
