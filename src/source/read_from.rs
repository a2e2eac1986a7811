//! What becomes of lines that are there before a source first looks. One word of the config, the same for every source.

use serde::{Deserialize, Serialize};

/// `read_from =`
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReadFrom {
    /// They only teach.
    #[default]
    End,
    /// They are live.
    Beginning,
}
