//! Reads rule packs: the shipped one, then the operator's folder, which overrides it by name. Judges no rule.

use std::path::Path;
use std::sync::Arc;

use crate::detect::rules::SHIPPED;
use crate::detect::{RuleFile, RuleSet, RuleSpec};

use super::read::{Problem, problem, read};

/// The shipped rules and every `*.toml` of `folder` in order of name. A missing folder is no mistake.
///
/// # Errors
/// Every mistake in every file, at once.
pub fn load_rules(folder: &Path) -> Result<RuleSet, Vec<Problem>> {
    let mut files: Vec<(String, String)> =
        SHIPPED.iter().map(|(name, text)| (format!("shipped {name}"), (*text).to_owned())).collect();
    let mut problems = Vec::new();
    match operators(folder) {
        Ok(own) => {
            for file in own {
                match file {
                    Ok(file) => files.push(file),
                    Err(wrong) => problems.extend(wrong),
                }
            }
        }
        Err(error) => problems.push(problem(
            &folder.display().to_string(),
            "",
            0..0,
            "rules_dir".to_owned(),
            &format!("cannot be read: {error}; allowed: a folder of *.toml files, or none"),
        )),
    }
    compile(&files, problems)
}

fn compile(files: &[(String, String)], mut problems: Vec<Problem>) -> Result<RuleSet, Vec<Problem>> {
    let mut specs: Vec<(Arc<str>, RuleSpec)> = Vec::new();
    for (name, text) in files {
        let reading = read::<RuleFile>(name, text);
        problems.extend(reading.problems);
        specs.extend(reading.value.unwrap_or_default().rules.into_iter().map(|rule| (name.as_str().into(), rule)));
    }
    match RuleSet::new(specs) {
        Ok(rules) if problems.is_empty() => Ok(rules),
        Ok(_) => Err(problems),
        Err(wrong) => {
            for rule in wrong {
                let text = files.iter().find(|(name, _)| **name == *rule.file).map_or("", |(_, text)| text.as_str());
                let place = super::place_of(text, &rule.rule);
                problems.push(problem(&rule.file, text, place, format!("rules.{}", rule.rule), &rule.problem));
            }
            Err(problems)
        }
    }
}

type NameAndText = (String, String);

fn operators(folder: &Path) -> std::io::Result<Vec<Result<NameAndText, Vec<Problem>>>> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut paths: Vec<_> = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, _>>()?
        .into_iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    paths.sort();
    Ok(paths.into_iter().map(|path| Ok((path.display().to_string(), super::read::text(&path)?))).collect())
}
