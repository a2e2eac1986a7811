//! Finds the template of a message that no shape knew, or makes one. Drain's idea (compare with the templates of the
//! same length, open the places that differ) with another rule for when: not when a line is similar enough, but when a
//! place has shown enough different words (`evidence`). Must not see raw text (`scan`) or remember shapes (`table`).

use std::collections::BTreeMap;

use super::growth::Detail;
use super::hash::Keys;
use super::scan::{MAX_TOKENS, Scan};
use super::shelf::{Fit, OPEN, Shelf};
use super::template::Template;
use crate::model::TemplateId;

/// Places of all templates of one length that a message is compared with; more are crowded.
const MAX_PLACES: usize = 16 * 1024;
/// Templates of one length are never called crowded below this.
const MIN_CROWD: usize = 64;
/// Sets of differing places that are weighed for one message.
const MAX_SETS: usize = 32;
/// Ids that are tried for a text whose own is another one's.
const MAX_SAME_IDS: u32 = 4;
/// Bytes of text for each template that there may be, on average; more is crowded.
const BYTES_A_TEMPLATE: usize = 512;
/// The source of what an earlier run found, and of messages without one.
const NOBODY: u32 = u32::MAX;

/// All templates, by number. A number stays valid for good: a merged template points to where it went.
#[derive(Debug, Default)]
pub struct Tree {
    nodes: Vec<Node>,
    by_id: BTreeMap<TemplateId, u32>,
    by_signature: BTreeMap<u64, u32>,
    /// The live templates by length, without the coarse ones.
    shelves: Vec<Shelf>,
    /// The coarse templates, by signature: they take only what nothing else takes, of sources that need them.
    coarse: BTreeMap<u64, u32>,
    live: usize,
    /// Bytes of their texts.
    bytes: usize,
    /// Live templates by the source that gave birth to them.
    held: Vec<usize>,
    max_templates: usize,
}

#[derive(Debug)]
struct Node {
    id: TemplateId,
    /// Where it was merged into.
    into: Option<u32>,
    template: Template,
    /// The source that gave birth to it.
    source: u32,
}

/// Where a message comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct From {
    pub source: u32,
    pub detail: Detail,
}

impl From {
    /// Of no source in particular.
    pub const NOWHERE: From = From { source: NOBODY, detail: Detail::Full };
}

/// What became of a message.
#[derive(Debug)]
pub struct Found {
    pub node: u32,
    pub what: What,
    /// Templates that are no more: their lines belong to `node` now.
    pub gone: Vec<TemplateId>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum What {
    Known,
    New,
    /// Places were opened.
    Generalized,
    /// There are too many templates: the most similar one opened its places.
    Coarsened,
    /// There are too many templates: the one that takes everything took it, born for that or not.
    Caught {
        born: bool,
    },
    /// Its source makes too many templates: one of its head and length took it, born for that or not.
    Coarse {
        born: bool,
    },
}

impl Tree {
    pub fn new(max_templates: usize) -> Tree {
        Tree { shelves: (0..MAX_TOKENS + 2).map(Shelf::new).collect(), max_templates, ..Tree::default() }
    }

    /// Number of live templates.
    pub fn len(&self) -> usize {
        self.live
    }

    /// No room for new templates, at least of some length.
    pub fn is_full(&self) -> bool {
        (0..self.shelves.len()).any(|length| self.is_crowded(length))
    }

    /// Where `node` stands now, merges followed.
    pub fn resolve(&self, mut node: u32) -> u32 {
        while let Some(into) = self.node(node).and_then(|node| node.into) {
            node = into;
        }
        node
    }

    pub fn id(&self, node: u32) -> TemplateId {
        self.node(node).map_or(TemplateId(0), |node| node.id)
    }

    pub fn find_id(&self, id: TemplateId) -> Option<u32> {
        self.by_id.get(&id).map(|node| self.resolve(*node))
    }

    pub fn template(&self, node: u32) -> Option<&Template> {
        self.node(node).map(|node| &node.template)
    }

    /// Every template that became part of another, with the one it is part of now.
    pub fn merged(&self) -> impl Iterator<Item = (TemplateId, TemplateId)> {
        let gone = self.nodes.iter().filter_map(|node| Some((node.id, node.into?)));
        gone.map(|(gone, into)| (gone, self.id(self.resolve(into))))
    }

    /// Live templates, oldest first.
    pub fn live(&self) -> impl Iterator<Item = (TemplateId, &Template)> {
        self.nodes.iter().filter(|node| node.into.is_none()).map(|node| (node.id, &node.template))
    }

    /// Puts back a template of an earlier run. One that takes what another one takes already, because an earlier version
    /// told their values apart, becomes part of it.
    pub fn restore(&mut self, id: TemplateId, scan: &Scan, keys: &Keys) {
        if self.by_id.contains_key(&id) {
            return;
        }
        let template = Template::new(scan);
        // Only a coarse template was born with open places behind its first words.
        let is_coarse = id == TemplateId::of(template.text())
            && template.words().last() == Some(OPEN)
            && template.words().skip(Detail::TwoWords.words()).all(|word| word == OPEN);
        let twin = self.by_signature.get(&template.signature(keys)).copied();
        match (is_coarse, twin) {
            (true, _) => {
                self.add_coarse(id, template, keys, NOBODY);
            }
            (false, Some(twin)) => self.restore_merge(id, self.id(twin)),
            (false, None) => {
                self.add(id, template, keys, NOBODY);
            }
        }
    }

    /// Whether a source holds more templates than are left for all others: of any length or, as long as it makes such,
    /// of this one. The coarser it is already, the more it may hold.
    pub fn hogs(&self, from: &From, length: usize) -> bool {
        let left = self.max_templates.saturating_sub(self.live);
        let coarser = 1 + from.detail as usize;
        if self.held.get(from.source as usize).is_some_and(|held| *held > left.saturating_mul(coarser)) {
            return true;
        }
        let Some(shelf) = self.shelves.get(length).filter(|_| from.detail == Detail::Full) else { return false };
        let left = most_on_shelf(length).saturating_sub(shelf.len());
        let is_its = |number: &u32| self.node(*number).is_some_and(|node| node.source == from.source);
        // To look at each is worth it only where one source could hold so many.
        shelf.len() > left && shelf.numbers().filter(is_its).count() > left
    }

    /// Bytes of the text of a template.
    pub fn text_bytes(&self, node: u32) -> usize {
        self.node(node).map_or(0, |node| node.template.text().len())
    }

    /// Puts back what an earlier run merged. Ignores what would make a circle.
    pub fn restore_merge(&mut self, gone: TemplateId, into: TemplateId) {
        let Some(into) = self.find_id(into) else { return };
        match self.find_id(gone) {
            Some(node) => self.merge(node, into),
            None => {
                let node = self.nodes.len() as u32;
                self.nodes.push(Node { id: gone, into: Some(into), template: Template::default(), source: NOBODY });
                self.by_id.insert(gone, node);
            }
        }
    }

    /// The template of a message: one that covers it, one that opens for it, or a new one.
    pub fn place(&mut self, scan: &Scan, keys: &Keys, from: From) -> Found {
        let length = scan.tokens().len();
        let mut covers: Option<(u32, u32)> = None;
        let mut near = Vec::new();
        if let Some(shelf) = self.shelves.get(length) {
            for (number, fit) in shelf.compare(scan.tokens()) {
                match fit {
                    // The most exact one; of equals the oldest.
                    Fit::Covers(agree) if covers.is_none_or(|(_, best)| agree > best) => covers = Some((number, agree)),
                    Fit::Covers(_) => {}
                    Fit::Near(differ, agree) => near.push(Near { number, differ, agree, needed: 0 }),
                }
            }
        }
        if let Some((node, agree)) = covers {
            let what = if agree == 0 && length > 0 { What::Caught { born: false } } else { What::Known };
            return Found { node, what, gone: Vec::new() };
        }
        if from.detail != Detail::Full {
            return self.place_coarsely(scan, keys, from);
        }
        if let Some(opened) = self.variable(scan, &mut near) {
            return self.open(opened, scan, keys, What::Generalized);
        }
        if self.is_crowded(length) {
            return self.coarsen(&near, scan, keys);
        }
        // Ids are the same on every host, so nobody can be kept from looking for two texts with one. The later text gets
        // another id, or its lines would pass for those of the first.
        let mut id = TemplateId::of(scan.text());
        for again in 1..=MAX_SAME_IDS {
            match self.find_id(id) {
                None => {
                    let node = self.add(id, Template::new(scan), keys, from.source);
                    return Found { node, what: What::New, gone: Vec::new() };
                }
                Some(node) if self.template(node).is_none_or(|template| template.reads_as(scan)) => {
                    // Reads the same and differs in how it was read: too fine a difference for anybody.
                    return Found { node, what: What::Known, gone: Vec::new() };
                }
                Some(_) => id = TemplateId::of(&format!("{}\n{again}", scan.text())),
            }
        }
        self.coarsen(&near, scan, keys)
    }

    /// The template of the head and the length of a message, which opens nothing that others use.
    fn place_coarsely(&mut self, scan: &Scan, keys: &Keys, from: From) -> Found {
        // The last word is never kept: a coarse template has an open place, by which it is known after a restart.
        let most = scan.tokens().len().saturating_sub(1);
        let words = if self.is_full_of_any() { 0 } else { from.detail.words().min(most) };
        let template = Template::head(scan, words);
        let signature = template.signature(keys);
        let (node, born) = match self.coarse.get(&signature) {
            Some(node) => (*node, false),
            None => {
                let id = TemplateId::of(template.text());
                match self.find_id(id) {
                    Some(node) => (node, false),
                    None => (self.add_coarse(id, template, keys, from.source), true),
                }
            }
        };
        Found { node, what: What::Coarse { born }, gone: Vec::new() }
    }

    /// The templates that differ from the message, and from one another, only in places with enough evidence; the
    /// fewest such places.
    fn variable(&self, scan: &Scan, near: &mut [Near]) -> Option<Vec<u32>> {
        for other in near.iter_mut() {
            other.needed = self.node(other.number).map_or(u32::MAX, |node| node.template.needed(scan, other.differ));
        }
        let mut sets: Vec<u128> = Vec::new();
        for other in near.iter() {
            if sets.len() < MAX_SETS && !sets.contains(&other.differ) {
                sets.push(other.differ);
            }
        }
        sets.sort_by_key(|set| set.count_ones());
        sets.into_iter().find_map(|set| {
            let inside = || near.iter().filter(|other| other.differ & !set == 0);
            let needed = inside().map(|other| other.needed).max()?;
            (inside().count() as u32 + 1 >= needed).then(|| inside().map(|other| other.number).collect())
        })
    }

    /// Merges the templates into the oldest of them and opens it for the message.
    fn open(&mut self, numbers: Vec<u32>, scan: &Scan, keys: &Keys, what: What) -> Found {
        let Some((&first, rest)) = numbers.split_first() else {
            return Found { node: 0, what: What::Known, gone: Vec::new() };
        };
        let before = self.signature(first, keys);
        let bytes = self.text_bytes(first);
        let others: Vec<Template> = rest.iter().filter_map(|number| self.template(*number).cloned()).collect();
        if let Some(node) = self.nodes.get_mut(first as usize) {
            node.template.open_for_message(scan);
            for other in &others {
                node.template.open_for_template(other);
            }
            if let Some(shelf) = self.shelves.get_mut(node.template.len()) {
                shelf.replace(first, node.template.words());
            }
        }
        self.bytes = (self.bytes + self.text_bytes(first)).saturating_sub(bytes);
        let mut gone: Vec<TemplateId> = rest.iter().map(|number| self.id(*number)).collect();
        for number in rest {
            self.forget_signature(*number, keys);
            self.merge(*number, first);
        }
        if self.by_signature.get(&before) == Some(&first) {
            self.by_signature.remove(&before);
        }
        // Equal to another one now: the older of the two stays.
        let after = self.signature(first, keys);
        let mut node = first;
        match self.by_signature.get(&after).copied() {
            Some(other) if other != first => {
                let (older, younger) = (other.min(first), other.max(first));
                gone.push(self.id(younger));
                self.merge(younger, older);
                self.by_signature.insert(after, older);
                node = older;
            }
            Some(_) => {}
            None => {
                self.by_signature.insert(after, first);
            }
        }
        Found { node, what, gone }
    }

    /// Too many templates of this length: the most similar one opens, or the one that takes everything does.
    fn coarsen(&mut self, near: &[Near], scan: &Scan, keys: &Keys) -> Found {
        if let Some(best) = near.iter().min_by_key(|other| (std::cmp::Reverse(other.agree), other.number)) {
            return self.open(vec![best.number], scan, keys, What::Coarsened);
        }
        let template = Template::open_all(scan.tokens().len());
        let id = TemplateId::of(template.text());
        let (node, born) = match self.find_id(id) {
            Some(node) => (node, false),
            None => (self.add(id, template, keys, NOBODY), true),
        };
        Found { node, what: What::Caught { born }, gone: Vec::new() }
    }

    fn is_crowded(&self, length: usize) -> bool {
        let there = self.shelves.get(length).map_or(0, Shelf::len);
        there >= most_on_shelf(length) || self.is_full_of_any()
    }

    /// No room for new templates of any length.
    fn is_full_of_any(&self) -> bool {
        self.live >= self.max_templates
            || self.nodes.len() >= self.max_templates.saturating_mul(8)
            || self.bytes >= self.max_templates.saturating_mul(BYTES_A_TEMPLATE)
    }

    fn add(&mut self, id: TemplateId, template: Template, keys: &Keys, source: u32) -> u32 {
        let number = self.nodes.len() as u32;
        self.by_signature.entry(template.signature(keys)).or_insert(number);
        if let Some(shelf) = self.shelves.get_mut(template.len()) {
            shelf.push(number, template.words());
        }
        self.push(id, template, source)
    }

    /// Adds a template that is compared with nothing.
    fn add_coarse(&mut self, id: TemplateId, template: Template, keys: &Keys, source: u32) -> u32 {
        self.coarse.insert(template.signature(keys), self.nodes.len() as u32);
        self.push(id, template.into_text(), source)
    }

    fn push(&mut self, id: TemplateId, template: Template, source: u32) -> u32 {
        let number = self.nodes.len() as u32;
        self.by_id.insert(id, number);
        self.bytes += template.text().len();
        self.nodes.push(Node { id, into: None, template, source });
        self.live += 1;
        self.hold(source, true);
        number
    }

    fn hold(&mut self, source: u32, more: bool) {
        if source == NOBODY {
            return;
        }
        let at = source as usize;
        if self.held.len() <= at {
            self.held.resize(at + 1, 0);
        }
        if let Some(held) = self.held.get_mut(at) {
            *held = if more { *held + 1 } else { held.saturating_sub(1) };
        }
    }

    fn merge(&mut self, gone: u32, into: u32) {
        if gone == into {
            return;
        }
        let Some(node) = self.nodes.get_mut(gone as usize) else { return };
        if node.into.is_some() {
            return;
        }
        node.into = Some(into);
        let template = std::mem::take(&mut node.template);
        let source = node.source;
        self.bytes = self.bytes.saturating_sub(template.text().len());
        self.hold(source, false);
        if let Some(shelf) = self.shelves.get_mut(template.len()) {
            shelf.remove(gone);
        }
        self.live -= 1;
    }

    fn forget_signature(&mut self, number: u32, keys: &Keys) {
        let signature = self.signature(number, keys);
        if self.by_signature.get(&signature) == Some(&number) {
            self.by_signature.remove(&signature);
        }
    }

    fn signature(&self, number: u32, keys: &Keys) -> u64 {
        self.node(number).map_or(0, |node| node.template.signature(keys))
    }

    fn node(&self, number: u32) -> Option<&Node> {
        self.nodes.get(number as usize)
    }
}

/// Templates of one length at most.
fn most_on_shelf(length: usize) -> usize {
    (MAX_PLACES / length.max(1)).max(MIN_CROWD)
}

/// A template that differs from the message in some places.
struct Near {
    number: u32,
    differ: u128,
    agree: u32,
    needed: u32,
}
