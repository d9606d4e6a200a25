use std::collections::VecDeque;
use std::sync::Arc;

use model::{Notification, Operation};

use crate::{CommandId, Effect, Rejection, Reply};

/// The effects of one input, handed out in the order of promise: first what is to be kept, all in one run, then the
/// answers that rest on it, then the acts.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    /// The call's state after the input; however often it changed, it is kept once.
    call: Option<Arc<model::Call>>,
    stored: VecDeque<Effect>,
    replies: VecDeque<Effect>,
    acts: VecDeque<Effect>,
}

impl Pending {
    pub(crate) fn persist(&mut self, call: Arc<model::Call>) {
        self.call = Some(call);
    }

    pub(crate) fn persist_operation(&mut self, operation: Operation) {
        self.stored.push_back(Effect::PersistOperation(Box::new(operation)));
    }

    pub(crate) fn notify(&mut self, notification: Notification) {
        self.stored.push_back(Effect::Notify(Box::new(notification)));
    }

    pub(crate) fn reply(&mut self, command: CommandId, reply: Result<Reply, Rejection>) {
        self.replies.push_back(Effect::Reply { command, reply });
    }

    pub(crate) fn act(&mut self, act: Effect) {
        self.acts.push_back(act);
    }

    pub(crate) fn pop(&mut self) -> Option<Effect> {
        self.call
            .take()
            .map(Effect::Persist)
            .or_else(|| self.stored.pop_front())
            .or_else(|| self.replies.pop_front())
            .or_else(|| self.acts.pop_front())
    }
}
