//! What administrators see of the server, of all its tenants: everything below `/hookswitch/v1/console/`.
//!
//! | request | |
//! |---|---|
//! | `GET overview` | the server at a glance |
//! | `GET calls`, `GET calls/{id}`, `GET calls/{id}/timeline.json` | calls, and all that is known of one |
//! | `POST calls/{id}/notifications/{sequence}/resend` | posts a notification once more |
//! | `GET events` | what happens, as server-sent events |
//! | `GET meetings`, `GET users`, `GET trunks`, `GET applications` | who and what is known |
//! | `POST token` | a short-lived token of an application |
//! | `POST test-call` | a call that says something and hangs up |
//!
//! Whoever asks is signed in ([`crate::web`]), and an administrator of the directory; what changes something is logged with
//! who did it. Secrets are shown nowhere: tokens, keys, passwords and what connects an application's media are left out.

mod administrator;
mod applications;
mod calls;
mod events;
mod media;
mod meetings;
mod overview;
mod page;
mod resend;
mod secrets;
mod shown;
mod streams;
mod summary;
mod test_call;
mod timeline;
mod token;
mod trunks;
mod users;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use identity::Issuer;
use model::{Attempt, Notification};
use node::Counts;
use store::BoxFuture;
use trace::Recorder;

use crate::state::{AppState, Shared};

pub(crate) use self::streams::Streams;

/// What it takes to show the server to administrators.
pub struct Console {
    /// What is looked at.
    pub node: node::Console,
    /// How much there is of what.
    pub counts: Arc<dyn Fn() -> Counts + Send + Sync>,
    /// What happened to calls.
    pub recorder: Recorder,
    /// Posts notifications once more.
    pub resend: Arc<dyn Resend>,
    /// Issues tokens that live shortly; `None` where this server issues none.
    pub issuer: Option<Arc<Issuer>>,
    /// What a test call plays.
    pub greeting_uri: &'static str,
    /// Where the notifications of a test call go.
    pub sink_uri: &'static str,
}

/// Posts notifications once more.
pub trait Resend: Send + Sync {
    /// Posts it to that address, and says how that went; `None` where too many are under way.
    fn resend<'a>(&'a self, notification: Notification, uri: String) -> BoxFuture<'a, Option<Attempt>>;
}

/// The routes, for a server that has a console.
pub(crate) fn routes() -> Router<AppState> {
    let at = |path: &str| format!("/hookswitch/v1/console/{path}");
    Router::new()
        .route(&at("overview"), get(overview::read))
        .route(&at("calls"), get(calls::list))
        .route(&at("calls/{call}"), get(calls::read))
        .route(&at("calls/{call}/timeline.json"), get(calls::download))
        .route(&at("calls/{call}/notifications/{sequence}/resend"), post(resend::resend))
        .route(&at("events"), get(events::listen))
        .route(&at("meetings"), get(meetings::list))
        .route(&at("users"), get(users::list))
        .route(&at("trunks"), get(trunks::list))
        .route(&at("applications"), get(applications::list))
        .route(&at("token"), post(token::issue))
        .route(&at("test-call"), post(test_call::place))
}

/// The console of a server whose routes are served.
fn console(state: &Shared) -> Result<&Console, crate::error::ApiError> {
    state.api.console.as_ref().ok_or_else(|| graph_wire::GraphError::internal().into())
}
