//! What a redaction rule is. The rules themselves are in `rules.rs`, the extra conditions in `condition.rs`.

/// One line of the table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rule {
    /// Shown by `redact --explain`, and for secrets in the placeholder.
    pub name: &'static str,
    pub class: Class,
    /// Lower case; the rule runs only on text that has one of them, in any case. Empty: it always runs.
    pub keywords: &'static [&'static str],
    /// Every capture group that takes part goes; the whole match when there is none. No part may match far ahead and
    /// then give up: scanning stays linear.
    pub pattern: &'static str,
    /// What must hold of each captured text beside the pattern.
    pub condition: Condition,
}

/// What was found. Decides who may see it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Class {
    /// Gives power to who reads it. Nobody outside sees it.
    Secret,
    /// Payment card number. Nobody outside sees it.
    Card,
    /// Looks random enough to be a token. People see it, a model does not.
    Opaque,
    Mail,
    Phone,
    Iban,
    /// United States social security number.
    SocialSecurity,
    /// IPv4 or IPv6 address.
    Ip,
    /// Hardware address.
    Mac,
    Host,
    User,
}

/// Closed set of conditions that a pattern cannot express.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Condition {
    /// The pattern says it all.
    None,
    /// At least so many bits a character (Shannon).
    Entropy(f32),
    /// The value of a key that can only hold a password: anything but words like `yes` or `invalid`.
    Password,
    /// The value of a key that may hold a secret or a word: long enough, not a plain number or word.
    Token,
    /// Upper case, lower case and digits, random, and no fingerprint of a public key.
    Random,
    /// Issuer prefix, length and Luhn check digit (ISO/IEC 7812-1).
    Card,
    /// Check digits modulo 97 (ISO 13616).
    Iban,
    /// Eight to fifteen digits (ITU-T E.164).
    Phone,
    /// A mail address, not a systemd unit instance.
    Mail,
    /// Four numbers of at most 255, not a version; tells nothing when it is loopback or unspecified.
    Ipv4,
    /// Parses (RFC 4291) and is no clock time.
    Ipv6,
    /// Ends like a domain name, not like a file or a Java package.
    Domain,
    /// A host name after a word that announces one.
    HostName,
    /// A login name, not a system account and not a word of the sentence.
    UserName,
}

impl Class {
    /// Whether people lose it too.
    pub fn hidden_from_people(self) -> bool {
        match self {
            Class::Secret | Class::Card => true,
            Class::Opaque
            | Class::Mail
            | Class::Phone
            | Class::Iban
            | Class::SocialSecurity
            | Class::Ip
            | Class::Mac
            | Class::Host
            | Class::User => false,
        }
    }

    /// What a person calls it.
    pub fn noun(self) -> &'static str {
        match self {
            Class::Secret => "secret",
            Class::Card => "card number",
            Class::Opaque => "random or marked value",
            Class::Mail => "mail address",
            Class::Phone => "phone number",
            Class::Iban => "bank account",
            Class::SocialSecurity => "social security number",
            Class::Ip => "network address",
            Class::Mac => "hardware address",
            Class::Host => "host name",
            Class::User => "user name",
        }
    }

    /// The word in the placeholder.
    pub fn label(self) -> &'static str {
        match self {
            Class::Secret => "SECRET",
            Class::Card => "CARD",
            Class::Opaque => "OPAQUE",
            Class::Mail => "MAIL",
            Class::Phone => "PHONE",
            Class::Iban => "IBAN",
            Class::SocialSecurity => "SSN",
            Class::Ip => "IP",
            Class::Mac => "MAC",
            Class::Host => "HOST",
            Class::User => "USER",
        }
    }
}
