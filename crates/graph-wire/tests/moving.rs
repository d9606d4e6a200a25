//! What applications do with calls that come in, and how they hand callers over: the documented bodies, and bodies that
//! are not right. Tests of documented ones name the page and its example.

#![expect(clippy::unwrap_used, reason = "a test fails by it")]

use std::time::Duration;

use graph_wire::{AnswerCall, InvalidRequest, Limits, MediaConfig, RedirectCall, RejectCall, TransferCall};
use model::{Callee, Modality, ParticipantId, Person, RejectReason, Transferee};
use proptest::prelude::*;
use serde_json::{Value, json};

const HEIDI: &str = "550fae72-d251-43ec-868c-373732c2704f";
const CALLBACK: &str = "https://bot.contoso.com/api/calls/24701998-1a73-4d42-8085-bf46ed0ae039";

macro_rules! decoders {
    ($($name:ident: $action:ident),*) => {
        $( fn $name(body: &Value) -> Result<$action, InvalidRequest> {
            $action::decode(body.to_string().as_bytes(), &Limits::default())
        } )*
    };
}

decoders!(answer: AnswerCall, reject: RejectCall, redirect: RedirectCall, transfer: TransferCall);

fn are_refused<T: std::fmt::Debug>(decode: fn(&Value) -> Result<T, InvalidRequest>, cases: &[(Value, &str)]) {
    for (body, expected) in cases {
        assert_eq!(decode(body).unwrap_err().to_string(), *expected, "{body}");
    }
}

fn named(kind: &str, id: &str) -> Value {
    json!({
        "@odata.type": "#microsoft.graph.invitationParticipantInfo",
        "identity": {"@odata.type": "#microsoft.graph.identitySet", kind: {"displayName": "test", "id": id}},
    })
}

#[test]
fn a_documented_answer_is_taken_with_everything_that_it_says() {
    // call-answer, the first example: callbackUri-value stands for an address.
    let action = answer(&json!({
        "callbackUri": CALLBACK,
        "mediaConfig": {
            "@odata.type": "#microsoft.graph.appHostedMediaConfig",
            "blob": "<Media Session Configuration Blob>",
        },
        "acceptedModalities": ["audio"],
        "callOptions": {
            "@odata.type": "#microsoft.graph.incomingCallOptions",
            "isContentSharingNotificationEnabled": true,
        },
        "participantCapacity": 200,
    }))
    .unwrap();
    assert!(action.is_app_hosted());
    assert_eq!(action.participant_capacity, Some(200));
    let options = action.call_options.clone().unwrap();
    assert_eq!(options.is_content_sharing_notification_enabled, Some(true));
    let answered = model::Answer::from(action);
    assert_eq!(answered.callback_uri.as_deref(), Some(CALLBACK));
    assert_eq!(answered.accepted_modalities, [Modality::Audio]);
}

#[test]
fn a_documented_answer_with_media_of_the_service_is_taken() {
    // call-answer, example 1.
    let action = answer(&json!({
        "callbackUri": "https://bot.contoso.com/api/calls",
        "acceptedModalities": ["audio"],
        "mediaConfig": {
            "@odata.type": "#microsoft.graph.serviceHostedMediaConfig",
            "preFetchMedia": [
                {"uri": "https://cdn.contoso.com/beep.wav", "resourceId": "1D6DE2D4-CD51-4309-8DAA-70768651088E"},
                {"uri": "https://cdn.contoso.com/cool.wav", "resourceId": "1D6DE2D4-CD51-4309-8DAA-70768651088F"},
            ],
        },
    }))
    .unwrap();
    assert!(
        matches!(action.media_config, MediaConfig::ServiceHosted { pre_fetch_media, .. } if pre_fetch_media.len() == 2)
    );
}

#[test]
fn an_answer_may_leave_out_everything_but_who_hosts_the_media() {
    let action =
        answer(&json!({"mediaConfig": {"@odata.type": "#microsoft.graph.serviceHostedMediaConfig"}}))
            .unwrap();
    assert_eq!((action.callback_uri, action.call_options), (None, None));
    assert_eq!(action.accepted_modalities, [Modality::Audio]);
}

#[test]
fn an_answer_that_is_not_right_is_refused_by_its_place() {
    let media = json!({"blob": "x"});
    are_refused(
        answer,
        &[
            (json!({}), "mediaConfig: expected a value: the member is required"),
            (
                json!({"mediaConfig": media, "callbackUri": "http://bot.contoso.com/"}),
                "callbackUri: expected an absolute https URL",
            ),
            (
                json!({"mediaConfig": media, "acceptedModalities": ["unknown"]}),
                "acceptedModalities[0]: expected one of audio, video, videoBasedScreenSharing, data",
            ),
            (
                json!({"mediaConfig": media, "callOptions": {"@odata.type": "#microsoft.graph.outgoingCallOptions"}}),
                "callOptions.@odata.type: expected #microsoft.graph.incomingCallOptions",
            ),
            (
                json!({"mediaConfig": media, "participantCapacity": 0}),
                "participantCapacity: expected at least 1",
            ),
        ],
    );
}

#[test]
fn a_documented_rejection_is_taken_in_every_spelling() {
    // call-reject, examples 1 and 2; its table has capitals.
    let reasons = [
        ("busy", RejectReason::Busy),
        ("none", RejectReason::None),
        ("None", RejectReason::None),
        ("Busy", RejectReason::Busy),
        ("Forbidden", RejectReason::Forbidden),
    ];
    for (written, reason) in reasons {
        assert_eq!(reject(&json!({"reason": written})).unwrap().reason, reason);
    }
    let empty = RejectCall::decode(b"", &Limits::default()).unwrap();
    assert_eq!(empty, RejectCall { reason: RejectReason::None, callback_uri: None });
    are_refused(
        reject,
        &[
            (json!({"reason": "unknownFutureValue"}), "reason: expected one of none, busy, forbidden"),
            (json!({"callbackUri": "/here"}), "callbackUri: expected an absolute https URL"),
        ],
    );
}

#[test]
fn a_documented_redirect_to_an_application_is_taken_and_rings_for_55_seconds() {
    // call-redirect, example 1.
    let body = json!({
        "targets": [named("application", "22bfd41f-550e-477d-8789-f6f7bd2a5e8b")],
        "callbackUri": CALLBACK,
    });
    let sent_on = redirect(&body).unwrap().into_redirect();
    assert_eq!(sent_on.timeout, Duration::from_secs(55));
    assert_eq!(sent_on.callback_uri.as_deref(), Some(CALLBACK));
    let application = Callee::Application("22bfd41f-550e-477d-8789-f6f7bd2a5e8b".into());
    assert_eq!(sent_on.targets[0].callee, application);
    assert!(sent_on.targets[0].target.identity.application.is_some(), "shown as it was sent");
}

#[test]
fn a_documented_redirect_to_several_is_taken_and_rings_for_60_seconds() {
    // call-redirect, example 2, with routing policies that no type declares.
    let body = json!({
        "targets": [
            named("user", "98da8a1a-1b87-452c-a713-65d3f10b1253"),
            named("user", "bf5aae9a-d11d-47a8-93b1-782504c9c3f3"),
        ],
        "routingPolicies": ["disableForwarding"],
        "callbackUri": CALLBACK,
    });
    let sent_on = redirect(&body).unwrap().into_redirect();
    assert_eq!((sent_on.targets.len(), sent_on.timeout), (2, Duration::from_secs(60)));
    let instance = redirect(&json!({"targets": [named("applicationInstance", "i")]})).unwrap();
    let instance = instance.into_redirect().targets.remove(0).callee;
    assert_eq!(instance, Callee::ApplicationInstance("i".to_owned()));
}

#[test]
fn a_call_is_sent_on_and_transferred_to_phone_numbers() {
    // call-redirect, example 3; call-transfer, examples 3 and 4.
    let phone = named("phone", "+12345678901");
    let sent_on = redirect(&json!({"targets": [named("user", "u"), phone]})).unwrap();
    let number = "+12345678901".parse().unwrap();
    assert_eq!(sent_on.into_redirect().targets[1].callee, Callee::Phone(number));
    let mut target = phone;
    target["languageId"] = json!("en-us");
    target["region"] = json!("amer");
    target["replacesCallId"] = json!("e5d39592-99bd-4db8-bca8-30fb894ec51d");
    let moved = transfer(&json!({"transferTarget": target, "clientContext": "9e90d1c1"})).unwrap();
    let moved = moved.into_transfer();
    assert!(moved.is_consultative());
    assert_eq!(moved.target.callee, Person::Phone(number));
}

#[test]
fn a_redirect_outside_the_documented_limits_is_refused() {
    let targets = |count: usize| vec![named("user", "u"); count];
    for timeout in [15, 90] {
        assert!(redirect(&json!({"targets": targets(25), "timeout": timeout})).is_ok());
    }
    let range = "timeout: expected 15 to 90 seconds";
    let mut two = named("user", "u");
    two["identity"]["application"] = json!({"id": "a"});
    are_refused(
        redirect,
        &[
            (json!({}), "targets: expected at least one item"),
            (json!({"targets": []}), "targets: expected at least one item"),
            (json!({"targets": targets(26)}), "targets: expected at most 25 items"),
            (json!({"targets": targets(1), "timeout": 14}), range),
            (json!({"targets": targets(1), "timeout": 91}), range),
            (json!({"targets": targets(1), "timeout": -15}), range),
            (
                json!({"targets": [two]}),
                "targets[0].identity: expected one of user, application, applicationInstance, phone",
            ),
            (
                json!({"targets": [{"identity": {}}]}),
                "targets[0].identity: expected one of user, application, applicationInstance, phone",
            ),
            (
                json!({"targets": [named("application", "")]}),
                "targets[0].identity.application.id: expected an id",
            ),
            (
                json!({"targets": [named("phone", "12")]}),
                "targets[0].identity.phone.id: expected an E.164 number with the plus, as +12015550123",
            ),
        ],
    );
}

fn heidi() -> Value {
    json!({
        "endpointType": "default",
        "identity": {"user": {"id": HEIDI, "displayName": "Heidi Steen"}},
    })
}

#[test]
fn a_documented_transfer_is_taken() {
    // call-transfer, example 1.
    let moved = transfer(&json!({"transferTarget": heidi()})).unwrap().into_transfer();
    assert_eq!(moved.target.callee, HEIDI.into());
    assert!(!moved.is_consultative() && moved.transferee.is_none());
}

#[test]
fn a_documented_consultative_transfer_names_the_call_that_it_replaces() {
    // call-transfer, example 2, and the example of an older page.
    for replaced in ["e5d39592-99bd-4db8-bca8-30fb894ec51d", "replacesCallId-value"] {
        let mut target = heidi();
        target["replacesCallId"] = json!(replaced);
        let body = json!({"transferTarget": target, "clientContext": "9e90d1c1-f61e-43e7-9f75-d420159aae08"});
        let moved = transfer(&body).unwrap().into_transfer();
        assert!(moved.is_consultative());
        assert_eq!(moved.target.target.replaces_call_id.as_deref(), Some(replaced));
    }
}

#[test]
fn a_documented_transfer_out_of_a_group_call_names_its_transferee() {
    // call-transfer, example 5, with the brace that it lacks.
    let user = json!({"user": {
        "id": "751f6800-3180-414d-bd94-333364659951",
        "tenantId": "72f988bf-86f1-41af-91ab-2d7cd011db47",
    }});
    let id = "909c6581-5130-43e9-88f3-fcb3582cde37";
    let with = |transferee: Value| transfer(&json!({"transferTarget": heidi(), "transferee": transferee}));
    let by_id = Transferee::Participant(ParticipantId::parse(id).unwrap());
    assert_eq!(with(json!({"identity": user, "participantId": id})).unwrap().transferee, Some(by_id.clone()));
    assert_eq!(with(json!({"participantId": id})).unwrap().transferee, Some(by_id));
    let by_user = Transferee::User("751f6800-3180-414d-bd94-333364659951".into());
    assert_eq!(with(json!({"identity": user})).unwrap().transferee, Some(by_user));
}

#[test]
fn a_transfer_that_is_not_right_is_refused_by_its_place() {
    are_refused(
        transfer,
        &[
            (json!({}), "transferTarget: expected a value: the member is required"),
            (
                json!({"transferTarget": {"identity": {}}}),
                "transferTarget.identity: expected either a user or a phone",
            ),
            (
                json!({"transferTarget": heidi(), "transferee": {}}),
                "transferee.participantId: expected a value, or identity.user.id beside it",
            ),
            (
                json!({"transferTarget": heidi(), "transferee": {"participantId": "7"}}),
                "transferee.participantId: expected the id of a participant",
            ),
            (
                json!({"transferTarget": heidi(), "transferee": {"identity": 7, "participantId": "7"}}),
                "transferee.identity: expected an object",
            ),
        ],
    );
}

proptest! {
    #[test]
    fn no_body_makes_an_action_panic(
        name in prop::sample::select(vec!["targets", "timeout", "reason", "transferee", "acceptedModalities"]),
        value in "[\\[\\]{}\",:a-z0-9#. -]{0,30}",
    ) {
        let body = format!("{{\"{name}\": {value}}}");
        let limits = Limits::default();
        prop_assert!(AnswerCall::decode(body.as_bytes(), &limits).is_err(), "none of these says who hosts the media");
        prop_assert!(TransferCall::decode(body.as_bytes(), &limits).is_err(), "nor to whom");
        if let Ok(action) = RedirectCall::decode(body.as_bytes(), &limits) {
            prop_assert!((1..=25).contains(&action.targets.len()));
        }
        let _ = RejectCall::decode(body.as_bytes(), &limits);
    }
}
