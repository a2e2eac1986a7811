//! Tells systemd that we live only while lines really move: a stuck pipeline or source must miss its pings.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::driver::Vitals;

/// Pings while everything makes progress; never returns. `limit` is systemd's WatchdogSec.
pub async fn run(vitals: Arc<Vitals>, limit: Duration) {
    let mut watch = Watch::new(limit);
    loop {
        tokio::time::sleep(limit / 4).await;
        match watch.look(vitals.turns(), &vitals.sources(), Instant::now()) {
            Ok(()) => super::systemd::watchdog_ping(),
            Err(stuck) => tracing::error!(stuck, "no progress; systemd will restart us if it stays so"),
        }
    }
}

/// Remembers when each part last moved.
struct Watch {
    /// A part that has not moved for this long is stuck.
    patience: Duration,
    moved: HashMap<&'static str, (u64, Instant)>,
}

impl Watch {
    fn new(limit: Duration) -> Watch {
        Watch { patience: limit / 2, moved: HashMap::new() }
    }

    /// Everything moves, or the name of what does not. A source that waits for the pipeline is not stuck.
    fn look(&mut self, turns: u64, sources: &[(&'static str, u64, bool)], now: Instant) -> Result<(), &'static str> {
        let parts = std::iter::once(("pipeline", turns, false)).chain(sources.iter().copied());
        let mut stuck = None;
        for (name, beats, waiting) in parts {
            let (last, since) = self.moved.entry(name).or_insert((beats, now));
            if *last != beats || waiting {
                (*last, *since) = (beats, now);
            } else if now.duration_since(*since) > self.patience {
                stuck = stuck.or(Some(name));
            }
        }
        stuck.map_or(Ok(()), Err)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Steps as (second, pipeline turns, source beats, source waits); expected: who is stuck at each.
    #[track_caller]
    fn check(steps: &[(u64, u64, u64, bool)], expected: &[Result<(), &'static str>]) {
        let mut watch = Watch::new(Duration::from_secs(20));
        let start = Instant::now();
        let said: Vec<_> = steps
            .iter()
            .map(|(at, turns, beats, waits)| {
                watch.look(*turns, &[("files", *beats, *waits)], start + Duration::from_secs(*at))
            })
            .collect();
        assert_eq!(said, expected);
    }

    #[test]
    fn a_stuck_part_stops_the_pings() {
        check(&[(0, 1, 1, false), (5, 2, 2, false), (30, 3, 3, false)], &[Ok(()), Ok(()), Ok(())]);
        check(&[(0, 1, 1, false), (5, 1, 2, false), (11, 1, 3, false)], &[Ok(()), Ok(()), Err("pipeline")]);
        check(&[(0, 1, 1, false), (11, 2, 1, false), (12, 3, 2, false)], &[Ok(()), Err("files"), Ok(())]);
        check(&[(0, 1, 1, false), (11, 2, 1, true)], &[Ok(()), Ok(())]);
    }
}
