//! What one analysis was asked for, checked. Plain data.

use crate::config::Config;
use crate::judge;
use crate::model::Timestamp;

use super::output::Paths;

/// Checked options.
pub struct Options {
    pub config: Config,
    pub since: Option<Timestamp>,
    pub until: Option<Timestamp>,
    pub judge: Option<judge::Mode>,
    pub format: Option<std::sync::Arc<str>>,
    /// With more than one, one of them reads ahead.
    pub threads: usize,
    pub paths: Paths,
}
