//! The way into the task of a call or a conference.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::mpsc;

/// Inputs that may wait before an application's requests are refused.
const MAX_ASKED: usize = 32;

/// Inputs that may wait before those of the far end are dropped that can be: keys, ringing, offers.
const MAX_TOLD: usize = 64;

/// Sends to a task; cheap to clone.
///
/// What ends something (a leg, a job, a call) always gets through, however long the task is held up by a slow disk:
/// there is one such input for each thing that was started. Everything else is refused or dropped past a number.
#[derive(Debug)]
pub(crate) struct Inputs<T> {
    sender: mpsc::UnboundedSender<T>,
    waiting: Arc<AtomicUsize>,
}

/// Receives what [`Inputs`] sent.
#[derive(Debug)]
pub(crate) struct InputQueue<T> {
    receiver: mpsc::UnboundedReceiver<T>,
    waiting: Arc<AtomicUsize>,
}

/// Why an input was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// The task is over.
    Ended,
    /// Too much waits.
    Full,
}

/// A task's queue and the way into it.
pub(crate) fn inputs<T>() -> (Inputs<T>, InputQueue<T>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let waiting = Arc::<AtomicUsize>::default();
    (Inputs { sender, waiting: Arc::clone(&waiting) }, InputQueue { receiver, waiting })
}

impl<T> Clone for Inputs<T> {
    fn clone(&self) -> Self {
        Self { sender: self.sender.clone(), waiting: Arc::clone(&self.waiting) }
    }
}

impl<T> Inputs<T> {
    /// A request of the application.
    pub(crate) fn ask(&self, input: T) -> Result<(), Refused> {
        self.send_below(MAX_ASKED, input)
    }

    /// News that may be dropped; `Err(Full)` says that they were.
    pub(crate) fn tell(&self, input: T) -> Result<(), Refused> {
        self.send_below(MAX_TOLD, input)
    }

    /// The end of something; gives it back where the task is over.
    pub(crate) fn end(&self, input: T) -> Result<(), T> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        self.sender.send(input).map_err(|error| error.0)
    }

    /// The same sender without keeping the queue open.
    pub(crate) fn downgrade(&self) -> WeakInputs<T> {
        WeakInputs { sender: self.sender.downgrade(), waiting: Arc::clone(&self.waiting) }
    }

    fn send_below(&self, limit: usize, input: T) -> Result<(), Refused> {
        if self.waiting.load(Ordering::Relaxed) >= limit {
            return Err(if self.sender.is_closed() { Refused::Ended } else { Refused::Full });
        }
        self.end(input).map_err(|_input| Refused::Ended)
    }
}

/// [`Inputs`] that end with the task.
#[derive(Debug)]
pub(crate) struct WeakInputs<T> {
    sender: mpsc::WeakUnboundedSender<T>,
    waiting: Arc<AtomicUsize>,
}

impl<T> WeakInputs<T> {
    pub(crate) fn upgrade(&self) -> Option<Inputs<T>> {
        Some(Inputs { sender: self.sender.upgrade()?, waiting: Arc::clone(&self.waiting) })
    }
}

impl<T> InputQueue<T> {
    /// The next input.
    pub(crate) async fn next(&mut self) -> Option<T> {
        let input = self.receiver.recv().await?;
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        Some(input)
    }

    /// Takes nothing more, and hands out what came before.
    pub(crate) fn close(&mut self) -> impl Iterator<Item = T> {
        self.receiver.close();
        std::iter::from_fn(|| self.receiver.try_recv().ok())
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_ASKED, MAX_TOLD, Refused, inputs};
    use crate::task::CallInput;

    fn news() -> CallInput {
        CallInput::JoinAgain
    }

    fn end() -> CallInput {
        CallInput::Replaced
    }

    #[tokio::test]
    async fn a_flood_is_refused_and_the_end_still_gets_through() {
        let (inputs, mut queue) = inputs();
        let taken = (0..1000).filter(|_| inputs.tell(news()).is_ok()).count();
        assert_eq!(taken, MAX_TOLD);
        assert_eq!(inputs.ask(news()), Err(Refused::Full));
        assert!(inputs.end(end()).is_ok());

        for _ in 0..=MAX_TOLD {
            assert!(queue.next().await.is_some());
        }
        let asked = (0..1000).filter(|_| inputs.ask(news()).is_ok()).count();
        assert_eq!(asked, MAX_ASKED);
    }

    #[tokio::test]
    async fn a_call_that_is_over_takes_nothing() {
        let (inputs, queue) = inputs();
        drop(queue);
        assert_eq!(inputs.tell(news()), Err(Refused::Ended));
        assert!(inputs.end(end()).is_err());
    }
}
