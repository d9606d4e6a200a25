//! The BYE of a call that is over for this side (RFC 3261, 15.1.1). Only a challenge is answered, once: a far end that asks for a
//! password even here would otherwise hold the call.

use std::collections::BTreeMap;

use sip_message::{Method, Request, Response, StatusCode};

use crate::auth::{self, Challenged};
use crate::core::Core;
use crate::dialog::Dialog;
use crate::event::Credentials;
use crate::transaction::{ClientId, Outcome, Owner};

/// The dialogs whose BYE is on its way and may be challenged: never more than client transactions.
#[derive(Debug, Default)]
pub(crate) struct Farewells(BTreeMap<ClientId, Farewell>);

#[derive(Debug)]
struct Farewell {
    dialog: Dialog,
    credentials: Credentials,
    reason: Option<String>,
}

/// Ends a dialog. Beyond a challenge, what the far end answers changes nothing.
pub(super) fn send_bye(
    dialog: &mut Dialog,
    reason: Option<&str>,
    credentials: Option<&Credentials>,
    core: &mut Core,
) {
    let request = bye(dialog, reason);
    match credentials {
        None => drop(core.send_request(dialog.flow, request, Owner::Nobody)),
        Some(credentials) => {
            let id = core.send_request(dialog.flow, request, Owner::Farewell);
            let reason = reason.map(str::to_owned);
            let farewell = Farewell { dialog: dialog.clone(), credentials: credentials.clone(), reason };
            core.farewells.0.insert(id, farewell);
        }
    }
}

/// Takes what became of a BYE.
pub(crate) fn told(id: ClientId, outcome: &Outcome, core: &mut Core) {
    let Some(Farewell { mut dialog, credentials, reason }) = core.farewells.0.remove(&id) else { return };
    let Outcome::Response(response) = outcome else { return };
    if let Some(answers) = answers(response, &dialog, &credentials, core) {
        let mut request = bye(&mut dialog, reason.as_deref());
        for (name, value) in answers {
            request.headers.push(name, value);
        }
        core.send_request(dialog.flow, request, Owner::Nobody);
    }
}

fn answers(
    response: &Response,
    dialog: &Dialog,
    credentials: &Credentials,
    core: &mut Core,
) -> Option<Vec<(&'static str, String)>> {
    let asks =
        matches!(response.status, StatusCode::UNAUTHORIZED | StatusCode::PROXY_AUTHENTICATION_REQUIRED);
    let uri = dialog.ack(0).uri;
    let request = Challenged { method: &Method::Bye, uri: &uri };
    let mut answers = Vec::new();
    let is_answered = asks && auth::answer(response, request, credentials, &mut answers, &mut core.entropy);
    is_answered.then_some(answers)
}

fn bye(dialog: &mut Dialog, reason: Option<&str>) -> Request {
    let (mut request, _) = dialog.request(Method::Bye);
    if let Some(reason) = reason {
        request.headers.push("Reason", reason);
    }
    request
}
