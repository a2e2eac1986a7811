//! What a person may say about files: patterns, where to start, the format. Checks without touching a file.

use std::fmt;
use std::path::{Component, Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use globset::{GlobBuilder, GlobMatcher};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::super::split;

use crate::source::ReadFrom;

/// One `[[sources.files]]`.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FilesConfig {
    /// Files (which need not exist yet), directories (everything readable as text below them) and globs.
    pub include: Vec<Pattern>,
    /// Never read, whatever `include` says.
    pub exclude: Vec<Pattern>,
    /// What the lines that are already there are for.
    pub read_from: ReadFrom,
    /// Forces a format; `None` lets the parser vote.
    pub format: Option<String>,
}

/// An absolute path or glob (`*`, `?`, `[a-z]`, `{a,b}` inside one path part; `**` over any number of them).
#[derive(Clone)]
pub struct Pattern {
    text: String,
    shape: Shape,
}

#[derive(Clone)]
enum Shape {
    Path(PathBuf),
    Glob {
        /// The leading parts without a wild card: where a walk starts.
        base: PathBuf,
        matcher: GlobMatcher,
        /// How many levels below `base` it can match; `None` for any.
        depth: Option<usize>,
    },
}

impl Pattern {
    /// The very path, whatever characters are in it; a relative one is taken from the current directory.
    pub fn path(path: &Path) -> Pattern {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
        Pattern { text: path.display().to_string(), shape: Shape::Path(normal(&path)) }
    }

    /// As the user wrote it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The path, when this is not a glob.
    pub fn literal(&self) -> Option<&Path> {
        match &self.shape {
            Shape::Path(path) => Some(path),
            Shape::Glob { .. } => None,
        }
    }

    /// True for the path itself, everything below it when it is a plain path, and what the glob matches.
    pub fn matches(&self, path: &Path) -> bool {
        match &self.shape {
            Shape::Path(own) => path.starts_with(own),
            Shape::Glob { matcher, .. } => matcher.is_match(path),
        }
    }

    /// Where a walk for matches starts, and how deep it need go.
    pub(super) fn walk(&self) -> (&Path, Option<usize>) {
        match &self.shape {
            Shape::Path(path) => (path, None),
            Shape::Glob { base, depth, .. } => (base, *depth),
        }
    }
}

impl FromStr for Pattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Pattern, String> {
        let path = Path::new(text);
        if !path.is_absolute() {
            return Err(format!(
                "`{text}` is not an absolute path; write it like \"/var/log/syslog\", \"/var/log\" or \"/var/log/**/*.log\""
            ));
        }
        if !text.contains(['*', '?', '[', '{']) {
            return Ok(Pattern { text: text.to_owned(), shape: Shape::Path(normal(path)) });
        }
        let matcher = GlobBuilder::new(text)
            .literal_separator(true)
            .build()
            .map_err(|error| {
                format!("`{text}` is not a glob: {}; allowed are *, ?, [a-z], {{a,b}} and **", error.kind())
            })?
            .compile_matcher();
        let wild = |part: &Component<'_>| part.as_os_str().to_string_lossy().contains(['*', '?', '[', '{']);
        let parts: Vec<Component<'_>> = path.components().collect();
        let fixed = parts.iter().position(wild).unwrap_or(parts.len());
        let base = parts.iter().take(fixed).collect();
        let depth = (!text.contains("**") && !text.contains('{')).then(|| parts.len() - fixed);
        Ok(Pattern { text: text.to_owned(), shape: Shape::Glob { base, matcher, depth } })
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Pattern) -> bool {
        self.text == other.text && self.literal() == other.literal()
    }
}

impl Serialize for Pattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Pattern, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Bounds of the reader. The defaults are meant to be right; tests make them small.
#[derive(Clone, PartialEq, Debug)]
pub struct Limits {
    /// Longest line, in bytes.
    pub max_line: usize,
    /// Largest block, in bytes.
    pub max_block: usize,
    /// Most bytes of one file before it is the next one's turn.
    pub max_turn: usize,
    /// Most file descriptors.
    pub max_open: usize,
    /// Wake-ups by `notify` and `linemux`. Without them a sweep finds everything, only later.
    pub hints: bool,
    /// How often open files are looked at.
    pub sweep: Duration,
    /// How often directories are read.
    pub scan: Duration,
    /// How long a rotated file must be quiet before it is closed.
    pub rotate_wait: Duration,
    /// How long a file that looks like a copy of a live one waits for that one to be truncated.
    pub twin_wait: Duration,
    /// How long the rest of a truncated or vanished file is looked for before it counts as a gap.
    pub orphan_wait: Duration,
    /// How long a deleted file is held open while its lines are not taken: it keeps its room on the disk.
    pub max_deleted_hold: Duration,
    /// How long nobody need take lines before deleted files are let go of for want of room.
    pub stalled: Duration,
    /// Less free room than this, in percent of the disk, is want of room.
    pub min_free_percent: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        let descriptors = rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap_or(u64::MAX);
        Limits {
            max_line: split::MAX_LINE_BYTES,
            max_block: split::MAX_BLOCK_BYTES,
            max_turn: 1 << 20,
            max_open: usize::try_from(descriptors).unwrap_or(usize::MAX).saturating_sub(64).max(8),
            hints: true,
            sweep: Duration::from_secs(1),
            scan: Duration::from_secs(5),
            rotate_wait: Duration::from_secs(60),
            twin_wait: Duration::from_millis(1500),
            orphan_wait: Duration::from_secs(10),
            max_deleted_hold: Duration::from_secs(3600),
            stalled: Duration::from_secs(60),
            min_free_percent: 5,
        }
    }
}

/// Without `.` parts and trailing slashes.
fn normal(path: &Path) -> PathBuf {
    path.components().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, path: &str, expected: bool) {
        let pattern: Pattern = pattern.parse().expect("a good pattern");
        assert_eq!(pattern.matches(Path::new(path)), expected, "{pattern} on {path}");
    }

    #[test]
    fn matching() {
        check("/var/log/syslog", "/var/log/syslog", true);
        check("/var/log/syslog", "/var/log/syslog.1", false);
        check("/var/log/", "/var/log/nginx/access.log", true);
        check("/var/log/*.log", "/var/log/a.log", true);
        check("/var/log/*.log", "/var/log/x/a.log", false);
        check("/var/log/**/*.log", "/var/log/a.log", true);
        check("/var/log/**/*.log", "/var/log/x/y/a.log", true);
        check("/var/log/{a,b}.log", "/var/log/b.log", true);
        check("/srv/app?/log", "/srv/app1/log", true);
    }

    #[test]
    fn mistakes_say_what_is_allowed() {
        let error = |text: &str| text.parse::<Pattern>().expect_err("a mistake");
        assert!(error("var/log").contains("absolute path"));
        assert!(error("").contains("absolute path"));
        assert!(error("/var/log/[a").contains("not a glob"));
    }

    #[test]
    fn walks_start_at_the_fixed_parts() {
        let walk = |text: &str| {
            let pattern: Pattern = text.parse().expect("a good pattern");
            let (base, depth) = pattern.walk();
            (base.display().to_string(), depth)
        };
        assert_eq!(walk("/var/log/*.log"), ("/var/log".into(), Some(1)));
        assert_eq!(walk("/srv/*/log/*.log"), ("/srv".into(), Some(3)));
        assert_eq!(walk("/var/log/**/*.log"), ("/var/log".into(), None));
    }

    #[test]
    fn config_reads_and_defaults() {
        let config: FilesConfig =
            toml::from_str("include = [\"/var/log/*.log\"]\nread_from = \"beginning\"").expect("reads");
        assert_eq!((config.include.len(), config.read_from), (1, ReadFrom::Beginning));
        assert!(toml::from_str::<FilesConfig>("includes = []").is_err());
        assert!(toml::from_str::<FilesConfig>("read_from = \"middle\"").is_err());
    }
}
