//! Which known template is most like a message? For the words of a finding, not for grouping. Must not change anything.

use super::scan::{Is, Scan};
use super::template::Template;
use crate::model::TemplateId;

/// The template with the largest share of tokens in common, in any order, that does not take the message itself.
pub fn nearest<'a>(
    templates: impl Iterator<Item = (TemplateId, &'a Template)>,
    scan: &Scan,
) -> Option<(TemplateId, &'a str)> {
    let tokens = scan.tokens();
    let mut classes: Vec<(u64, u32)> = Vec::with_capacity(tokens.len());
    for token in tokens {
        // Words weigh more than values: lines full of numbers are not alike for that.
        let weight = if token.is == Is::Word { 3 } else { 1 };
        classes.push((token.class, weight));
    }
    classes.sort_unstable();
    let whole: u32 = classes.iter().map(|(_, weight)| weight).sum();
    let mut best: Option<(u64, TemplateId, &str)> = None;
    for (id, template) in templates {
        if template.takes(tokens) {
            continue;
        }
        let common: u32 = template
            .classes()
            .map(|class| {
                let at = classes.partition_point(|(other, _)| *other < class);
                classes.get(at).filter(|(other, _)| *other == class).map_or(0, |(_, weight)| *weight)
            })
            .sum();
        if common < 3 {
            continue;
        }
        let common = common.min(whole);
        // Dice's coefficient in millionths; the template's weight is taken as three a place.
        let score = u64::from(common) * 2_000_000 / (u64::from(whole) + 3 * template.len() as u64);
        if best.is_none_or(|(highest, _, _)| score > highest) {
            best = Some((score, id, template.text()));
        }
    }
    best.map(|(_, id, text)| (id, text))
}
