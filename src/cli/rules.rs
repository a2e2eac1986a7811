//! `rules export`: verdicts of the model as rules in TOML, to read, to correct and to keep. Changes nothing.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::Write;

use crate::detect::{RuleFile, watch_limit, watch_usual};
use crate::exit;
use crate::judge;
use crate::model::{KindRow, Snapshot, TemplateRow, Verdict, VerdictRow, clip};
use crate::store::{Reader, StoreError};

use super::args::RulesExport;
use super::place;

/// Longest title of a rule, in bytes.
const TITLE: usize = 80;

pub fn export(export: &RulesExport) -> anyhow::Result<u8> {
    let state_dir = place::state_dir(&export.place)?;
    let snapshot = match Reader::open(&state_dir).and_then(|reader| reader.load()) {
        Ok(snapshot) => snapshot,
        Err(StoreError::Missing { .. }) => Snapshot::default(),
        Err(error) => return Err(place::cannot_look(&state_dir, error)),
    };
    let (text, left_out) = rules(&snapshot, export.normal);
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    for name in left_out {
        eprintln!("note: the verdict on {name} does not fit into a rule and is left out");
    }
    Ok(exit::OK)
}

/// All rules in one file, and the names of verdicts that make none.
fn rules(snapshot: &Snapshot, with_normal: bool) -> (String, Vec<String>) {
    let kinds: HashMap<_, &KindRow> = snapshot.kinds.iter().map(|row| (row.kind.id(), row)).collect();
    let templates: HashMap<_, &TemplateRow> = snapshot.templates.iter().map(|row| (row.id, row)).collect();
    let mut verdicts: Vec<&VerdictRow> = snapshot.verdicts.iter().filter(|row| row.model != judge::OPERATOR).collect();
    verdicts.sort_by_key(|row| (std::cmp::Reverse(row.severity), row.kind));
    let mut text =
        String::from("# Verdicts of a language model, as rules. Copy into rules_dir what shall hold without it.\n");
    let mut left_out = Vec::new();
    for row in verdicts {
        if row.verdict == Verdict::Undecided || row.verdict == Verdict::Normal && !with_normal {
            continue;
        }
        let name = format!("judged-{}", row.kind);
        let found = kinds.get(&row.kind).and_then(|kind| Some((*kind, *templates.get(&kind.kind.template)?)));
        match found.map(|(kind, template)| rule(&name, row, kind, &template.text)) {
            Some(rule) if toml::from_str::<RuleFile>(&rule).is_ok() => text.push_str(&rule),
            Some(_) | None => left_out.push(name),
        }
    }
    (text, left_out)
}

fn rule(name: &str, row: &VerdictRow, kind: &KindRow, template: &str) -> String {
    let mut text = String::new();
    let mut line = |key: &str, value: String| {
        let _ = writeln!(text, "{key} = {value}");
    };
    let program = &*kind.kind.program;
    let whose = if program.is_empty() { String::new() } else { format!(" of {program}") };
    let said = match row.reason.as_str() {
        "" => "the model gave no reason".to_owned(),
        reason => inert(reason),
    };
    line("name", quoted(name));
    match row.verdict {
        Verdict::Normal => {
            line("quiet", "true".to_owned());
            line("title", quoted(&inert(clip(&format!("Ordinary lines{whose}"), TITLE))));
        }
        Verdict::Anomalous | Verdict::Watch | Verdict::Undecided => {
            line("category", quoted(row.category.as_str()));
            line("severity", quoted(row.severity.as_str()));
            line(
                "title",
                quoted(&inert(clip(
                    &format!("Lines{whose} that {} called {}", row.model, row.verdict.as_str()),
                    TITLE,
                ))),
            );
            let steps: Vec<String> = row.remediation.iter().map(|step| quoted(&inert(step))).collect();
            let steps = if steps.is_empty() {
                vec![quoted("look at the line and at what was logged around it")]
            } else {
                steps
            };
            line("remediation", format!("[{}]", steps.join(", ")));
        }
    }
    line("reason", quoted(&format!("{said} ({}, confidence {:.2})", inert(&row.model), row.confidence)));
    if row.verdict == Verdict::Watch {
        let usual = watch_usual(kind.count, kind.first_seen, kind.last_seen);
        line("count", watch_limit(usual).saturating_add(1).min(1_000).to_string());
        line("within", quoted("10m"));
    }
    if !program.is_empty() {
        line("match.program", quoted(program));
    }
    line("match.template", quoted(&format!("^{}$", regex::escape(template))));
    format!("\n[[rules]]\n{text}")
}

/// Fit for a sentence of a rule, where braces name values.
fn inert(text: &str) -> String {
    crate::model::inert::one_line(text).replace('{', "(").replace('}', ")")
}

fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Category, Kind, Level, Severity, TemplateId, Timestamp};

    #[test]
    fn verdicts_become_rules_whatever_they_say() {
        let mut snapshot = Snapshot::default();
        let texts = [
            ("app", "cannot open shard <*>", Verdict::Anomalous, "a {key} \"quoted\"\n[[rules]]\nname = 'x'"),
            ("", "retry <NUM> of <NUM> (why?)", Verdict::Watch, ""),
            ("cron", "job done", Verdict::Normal, "fine"),
            ("su", "odd", Verdict::Undecided, "?"),
        ];
        for (program, text, verdict, reason) in texts {
            let kind = Kind { program: program.into(), level: Level::Info, template: TemplateId::of(text) };
            let at = Timestamp::from_seconds(0);
            snapshot.verdicts.push(VerdictRow {
                kind: kind.id(),
                verdict,
                severity: Severity::High,
                category: Category::Storage,
                confidence: 0.9,
                reason: reason.to_owned(),
                remediation: Vec::new(),
                model: "m".to_owned(),
                prompt_version: 1,
                judged_at: at,
                not_before: None,
            });
            let id = kind.template;
            snapshot.kinds.push(KindRow { kind, learned: false, count: 1, first_seen: at, last_seen: at });
            let text = text.to_owned();
            snapshot.templates.push(TemplateRow {
                id,
                text,
                count: 1,
                first_seen: at,
                last_seen: at,
                merged_into: None,
            });
        }
        let (text, left_out) = rules(&snapshot, true);
        assert_eq!(left_out, Vec::<String>::new(), "{text}");
        let file: RuleFile = toml::from_str(&text).expect("rules");
        let rules: Vec<_> = file.rules.iter().filter_map(|spec| spec.rule.as_ref()).collect();
        assert_eq!(rules.len(), 3, "{text}");
        let of = |program: &str| {
            rules.iter().find(|rule| rule.matching.program.first().is_some_and(|name| name.matches(program)))
        };
        assert_eq!(of("app").map(|rule| rule.severity), Some(Some(Severity::High)));
        assert_eq!(of("cron").map(|rule| rule.severity), Some(None));
        let watch = rules.iter().find(|rule| rule.matching.program.is_empty()).expect("there");
        assert_eq!((watch.count, watch.within.map(|within| within.0.as_secs())), (11, Some(600)));
        let matches = |text: &str| watch.matching.template.as_ref().is_some_and(|pattern| pattern.is_match(text));
        assert!(matches("retry <NUM> of <NUM> (why?)") && !matches("retry <NUM> of <NUM> (why)"));
        assert_eq!(super::rules(&snapshot, false).0.matches("[[rules]]\n").count(), 2);
    }
}
