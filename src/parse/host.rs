//! The hosts whose lines a source has, to find one of them again without looking for where its name ends. Must not
//! judge what is a host: the parsers did.

/// Hosts kept; of more, those whose numbers collide take turns.
const HOSTS: usize = 64;
/// Longest name kept, in bytes.
const NAME_MAX: usize = 63;
const WORD: usize = 8;

/// Names by their hash. Empty until the first one comes.
#[derive(Clone, Debug, Default)]
pub(super) struct Hosts {
    names: Vec<Name>,
    /// Which one the last line had.
    last: usize,
    version: u32,
}

/// A name and the blank behind it.
#[derive(Clone, Copy, Debug)]
struct Name {
    bytes: [u8; NAME_MAX + 1],
    /// Of name and blank; 0 when there is none.
    length: usize,
    /// The first word of it, and which of its bits belong to it.
    first: u64,
    mask: u64,
}

const NOBODY: Name = Name { bytes: [0; NAME_MAX + 1], length: 0, first: 0, mask: 0 };

impl Hosts {
    /// Where the name ends that stands at `at` in a line, with one blank behind it and then neither a bracket nor
    /// another blank: those change what the name is.
    #[inline]
    pub fn find(&mut self, line: &[u8], at: usize) -> Option<usize> {
        let rest = line.get(at..)?;
        let length = match self.names.get(self.last)?.stands_in(rest) {
            Some(length) => length,
            None => self.find_other(rest)?,
        };
        (!matches!(rest.get(length)?, b' ' | b'\t' | b'[')).then_some(at + length - 1)
    }

    #[inline(never)]
    fn find_other(&mut self, rest: &[u8]) -> Option<usize> {
        let length = memchr::memchr(b' ', rest.get(..=NAME_MAX).unwrap_or(rest))?;
        let place = place(rest.get(..length)?);
        let found = self.names.get(place)?.stands_in(rest)?;
        self.last = place;
        Some(found)
    }

    /// Changes when a name comes or goes.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// Whether a name can be kept. `last message repeated` has no host, whoever had that name before; and `AM` behind a
    /// stamp belongs to it at some hours only.
    pub fn may_hold(name: &[u8]) -> bool {
        (1..=NAME_MAX).contains(&name.len())
            && name.is_ascii()
            && !name.contains(&b' ')
            && name != b"last"
            && name != b"message"
            && !name.starts_with(b"AM")
            && !name.starts_with(b"PM")
    }

    pub fn put(&mut self, name: &[u8]) {
        if self.names.is_empty() {
            self.names.resize(HOSTS, NOBODY);
        }
        let mut kept = NOBODY;
        if let Some(bytes) = kept.bytes.get_mut(..name.len()) {
            bytes.copy_from_slice(name);
        }
        if let Some(blank) = kept.bytes.get_mut(name.len()) {
            *blank = b' ';
        }
        kept.length = name.len() + 1;
        kept.first = kept.bytes.first_chunk().map_or(0, |word| u64::from_le_bytes(*word));
        kept.mask = if kept.length < WORD { (1 << (8 * kept.length)) - 1 } else { u64::MAX };
        self.last = place(name);
        if let Some(place) = self.names.get_mut(self.last)
            && place.bytes != kept.bytes
        {
            *place = kept;
            self.version = self.version.wrapping_add(1);
        }
    }

    pub fn clear(&mut self) {
        self.version = self.version.wrapping_add(1);
        self.names.clear();
    }
}

impl Name {
    /// How long name and blank are where a line goes on with them.
    #[inline]
    fn stands_in(&self, rest: &[u8]) -> Option<usize> {
        let first = u64::from_le_bytes(*rest.first_chunk()?);
        if (first ^ self.first) & self.mask != 0 || self.length == 0 {
            return None;
        }
        if self.length > WORD {
            let (seen, _) = rest.get(..self.length)?.as_chunks::<WORD>();
            let (known, _) = self.bytes.as_chunks::<WORD>();
            let differ = seen
                .iter()
                .zip(known)
                .fold(0, |differ, (seen, known)| differ | (u64::from_le_bytes(*seen) ^ u64::from_le_bytes(*known)));
            let last = rest.get(self.length - WORD..)?.first_chunk::<WORD>()?;
            let known = self.bytes.get(self.length - WORD..)?.first_chunk::<WORD>()?;
            if differ != 0 || last != known {
                return None;
            }
        }
        Some(self.length)
    }
}

/// Which place a name has: its length, first and last bytes decide.
fn place(name: &[u8]) -> usize {
    let (first, last) = match (name.first_chunk::<WORD>(), name.last_chunk::<WORD>()) {
        (Some(first), Some(last)) => (u64::from_le_bytes(*first), u64::from_le_bytes(*last)),
        _ => (name.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)), 0),
    };
    let hash = (first.wrapping_add(name.len() as u64)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
        ^ last.wrapping_mul(0xd1b5_4a32_d192_ed03);
    (hash >> 32) as usize % HOSTS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(known: &[&str], line: &str, expected: Option<usize>) {
        let mut hosts = Hosts::default();
        known.iter().for_each(|name| hosts.put(name.as_bytes()));
        assert_eq!(hosts.find(line.as_bytes(), 2), expected, "{line}");
    }

    #[test]
    fn names_are_found_again_and_nothing_else() {
        let long = "a-host-with-a-long-name.eu-central-1.example.org";
        let known = ["h", "combo", "webhost", "webhost1", long];
        for name in known {
            check(&known, &format!("> {name} sshd[42]: bye"), Some(2 + name.len()));
            check(&known, &format!("> {name}  sshd[42]: bye"), None);
            check(&known, &format!("> {name} [42]: bye"), None);
            check(&known, &format!("> {name} "), None);
            check(&known, &format!("> {name}x sshd[42]: bye"), None);
            check(&known, &format!("> x{name} sshd[42]: bye"), None);
        }
        check(&known, &format!("> {} sshd[42]: bye", long.replace("central", "Central")), None);
        check(&[], "> h sshd[42]: bye", None);
        check(&known, "", None);
        assert!(!Hosts::may_hold(b"last") && !Hosts::may_hold(b"") && !Hosts::may_hold(&[b'a'; 64]));
    }
}
