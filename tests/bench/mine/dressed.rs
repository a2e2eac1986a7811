//! Dresses the messages of labeled sets in headers of many styles and mines what the parser leaves of them: how well are
//! headers cut away that no set has? Says nothing of the miner, which gets the same messages each time.

use std::path::Path;

use super::facts::Facts;
use super::styles::{STYLES, Style};
use super::{agreement, distinct, labeled, mine, new_miner, parse, sets};

/// A grouping that falls by more than this is told set by set.
const TOLERANCE: f64 = 0.01;

struct Set {
    name: String,
    messages: Vec<String>,
    truth: Vec<String>,
    bare: (f64, f64),
}

/// GA and FGA of every style, means over the sets; and the sets in which a style does worse than the messages alone.
pub fn accuracy(directory: &Path, wanted: &[&str]) -> anyhow::Result<()> {
    let sets = sets(directory)?.iter().map(|file| Set::read(file.as_path())).collect::<anyhow::Result<Vec<Set>>>()?;
    println!("{:<22} {:>6} {:>6} {:>8} {:>6}", "style", "GA", "FGA", "misread", "lost");
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len().max(1) as f64;
    let bare: Vec<f64> = sets.iter().map(|set| set.bare.0).collect();
    let bare_fga: Vec<f64> = sets.iter().map(|set| set.bare.1).collect();
    println!("{:<22} {:>6.4} {:>6.4}", "(messages alone)", mean(&bare), mean(&bare_fga));
    let mut all = Vec::new();
    for style in STYLES.iter().filter(|(name, _)| wanted.is_empty() || wanted.contains(name)) {
        let (mut gas, mut fgas, mut misread, mut worse) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for set in &sets {
            let messages = set.parsed(style);
            let differ =
                set.messages.iter().zip(&messages).filter(|(content, message)| content.trim() != message.trim());
            misread.push(differ.count() as f64 / set.messages.len().max(1) as f64);
            let (groups, _) = mine(&mut new_miner(), &messages);
            let (ga, fga) = agreement(&groups, &set.truth);
            if set.bare.0 - ga > TOLERANCE {
                worse.push(format!(
                    "{} {:.3} ({} groups of {})",
                    set.name,
                    ga,
                    distinct(&groups),
                    distinct(&set.truth)
                ));
            }
            gas.push(ga);
            fgas.push(fga);
        }
        let (name, _) = style;
        let lost = mean(&bare) - mean(&gas);
        println!(
            "{name:<22} {:>6.4} {:>6.4} {:>8.3} {lost:>6.3}  {}",
            mean(&gas),
            mean(&fgas),
            mean(&misread),
            worse.join(", ")
        );
        all.push((mean(&gas), mean(&fgas)));
    }
    let (gas, fgas): (Vec<f64>, Vec<f64>) = all.into_iter().unzip();
    println!("{:<22} {:>6.4} {:>6.4}", "mean", mean(&gas), mean(&fgas));
    Ok(())
}

/// The lines of a style whose message is not the one that was dressed, as many as `most` of each set.
pub fn misread(directory: &Path, name: &str, most: usize) -> anyhow::Result<()> {
    for style in STYLES.iter().filter(|(style, _)| *style == name) {
        for file in sets(directory)? {
            let set = Set::read(&file)?;
            let lines = set.lines(style);
            let parsed = set.parsed(style);
            let messages = set.messages.iter().zip(&parsed).zip(&lines);
            for ((_, message), line) in
                messages.filter(|((content, message), _)| content.trim() != message.trim()).take(most)
            {
                println!("- {line}\n+ {message}");
            }
        }
    }
    Ok(())
}

impl Set {
    fn read(file: &Path) -> anyhow::Result<Set> {
        let (messages, truth) = labeled(file)?;
        let (groups, _) = mine(&mut new_miner(), &messages);
        let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let name = name.split(['_', '.']).next().unwrap_or_default().to_owned();
        let bare = agreement(&groups, &truth);
        Ok(Set { name, messages, truth, bare })
    }

    fn lines(&self, (_, dress): &Style) -> Vec<String> {
        let lines = self.messages.iter().zip(&self.truth).enumerate();
        lines.map(|(index, (message, event))| dress(&Facts::of(index, event), message)).collect()
    }

    fn parsed(&self, style: &Style) -> Vec<String> {
        let lines = self.lines(style);
        parse(&lines.iter().map(|line| line.as_bytes()).collect::<Vec<_>>())
    }
}
