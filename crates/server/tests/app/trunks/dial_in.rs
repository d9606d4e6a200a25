//! Callers of the phone network dial in to meetings.

use std::time::Duration;

use serde_json::{Value, json};
use testkit::{Caller, Carrier, Kamailio, Options, Script, User};

use super::{Places, directory, settle, trunk};
use crate::dial_in::{assert_tone, heard_by, in_roster, joins};
use crate::support::Stage;

/// By which the tenant's meetings are reached.
const DIAL_IN: &str = "+12345678800";
const CALLER: &str = "+12025550100";
const TONE_HZ: f32 = 440.0;
/// Long enough for everything that is done in a call.
const TALK: Duration = Duration::from_secs(16);

/// A tenant with a number to dial in by, and a meeting in whose lobby guests wait.
async fn stage(places: &Places) -> (Stage, Kamailio) {
    let john = User::JOHN.id;
    let meeting = format!(
        "[[meetings]]\ntenants=['{}']\nthread='19:meeting_d2Vla2x5@thread.v2'\norganizer='{john}'\n\
         join-meeting-id='1234567'\npasscode='psw123'\nlobby-bypass='organization'\n",
        testkit::App::CONTOSO
    );
    let trunk = trunk("carrier", places.proxy(), "");
    let known = directory("", &format!("{trunk}{meeting}"));
    let named = "[[tenants]]\n";
    assert!(known.starts_with(named), "a tenant comes first");
    let known = known.replacen(named, &format!("{named}dial-in-numbers=['{DIAL_IN}']\n"), 1);
    let stage = Stage::with(Options::new().directory(&known)).await;
    let proxy = places.proxy_for(&stage, None).await;
    (stage, proxy)
}

/// Somebody in the lobby, once it has keyed in id and passcode.
async fn waiting(stage: &Stage, call: &str, carrier: &mut Carrier) -> Value {
    carrier.speak(TONE_HZ).await;
    carrier.hear(500).await;
    carrier.press("1234567#");
    carrier.hear(3_000).await;
    carrier.press("779123#");
    in_roster(stage, call, "a caller in the lobby", |it| it["isInLobby"] == true).await
}

#[tokio::test]
async fn a_caller_is_shown_by_its_number_and_is_heard_once_it_is_let_in() {
    let places = Places::take();
    let (stage, proxy) = stage(&places).await;
    let call = joins(&stage, "1234567", Some("psw123")).await;
    let script = Script::calling(&Caller::new(CALLER, DIAL_IN)).is_answered().waits(TALK).hangs_up();
    let mut carrier = Carrier::call(places.gateway(), proxy.address(), &script).await;
    let caller = waiting(&stage, &call, &mut carrier).await;
    assert_eq!(caller["info"]["identity"]["phone"]["id"], CALLER, "{caller}");
    let id = caller["id"].as_str().expect("an id");
    let admit = format!("/beta/communications/calls/{call}/participants/{id}/admitFromLobby");
    stage.bot.post(&admit, &json!({})).await.expect(204);
    assert_tone(&heard_by(&stage, &call).await);
    carrier.finish().await;
    stage.webhook.expect_roster(&call, "nobody else again", |those| those.len() == 1).await;
    stage.end(&call).await;
    settle(&stage).await;
}

#[tokio::test]
async fn a_caller_who_withholds_the_number_is_anonymous_and_can_be_sent_away() {
    let places = Places::take();
    let (stage, proxy) = stage(&places).await;
    let call = joins(&stage, "1234567", Some("psw123")).await;
    let caller = Caller::new("anonymous", DIAL_IN).with("Privacy", "id");
    let caller = Caller { asserted: Some(CALLER.to_owned()), ..caller };
    let script = Script::calling(&caller).is_answered().is_hung_up_on();
    let mut carrier = Carrier::call(places.gateway(), proxy.address(), &script).await;
    let caller = waiting(&stage, &call, &mut carrier).await;
    let phone = &caller["info"]["identity"]["phone"];
    assert_eq!((&phone["id"], &phone["displayName"]), (&json!("anonymous"), &json!("Anonymous")), "{caller}");
    let id = caller["id"].as_str().expect("an id");
    let remove = format!("/beta/communications/calls/{call}/participants/{id}/removeFromLobby");
    stage.bot.post(&remove, &json!({})).await.expect(204);
    carrier.finish().await;
    stage.end(&call).await;
    settle(&stage).await;
}
