//! A value that cannot print: API keys, webhook URLs, passwords. Wiped from memory when dropped.

/// A secret string. `Debug` prints `[REDACTED]`; there is no `Display` and no `Serialize`.
pub type Secret = secrecy::SecretString;
