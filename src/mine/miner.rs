//! The miner: shape table in front, tree behind. Must not count lines or keep times (`detect` does).

use super::Config;
use super::growth::{Detail, Growth};
use super::hash::Keys;
use super::nearest;
use super::scan::Scan;
use super::shape::Shaper;
use super::table::Table;
use super::tree::{From, Tree, What};
use crate::model::{TemplateId, TemplateRow};

/// Turns messages into template ids. One for the whole host: a template is text, whoever wrote it.
#[derive(Debug)]
pub struct Miner {
    keys: Keys,
    shaper: Shaper,
    table: Table,
    tree: Tree,
    /// Kept to be filled again.
    scan: Scan,
    /// Merges of the last message beyond the one that its [`Change`] names.
    further: Vec<Merge>,
    /// How each source grows, by number.
    growths: Vec<Growth>,
    /// The source and the line of the next message; `None` before anybody said.
    place: Option<(u32, u64)>,
    max_templates: usize,
    coarsened: u64,
    cut: u64,
}

/// The answer for one message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mined {
    pub template: TemplateId,
    /// What the message did to the templates.
    pub change: Option<Change>,
    /// First time this shape was seen, as far as the bounded table remembers. Finer than templates: a new word in an
    /// open place is a new shape.
    pub new_shape: bool,
}

/// What one message did to the templates.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change {
    /// The template was born.
    New,
    /// Its text has new open places; its id is the same.
    Generalized,
    /// It generalized, and `gone` is part of it from now on. Where several went, [`Miner::further_merges`] has the rest.
    Merged { gone: TemplateId },
}

/// One template that became part of another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Merge {
    pub gone: TemplateId,
    pub into: TemplateId,
}

/// How full the miner is, for reports and for alerts about ourselves.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Health {
    pub templates: usize,
    pub shapes: usize,
    /// Shapes that gave way to others; many a second means that a source writes words nobody wrote before.
    pub evicted_shapes: u64,
    /// New shapes that went to the most similar template, or to one that takes everything, because there was no room
    /// for a template of their own, or because their source makes too many.
    pub coarsened: u64,
    /// There is no room for new templates, at least for messages of some length.
    pub crowded: bool,
    /// New shapes of which only the beginning was looked at: over 8 KiB or 127 tokens.
    pub cut: u64,
}

impl Miner {
    /// `seed` keys all hashes and should differ from start to start; no answer depends on it.
    pub fn new(config: &Config, seed: u64) -> Miner {
        let keys = Keys::new(seed);
        Miner {
            keys,
            shaper: Shaper::new(keys),
            table: Table::new(config.max_shapes),
            tree: Tree::new(config.max_templates),
            scan: Scan::default(),
            further: Vec::new(),
            growths: Vec::new(),
            place: None,
            max_templates: config.max_templates,
            coarsened: 0,
            cut: 0,
        }
    }

    /// Takes over the templates of an earlier run. The same messages get the same ids as before. Their texts are read
    /// anew: where an earlier version told values apart that are one now, templates become part of an older one, and are
    /// returned.
    pub fn restore(&mut self, rows: &[TemplateRow]) -> Vec<Merge> {
        let mut rows: Vec<&TemplateRow> = rows.iter().collect();
        rows.sort_by_key(|row| (row.first_seen, row.id));
        for row in rows.iter().filter(|row| row.merged_into.is_none()) {
            self.scan.read_template(&row.text, &self.keys);
            self.tree.restore(row.id, &self.scan, &self.keys);
        }
        let read_alike: Vec<Merge> = self.merges().collect();
        // A merge may lead to one that comes later in the list; each pass settles at least one of a chain.
        let mut merged: Vec<(TemplateId, TemplateId)> =
            rows.iter().filter_map(|row| Some((row.id, row.merged_into?))).collect();
        while !merged.is_empty() {
            let before = merged.len();
            merged.retain(|(gone, into)| {
                let known = self.tree.find_id(*into).is_some();
                if known {
                    self.tree.restore_merge(*gone, *into);
                }
                !known
            });
            if merged.len() == before {
                break;
            }
        }
        read_alike
    }

    /// The template of a message. The common case, a shape seen before, allocates nothing.
    #[inline]
    pub fn mine(&mut self, message: &str) -> Mined {
        let shape = self.shaper.shape(message.as_bytes()).hash;
        match self.table.get(shape) {
            Some(node) => Mined { template: self.tree.id(self.tree.resolve(node)), change: None, new_shape: false },
            None => self.mine_new(message, shape),
        }
    }

    /// Says that the next message is a line of a source: so a source that makes templates without end is told from the
    /// others. Sources are numbered from 0, lines in the order of the source. Without it nobody is suspected.
    #[inline]
    pub fn enter(&mut self, source: u32, line: u64) {
        self.place = Some((source, line));
    }

    /// How a source grows.
    pub fn growth(&self, source: u32) -> Growth {
        self.growths.get(source as usize).cloned().unwrap_or_default()
    }

    /// Goes on with what an earlier run knew of a source ([`Growth::remembered`]).
    pub fn set_growth(&mut self, source: u32, growth: Growth) {
        if let Some(known) = self.growth_mut(source) {
            *known = growth;
        }
    }

    fn growth_mut(&mut self, source: u32) -> Option<&mut Growth> {
        let at = source as usize;
        if self.growths.len() <= at {
            self.growths.resize(at + 1, Growth::default());
        }
        self.growths.get_mut(at)
    }

    #[cold]
    fn mine_new(&mut self, message: &str, shape: u64) -> Mined {
        let max_templates = self.max_templates;
        let from = match self.place {
            Some((source, line)) => {
                let growth = self.growth_mut(source);
                From { source, detail: growth.map_or(Detail::Full, |growth| growth.reviewed(line, max_templates)) }
            }
            None => From::NOWHERE,
        };
        // What is coarse to one source is not so to the others: it has a shape of its own.
        let coarse_shape = self.keys.join(shape, from.detail as u64);
        if from.detail != Detail::Full
            && let Some(node) = self.table.get(coarse_shape)
        {
            return Mined { template: self.tree.id(self.tree.resolve(node)), change: None, new_shape: false };
        }
        self.scan.read(message, &self.keys);
        self.cut += u64::from(self.scan.is_cut());
        let found = self.tree.place(&self.scan, &self.keys, from);
        self.table.put(if matches!(found.what, What::Coarse { .. }) { coarse_shape } else { shape }, found.node);
        if matches!(found.what, What::New | What::Coarse { born: true })
            && let Some((source, line)) = self.place
        {
            let hogs = self.tree.hogs(&from, self.scan.tokens().len());
            let bytes = self.tree.text_bytes(found.node);
            if let Some(growth) = self.growth_mut(source) {
                growth.gave_birth(line, bytes, hogs, max_templates);
            }
        }
        let template = self.tree.id(found.node);
        self.further.clear();
        let mut gone = found.gone.into_iter().filter(|gone| *gone != template);
        let first = gone.next();
        self.further.extend(gone.map(|gone| Merge { gone, into: template }));
        let is_coarse = matches!(found.what, What::Coarsened | What::Caught { .. } | What::Coarse { .. });
        self.coarsened += u64::from(is_coarse);
        let change = match (first, found.what) {
            (Some(gone), _) => Some(Change::Merged { gone }),
            (None, What::New | What::Caught { born: true } | What::Coarse { born: true }) => Some(Change::New),
            (None, What::Generalized | What::Coarsened) => Some(Change::Generalized),
            (None, What::Known | What::Caught { born: false } | What::Coarse { born: false }) => None,
        };
        Mined { template, change, new_shape: true }
    }

    /// Merges that the last message caused beyond the one in its [`Change::Merged`]. Usually none.
    pub fn further_merges(&self) -> &[Merge] {
        &self.further
    }

    /// Every template that became part of another one, oldest first.
    pub fn merges(&self) -> impl Iterator<Item = Merge> {
        self.tree.merged().map(|(gone, into)| Merge { gone, into })
    }

    /// The template that `id` is part of now: itself, unless it was merged.
    pub fn current(&self, id: TemplateId) -> Option<TemplateId> {
        self.tree.find_id(id).map(|node| self.tree.id(node))
    }

    /// Current text of a template, merges followed.
    pub fn text(&self, id: TemplateId) -> Option<&str> {
        let node = self.tree.find_id(id)?;
        self.tree.template(node).map(|template| template.text())
    }

    /// The template most like a message among those that do not cover it. Looks at every template: for findings about
    /// new templates, not for every line.
    pub fn nearest(&self, message: &str) -> Option<(TemplateId, &str)> {
        let mut scan = Scan::default();
        scan.read(message, &self.keys);
        nearest::nearest(self.tree.live(), &scan)
    }

    /// Typed masks alone, without templates: `Failed password for root from <IP> port <NUM>`. Runs of white space become
    /// one space, lists of three and more values one value. Masking a masked text changes nothing.
    pub fn mask(message: &str) -> String {
        let mut scan = Scan::default();
        scan.read(message, &Keys::new(0));
        scan.into_text()
    }

    /// Live templates.
    #[expect(clippy::len_without_is_empty, reason = "nobody asks")]
    pub fn len(&self) -> usize {
        self.tree.len()
    }

    /// Every live template, oldest first.
    pub fn templates(&self) -> impl Iterator<Item = (TemplateId, &str)> {
        self.tree.live().map(|(id, template)| (id, template.text()))
    }

    pub fn health(&self) -> Health {
        Health {
            templates: self.tree.len(),
            shapes: self.table.len(),
            evicted_shapes: self.table.evicted(),
            coarsened: self.coarsened,
            crowded: self.tree.is_full(),
            cut: self.cut,
        }
    }
}
