//! Cuts a message into tokens and puts typed placeholders where values stand, in one pass without regexes. What people
//! read is the text; what groups is the class of each token, in which every value looks the same. Must not remember
//! anything of earlier messages.

use super::hash::Keys;
use super::mask::Mask;
use super::value::{self, is_word};
use super::{flag, key, list, quote};

/// Bytes of a message that are looked at; what lies beyond is only counted.
pub const MAX_BYTES: usize = 8 * 1024;
/// Tokens of a message that are kept apart; the rest becomes one [`Mask::Any`].
pub const MAX_TOKENS: usize = 127;
/// Tokens between a quote and its end.
const MAX_QUOTED: usize = 24;
/// Items of a list in brackets.
const MAX_ITEMS: usize = 64;

/// The key of a token without `=`.
pub const NO_KEY: u64 = u64::MAX;

/// Stands in a class for any value.
const VALUE: u8 = 0;
/// Stands in a class for a generalized place.
const ANY: u8 = 1;

/// One token of a scanned message.
#[derive(Clone, Copy, Debug)]
pub struct Token {
    /// Where its text lies in [`Scan::text`].
    pub start: u32,
    pub end: u32,
    /// Hash of its text with every value alike: equal classes are equal to the tree. Even and not zero.
    pub class: u64,
    /// Hash of its text up to the end of its key ([`key::end`]), odd; [`NO_KEY`] when there is no such thing.
    pub key: u64,
    pub is: Is,
    /// No space stands before it: a member of a JSON object behind another one.
    pub glued: bool,
    /// The last value in it.
    mask: Option<Mask>,
    /// Stands for a list of values, however long.
    list: bool,
}

impl Token {
    /// What a template born from it compares.
    #[cfg(test)]
    pub fn word(&self) -> u64 {
        match self.is {
            Is::Word | Is::Value => self.class,
            Is::Keyed => self.key,
            Is::Any => super::shelf::OPEN,
        }
    }

    /// Both could be items of one list: `blk_<NUM> blk_<NUM> blk_<NUM>`.
    fn resembles(&self, next: &Token) -> bool {
        // Whether a number is hexadecimal often shows in some items of a list only.
        let number = |mask| matches!(mask, Some(Mask::Num | Mask::Hex | Mask::Id));
        self.class == next.class
            && self.mask.is_some_and(|mask| !mask.is_open())
            && (self.mask == next.mask || number(self.mask) && number(next.mask))
    }
}

/// What a token is to the tree.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Is {
    /// Has constant text.
    Word,
    /// Nothing but a value.
    Value,
    /// Already generalized: `<*>`.
    Any,
    /// Already generalized behind its key: `user=<*>`.
    Keyed,
}

/// The tokens of one message. Reused from message to message, so that scanning allocates nothing in the long run.
#[derive(Default, Debug)]
pub struct Scan {
    /// The masked text, tokens parted by single spaces.
    text: String,
    tokens: Vec<Token>,
    /// The class of the token at hand, and the last value in it.
    class: Vec<u8>,
    mask: Option<Mask>,
    /// `<*>` is an open place. In a message it is text that somebody wrote, and must not open anything.
    is_template: bool,
    /// Its flags are values.
    is_dump: bool,
    /// Something was cut off: the message was too long or had too many tokens.
    cut: bool,
}

impl Scan {
    /// Replaces what was scanned before. Looks at [`MAX_BYTES`].
    pub fn read(&mut self, message: &str, keys: &Keys) {
        self.is_template = false;
        self.read_up_to(message, MAX_BYTES, keys);
    }

    /// Reads the text of a template, which may be longer than the message it came from.
    pub fn read_template(&mut self, text: &str, keys: &Keys) {
        self.is_template = true;
        self.read_up_to(text, text.len(), keys);
    }

    fn read_up_to(&mut self, message: &str, limit: usize, keys: &Keys) {
        self.text.clear();
        self.tokens.clear();
        self.class.clear();
        let whole = message.as_bytes();
        let length = message.floor_char_boundary(limit);
        self.cut = length < whole.len();
        let bytes = whole.get(..length).unwrap_or_default();
        self.is_dump = flag::is_dump(bytes);
        let mut at = 0;
        while let Some(byte) = bytes.get(at) {
            if byte.is_ascii_whitespace() {
                at += 1;
                continue;
            }
            if self.tokens.len() == MAX_TOKENS {
                self.cut = true;
                break;
            }
            at = self.token(message, bytes, at, keys);
        }
        if self.cut {
            self.open(false);
            let start = self.text.len();
            self.text.push_str(Mask::Any.as_str());
            let end = self.text.len() as u32;
            self.tokens.push(Token {
                start: start as u32,
                end,
                class: even(0),
                key: NO_KEY,
                is: Is::Any,
                glued: false,
                mask: Some(Mask::Any),
                list: false,
            });
        }
        self.join_quoted(keys);
        self.join_lists(keys);
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn into_text(self) -> String {
        self.text
    }

    pub fn tokens(&self) -> &[Token] {
        &self.tokens
    }

    pub fn token_text(&self, token: &Token) -> &str {
        self.text.get(token.start as usize..token.end as usize).unwrap_or_default()
    }

    /// Whether only a part of the message was looked at.
    pub fn is_cut(&self) -> bool {
        self.cut
    }

    fn open(&mut self, glued: bool) {
        if !self.text.is_empty() && !glued {
            self.text.push(' ');
        }
    }

    /// Scans the token that starts at `at` and returns where it ends.
    fn token(&mut self, message: &str, bytes: &[u8], mut at: usize, keys: &Keys) -> usize {
        let glued = at > 0 && bytes.get(at - 1) == Some(&b',') && key::is_member(bytes, at);
        self.open(glued);
        self.class.clear();
        self.mask = None;
        let start = self.text.len();
        let mut ahead = Ahead::new(bytes, at);
        let mut previous = b' ';
        while let Some(byte) = bytes.get(at).copied() {
            if byte.is_ascii_whitespace() {
                break;
            }
            let next = match byte {
                b'<' => match Mask::at(bytes, at) {
                    Some((mask, end)) => Some((self.written(mask), end)),
                    None if is_word(previous) || matches!(previous, b'<' | b'>') => None,
                    None => value::less_than(bytes, at).map(|end| (Mask::Dur, end)),
                },
                b'/' | b'~' | b'\\' | b'.'
                    if !is_word(previous) && !matches!(previous, b'<' | b'>' | b'/' | b'.' | b'*') =>
                {
                    value::path(bytes, at).map(|end| (Mask::Path, end))
                }
                b'"' | b'\'' if !is_word(previous) && previous != b'>' => {
                    let end = value::quoted_path(bytes, at + 1, byte);
                    if end.is_some() {
                        self.class.push(byte);
                        self.text.push(char::from(byte));
                    }
                    end.map(|end| (Mask::Path, end))
                }
                b'[' if !is_word(previous) && previous != b'>' => {
                    value::bracketed(bytes, at).map(|end| (Mask::Ip, end))
                }
                b'-' | b'+' if !is_word(previous) && previous != b'>' => bytes
                    .get(at + 1)
                    .filter(|next| next.is_ascii_digit())
                    .and_then(|_| value::value(bytes, at + 1, value::word_length(bytes, at + 1)))
                    .filter(|(mask, _)| matches!(mask, Mask::Num | Mask::Dur | Mask::Size)),
                b':' if !is_word(previous) && previous != b'>' && bytes.get(at + 1) == Some(&b':') => {
                    value::ip6(bytes, at).or_else(|| value::unspecified(bytes, at)).map(|end| (Mask::Ip, end))
                }
                _ if is_word(byte) && !is_word(previous) => match self.is_dump.then(|| flag::flag(bytes, at)).flatten()
                {
                    Some(end) => Some((Mask::Bool, end)),
                    None => word_value(bytes, at, previous, &ahead),
                },
                _ => None,
            };
            let end = match next {
                Some((mask, end)) => {
                    self.push_mask(mask);
                    end
                }
                None if is_word(byte) => self.word(message, bytes, at),
                None => {
                    self.class.push(byte);
                    self.text.push(char::from(byte));
                    at + 1
                }
            };
            // Every branch above moves on; a value may reach over the spaces inside a date. What stands behind a value
            // is read as it would be behind its placeholder.
            if bytes.get(at..end).unwrap_or_default().iter().any(u8::is_ascii_whitespace) {
                ahead = Ahead::new(bytes, end);
            }
            previous = if self.text.ends_with('>') { b'>' } else { bytes.get(end - 1).copied().unwrap_or(b' ') };
            at = end;
            if byte == b',' && key::is_member(bytes, at) {
                break;
            }
        }
        self.push_token(start, glued, keys);
        at
    }

    /// A word that is no value of its own: constant text, or text with digits. Returns where it ends.
    fn word(&mut self, message: &str, bytes: &[u8], at: usize) -> usize {
        let length = value::word_length(bytes, at);
        let end = at + length;
        let word = bytes.get(at..end).unwrap_or_default();
        let text = message.get(at..end).unwrap_or_default();
        let digit = word.iter().position(u8::is_ascii_digit);
        let hexadecimal = word.iter().all(u8::is_ascii_hexdigit);
        match digit {
            // `a2=fff`: who numbers keys has numbers behind them. `Token{beadfeed`: some hashes have no digit.
            None if hexadecimal && (length >= 8 || self.behind_number_key() || length >= 6 && self.names_object()) => {
                self.push_mask(Mask::Hex);
            }
            None => {
                self.class.extend_from_slice(word);
                self.text.push_str(text);
            }
            Some(_) if word.iter().all(u8::is_ascii_digit) => self.push_mask(Mask::Num),
            Some(_) if hexadecimal => self.push_mask(if length >= 4 { Mask::Hex } else { Mask::Id }),
            Some(first) if first > 0 && word.iter().skip(first).all(u8::is_ascii_digit) => {
                self.class.extend_from_slice(word.get(..first).unwrap_or_default());
                self.text.push_str(text.get(..first).unwrap_or_default());
                self.push_mask(Mask::Num);
            }
            Some(_) => self.push_mask(Mask::Id),
        }
        end
    }

    fn behind_number_key(&self) -> bool {
        self.class.ends_with(&[VALUE, b'='])
    }

    /// `ActivityRecord{`, `java.lang.Object@`: the hash of the object follows.
    fn names_object(&self) -> bool {
        matches!(self.class.as_slice(), [.., name, b'{' | b'@'] if is_word(*name) || *name == VALUE)
    }

    /// A placeholder that stands in the text itself.
    fn written(&self, mask: Mask) -> Mask {
        if mask.is_open() && !self.is_template { Mask::Id } else { mask }
    }

    /// Values that touch, or that only punctuation parts, are one value to the class: `10:20:30` is no other kind of
    /// line than `10:20`.
    fn push_mask(&mut self, mask: Mask) {
        self.text.push_str(mask.as_str());
        self.mask = Some(mask);
        if mask.is_open() {
            self.class.push(ANY);
            return;
        }
        self.class_value();
    }

    fn class_value(&mut self) {
        match self.class.as_slice() {
            [.., VALUE] => {}
            [.., VALUE, b'.' | b':' | b',' | b'-' | b'/' | b'_' | b'+'] => {
                self.class.pop();
            }
            _ => self.class.push(VALUE),
        }
    }

    fn push_token(&mut self, start: usize, glued: bool, keys: &Keys) {
        let class = self.class.as_slice();
        let key_length = key::end(class);
        let key = match key_length {
            Some(length) => keys.hash(class.get(..length).unwrap_or_default()) | 1,
            None => NO_KEY,
        };
        let is = match class {
            [VALUE] => Is::Value,
            [ANY] | [b'"', ANY, b'"'] | [b'\'', ANY, b'\''] => Is::Any,
            [head @ .., ANY] | [head @ .., ANY, b','] if key != NO_KEY && Some(head.len()) == key_length => Is::Keyed,
            _ => Is::Word,
        };
        let class = self.hashed_class(keys);
        let end = self.text.len() as u32;
        let token = Token { start: start as u32, end, class, key, is, glued, mask: self.mask, list: false };
        // Two values may be two things; three of a kind are a list.
        let list = match self.tokens.as_slice() {
            [.., last] if last.list && last.resembles(&token) => self.tokens.len(),
            [.., first, second] if first.resembles(second) && second.resembles(&token) => self.tokens.len() - 1,
            _ => 0,
        };
        match self.tokens.get_mut(list.wrapping_sub(1)) {
            Some(first) => {
                first.list = true;
                self.text.truncate(first.end as usize);
                self.tokens.truncate(list);
            }
            None => self.tokens.push(token),
        }
    }

    fn hashed_class(&mut self, keys: &Keys) -> u64 {
        let length = self.class.len();
        // Room behind the class lets it be hashed in one block.
        self.class.extend_from_slice(&[0; 16]);
        even(keys.hash_start(&self.class, length))
    }

    /// A list in brackets is one token, whatever the number of its items. Of values it is the same list with any number.
    fn join_lists(&mut self, keys: &Keys) {
        let mut kept = 0;
        let mut at = 0;
        while let Some(mut token) = self.tokens.get(at).copied() {
            at += 1;
            if let Some(closing) = list::opened(self.token_text(&token)) {
                let rest = self.tokens.get(at..).unwrap_or_default().iter().take(MAX_ITEMS);
                let rest: Vec<Token> = rest.copied().collect();
                let texts = rest.iter().map(|next| self.token_text(next));
                if let Some(found) = list::end(self.token_text(&token), texts, closing) {
                    for next in rest.iter().take(found.tokens) {
                        token.class = even(keys.join(token.class, next.class));
                        token.end = next.end;
                    }
                    token.is = Is::Word;
                    at += found.tokens;
                    if found.of_values {
                        token.class = self.class_of_values(&token, keys);
                    }
                }
            }
            if let Some(place) = self.tokens.get_mut(kept) {
                *place = token;
            }
            kept += 1;
        }
        self.tokens.truncate(kept);
    }

    /// The class of a list of values as if it had one.
    fn class_of_values(&mut self, token: &Token, keys: &Keys) -> u64 {
        let text = std::mem::take(&mut self.text);
        let (head, tail) = list::around(text.get(token.start as usize..token.end as usize).unwrap_or_default());
        self.class.clear();
        for (part, is_head) in [(head, true), (tail, false)] {
            let mut at = 0;
            while let Some(byte) = part.as_bytes().get(at) {
                match Mask::at(part.as_bytes(), at) {
                    Some((_, end)) => {
                        self.class_value();
                        at = end;
                    }
                    None => {
                        self.class.push(*byte);
                        at += 1;
                    }
                }
            }
            if is_head {
                self.class.push(VALUE);
            }
        }
        self.text = text;
        self.hashed_class(keys)
    }

    /// A quoted phrase is one token, whatever the number of its words.
    fn join_quoted(&mut self, keys: &Keys) {
        let mut kept = 0;
        let mut at = 0;
        while let Some(mut token) = self.tokens.get(at).copied() {
            at += 1;
            if let Some(quote) = quote::opened(self.token_text(&token)) {
                let rest = self.tokens.get(at..).unwrap_or_default();
                let length = rest.iter().take(MAX_QUOTED).position(|next| quote::closes(self.token_text(next), quote));
                if let Some(length) = length {
                    for next in rest.iter().take(length + 1) {
                        token.class = even(keys.join(token.class, next.class));
                        token.end = next.end;
                        token.is = Is::Word;
                    }
                    at += length + 1;
                }
            }
            if let Some(place) = self.tokens.get_mut(kept) {
                *place = token;
            }
            kept += 1;
        }
        self.tokens.truncate(kept);
    }
}

/// What comes before the next space.
struct Ahead {
    last_at: Option<usize>,
    colon: bool,
}

impl Ahead {
    fn new(bytes: &[u8], from: usize) -> Ahead {
        let word = bytes.get(from..).unwrap_or_default();
        let length = word.iter().position(u8::is_ascii_whitespace).unwrap_or(word.len());
        let word = word.get(..length).unwrap_or_default();
        Ahead { last_at: word.iter().rposition(|byte| *byte == b'@').map(|at| from + at), colon: word.contains(&b':') }
    }
}

/// A value that starts with a word byte.
fn word_value(bytes: &[u8], at: usize, previous: u8, ahead: &Ahead) -> Option<(Mask, usize)> {
    if ahead.last_at.is_some_and(|place| place > at)
        && !matches!(previous, b'.' | b'_' | b'%' | b'+' | b'-')
        && let Some(end) = value::mail(bytes, at)
    {
        return Some((Mask::Mail, end));
    }
    if ahead.colon {
        if let Some(end) = value::url(bytes, at) {
            return Some((Mask::Url, end));
        }
        if let Some(end) = value::path(bytes, at) {
            return Some((Mask::Path, end));
        }
    }
    value::value(bytes, at, value::word_length(bytes, at))
}

/// Keeps classes apart from keys and from zero.
fn even(hash: u64) -> u64 {
    (hash & !1).max(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(message: &str, expected: &str) {
        let keys = Keys::new(3);
        let mut scan = Scan::default();
        scan.read(message, &keys);
        assert_eq!(scan.text(), expected);
        let classes: Vec<u64> = scan.tokens().iter().map(|token| token.class).collect();
        // The text of a template is read back after a restart.
        scan.read_template(expected, &keys);
        assert_eq!(scan.text(), expected);
        assert_eq!(scan.tokens().iter().map(|token| token.class).collect::<Vec<_>>(), classes);
    }

    #[test]
    fn values_become_placeholders() {
        check(
            "Failed password for root from 10.0.0.1 port 22 ssh2",
            "Failed password for root from <IP> port <NUM> ssh<NUM>",
        );
        check("src: /10.250.19.102:54106 dest: /10.250.19.102:50010", "src: /<IP> dest: /<IP>");
        check("Receiving block blk_-1608999687919862906", "Receiving block blk_<NUM>");
        check("attempt_1445144423722_0020_m_000001_0 done", "attempt_<NUM>_<NUM>_m_<NUM>_<NUM> done");
        check("eth0: link up, 1000Mbps", "eth<NUM>: link up, <ID>");
        check("peer [::1]:80 or 10.0.0.1:80", "peer <IP> or <IP>");
        check("on :::80, [::]:22, unknown[::1]:25", "on <IP>, <IP>, unknown[<IP>]:<NUM>");
        check("fe80::1 [fe80::1] ::1", "<IP> [<IP>] <IP>");
        check("port 001b.4411.3ab7 up", "port <MAC> up");
        check("key aa:bb:cc:dd:ee:ff:00:11:22:33:44:55:66:77:88:99", "key <HEX>");
        check("getty@tty1.service: Failed", "getty@tty<NUM>.service: Failed");
        check("user@1000.service: Failed", "user@<NUM>.service: Failed");
        check("mail for <root@localhost> by root@localhost", "mail for <<MAIL>> by root@localhost");
        check("in ./a/b, ../c and ~bob/d... or", "in <PATH>, <PATH> and <PATH>... or");
        check("open \"/srv/My Files/a b.txt\": no", "open \"<PATH>\": no");
        check("ran '/bin/ls -l /etc' now", "ran '<PATH> -l <PATH>' now");
        check("on 17 Jun 20:55:07, Jun 7, 2005 3:55:07 PM or 3:55 pm", "on <TIME>, <TIME> or <TIME>");
        check("at 2005-06-03 15:42:50,a@b.org http://x", "at <TIME>,<MAIL> <URL>");
        check("rate 10Mbit, 100MB/s for PT5M30S or 10minutes", "rate <SIZE>, <SIZE>/s for <DUR> or <DUR>");
        check("mail to=<a.b@example.org>, size=4.0K", "mail to=<<MAIL>>, size=<SIZE>");
        check("GET https://a.b/c?d=1 took 12ms", "GET <URL> took <DUR>");
        check("open '/etc/x.conf': 2", "open '<PATH>': <NUM>");
        check(r"loaded C:\Windows\x.dll, ok", "loaded <PATH>, ok");
        check("read/write and and/or stay", "read/write and and/or stay");
        check("at Fri Jun 17 20:55:07 2005 from x", "at <TIME> from x");
        check("2005-06-03 15:42:50,123 up", "<TIME> up");
        check("offset -5 and +3.5", "offset <NUM> and <NUM>");
        check("x86_64 i386 u4k9x is 7f3a or deadbeefcafe", "x<NUM>_<NUM> i<NUM> <ID> is <HEX> or <HEX>");
        check("mac 00:1b:44:11:3a:b7 ip fe80::1%eth0", "mac <MAC> ip <IP>");
        check("id 123e4567-e89b-12d3-a456-426614174000.", "id <UUID>.");
        check("  spaces \t are   one ", "spaces are one");
        check("größe 5µs naïve1", "größe <DUR> naïve<NUM>");
        check("arch=c000003e a0=7ffc a1=0 a2=fff a3=b items=1", "arch=<HEX> <ID>=<HEX> items=<NUM>");
        check("Token{de9231d ActivityRecord{1234567 u0", "Token{<HEX> ActivityRecord{<NUM> u<NUM>");
        check("Token{abcdefa Object@deface Face{decades", "Token{<HEX> Object@<HEX> Face{decades");
        check("vis=0 vis=ffffffff vis=40000500", "vis=<NUM>");
        check("lifetime <1 sec, <5ms or <-2 hours", "lifetime <DUR>, <DUR> or <DUR>");
        check("prio <5> or <5 seconds5 x<1 sec", "prio <<NUM>> or <<NUM> seconds<NUM> x<<NUM> sec");
        check("got {\"a\":1,\"b\":\"x\",\"c\":[1,2]} ok", "got {\"a\":<NUM>,\"b\":\"x\",\"c\":[<NUM>]} ok");
        check("", "");
    }

    #[test]
    fn a_list_is_one_value() {
        check("delete blk_1 blk_2 blk_3", "delete blk_<NUM>");
        check("dump 00ff 1234 ab12 end", "dump <HEX> end");
        check("load 0.5, 1.0, 0.7, 2", "load <NUM>, <NUM>");
        check("status 200 512 ok", "status <NUM> <NUM> ok");
        check("1 2 3 4 10.0.0.1", "<NUM> <IP>");
    }

    #[test]
    fn what_is_too_long_is_cut() {
        let mut scan = Scan::default();
        scan.read(&"word ".repeat(MAX_TOKENS), &Keys::new(3));
        assert!(!scan.is_cut());
        scan.read(&"word ".repeat(MAX_TOKENS + 1), &Keys::new(3));
        assert!(scan.is_cut() && scan.text().ends_with(" word <*>") && scan.tokens().len() == MAX_TOKENS + 1);
        scan.read(&"é".repeat(MAX_BYTES), &Keys::new(3));
        assert!(scan.is_cut() && scan.tokens().len() == 2);
    }
}
