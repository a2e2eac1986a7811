//! Private keys over several lines: PEM, SSH2, PGP armor and PuTTY, one piece of text after the other. Sees only where a
//! key begins and ends; single-line secrets are in `rules.rs`.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

/// How many pieces a key may stretch over: a 16,384 bit RSA key has about 200 lines.
const MAX_PIECES: u32 = 250;

static BEGIN: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"-{4,5} ?BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)? ?-{4,5}|Private-Lines: ?[0-9]+").ok()
});
static END: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"-{4,5} ?END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)? ?-{4,5}|Private-MAC: ?[0-9a-fA-F]*").ok()
});

/// Whether we are inside a key. One for each stream of text; pieces in their order.
#[derive(Clone, Default, Debug)]
pub(super) struct KeyBlock {
    /// Pieces since the key began; `None` outside of one.
    open: Option<u32>,
}

impl KeyBlock {
    /// What of this piece belongs to a private key. `None` when that cannot be told.
    pub fn spans(&mut self, text: &str) -> Option<Vec<Range<usize>>> {
        let (begin, end) = (BEGIN.as_ref()?, END.as_ref()?);
        let mut spans = Vec::new();
        let mut at = 0;
        if let Some(pieces) = self.open {
            match end.find(text) {
                Some(found) => {
                    spans.push(0..found.end());
                    at = found.end();
                    self.open = None;
                }
                None => {
                    spans.extend(body(text));
                    self.open = Some(pieces + 1).filter(|pieces| *pieces < MAX_PIECES);
                    // A second key may begin where the first was cut.
                    at = text.len() * usize::from(!begin.is_match(text));
                }
            }
        }
        while let Some(found) = begin.find_at(text, at) {
            match end.find_at(text, found.end()) {
                Some(close) => {
                    spans.push(found.start()..close.end());
                    at = close.end();
                    self.open = None;
                }
                None => {
                    spans.push(found.start()..text.len());
                    self.open = Some(0);
                    break;
                }
            }
        }
        Some(spans)
    }
}

/// The words of a piece in the middle of a key that may be its body: others may write between the lines.
fn body(text: &str) -> impl Iterator<Item = Range<usize>> {
    text.split_whitespace().filter(|word| armored(word)).map(|word| {
        let start = word.as_ptr() as usize - text.as_ptr() as usize;
        start..start + word.len()
    })
}

fn armored(word: &str) -> bool {
    let word = word.trim_end_matches(['"', '\'', ',', '\\', 'n']);
    let alphabet = word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte));
    let mixed = word.bytes().any(|byte| byte.is_ascii_uppercase())
        && word.bytes().any(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    alphabet && (word.len() >= 24 || (word.len() >= 4 && (word.ends_with('=') || word.starts_with('=') || mixed)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `#` marks what is hidden.
    #[track_caller]
    fn check(pieces: &[(&str, &str)]) {
        let mut block = KeyBlock::default();
        for (text, expected) in pieces {
            let mut hidden = text.as_bytes().to_vec();
            for span in block.spans(text).expect("the patterns compile") {
                hidden.get_mut(span).expect("inside").fill(b'#');
            }
            assert_eq!(String::from_utf8_lossy(&hidden), *expected, "{text}");
        }
    }

    #[test]
    fn a_key_over_several_pieces() {
        check(&[
            ("loading -----BEGIN RSA PRIVATE KEY-----", "loading ###############################"),
            ("Proc-Type: 4,ENCRYPTED", "Proc-Type: 4,ENCRYPTED"),
            ("app: MIIEpAIBAAKCAQEA7bq9", "app: ####################"),
            ("other program speaks", "other program speaks"),
            ("Zz0=", "####"),
            ("-----END RSA PRIVATE KEY----- done", "############################# done"),
            ("app: MIIEpAIBAAKCAQEA7bq9", "app: MIIEpAIBAAKCAQEA7bq9"),
        ]);
        check(&[
            ("Private-Lines: 2", "################"),
            ("AAAAgQDVzHqFOlLHiFpl", "####################"),
            ("Private-MAC: 00ff", "#################"),
        ]);
        check(&[("-----BEGIN CERTIFICATE-----", "-----BEGIN CERTIFICATE-----"), ("MIIEpAIBAAKC", "MIIEpAIBAAKC")]);
    }

    #[test]
    fn gives_up_on_a_key_without_end() {
        let mut block = KeyBlock::default();
        block.spans("-----BEGIN PRIVATE KEY-----").expect("the patterns compile");
        for _ in 0..MAX_PIECES {
            block.spans("x");
        }
        assert!(block.open.is_none());
    }
}
