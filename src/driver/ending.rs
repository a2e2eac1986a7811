//! Why the loop ended although nobody asked it to. Decides nothing.

use crate::store::StoreError;

/// What the process should fail with.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// What was not committed will be read again.
    #[error("the last lines could not be committed; they will be read again")]
    Commit(#[source] StoreError),
    /// The state file broke under us. The next start sets it aside and carries over what can be read.
    #[error("the state file broke while in use; start again to set it aside and go on")]
    Broken(#[source] StoreError),
    /// Nothing is read any more.
    #[error("nothing is read any more: the reader of {0} crashed")]
    NoSources(String),
}
