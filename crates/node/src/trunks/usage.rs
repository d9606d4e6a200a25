use std::sync::Arc;
use std::time::Duration;

use model::{AppId, TrunkUsage};
use store::{StoreError, TrunkUsageStore};
use tokio::sync::Notify;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use super::{Trunks, WeakTrunks};

/// How often the time of calls that go on is kept: what a crash forgets at the most.
const PAUSE: Duration = Duration::from_secs(60);

/// How long a call waits for the store before it begins. A commit takes some milliseconds.
const PATIENCE: Duration = Duration::from_secs(1);

/// What applications have used of this day, as it outlives the process.
pub(super) struct Kept {
    store: Arc<dyn TrunkUsageStore>,
    /// Something was used that is not kept.
    is_unkept: Arc<Notify>,
}

impl Kept {
    pub(super) fn new(store: Arc<dyn TrunkUsageStore>) -> Self {
        Self { store, is_unkept: Arc::default() }
    }

    /// The next round is due now.
    pub(super) fn hurry(&self) {
        self.is_unkept.notify_one();
    }
}

impl Trunks {
    /// Takes in what was used of this day before the server was started again.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub(crate) async fn restore_usage(&self) -> Result<(), StoreError> {
        let day = TrunkUsage::day_of(self.0.clock.now());
        let used = self.0.kept.store.trunk_usage(day).await?;
        self.with(|state, now| used.iter().for_each(|usage| state.dialler.restore(usage, now)));
        Ok(())
    }

    /// Keeps that an application makes a call, before anybody is called: else a crash at every call would make any
    /// number of them.
    ///
    /// A store that fails does not stop the call: what is used is known as long as the process lives, and the next round
    /// tries again. Only both together, the store failing and the process ending, let a call go uncounted; that is less
    /// harm than no calls whenever a disk is slow.
    pub(super) async fn keep_beginning(&self, app: &AppId) {
        match timeout(PATIENCE, self.keep(app)).await {
            Ok(()) => {}
            Err(_elapsed) => tracing::warn!(app.id = %app, "a call begins before it is kept that it counts"),
        }
    }

    /// What the calls that go on have used is to be kept, too.
    pub(super) fn note_calls(&self) {
        let mut state = self.state();
        let going_on: Vec<AppId> = state.made.values().map(|made| made.app.clone()).collect();
        state.unkept.extend(going_on);
    }

    /// Keeps what is not kept yet.
    pub(super) async fn keep_usage(&self) {
        let unkept = std::mem::take(&mut self.state().unkept);
        // All are asked for at once, so that the store may keep them at once.
        let asked: Vec<_> = unkept.iter().map(|app| self.keep(app)).collect();
        for kept in asked {
            kept.await;
        }
    }

    fn keep(&self, app: &AppId) -> impl Future<Output = ()> + Send {
        let usage = self.with(|state, now| state.dialler.usage(app, now));
        let kept = self.0.kept.store.keep_trunk_usage(usage);
        async move {
            if let Err(error) = kept.await {
                tracing::warn!(app.id = %app, %error, "failed to keep what an application has used of trunks");
                self.state().unkept.insert(app.clone());
            }
        }
    }

    /// What keeps usage beside calls, until the node is gone or leaves.
    pub(super) fn keeping(&self) -> impl Future<Output = ()> + Send + 'static {
        keep_often(self.downgrade(), Arc::clone(&self.0.kept.is_unkept), self.0.stop.clone())
    }
}

async fn keep_often(trunks: WeakTrunks, is_unkept: Arc<Notify>, stop: CancellationToken) {
    let mut rounds = interval(PAUSE);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let is_round = tokio::select! {
            () = is_unkept.notified() => false,
            _ = rounds.tick() => true,
            () = stop.cancelled() => return,
        };
        let Some(trunks) = trunks.upgrade() else { return };
        if is_round {
            trunks.note_calls();
        }
        trunks.keep_usage().await;
    }
}
