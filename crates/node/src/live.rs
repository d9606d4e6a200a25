//! The calls that are alive, and how many there may be.

use std::collections::BTreeMap;

use model::{AppId, CallId, Owner, UserId};

use crate::context::Config;
use crate::inputs::Inputs;
use crate::observer::CallLimit;
use crate::task::CallInput;

/// The calls that are alive.
#[derive(Default)]
pub(crate) struct LiveCalls {
    calls: BTreeMap<CallId, Live>,
    /// How many each application has; every new call asks.
    by_app: BTreeMap<AppId, usize>,
    /// How many the phones of each user have made, those to people included.
    by_user: BTreeMap<UserId, usize>,
    /// Calls of people to people and to meetings.
    direct: usize,
}

/// How a live call is reached.
#[derive(Clone)]
pub(crate) struct Live {
    pub(crate) owner: Owner,
    /// The user whose phone made it.
    pub(crate) caller: Option<UserId>,
    pub(crate) inputs: Inputs<CallInput>,
}

impl LiveCalls {
    pub(crate) fn insert(&mut self, id: CallId, live: Live) {
        *self.by_app.entry(live.owner.app.clone()).or_default() += 1;
        if let Some(caller) = &live.caller {
            *self.by_user.entry(caller.clone()).or_default() += 1;
        }
        self.calls.insert(id, live);
    }

    pub(crate) fn remove(&mut self, id: CallId) {
        let Some(live) = self.calls.remove(&id) else { return };
        count_down(&mut self.by_app, &live.owner.app);
        if let Some(caller) = &live.caller {
            count_down(&mut self.by_user, caller);
        }
    }

    /// One call has the phone of another one from here on, and counts for its user in that one's stead.
    pub(crate) fn move_caller(&mut self, from: CallId, to: CallId) {
        let Some(caller) = self.calls.get_mut(&from).and_then(|live| live.caller.take()) else { return };
        match self.calls.get_mut(&to) {
            Some(live) => live.caller = Some(caller),
            None => count_down(&mut self.by_user, &caller),
        }
    }

    /// Counts a call without an application, made by a user's phone or by somebody in the phone network.
    pub(crate) fn begin_direct(&mut self, caller: Option<&UserId>) {
        self.direct += 1;
        if let Some(caller) = caller {
            *self.by_user.entry(caller.clone()).or_default() += 1;
        }
    }

    pub(crate) fn end_direct(&mut self, caller: Option<&UserId>) {
        self.direct -= 1;
        if let Some(caller) = caller {
            count_down(&mut self.by_user, caller);
        }
    }

    pub(crate) fn get(&self, id: CallId) -> Option<&Live> {
        self.calls.get(&id)
    }

    pub(crate) fn count(&self) -> usize {
        self.calls.len()
    }

    pub(crate) fn of_app(&self, app: &AppId) -> usize {
        self.by_app.get(app).copied().unwrap_or(0)
    }

    /// Whether there may be one more.
    pub(crate) fn ensure_room(&self, config: &Config) -> Result<(), CallLimit> {
        let is_room = self.calls.len() + self.direct < config.max_calls;
        if is_room { Ok(()) } else { Err(CallLimit::Server) }
    }

    /// The same where a phone calls an application.
    pub(crate) fn ensure_room_at(&self, app: &AppId, config: &Config) -> Result<(), CallLimit> {
        self.ensure_room(config)?;
        if self.of_app(app) < config.max_calls_per_app { Ok(()) } else { Err(CallLimit::Application) }
    }

    /// Whether the phones of a user may make one more.
    pub(crate) fn ensure_room_of(&self, caller: &UserId, config: &Config) -> Result<(), CallLimit> {
        let count = self.by_user.get(caller).copied().unwrap_or(0);
        if count < config.max_calls_per_user { Ok(()) } else { Err(CallLimit::User) }
    }
}

fn count_down<K: Ord>(counts: &mut BTreeMap<K, usize>, key: &K) {
    let Some(count) = counts.get_mut(key) else { return };
    *count -= 1;
    if *count == 0 {
        counts.remove(key);
    }
}
