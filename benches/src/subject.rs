//! What is measured.

use crate::Result;
use crate::case::Case;
use crate::outcome::Answer;

/// Something that carries events between processes.
///
/// Both methods are called in processes that do nothing else; these are bound as the case's
/// placement asks, and the producer's has [a directory](crate::directory) of its own.
pub trait Subject: Sync {
    /// Returns the name that it has in tables and on the command line.
    fn name(&self) -> &'static str;

    /// Returns by how much less it is given to do where events go as fast as they can, so that one
    /// that is slow takes no longer than others. By default it is given everything.
    fn slowness(&self) -> u64 {
        1
    }

    /// Does the work, in the measuring process, which is the producer. It starts the consumers by
    /// way of [`Children`](crate::Children).
    ///
    /// # Errors
    ///
    /// Anything that fails; the subject then counts as failed for this case.
    fn measure(&self, case: &Case) -> Result<Answer>;

    /// Does the work of one consumer, in a process of its own, and tells the producer by way of
    /// [`Control`](crate::Control).
    ///
    /// # Errors
    ///
    /// Anything that fails.
    fn child(&self, case: &Case, index: usize) -> Result<()>;
}
