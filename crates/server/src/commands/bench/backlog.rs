use std::net::SocketAddr;
use std::path::Path;

use ::settings::{Profile, Settings, Sources};
use anyhow::{Context as _, Result};
use call_engine::{Effect, EndCause, Input, LegEvent};
use graph_wire::{CreateCall, Limits};
use model::{IdSource, LegId};
use node::Clock;
use serde_json::json;
use store::Transaction;

use crate::app;
use crate::dev_tenant::{CALLING_BOT, CONTOSO, JOHN};

/// Calls that are written without waiting for those before: enough to share commits, fewer than the store queues.
const AT_ONCE: u32 = 500;

struct RandomIds;

impl IdSource for RandomIds {
    fn next_guid(&mut self) -> uuid::Uuid {
        identity::random_guid()
    }
}

/// Writes a database of calls that are over and of which nothing was delivered, as after an outage of a receiver;
/// returns how many notifications are owed.
pub(super) async fn write(data: &Path, calls: u32, receiver: SocketAddr) -> Result<usize> {
    let store = app::open_store(&settings(data)?, true)?;
    let (clock, mut owed) = (Clock::start(), 0);
    let mut left = calls;
    while left > 0 {
        let round = left.min(AT_ONCE);
        let mut commits = Vec::new();
        for _ in 0..round {
            let transaction = ended_call(receiver, clock)?;
            owed += transaction.notifications.len();
            commits.push(store.commit(transaction));
        }
        for commit in commits {
            commit.await.context("failed to write a call")?;
        }
        left -= round;
    }
    store.close().await;
    Ok(owed)
}

fn settings(data: &Path) -> Result<Settings> {
    let overrides = [("server.data_dir".to_owned(), data.display().to_string())];
    let sources = Sources {
        profile: Profile::Dev,
        file: None,
        environment: &[],
        other_variables: &[],
        overrides: &overrides,
    };
    Ok(::settings::load(sources)?.settings)
}

/// A whole call, as its engine tells it: created, answered, hung up.
fn ended_call(receiver: SocketAddr, clock: Clock) -> Result<Transaction> {
    let request = json!({
        "callbackUri": format!("http://{receiver}/callback"),
        "targets": [{"identity": {"user": {"displayName": "John", "id": JOHN}}}],
        "requestedModalities": ["audio"],
        "mediaConfig": {"@odata.type": "#microsoft.graph.serviceHostedMediaConfig"},
    });
    let limits =
        Limits { plain_http_hosts: [receiver.ip().to_string()].into_iter().collect(), ..Limits::default() };
    let request = CreateCall::decode(request.to_string().as_bytes(), &limits)?;
    let caller = graph_wire::Caller {
        app: CALLING_BOT.into(),
        app_name: "Calling Bot".to_owned(),
        tenant: CONTOSO.into(),
        scenario: None,
    };
    let new = request.into_new_call(caller, None).context("the call joins a meeting")?;
    let (now, config, mut ids) = (clock.now(), call_engine::Config::default(), RandomIds);
    let id = model::CallId::next(&mut ids);
    let mut call = call_engine::Call::create((id, new), LegId(1), config, now, &mut ids);
    call.handle(Input::Leg(LegEvent::Answered), now, &mut ids);
    call.handle(Input::Leg(LegEvent::Ended(EndCause::HungUp)), now, &mut ids);
    let mut transaction = Transaction::at(now);
    while let Some(effect) = call.poll_effect() {
        match effect {
            Effect::Notify(notification) => transaction.notifications.push(*notification),
            Effect::Persist(record) => transaction.call = Some(record),
            Effect::AnswerLeg { .. }
            | Effect::AskConference { .. }
            | Effect::CancelJob { .. }
            | Effect::CancelRedirect { .. }
            | Effect::CancelTransfer { .. }
            | Effect::ConnectRedirected { .. }
            | Effect::EndLeg { .. }
            | Effect::Ended
            | Effect::JoinConference { .. }
            | Effect::PersistOperation(_)
            | Effect::RedirectLeg { .. }
            | Effect::RejectLeg { .. }
            | Effect::Reply { .. }
            | Effect::RingLeg { .. }
            | Effect::StartJob { .. }
            | Effect::StartLeg { .. }
            | Effect::Transfer { .. } => {}
        }
    }
    Ok(transaction)
}

#[cfg(test)]
mod tests {
    use model::CallState;
    use node::Clock;

    use super::super::board::NOTIFICATIONS;
    use super::ended_call;

    #[test]
    fn a_call_of_the_backlog_is_over_and_owes_all_that_it_had_to_tell() {
        let transaction = ended_call(([127, 0, 0, 1], 9000).into(), Clock::start()).unwrap();
        assert_eq!(transaction.call.unwrap().state, CallState::Terminated);
        assert_eq!(transaction.notifications.len(), NOTIFICATIONS as usize);
        assert!(transaction.notifications.last().unwrap().is_last());
    }
}
