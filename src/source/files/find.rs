//! Which files are there: walks the patterns and looks for rotated siblings. Opens no file and remembers nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use super::config::{FilesConfig, Pattern};
use super::identity::{FileId, modified_ns};
use super::names;

/// Most entries of one look. A tree of more is cut, and said.
const MAX_ENTRIES: usize = 500_000;

/// The generations of one log: the directory they are in and the name they share.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Group {
    pub directory: PathBuf,
    pub stem: String,
}

impl Group {
    pub fn of(path: &Path) -> Group {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        Group { directory: path.parent().unwrap_or(Path::new("/")).to_path_buf(), stem: names::stem(&name) }
    }
}

/// One regular file that a look found.
#[derive(Clone, Debug)]
pub struct Found {
    /// As a person knows it: under a link, the link.
    pub path: PathBuf,
    /// Where it is.
    pub real: PathBuf,
    pub id: FileId,
    pub size: u64,
    pub modified_ns: i64,
    /// Which config it belongs to.
    pub config: usize,
    /// A rotated generation of a watched log, matched by a pattern or not.
    pub sibling: bool,
    /// `include` matches it.
    pub included: bool,
    /// Named by its very path: read even if it looks binary.
    pub explicit: bool,
}

/// What one look saw.
#[derive(Debug, Default)]
pub struct Sighting {
    pub files: Vec<Found>,
    /// Directories in which something may appear or change, existing ones only.
    pub directories: BTreeSet<PathBuf>,
    pub errors: Vec<(PathBuf, io::Error)>,
}

/// Looks for files by configuration.
#[derive(Debug)]
pub struct Finder {
    configs: Vec<FilesConfig>,
    excluded: Vec<PathBuf>,
}

impl Finder {
    /// `excluded` are our own directories: nothing below them is ever read.
    pub fn new(configs: Vec<FilesConfig>, excluded: Vec<PathBuf>) -> Finder {
        let real = excluded.iter().filter_map(|path| fs::canonicalize(path).ok()).collect::<Vec<_>>();
        Finder { configs, excluded: [excluded, real].concat() }
    }

    pub fn config(&self, index: usize) -> Option<&FilesConfig> {
        self.configs.get(index)
    }

    /// Explicitly named paths, for hints on files that may not exist yet.
    pub fn literals(&self) -> Vec<PathBuf> {
        let patterns = self.configs.iter().flat_map(|config| &config.include);
        patterns.filter_map(Pattern::literal).map(Path::to_path_buf).collect()
    }

    /// The config under which `path`, or the log it is a generation of, is watched.
    pub fn covers(&self, path: &Path) -> Option<usize> {
        let group = Group::of(path);
        let log = group.directory.join(&group.stem);
        self.configs.iter().position(|config| config.include.iter().any(|own| own.matches(path) || own.matches(&log)))
    }

    /// Nothing is to be read of `path`, whoever points to it.
    pub fn excludes(&self, path: &Path) -> bool {
        match self.covers(path) {
            Some(config) => self.is_excluded(path, config),
            None => (0..self.configs.len()).any(|config| self.is_excluded(path, config)),
        }
    }

    /// One look at everything. `groups` are logs known from before, whose siblings are wanted too.
    pub fn look(&self, groups: &HashSet<Group>) -> Sighting {
        let mut look = Look {
            finder: self,
            sighting: Sighting::default(),
            known: HashMap::new(),
            entries: 0,
            linked: HashMap::new(),
        };
        for (index, config) in self.configs.iter().enumerate() {
            for pattern in &config.include {
                look.walk(index, pattern);
            }
        }
        look.siblings(groups);
        look.sighting
    }

    fn is_excluded(&self, path: &Path, config: usize) -> bool {
        self.excluded.iter().any(|own| path.starts_with(own))
            || self.configs.get(config).is_some_and(|config| config.exclude.iter().any(|own| own.matches(path)))
    }
}

/// One look under way.
struct Look<'a> {
    finder: &'a Finder,
    sighting: Sighting,
    /// Files by identity: the first path to one wins, so links and overlapping globs are read once.
    known: HashMap<FileId, usize>,
    entries: usize,
    /// Directories, and whether they are links.
    linked: HashMap<PathBuf, bool>,
}

impl Look<'_> {
    fn walk(&mut self, config: usize, pattern: &Pattern) {
        let (base, depth) = pattern.walk();
        let literal = pattern.literal().is_some();
        match fs::metadata(base) {
            Ok(metadata) if metadata.is_dir() => {}
            Ok(metadata) => {
                if literal {
                    self.watch(base.parent());
                    self.add(config, base, &metadata, true, true);
                }
                return;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound || error.kind() == io::ErrorKind::NotADirectory => {
                // Born later: watch from the nearest directory there is.
                self.watch(base.ancestors().find(|ancestor| ancestor.is_dir()));
                return;
            }
            Err(error) => return self.sighting.errors.push((base.to_path_buf(), error)),
        }
        let mut walk = WalkDir::new(base).follow_root_links(true).follow_links(depth.is_some());
        if let Some(depth) = depth {
            walk = walk.max_depth(depth);
        }
        let finder = self.finder;
        for entry in walk.into_iter().filter_entry(|entry| !finder.is_excluded(entry.path(), config)) {
            self.entries += 1;
            if self.entries > MAX_ENTRIES {
                let error = io::Error::other(format!("more than {MAX_ENTRIES} files; name fewer"));
                return self.sighting.errors.push((base.to_path_buf(), error));
            }
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    let path = error.path().unwrap_or(base).to_path_buf();
                    // Loops of links and files that vanish meanwhile are ordinary life.
                    if let Some(error) = error.into_io_error()
                        && error.kind() != io::ErrorKind::NotFound
                    {
                        self.sighting.errors.push((path, error));
                    }
                    continue;
                }
            };
            if entry.file_type().is_dir() {
                self.watch(Some(entry.path()));
                continue;
            }
            if !(literal || pattern.matches(entry.path())) || is_never_text(entry.path()) {
                continue;
            }
            match fs::metadata(entry.path()) {
                Ok(metadata) => self.add(config, entry.path(), &metadata, true, false),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => self.sighting.errors.push((entry.path().to_path_buf(), error)),
            }
        }
    }

    /// Rotated generations beside watched logs, outside the globs too; and what a pattern matched but is only that.
    fn siblings(&mut self, groups: &HashSet<Group>) {
        let mut stems: BTreeMap<PathBuf, HashMap<String, usize>> = BTreeMap::new();
        for group in groups {
            if let Some(config) = self.finder.covers(&group.directory.join(&group.stem)) {
                stems.entry(group.directory.clone()).or_default().insert(group.stem.clone(), config);
            }
        }
        let literals = self.finder.configs.iter().enumerate().flat_map(|(index, config)| {
            config.include.iter().filter_map(Pattern::literal).map(move |path| (Group::of(path), index))
        });
        let found = self.sighting.files.iter().map(|found| (Group::of(&found.real), found.config));
        for (group, config) in found.chain(literals) {
            stems.entry(group.directory).or_default().entry(group.stem).or_insert(config);
        }
        let mut bare: HashSet<PathBuf> = HashSet::new();
        for (directory, stems) in &stems {
            let Ok(entries) = fs::read_dir(directory) else { continue };
            self.watch(Some(directory));
            for entry in entries.flatten() {
                let name = entry.file_name();
                let name = name.to_string_lossy();
                let stem = names::stem(&name);
                let Some(config) = stems.get(&stem) else { continue };
                let path = entry.path();
                if stem == name {
                    bare.insert(path);
                    continue;
                }
                if self.finder.is_excluded(&path, *config) || is_never_text(&path) {
                    continue;
                }
                if let Ok(metadata) = fs::metadata(&path) {
                    self.add(*config, &path, &metadata, false, false);
                }
            }
        }
        for found in &mut self.sighting.files {
            let group = Group::of(&found.real);
            let is_bare = found.real.file_name().is_some_and(|name| name.to_string_lossy() == *group.stem);
            found.sibling |= !found.explicit && !is_bare && bare.contains(&group.directory.join(&group.stem));
        }
    }

    fn add(&mut self, config: usize, path: &Path, metadata: &fs::Metadata, included: bool, explicit: bool) {
        if !metadata.is_file() {
            return;
        }
        let id = FileId::of(metadata);
        if let Some(found) = self.known.get(&id).and_then(|index| self.sighting.files.get_mut(*index)) {
            found.explicit |= explicit;
            return;
        }
        let real = if path.is_symlink() || path.parent().is_some_and(|parent| self.is_linked(parent)) {
            fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf())
        } else {
            path.to_path_buf()
        };
        if self.finder.is_excluded(&real, config) || self.finder.is_excluded(path, config) {
            return;
        }
        if real != path {
            self.watch(real.parent());
        }
        self.known.insert(id, self.sighting.files.len());
        self.sighting.files.push(Found {
            path: path.to_path_buf(),
            real,
            id,
            size: metadata.len(),
            modified_ns: modified_ns(metadata),
            config,
            sibling: !included,
            included,
            explicit,
        });
    }

    /// Whether a directory is a link to one; asked once a look.
    fn is_linked(&mut self, directory: &Path) -> bool {
        if let Some(known) = self.linked.get(directory) {
            return *known;
        }
        let linked = directory.is_symlink();
        self.linked.insert(directory.to_path_buf(), linked);
        linked
    }

    fn watch(&mut self, directory: Option<&Path>) {
        if let Some(directory) = directory
            && !self.sighting.directories.contains(directory)
        {
            self.sighting.directories.insert(directory.to_path_buf());
        }
    }
}

/// Names that are binary by convention.
fn is_never_text(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let journal = name.ends_with(".journal") || name.ends_with(".journal~");
    journal || ["wtmp", "btmp", "utmp", "lastlog", "faillog", "tallylog"].contains(&names::stem(&name).as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a look at `files` below a new directory finds by `include`: `+` for included, `-` for siblings.
    #[track_caller]
    fn check(files: &[&str], include: &[&str], exclude: &[&str], expected: &[&str]) {
        let directory = tempfile::tempdir().expect("a directory");
        let root = directory.path();
        for file in files {
            let path = root.join(file);
            fs::create_dir_all(path.parent().expect("has one")).expect("to make it");
            fs::write(path, "x\n").expect("to write it");
        }
        let patterns = |texts: &[&str]| {
            let parse = |text: &&str| format!("{}/{text}", root.display()).parse().expect("a good pattern");
            texts.iter().map(parse).collect()
        };
        let config = FilesConfig { include: patterns(include), exclude: patterns(exclude), ..FilesConfig::default() };
        let finder = Finder::new(vec![config], vec![root.join("own")]);
        let mut found: Vec<String> = Vec::new();
        for file in finder.look(&HashSet::new()).files {
            let name = file.path.strip_prefix(root).expect("below it").display().to_string();
            found.push(format!("{}{name}", if file.sibling { '-' } else { '+' }));
        }
        found.sort_by(|left, right| left[1..].cmp(&right[1..]));
        assert_eq!(found, expected);
    }

    #[test]
    fn looks() {
        check(&["a.log", "b.txt"], &["*.log"], &[], &["+a.log"]);
        check(&["a.log", "a.log.1", "a.log.2.gz", "b.log.1"], &["*.log"], &[], &["+a.log", "-a.log.1", "-a.log.2.gz"]);
        check(&["a.log", "a.log.1", "x/b"], &[""], &[], &["+a.log", "-a.log.1", "+x/b"]);
        check(&["a.log", "x/y/b.log"], &["**/*.log"], &[], &["+a.log", "+x/y/b.log"]);
        check(&["a.log", "b.log"], &["*.log"], &["b*"], &["+a.log"]);
        check(&["own/a.log", "b.log"], &["**/*.log"], &[], &["+b.log"]);
        check(&["wtmp", "btmp.1", "x.journal", "b"], &[""], &[], &["+b"]);
        check(&["app.log.1"], &["app.log"], &[], &["-app.log.1"]);
        check(
            &["app-2026-01-01.log", "app-2026-01-02.log"],
            &["*.log"],
            &[],
            &["+app-2026-01-01.log", "+app-2026-01-02.log"],
        );
        check(&["a.log"], &["*.log", "a.log", ""], &[], &["+a.log"]);
    }

    #[test]
    fn links_are_read_once_and_loops_end() {
        let directory = tempfile::tempdir().expect("a directory");
        let root = directory.path();
        fs::write(root.join("a.log"), "x\n").expect("to write it");
        fs::hard_link(root.join("a.log"), root.join("b.log")).expect("to link it");
        std::os::unix::fs::symlink(root.join("a.log"), root.join("c.log")).expect("to link it");
        std::os::unix::fs::symlink(root, root.join("loop")).expect("to link it");
        let pattern: Pattern = format!("{}/**/*.log", root.display()).parse().expect("a good pattern");
        let finder = Finder::new(vec![FilesConfig { include: vec![pattern], ..FilesConfig::default() }], Vec::new());
        assert_eq!(finder.look(&HashSet::new()).files.len(), 1);
    }
}
