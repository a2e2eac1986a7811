//! Whose entries are handed over. Dropped ones still move the position. Knows nothing of blocks and children.

use std::fs;

use super::entry::Entry;
use super::{JournalConfig, UnitPattern};

const OWN_UNIT: &str = "logwren.service";

/// What is kept of a journal.
#[derive(Clone, Debug)]
pub(super) struct Filter {
    units: Vec<UnitPattern>,
    exclude_units: Vec<UnitPattern>,
    /// Only entries of this machine; `None` keeps all.
    pub(super) machine_id: Option<String>,
    /// This very process: its entries must not feed back into it.
    pub(super) own_pid: u32,
    pub(super) own_comm: Option<String>,
}

impl Filter {
    pub(super) fn new(config: &JournalConfig) -> Filter {
        let any_machine = config.other_machines || config.directory.is_some();
        Filter {
            units: config.units.clone(),
            exclude_units: config.exclude_units.clone(),
            machine_id: if any_machine { None } else { first_line("/etc/machine-id") },
            own_pid: std::process::id(),
            own_comm: first_line("/proc/self/comm"),
        }
    }

    pub(super) fn keeps(&self, entry: &Entry<'_>) -> bool {
        !self.is_own(entry) && self.is_of_our_machine(entry) && self.is_of_wanted_unit(entry)
    }

    /// The entry is this machine's for certain.
    pub(super) fn knows_machine(&self, entry: &Entry<'_>) -> bool {
        self.machine_id.is_some() && self.machine_id.as_deref() == entry.machine_id.as_deref()
    }

    fn is_own(&self, entry: &Entry<'_>) -> bool {
        // The name as well: the pid alone may have been another's, before a reboot or outside of our container.
        let same_process = entry.pid == Some(self.own_pid) && entry.comm.as_deref() == self.own_comm.as_deref();
        entry.unit.as_deref() == Some(OWN_UNIT) || (same_process && self.own_comm.is_some())
    }

    fn is_of_our_machine(&self, entry: &Entry<'_>) -> bool {
        match (&self.machine_id, &entry.machine_id) {
            (Some(ours), Some(theirs)) => ours == theirs,
            (None, _) | (_, None) => true,
        }
    }

    fn is_of_wanted_unit(&self, entry: &Entry<'_>) -> bool {
        let matches = |patterns: &[UnitPattern]| {
            let mut units = entry.unit.iter().chain(&entry.about_unit);
            units.any(|unit| patterns.iter().any(|pattern| pattern.matches(unit)))
        };
        !matches(&self.exclude_units) && (self.units.is_empty() || matches(&self.units))
    }
}

fn first_line(path: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    text.lines().next().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(config: &str, fields: &str, expected: bool) {
        let config: JournalConfig = toml::from_str(config).expect("a good table");
        let mut filter = Filter::new(&config);
        filter.machine_id = filter.machine_id.map(|_| "ours".to_owned());
        filter.own_pid = 7;
        filter.own_comm = Some("logwren".to_owned());
        let line = format!(r#"{{"__CURSOR":"c"{fields}}}"#);
        let entry = Entry::read(line.as_bytes()).expect("an entry");
        assert_eq!(filter.keeps(&entry), expected, "{fields}");
    }

    #[test]
    fn keeps() {
        check("", "", true);
        check("", r#","_SYSTEMD_UNIT":"logwren.service""#, false);
        check("", r#","UNIT":"logwren.service","_SYSTEMD_UNIT":"init.scope""#, true);
        check("", r#","_PID":"7","_COMM":"logwren""#, false);
        check("", r#","_PID":"7","_COMM":"sshd""#, true);
        check("", r#","_PID":"8","_COMM":"logwren""#, true);
        check("units = ['ssh*']", r#","_SYSTEMD_UNIT":"ssh.service""#, true);
        check("units = ['ssh*']", r#","UNIT":"ssh.service","_SYSTEMD_UNIT":"init.scope""#, true);
        check("units = ['ssh*']", r#","_SYSTEMD_UNIT":"cron.service""#, false);
        check("units = ['ssh*']", "", false);
        check("exclude_units = ['cron.service']", r#","_SYSTEMD_UNIT":"cron.service""#, false);
        check("exclude_units = ['cron.service']", "", true);
        check("other_machines = true", r#","_MACHINE_ID":"theirs""#, true);
        check("directory = '/srv/j'", r#","_MACHINE_ID":"theirs""#, true);
    }

    #[test]
    fn drops_other_machines() {
        let mut filter = Filter::new(&JournalConfig::default());
        filter.machine_id = Some("ours".to_owned());
        let entry = |machine: &'static str| Entry { machine_id: Some(machine.into()), ..Entry::default() };
        assert!(filter.keeps(&entry("ours")));
        assert!(!filter.keeps(&entry("theirs")));
        assert!(filter.keeps(&Entry::default()));
    }
}
