//! All generations, by number, by file and by log. Keeps its indexes true; decides nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

use crate::model::StreamKey;

use super::find::Group;
use super::generation::Generation;
use super::identity::FileId;

/// The files that are followed or remembered.
#[derive(Default)]
pub struct Table {
    all: BTreeMap<u64, Generation>,
    by_id: HashMap<FileId, u64>,
    by_group: HashMap<Group, BTreeSet<u64>>,
    streams: HashSet<StreamKey>,
    next: u64,
}

impl Table {
    /// A number greater than all before.
    pub fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    pub fn insert(&mut self, number: u64, generation: Generation) {
        self.by_id.insert(generation.id, number);
        self.by_group.entry(generation.group.clone()).or_default().insert(number);
        self.streams.insert(Arc::clone(&generation.stream));
        self.all.insert(number, generation);
    }

    pub fn remove(&mut self, number: u64) -> Option<Generation> {
        let generation = self.all.remove(&number)?;
        self.by_id.remove(&generation.id);
        self.unlist(&generation.group, number);
        self.streams.remove(&generation.stream);
        Some(generation)
    }

    /// The file is at another path now.
    pub fn moved(&mut self, number: u64, path: PathBuf) {
        let Some(generation) = self.all.get_mut(&number) else { return };
        let group = Group::of(&path);
        generation.path = path;
        let old = std::mem::replace(&mut generation.group, group.clone());
        self.unlist(&old, number);
        self.by_group.entry(group).or_default().insert(number);
    }

    /// The file starts over under another name for its lines, behind all others of its log.
    pub fn start_over(&mut self, number: u64, stream: StreamKey) {
        let order = self.number();
        let Some(generation) = self.all.get_mut(&number) else { return };
        self.streams.remove(&generation.stream);
        self.streams.insert(Arc::clone(&stream));
        generation.start_over(stream, order);
    }

    pub fn get(&self, number: u64) -> Option<&Generation> {
        self.all.get(&number)
    }

    pub fn get_mut(&mut self, number: u64) -> Option<&mut Generation> {
        self.all.get_mut(&number)
    }

    pub fn number_of(&self, id: FileId) -> Option<u64> {
        self.by_id.get(&id).copied()
    }

    pub fn of_group(&self, group: &Group) -> impl Iterator<Item = &Generation> {
        self.by_group.get(group).into_iter().flatten().filter_map(|number| self.all.get(number))
    }

    pub fn has_stream(&self, stream: &StreamKey) -> bool {
        self.streams.contains(stream)
    }

    pub fn iter(&self) -> impl Iterator<Item = (u64, &Generation)> {
        self.all.iter().map(|(number, generation)| (*number, generation))
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = (u64, &mut Generation)> {
        self.all.iter_mut().map(|(number, generation)| (*number, generation))
    }

    pub fn len(&self) -> usize {
        self.all.len()
    }

    fn unlist(&mut self, group: &Group, number: u64) {
        if let Some(numbers) = self.by_group.get_mut(group) {
            numbers.remove(&number);
            if numbers.is_empty() {
                self.by_group.remove(group);
            }
        }
    }
}
