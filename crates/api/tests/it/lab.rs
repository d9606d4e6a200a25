//! Calls of the lab: who may place and see them, and what is shown of them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use api::{Lab, LabCall, LabFault, LabFuture, LabMoment, LabState, LabStep, LabVerdict};
use axum::body::Body;
use http::Request;
use model::{CallId, Owner};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::app::{ANN, App, BASE, BOB, BOT, CONTOSO, FABRIKAM, JOHN, NOW, OTHER_BOT, refused, settings};

const PATH: &str = "/lab/v1/calls";

/// Calls that are placed and never go on.
#[derive(Default)]
struct FakeLab {
    placed: Mutex<BTreeMap<CallId, (Owner, LabCall)>>,
    hung_up: Mutex<Vec<CallId>>,
    fault: Mutex<Option<LabFault>>,
}

impl FakeLab {
    fn find(&self, owner: &Owner, id: CallId) -> Option<LabCall> {
        let placed = self.placed.lock().unwrap();
        placed.get(&id).filter(|(known, _)| known == owner).map(|(_, call)| call.clone())
    }
}

impl Lab for FakeLab {
    fn place<'a>(&'a self, owner: &'a Owner, call: LabCall) -> LabFuture<'a, CallId> {
        Box::pin(async move {
            if let Some(fault) = self.fault.lock().unwrap().take() {
                return Err(fault);
            }
            let id = CallId::from(Uuid::from_u128(1 << 64));
            self.placed.lock().unwrap().insert(id, (owner.clone(), call));
            Ok(id)
        })
    }

    fn call(&self, owner: &Owner, id: CallId) -> Option<LabState> {
        self.find(owner, id).map(|call| LabState {
            from: call.from,
            to: call.to,
            created_at: NOW,
            state: "over",
            happened: vec![LabMoment { at_ms: 120, is_in_call: true, text: "heard the tone".to_owned() }],
            verdict: Some(LabVerdict {
                failure: Some((300, "hung up".to_owned())),
                steps: vec![json!({"step": "dtmf 1"})],
            }),
        })
    }

    fn heard(&self, owner: &Owner, id: CallId) -> Option<Vec<u8>> {
        self.find(owner, id).map(|_| b"RIFF".to_vec())
    }

    fn hang_up(&self, owner: &Owner, id: CallId) -> bool {
        let is_known = self.find(owner, id).is_some();
        self.hung_up.lock().unwrap().extend(is_known.then_some(id));
        is_known
    }
}

fn stage() -> (App, Arc<FakeLab>) {
    let lab = Arc::<FakeLab>::default();
    (App::with_lab(settings(), Some(Arc::clone(&lab) as _)), lab)
}

fn body(from: &str) -> Value {
    json!({"from": from, "to": "sip:bot", "steps": [{"expectTone": 440}, {"dtmf": "1#"}]})
}

#[tokio::test]
async fn a_user_of_the_tenant_calls_and_the_call_is_shown_heard_and_ended() {
    let (app, lab) = stage();
    for from in [JOHN, "john", "john@contoso.example", "JOHN@contoso.example"] {
        let placed = app.post(PATH, &body(from)).await;
        assert_eq!(placed.status, 201, "{from}: {:?}", placed.body);
    }
    let (_, call) = lab.placed.lock().unwrap().first_key_value().map(|(_, call)| call.clone()).unwrap();
    assert_eq!((call.from.as_str(), call.to.as_str()), (JOHN, "sip:bot"));
    assert_eq!(call.steps, [LabStep::ExpectTone(440), LabStep::Dtmf("1#".to_owned())]);

    let placed = app.post(PATH, &body("john")).await;
    let location = placed.header("location").to_owned();
    let path = location.strip_prefix(BASE).unwrap();
    let shown = app.get(path).await;
    assert_eq!(shown.json(), placed.json());
    assert_eq!(
        shown.json(),
        json!({
            "id": path.rsplit('/').next(),
            "from": JOHN,
            "to": "sip:bot",
            "createdDateTime": NOW.to_string(),
            "state": "over",
            "happened": [{"atMs": 120, "isInCall": true, "text": "heard the tone"}],
            "verdict": "failed",
            "failure": {"atMs": 300, "text": "hung up"},
            "steps": [{"step": "dtmf 1"}],
            "heardLocation": format!("{location}/heard"),
        })
    );
    let heard = app.get(&format!("{path}/heard")).await;
    assert_eq!((heard.header("content-type"), &heard.body[..]), ("audio/wav", &b"RIFF"[..]));
    assert_eq!(app.bare("DELETE", path).await.status, 204);
    assert_eq!(lab.hung_up.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn who_calls_has_to_be_a_user_of_the_tokens_tenant() {
    let (app, lab) = stage();
    for from in [ANN, "ann@contoso.example", "nobody"] {
        assert_eq!(app.post(PATH, &body(from)).await.error(), refused(404, "itemNotFound"), "{from}");
    }
    let unknown_there = app.token_of(OTHER_BOT, CONTOSO, &[]);
    assert_eq!(app.post_as(&unknown_there, PATH, &body(BOB)).await.status, 403);
    assert!(lab.placed.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_call_of_another_application_or_tenant_does_not_exist() {
    let (app, _) = stage();
    let placed = app.post(PATH, &body(JOHN)).await;
    let path = placed.header("location").strip_prefix(BASE).unwrap().to_owned();
    for (bot, tenant) in [(OTHER_BOT, CONTOSO), (BOT, FABRIKAM)] {
        let token = app.token_of(bot, tenant, &[]);
        for path in [path.clone(), format!("{path}/heard")] {
            assert_eq!(app.get_as(&token, &path).await.status, 404, "{bot} {tenant} {path}");
        }
    }
    assert_eq!(app.get(&format!("{PATH}/no-guid")).await.status, 404);
    assert_eq!(app.bare("PATCH", &path).await.status, 405);
}

#[tokio::test]
async fn what_is_wrong_with_a_body_is_named_and_a_full_lab_says_when_to_come_again() {
    let (app, lab) = stage();
    let wrong = app.post(PATH, &json!({"from": "john", "to": "bot", "steps": [{"dance": 1}]})).await;
    assert_eq!(wrong.status, 400);
    assert!(wrong.message().contains("steps[0].dance: expected one of say"), "{}", wrong.message());
    *lab.fault.lock().unwrap() = Some(LabFault::Busy);
    let busy = app.post(PATH, &body(JOHN)).await;
    assert_eq!((busy.status.as_u16(), busy.header("retry-after")), (429, "5"));
    *lab.fault.lock().unwrap() = Some(LabFault::Unavailable("no ports".to_owned()));
    assert_eq!(app.post(PATH, &body(JOHN)).await.status, 503);
}

#[tokio::test]
async fn without_a_token_nothing_is_done_and_without_a_lab_nothing_is_there() {
    let (app, _) = stage();
    let request = || Request::post(PATH).body(Body::from(body(JOHN).to_string())).unwrap();
    assert_eq!(app.send(request()).await.status, 401);

    let app = App::new();
    assert_eq!(app.post(PATH, &body(JOHN)).await.status, 404);
    assert_eq!(app.get(&format!("{PATH}/1")).await.status, 404);
}
