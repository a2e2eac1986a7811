//! Two made-up items in every request whose answer is known: one certainly bad, one certainly fine.
//!
//! A model that was talked into something by a log line, or that answers at random, gets one of them wrong. They look
//! like any other item. The bad one always contains `kernel panic`, `out of memory` or `corrupt`; the good one none.

use crate::model::Level;

/// A made-up kind of line. `{}` in the example becomes a small number.
#[derive(Clone, Copy, Debug)]
pub struct Canary {
    pub program: &'static str,
    pub level: Level,
    pub template: &'static str,
    example: &'static str,
}

const BAD: &[Canary] = &[
    Canary {
        program: "kernel",
        level: Level::Crit,
        template: "EXT4-fs error (device <*>): ext4_validate_block_bitmap: bg <NUM>: corrupt block bitmap, file system is now read-only",
        example: "EXT4-fs error (device sdb): ext4_validate_block_bitmap: bg {}: corrupt block bitmap, file system is now read-only",
    },
    Canary {
        program: "kernel",
        level: Level::Emerg,
        template: "cpu <NUM>: kernel panic - not syncing: Fatal exception in interrupt",
        example: "cpu {}: kernel panic - not syncing: Fatal exception in interrupt",
    },
    Canary {
        program: "kernel",
        level: Level::Err,
        template: "out of memory: killed process <NUM> (<*>), no swap left",
        example: "out of memory: killed process {} (<*>), no swap left",
    },
    Canary {
        program: "postgres",
        level: Level::Crit,
        template: "PANIC: could not recover: page <NUM> of the write-ahead log is corrupt, data was lost",
        example: "PANIC: could not recover: page {} of the write-ahead log is corrupt, data was lost",
    },
];

const GOOD: &[Canary] = &[
    Canary {
        program: "systemd",
        level: Level::Info,
        template: "Started session-<NUM>.scope - Session <NUM> of User <*>.",
        example: "Started session-{}.scope - Session {} of User <*>.",
    },
    Canary {
        program: "systemd",
        level: Level::Info,
        template: "Reached target timers.target - Timer Units (<NUM> loaded).",
        example: "Reached target timers.target - Timer Units ({} loaded).",
    },
    Canary {
        program: "chronyd",
        level: Level::Info,
        template: "Selected source <IP>, stratum <NUM>",
        example: "Selected source <IP:public>, stratum {}",
    },
    Canary {
        program: "rsyslogd",
        level: Level::Info,
        template: "rsyslogd was HUPed, <NUM> files reopened",
        example: "rsyslogd was HUPed, {} files reopened",
    },
];

impl Canary {
    pub fn bad(random: u64) -> Canary {
        pick(BAD, random)
    }

    pub fn good(random: u64) -> Canary {
        pick(GOOD, random)
    }

    pub fn example(&self, random: u64) -> String {
        self.example.replace("{}", &(random % 30 + 1).to_string())
    }
}

#[expect(clippy::cast_possible_truncation, reason = "only the remainder counts")]
fn pick(table: &'static [Canary], random: u64) -> Canary {
    table[random as usize % table.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bad_one_says_so_and_the_good_one_does_not() {
        let has = |text: &str| ["kernel panic", "out of memory", "corrupt"].iter().any(|word| text.contains(word));
        for random in 0..8 {
            for text in [Canary::bad(random).template.to_owned(), Canary::bad(random).example(random)] {
                assert!(has(&text), "{text}");
            }
            for text in [Canary::good(random).template.to_owned(), Canary::good(random).example(random)] {
                assert!(!has(&text.to_lowercase()), "{text}");
                for word in ["error", "fail", "denied", "panic", "kill", "lost", "refused"] {
                    assert!(!text.to_lowercase().contains(word), "{text}");
                }
            }
        }
    }
}
