//! What must hold of a match beside its pattern: check digits, entropy, and the look-alikes that must survive
//! (`password: invalid`, `getty@tty1.service`, version numbers, clock times). Replaces nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use super::rule::Condition;
use super::words::{
    ENDINGS, FILE_LIKE_ENDINGS, INSIDE, NO_NAMES, NO_PASSWORDS, PACKAGE_ROOTS, PROGRAM_WORDS, SYSTEM_ACCOUNTS, UNITS,
};

/// The part of `range` that is really meant, or `None` for a look-alike. `domains` are the operator's own endings.
pub(super) fn meant(condition: Condition, text: &str, range: Range<usize>, domains: &[String]) -> Option<Range<usize>> {
    let value = text.get(range.clone())?;
    let before = text.get(..range.start)?;
    let after = text.get(range.end..)?;
    if placeholder(value) || (before.ends_with('<') && inside_placeholder(value, after)) {
        return None;
    }
    let holds = match condition {
        Condition::None => true,
        Condition::Entropy(bits) => entropy(value) >= bits && !path(value),
        Condition::Password => password(value),
        Condition::Token => token(value),
        Condition::Random => random(value) && !before.ends_with("SHA256:") && !before.ends_with("sha512-"),
        Condition::Card => card(value),
        Condition::Iban => iban(value),
        Condition::Phone => (8..=15).contains(&digits(value)),
        Condition::Mail => !unit_name(value),
        Condition::Ipv4 => ipv4(value, before, after),
        Condition::Ipv6 => return ipv6(value, before, after).map(|length| range.start..range.start + length),
        Condition::Domain => domain(value, before, after, domains),
        Condition::HostName => host_name(value),
        Condition::UserName => user_name(value),
    };
    holds.then_some(range)
}

/// Well-known addresses that say nothing about anybody and much about a failure.
pub(super) fn telling_nothing(address: IpAddr) -> bool {
    address.is_loopback() || address.is_unspecified() || address == IpAddr::V4(Ipv4Addr::BROADCAST)
}

/// What a verdict may need to know of an address.
pub(super) fn scope(address: IpAddr) -> &'static str {
    let v4 = match address {
        IpAddr::V4(v4) => Some(v4),
        IpAddr::V6(v6) => v6.to_ipv4_mapped(),
    };
    match (v4, address) {
        (Some(v4), _) if v4.is_private() || shared(v4) => "private",
        (Some(v4), _) if v4.is_link_local() => "link-local",
        (Some(v4), _) if v4.is_multicast() => "multicast",
        (None, IpAddr::V6(v6)) if v6.is_unique_local() => "private",
        (None, IpAddr::V6(v6)) if v6.is_unicast_link_local() => "link-local",
        (None, IpAddr::V6(v6)) if v6.is_multicast() => "multicast",
        _ => "public",
    }
}

/// Whether a host name is of the kind that only resolves inside.
pub(super) fn internal(name: &str) -> bool {
    match name.trim_end_matches('.').rsplit_once('.') {
        None => true,
        Some((_, last)) => INSIDE.iter().any(|ending| last.eq_ignore_ascii_case(ending)),
    }
}

/// Accounts that every system has: who they are is no personal datum, and that it was `root` decides verdicts.
pub(super) fn system_account(name: &str) -> bool {
    SYSTEM_ACCOUNTS.iter().any(|account| name.eq_ignore_ascii_case(account)) || name.starts_with("systemd-")
}

/// RFC 6598, carrier-grade NAT.
fn shared(address: Ipv4Addr) -> bool {
    let [first, second, ..] = address.octets();
    first == 100 && (64..128).contains(&second)
}

/// One of ours (`<REDACTED:name>`, `<IP_3:private>`) or of the miner (`<NUM>`, `<*>`), perhaps with punctuation behind it.
fn placeholder(value: &str) -> bool {
    value.strip_prefix('<').and_then(|rest| rest.split_once('>')).is_some_and(|(inner, rest)| {
        placeholder_word(inner) && !rest.contains(|character: char| character.is_alphanumeric())
    })
}

/// Whether `value`, which follows a `<`, begins a placeholder.
fn inside_placeholder(value: &str, after: &str) -> bool {
    let end = after.split_once('>').map_or("", |(end, _)| end);
    placeholder_word(value) || (end.len() <= 40 && placeholder_word(&format!("{value}{end}")))
}

fn placeholder_word(inner: &str) -> bool {
    let (name, detail) = inner.split_once(':').unwrap_or((inner, ""));
    let (label, number) = name.split_once('_').unwrap_or((name, ""));
    !label.is_empty()
        && (label == "*" || label.bytes().all(|byte| byte.is_ascii_uppercase()))
        && number.bytes().all(|byte| byte.is_ascii_hexdigit())
        && detail.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

/// Shannon entropy in bits a byte.
fn entropy(value: &str) -> f32 {
    let mut counts = [0u32; 256];
    for byte in value.bytes() {
        if let Some(count) = counts.get_mut(usize::from(byte)) {
            *count += 1;
        }
    }
    let length = value.len() as f32;
    counts
        .iter()
        .filter(|count| **count > 0)
        .map(|count| *count as f32 / length)
        .map(|share| -share * share.log2())
        .sum()
}

fn trimmed(value: &str) -> &str {
    value.trim_matches(|character: char| !character.is_alphanumeric())
}

fn password(value: &str) -> bool {
    let word = trimmed(value);
    if word.is_empty() {
        // Punctuation alone: `***` is hidden already, longer and mixed may be one.
        let mut characters = value.chars();
        let first = characters.next();
        return value.len() >= 6 && characters.any(|character| Some(character) != first);
    }
    let same = word.chars().all(|character| matches!(character, 'x' | 'X'));
    let short_number = word.len() == value.len() && word.len() <= 3 && word.bytes().all(|byte| byte.is_ascii_digit());
    !same && !short_number && !path(value) && !NO_PASSWORDS.iter().any(|other| word.eq_ignore_ascii_case(other))
}

fn token(value: &str) -> bool {
    let word = trimmed(value);
    let number = value.bytes().all(|byte| byte.is_ascii_digit() || b".,:;-+%)".contains(&byte));
    let digit = word.bytes().any(|byte| byte.is_ascii_digit());
    let mixed = word.bytes().skip(1).any(|byte| byte.is_ascii_uppercase())
        && word.bytes().any(|byte| byte.is_ascii_lowercase());
    word.len() >= 6 && !number && (digit || mixed || word.len() >= 20) && password(value)
}

fn random(value: &str) -> bool {
    // Words and paths have short parts; random text changes between upper case, lower case and digits all the time.
    let part = value.split(['/', '-', '_']).max_by_key(|part| part.len()).unwrap_or_default();
    let kind = |byte: u8| (byte.is_ascii_uppercase(), byte.is_ascii_lowercase(), byte.is_ascii_digit());
    let changes = part.bytes().zip(part.bytes().skip(1)).filter(|(one, next)| kind(*one) != kind(*next)).count();
    let has = |test: fn(&u8) -> bool| part.as_bytes().iter().filter(|byte| test(byte)).count() >= 2;
    part.len() >= 14
        && changes * 10 >= part.len() * 3
        && has(u8::is_ascii_uppercase)
        && has(u8::is_ascii_lowercase)
        && has(u8::is_ascii_digit)
        && entropy(value) >= 3.8
}

/// `/run/secrets/token`: where a secret is, not what it is.
fn path(value: &str) -> bool {
    let value = value.trim_end_matches([',', ';', ')', '"', '\'', ':']);
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"/._-~".contains(&byte);
    value.starts_with(['/', '~']) && value.matches('/').count() >= 2 && value.bytes().all(plain)
}

fn digits(value: &str) -> usize {
    value.bytes().filter(u8::is_ascii_digit).count()
}

fn card(value: &str) -> bool {
    let numbers: Vec<u32> = value.chars().filter_map(|character| character.to_digit(10)).collect();
    let leading = |count: usize| numbers.iter().take(count).fold(0, |number, digit| number * 10 + digit);
    let issuer = matches!(
        (leading(1), leading(2), leading(4), numbers.len()),
        (4, _, _, 13 | 16 | 19)
            | (_, 51..=55, _, 16)
            | (_, _, 2221..=2720, 16)
            | (_, 34 | 37, _, 15)
            | (_, 36 | 38 | 39, _, 14)
            | (_, _, 3000..=3059, 14)
            | (_, 65, _, 16)
            | (_, _, 6011 | 6440..=6499 | 3528..=3589, 16)
            | (_, 62, _, 16..=19)
            | (_, _, 5018 | 5020 | 5038 | 5893 | 6304 | 6759..=6763, 16..=19)
    );
    let sum: u32 = numbers
        .iter()
        .rev()
        .enumerate()
        .map(|(at, digit)| if at % 2 == 1 { digit * 2 / 10 + digit * 2 % 10 } else { *digit })
        .sum();
    issuer && sum.is_multiple_of(10)
}

fn iban(value: &str) -> bool {
    let compact: Vec<u8> = value.bytes().filter(|byte| *byte != b' ').collect();
    let (head, tail) = compact.split_at(4.min(compact.len()));
    let remainder = tail.iter().chain(head).try_fold(0u32, |remainder, byte| {
        let number = char::from(*byte).to_digit(36)?;
        Some(if number < 10 { (remainder * 10 + number) % 97 } else { (remainder * 100 + number) % 97 })
    });
    (15..=34).contains(&compact.len()) && remainder == Some(1)
}

/// `getty@tty1.service`: an instance of a unit, not a mailbox.
fn unit_name(value: &str) -> bool {
    let ending = value.rsplit('.').next().unwrap_or_default();
    UNITS.iter().any(|unit| ending.eq_ignore_ascii_case(unit))
}

fn ipv4(value: &str, before: &str, after: &str) -> bool {
    let Ok(address) = value.parse::<Ipv4Addr>() else { return false };
    let dotted = |byte: &u8| byte.is_ascii_digit() || *byte == b'.';
    let around = before.bytes().rev().take(40).take_while(dotted).chain(after.bytes().take(40).take_while(dotted));
    let more_parts = around.filter(|byte| byte.is_ascii_digit()).count();
    // Five parts are an address with a port (tcpdump); six are an object identifier.
    let identifier =
        more_parts > 0 && after.bytes().take(40).take_while(dotted).filter(|byte| *byte == b'.').count() > 1;
    let lower = before.get(before.len().saturating_sub(10)..).unwrap_or_default().to_ascii_lowercase();
    let version =
        ["version ", "version: ", "version=", "release ", "ver ", "ver. "].iter().any(|word| lower.ends_with(word));
    let netmask =
        u32::from(address).leading_ones() + u32::from(address).trailing_zeros() == 32 && address.octets()[0] == 255;
    let followed = after.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    !(identifier || version || netmask || followed || telling_nothing(IpAddr::V4(address)))
}

/// How many bytes of `value` are the address.
fn ipv6(value: &str, before: &str, after: &str) -> Option<usize> {
    let joined = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b':';
    if before.bytes().next_back().is_some_and(joined) || after.bytes().next().is_some_and(joined) {
        return None;
    }
    let trimmed = value.strip_suffix(':').filter(|rest| !rest.ends_with(':')).unwrap_or(value);
    let address: Ipv6Addr = trimmed.parse().ok()?;
    // `a::b` is a path in some languages.
    let path = !trimmed.bytes().any(|byte| byte.is_ascii_digit()) && trimmed.matches(':').count() < 3;
    (!path && !telling_nothing(IpAddr::V6(address))).then_some(trimmed.len())
}

fn domain(value: &str, before: &str, after: &str, domains: &[String]) -> bool {
    let previous = before.chars().next_back();
    if after.starts_with('(') || previous.is_some_and(|character| matches!(character, '/' | '\\' | '$' | '#')) {
        return false;
    }
    let own = |ending: &String| {
        let start = value.len().checked_sub(ending.len());
        start.and_then(|start| value.get(start..)).is_some_and(|end| end.eq_ignore_ascii_case(ending))
    };
    if domains.iter().any(own) {
        return true;
    }
    let labels: Vec<&str> = value.split('.').collect();
    let (Some(first), Some(last)) = (labels.first(), labels.last()) else { return false };
    let shouted = !value.bytes().any(|byte| byte.is_ascii_lowercase());
    if labels.iter().any(|label| label.is_empty()) || (!shouted && last.bytes().any(|byte| byte.is_ascii_uppercase())) {
        return false;
    }
    let ends = |list: &[&str]| list.iter().any(|ending| last.eq_ignore_ascii_case(ending));
    let listed = |list: &[&str]| list.iter().any(|word| first.eq_ignore_ascii_case(word));
    if ends(INSIDE) {
        return !listed(PROGRAM_WORDS);
    }
    if listed(PACKAGE_ROOTS) || (labels.len() == 2 && listed(PROGRAM_WORDS)) {
        return false;
    }
    ends(ENDINGS) || (labels.len() >= 3 && ends(FILE_LIKE_ENDINGS))
}

fn host_name(value: &str) -> bool {
    let word = trimmed(value);
    let said = ["localhost", "localhost.localdomain", "unknown", "none", "null", "true", "false", "is", "not", "key"]
        .iter()
        .any(|other| word.eq_ignore_ascii_case(other));
    // An address or a number is for other rules.
    let numeric = word.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    word.len() >= 2 && !said && !numeric
}

fn user_name(value: &str) -> bool {
    let word = trimmed(value);
    let account = word.rsplit('\\').next().unwrap_or(word);
    let numeric = word.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.' || byte == b':');
    !word.is_empty()
        && !numeric
        && !word.contains('=')
        && !system_account(account)
        && !NO_NAMES.iter().any(|other| word.eq_ignore_ascii_case(other))
        && word.parse::<IpAddr>().is_err()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(condition: Condition, text: &str, expected: bool) {
        assert_eq!(meant(condition, text, 0..text.len(), &[]).is_some(), expected, "{condition:?} {text}");
    }

    #[test]
    fn check_digits() {
        check(Condition::Card, "4111 1111 1111 1111", true);
        check(Condition::Card, "5500-0000-0000-0004", true);
        check(Condition::Card, "378282246310005", true);
        check(Condition::Card, "4111 1111 1111 1112", false);
        check(Condition::Card, "1700000000500000", false);
        check(Condition::Iban, "DE89 3704 0044 0532 0130 00", true);
        check(Condition::Iban, "GB82WEST12345698765432", true);
        check(Condition::Iban, "GB83WEST12345698765432", false);
    }

    #[test]
    fn words_that_are_no_secrets() {
        check(Condition::Password, "YES)", false);
        check(Condition::Password, "chauthtok):", false);
        check(Condition::Password, "********", false);
        check(Condition::Password, "<NUM>", false);
        check(Condition::Password, "hunter2", true);
        check(Condition::Password, "123456", true);
        check(Condition::Token, "identifier", false);
        check(Condition::Token, "8192", false);
        check(Condition::Token, "/run/secrets/token", false);
        check(Condition::Token, "a1b2c3d4", true);
    }

    #[test]
    fn names() {
        check(Condition::Domain, "web-03.example.com", true);
        check(Condition::Domain, "db1.corp", true);
        check(Condition::Domain, "main.rs", false);
        check(Condition::Domain, "java.io.IOException", false);
        check(Condition::Domain, "nginx.service", false);
        check(Condition::Domain, "com.example.app", false);
        check(Condition::UserName, "alice", true);
        check(Condition::UserName, "root", false);
        check(Condition::UserName, "<*>", false);
        assert!(meant(Condition::Domain, "db.berlin", 0..9, &["berlin".to_owned()]).is_some());
    }

    #[test]
    fn scopes() {
        for (address, expected) in [
            ("10.1.2.3", "private"),
            ("100.64.0.1", "private"),
            ("169.254.1.1", "link-local"),
            ("203.0.113.9", "public"),
            ("fe80::1", "link-local"),
            ("fd00::1", "private"),
            ("2001:db8::1", "public"),
            ("::ffff:10.0.0.1", "private"),
        ] {
            assert_eq!(scope(address.parse().expect("an address")), expected, "{address}");
        }
    }
}
