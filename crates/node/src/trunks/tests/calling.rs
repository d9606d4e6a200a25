use std::sync::atomic::Ordering;
use std::time::Duration;

use call_engine::EndCause;
use model::{Trunk, TrunkAccount, TrunkSecret};
use sip_message::Method;
use trunk::Denied;

use super::{Bench, CALLED, CALLER, Carrier, PATIENT, SDP};
use crate::far_end::FarEndEvent;

#[tokio::test]
async fn a_call_goes_on_to_the_next_trunk_and_is_answered_there() {
    let (mut first, mut second) = (Carrier::open().await, Carrier::open().await);
    let bench = Bench::new([first.trunk("a", 1), second.trunk("b", 2)], PATIENT).await;
    let mut call = bench.call();
    let invite = first.request(Method::Invite).await;
    assert_eq!(invite.uri.user().as_deref(), Some(CALLED));
    assert_eq!(invite.headers.from().unwrap().uri.user().as_deref(), Some(CALLER));
    assert_eq!(invite.headers.from().unwrap().display.as_deref(), Some("Contoso"));
    let asserted = invite.headers.asserted_identities().unwrap();
    assert_eq!(asserted.first().and_then(|address| address.uri.user()).as_deref(), Some(CALLER));
    first.reply(&invite, 503, &[], "").await;

    let invite = second.request(Method::Invite).await;
    assert_eq!(invite.body, SDP);
    second.reply(&invite, 183, &[], SDP).await;
    assert!(matches!(call.next().await, FarEndEvent::Ringing));
    second.reply(&invite, 200, &[], SDP).await;
    let mut answered = call.next().await;
    while matches!(answered, FarEndEvent::Ringing) {
        answered = call.next().await;
    }
    assert!(matches!(answered, FarEndEvent::Answered { sdp, source: None } if sdp == SDP));
    second.request(Method::Ack).await;
    assert_eq!(bench.calls(), 1);

    call.far_end.hang_up();
    let bye = second.request(Method::Bye).await;
    second.reply(&bye, 200, &[], "").await;
    assert_eq!(call.end().await, EndCause::LocalHangUp);
    assert_eq!(bench.calls(), 0);
}

#[tokio::test]
async fn a_peer_that_says_nothing_is_given_up_and_its_late_answer_hung_up_on() {
    let (mut silent, mut second) = (Carrier::open().await, Carrier::open().await);
    let bench = Bench::new([silent.trunk("a", 1), second.trunk("b", 2)], Duration::from_millis(100)).await;
    let mut call = bench.call();
    let invite = second.request(Method::Invite).await;
    second.reply(&invite, 180, &[], "").await;
    assert!(matches!(call.next().await, FarEndEvent::Ringing));
    let given_up = silent.request(Method::Invite).await;
    silent.reply(&given_up, 100, &[], "").await;
    silent.request(Method::Cancel).await;
}

#[tokio::test]
async fn a_peer_that_answers_at_once_has_said_something() {
    let mut carrier = Carrier::open().await;
    let bench = Bench::new([carrier.trunk("a", 1)], Duration::from_millis(100)).await;
    let mut call = bench.call();
    let invite = carrier.request(Method::Invite).await;
    carrier.reply(&invite, 200, &[], SDP).await;
    assert!(matches!(call.next().await, FarEndEvent::Answered { .. }));
    carrier.request(Method::Ack).await;
    // Another call that nothing is said to is given up later than the first one would be.
    assert_eq!(bench.call().end().await, EndCause::PhoneNetwork(408));
    call.far_end.hang_up();
    let bye = carrier.request(Method::Bye).await;
    carrier.reply(&bye, 200, &[], "").await;
    assert_eq!(call.end().await, EndCause::LocalHangUp);
}

#[tokio::test]
async fn whoever_has_hung_up_is_not_called_for_elsewhere() {
    let (mut first, second) = (Carrier::open().await, Carrier::open().await);
    let bench = Bench::new([first.trunk("a", 1), second.trunk("b", 2)], PATIENT).await;
    let mut call = bench.call();
    let invite = first.request(Method::Invite).await;
    call.far_end.hang_up();
    // It is on its way to the peer, which knows nothing of it yet.
    first.reply(&invite, 503, &[], "").await;
    assert_eq!(call.end().await, EndCause::LocalHangUp);
    assert_eq!(bench.calls(), 0);
    let mut buffer = [0; 1];
    assert!(second.socket.try_recv(&mut buffer).is_err(), "nobody is called there");
}

#[tokio::test]
async fn what_the_number_says_ends_the_call_with_its_status() {
    for (status, told) in [(404, 404), (480, 480), (486, 486), (500, 500), (603, 603), (302, 480)] {
        let (mut first, second) = (Carrier::open().await, Carrier::open().await);
        let bench = Bench::new([first.trunk("a", 1), second.trunk("b", 2)], PATIENT).await;
        let mut call = bench.call();
        let invite = first.request(Method::Invite).await;
        first.reply(&invite, status, &[], "").await;
        assert_eq!(call.end().await, EndCause::PhoneNetwork(told));
        assert_eq!(bench.calls(), 0);
    }
}

#[tokio::test]
async fn a_call_that_rings_is_not_made_again_elsewhere() {
    let (mut first, second) = (Carrier::open().await, Carrier::open().await);
    let bench = Bench::new([first.trunk("a", 1), second.trunk("b", 2)], PATIENT).await;
    let mut call = bench.call();
    let invite = first.request(Method::Invite).await;
    first.reply(&invite, 180, &[], "").await;
    assert!(matches!(call.next().await, FarEndEvent::Ringing));
    first.reply(&invite, 503, &[], "").await;
    assert_eq!(call.end().await, EndCause::PhoneNetwork(503));
}

#[tokio::test]
async fn whoever_gives_up_before_an_answer_cancels_and_frees_the_place() {
    let mut carrier = Carrier::open().await;
    let bench = Bench::new([carrier.trunk("a", 1)], PATIENT).await;
    let mut call = bench.call();
    let invite = carrier.request(Method::Invite).await;
    carrier.reply(&invite, 180, &[], "").await;
    assert!(matches!(call.next().await, FarEndEvent::Ringing));
    drop(call.far_end);
    let cancel = carrier.request(Method::Cancel).await;
    carrier.reply(&cancel, 200, &[], "").await;
    let cause = call.reports.next().await.map(|report| report.event);
    assert!(matches!(cause, Some(FarEndEvent::Ended(EndCause::LocalHangUp))), "{cause:?}");
    assert_eq!(bench.calls(), 0);
}

#[tokio::test]
async fn a_challenge_is_answered_with_the_account() {
    let mut carrier = Carrier::open().await;
    let account = TrunkAccount {
        username: "customer".to_owned(),
        secret: TrunkSecret::Password("secret".to_owned()),
        registration: None,
    };
    let trunk = Trunk { account: Some(account), ..carrier.trunk("a", 1) };
    let bench = Bench::new([trunk], PATIENT).await;
    let mut call = bench.call();
    let invite = carrier.request(Method::Invite).await;
    let challenge = "Digest realm=\"carrier.example\", nonce=\"n\", algorithm=MD5, qop=\"auth\"";
    carrier.reply(&invite, 401, &[("WWW-Authenticate", challenge)], "").await;
    let invite = loop {
        let again = carrier.request(Method::Invite).await;
        if again.headers.has("Authorization") {
            break again;
        }
    };
    assert!(invite.headers.get("Authorization").unwrap().contains("username=\"customer\""));
    carrier.reply(&invite, 486, &[], "").await;
    assert_eq!(call.end().await, EndCause::PhoneNetwork(486));
}

#[tokio::test]
async fn a_denied_call_is_counted_by_its_reason() {
    let carrier = Carrier::open().await;
    let bench = Bench::new([carrier.trunk("a", 1)], PATIENT).await;
    assert_eq!(bench.plan("+12015550199").unwrap_err(), Denied::ForbiddenPrefix);
    assert_eq!(*bench.seen.denied.lock().unwrap(), ["forbidden_prefix"]);
    assert_eq!(bench.seen.others.load(Ordering::Relaxed), 0);
}
