//! How much of what nobody said before is seen to be new? Reads a corpus whose injected lines are known. Measures only.

use std::collections::HashSet;
use std::path::Path;

use anyhow::Context;
use logwren::mine::Mined;
use logwren::model::{Medium, Timestamp};

/// The first tenth of `DIRECTORY/syslog.log` teaches; of the rest it prints which injected lines are of a new shape, and how
/// many other lines are. `syslog.log.labels` has a little-endian u16 a line, 0 for an injected one.
pub fn novelty(directory: &Path) -> anyhow::Result<()> {
    let log = directory.join("syslog.log");
    let bytes = std::fs::read(&log).with_context(|| format!("cannot read {}", log.display()))?;
    let labels = std::fs::read(directory.join("syslog.log.labels")).context("cannot read the labels")?;
    let lines: Vec<&[u8]> = bytes.strip_suffix(b"\n").unwrap_or(&bytes).split(|byte| *byte == b'\n').collect();
    anyhow::ensure!(lines.len() * 2 == labels.len(), "{} lines and {} bytes of labels", lines.len(), labels.len());
    let context = logwren::parse::Context { zone: jiff::tz::TimeZone::UTC, host: "localhost".into() };
    let mut plan = logwren::parse::Plan::new(Medium::File, None);
    let mut miner = super::new_miner();
    let (mut templates, mut injected, mut shapes, mut born, mut other_shapes, mut other_templates) =
        (HashSet::new(), 0, 0, 0, 0, 0);
    for (number, (line, label)) in lines.iter().zip(labels.as_chunks::<2>().0).enumerate() {
        let message = plan.parse(line, Timestamp::from_seconds(1_780_000_000), &context).message;
        let Mined { template, new_shape, .. } = miner.mine(&message);
        let is_new = templates.insert(template);
        if number < lines.len() / 10 {
            continue;
        }
        if *label == [0, 0] {
            injected += 1;
            shapes += u64::from(new_shape);
            born += u64::from(is_new);
        } else {
            other_shapes += u64::from(new_shape);
            other_templates += u64::from(is_new);
        }
    }
    println!("injected lines behind the first tenth: {injected}");
    println!("of a new shape: {shapes}; with a template of their own: {born}");
    println!("other lines of a new shape: {other_shapes}; with a new template: {other_templates}");
    Ok(())
}
