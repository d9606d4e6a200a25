//! Calls that have no task any more are ended in the store.

use std::sync::Arc;
use std::time::Duration;

use call_engine::{Effect, recover};
use model::{CallId, Notification, Outcome};
use store::{LiveCall, Store, StoreError, Transaction};

use crate::clock::Clock;
use crate::context::Context;
use crate::ids::RandomIds;

/// Calls that are read, and ended together, at once.
const BATCH: usize = 256;

/// The longest pause between tries to end a call whose state could not be kept.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Ends the calls that a former process left alive; returns how many there were.
///
/// Belongs before the first new call, and before notifications go out, so that each call's `deleted` is its last.
///
/// # Errors
///
/// As the store's; what was ended before stays ended.
pub async fn end_orphans(store: &Arc<dyn Store>, clock: Clock) -> Result<usize, StoreError> {
    let (mut ended, mut after): (usize, Option<CallId>) = (0, None);
    loop {
        let orphans = store.live_calls(after, BATCH).await?;
        let Some(last) = orphans.last() else { return Ok(ended) };
        after = Some(last.call.id);
        // All are queued before the first is awaited, so that they share their fsyncs.
        let commits: Vec<_> = orphans
            .into_iter()
            .map(|orphan| store.commit(ending(orphan, Outcome::ServerRestarted, clock)))
            .collect();
        for commit in commits {
            commit.await?;
            ended += 1;
        }
    }
}

/// Ends a call whose state could not be kept, as soon as the store takes it: tries until it does, or is closed.
pub(crate) async fn end_later(context: Context, call: CallId) {
    let mut pause = Duration::from_secs(1);
    loop {
        match end_now(&context, call).await {
            Ok(owed) => return context.owed.offer(owed),
            Err(StoreError::Closed) => return,
            Err(error) => {
                tracing::warn!(call.id = %call, %error, "failed to end a call in the store; trying again")
            }
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

async fn end_now(context: &Context, id: CallId) -> Result<Vec<Notification>, StoreError> {
    let Some(call) = context.store.call(id).await? else { return Ok(Vec::new()) };
    let operations = context.store.operations(id).await?;
    let transaction = ending(LiveCall { call, operations }, Outcome::InternalError, context.clock);
    let owed = transaction.notifications.clone();
    if !transaction.is_empty() {
        context.store.commit(transaction).await?;
    }
    Ok(owed)
}

/// The transaction that ends a call; empty where it is over.
fn ending(live: LiveCall, outcome: Outcome, clock: Clock) -> Transaction {
    let call = live.call.id;
    let mut transaction = Transaction::at(clock.now());
    for effect in recover(live.call, live.operations, outcome, clock.now(), &mut RandomIds) {
        match effect {
            Effect::Persist(record) => transaction.call = Some(record),
            Effect::PersistOperation(operation) => transaction.operations.push((call, *operation)),
            Effect::Notify(notification) => transaction.notifications.push(*notification),
            Effect::AnswerLeg { .. }
            | Effect::AskConference { .. }
            | Effect::CancelJob { .. }
            | Effect::CancelRedirect { .. }
            | Effect::CancelTransfer { .. }
            | Effect::ConnectRedirected { .. }
            | Effect::EndLeg { .. }
            | Effect::Ended
            | Effect::JoinConference { .. }
            | Effect::RedirectLeg { .. }
            | Effect::RejectLeg { .. }
            | Effect::Reply { .. }
            | Effect::RingLeg { .. }
            | Effect::StartJob { .. }
            | Effect::StartLeg { .. }
            | Effect::Transfer { .. } => {}
        }
    }
    transaction
}
