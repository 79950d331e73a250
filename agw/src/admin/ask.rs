//! Questions from the admin thread to the control task, on one bounded channel. The control task answers between two Iq messages;
//! when it does not in [`PATIENCE`], the page says so instead of waiting.

use super::views::{Context, ContextPage, Draining, RealmState, Status, TracePage};
use crate::metrics::ControlNumbers;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// Questions that may wait.
pub const MAX_WAITING: usize = 64;
/// How long an answer may take.
pub const PATIENCE: Duration = Duration::from_secs(3);
/// Contexts on one page.
pub const MAX_PAGE: usize = 500;

/// A question with the place its answer goes to.
#[derive(Debug)]
pub enum Question {
    /// How are you?
    Status(oneshot::Sender<Status>),
    /// A page of contexts after this number.
    Contexts(Option<u32>, usize, oneshot::Sender<ContextPage>),
    /// One context.
    Context(u32, oneshot::Sender<Option<Context>>),
    /// What the control side has counted.
    Numbers(oneshot::Sender<Box<ControlNumbers>>),
    /// Iq messages after this number; none: only those that come from now on.
    Trace(Option<u64>, oneshot::Sender<TracePage>),
    /// Take no more calls and end.
    Drain(oneshot::Sender<Draining>),
    /// Take calls again after all; `None`: there was no drain.
    StopDraining(oneshot::Sender<Option<Draining>>),
    /// A realm goes out of service, or back; `None`: there is no such realm.
    Realm {
        /// Its name.
        name: String,
        /// Whether it goes out.
        out: bool,
        /// Where the answer goes.
        to: oneshot::Sender<Option<RealmState>>,
    },
}

/// The admin thread's end.
#[derive(Debug, Clone)]
pub struct Asker(mpsc::Sender<Question>);

/// Both ends.
pub fn channel() -> (Asker, mpsc::Receiver<Question>) {
    let (sender, receiver) = mpsc::channel(MAX_WAITING);
    (Asker(sender), receiver)
}

impl Asker {
    /// Asks and waits for the answer; `None` when control is too busy or gone.
    pub async fn ask<T>(&self, question: impl FnOnce(oneshot::Sender<T>) -> Question) -> Option<T> {
        let (sender, receiver) = oneshot::channel();
        self.0.try_send(question(sender)).ok()?;
        tokio::time::timeout(PATIENCE, receiver).await.ok()?.ok()
    }
}
