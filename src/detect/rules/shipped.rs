//! The rule pack that comes with logwren, compiled in. Data only; nothing is read.

use std::sync::Arc;

use super::spec::{RuleFile, RuleSpec};

macro_rules! pack {
    ($($name:literal),* $(,)?) => {
        /// File name and text of each file of `config/rules.d`.
        pub const SHIPPED: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../../../config/rules.d/", $name)))),*];
    };
}

pack!(
    "kernel.toml",
    "storage.toml",
    "hardware.toml",
    "systemd.toml",
    "auth.toml",
    "databases.toml",
    "web.toml",
    "network.toml",
    "certificates.toml",
    "mail.toml",
    "containers.toml",
    "cron.toml",
    "packages.toml",
    "time.toml",
);

/// The shipped rules, to be put in front of the user's.
pub fn shipped() -> Vec<(Arc<str>, RuleSpec)> {
    let mut specs = Vec::new();
    for (name, text) in SHIPPED {
        let file: RuleFile = toml::from_str(text).expect("the pack is part of the program, and a test reads all of it");
        let name: Arc<str> = Arc::from(*name);
        specs.extend(file.rules.into_iter().map(|rule| (Arc::clone(&name), rule)));
    }
    specs
}
