//! Calls that come in: answered, rejected, sent on, or left to ring.

use std::time::Duration;

use crate::harness::{CountedIds, Harness, answer, new_incoming_call, redirect};
use call_engine::{
    Command, Config, Effect, EndCause, Input, LegEvent, RedirectEvent, Refusal, Rejection, Reply, recover,
};
use model::CallState::{Established, Establishing, Incoming, Redirecting, Terminated, Terminating};
use model::ChangeType::{Created, Deleted, Updated};
use model::{
    CallDirection, CallRoute, Identity, IdentitySet, LegId, MediaState, Modality, Outcome, RejectReason,
};

/// Something that ends a call.
type End = fn(&mut Harness);

const LEG: LegId = LegId(1);

/// What is done, without what is kept and answered.
fn acts(harness: &Harness) -> Vec<&Effect> {
    harness
        .effects
        .iter()
        .filter(|effect| !effect.is_stored() && !matches!(effect, Effect::Reply { .. }))
        .collect()
}

fn refused(why: Refusal) -> Effect {
    Effect::RejectLeg { leg: LEG, why }
}

fn redirected(names: &[&str]) -> Harness {
    let mut harness = Harness::incoming();
    assert_eq!(harness.command(Command::Redirect(redirect(names))), Ok(Reply::Done));
    harness
}

fn report(harness: &mut Harness, target: usize, event: RedirectEvent) {
    harness.input(Input::Redirect { target, event });
}

fn outcome(harness: &Harness) -> (i32, i32) {
    let info = harness.call.record().outcome.expect("the call has ended").result_info();
    (info.code, info.subcode)
}

/// Where each notification went.
fn addresses(harness: &Harness) -> Vec<&str> {
    harness
        .notifications()
        .into_iter()
        .map(|told| told.callback_uri.rsplit('/').next().unwrap_or(""))
        .collect()
}

#[test]
fn a_call_that_comes_in_is_told_as_created_at_the_webhook_and_rings() {
    let harness = Harness::incoming();
    let record = harness.call.record();
    assert_eq!((record.direction, record.state), (CallDirection::Incoming, Incoming));
    assert_eq!(harness.told_states(), [(Created, Incoming)]);
    assert_eq!(addresses(&harness), ["webhook"]);
    assert_eq!(acts(&harness), [&Effect::RingLeg { leg: LEG }]);
    assert!(record.is_tenant_shown && record.media_state.is_none());
}

#[test]
fn an_answered_call_is_established_once_the_caller_acknowledges() {
    let mut harness = Harness::incoming();
    assert_eq!(harness.command(answer()), Ok(Reply::Done));
    assert_eq!(acts(&harness).last(), Some(&&Effect::AnswerLeg { leg: LEG }));
    assert_eq!(harness.call.record().media_state, None);

    harness.leg(LegEvent::Answered);

    assert_eq!(harness.told_states(), [(Created, Incoming), (Updated, Establishing), (Updated, Established)]);
    assert_eq!(addresses(&harness), ["webhook", "answered", "answered"]);
    let record = harness.call.record();
    assert_eq!(record.media_state, Some(MediaState::Active));
    let incoming = record.incoming.as_ref().expect("it came in");
    assert_eq!(incoming.accepted_modalities, Some(vec![Modality::Audio]));
}

#[test]
fn a_second_answer_is_refused_and_the_first_one_holds() {
    let mut harness = Harness::incoming();
    assert!(harness.command(answer()).is_ok());
    for command in [
        answer(),
        Command::Reject { reason: RejectReason::Busy, callback_uri: None },
        Command::Redirect(redirect(&["ann"])),
    ] {
        assert_eq!(harness.command(command.clone()), Err(Rejection::NotIncoming));
        harness.leg(LegEvent::Answered);
        assert_eq!(harness.command(command), Err(Rejection::NotIncoming));
    }
    assert_eq!(harness.call.record().state, Established);
}

#[test]
fn an_answered_call_does_everything_that_any_other_does() {
    let mut harness = Harness::incoming();
    assert!(harness.command(answer()).is_ok());
    harness.leg(LegEvent::Answered);
    harness.play("hello");
    harness.advance(Config::default().keep_alive_timeout - Duration::from_secs(1));
    assert_eq!(harness.command(Command::KeepAlive), Ok(Reply::Done));

    harness.leg(LegEvent::Ended(EndCause::HungUp));

    assert_eq!(harness.call.record().outcome, Some(Outcome::EndedByPeer));
    assert_eq!(harness.told_operations().into_values().collect::<Vec<_>>(), [1]);
}

#[test]
fn a_rejected_call_ends_at_once_and_the_caller_is_told_why() {
    let reasons = [
        (RejectReason::None, Refusal::Declined, (603, 8538)),
        (RejectReason::Busy, Refusal::Busy, (486, 8539)),
        (RejectReason::Forbidden, Refusal::Forbidden, (403, 0)),
    ];
    for (reason, why, result) in reasons {
        let mut harness = Harness::incoming();
        let callback_uri = Some("https://bot.contoso.com/rejected".to_owned());
        assert_eq!(harness.command(Command::Reject { reason, callback_uri }), Ok(Reply::Done));
        assert_eq!(outcome(&harness), result);
        assert!(harness.call.record().outcome.is_some_and(Outcome::is_rejection));
        assert_eq!(harness.told_states(), [(Created, Incoming), (Deleted, Terminated)]);
        assert_eq!(addresses(&harness), ["webhook", "rejected"]);
        assert_eq!(acts(&harness)[1..], [&refused(why), &Effect::Ended]);
        assert_eq!(harness.command(answer()), Err(Rejection::Ended));
    }
}

#[test]
fn hanging_up_what_rings_rejects_it() {
    for mut harness in [Harness::incoming(), redirected(&["ann"])] {
        assert_eq!(harness.command(Command::HangUp), Ok(Reply::Done));
        assert_eq!(harness.call.record().outcome, Some(Outcome::Rejected));
        assert!(acts(&harness).contains(&&refused(Refusal::Declined)));
    }
}

#[test]
fn an_application_has_fifteen_seconds_and_not_a_millisecond_more() {
    let mut harness = Harness::incoming();
    harness.advance(Duration::from_millis(14_999));
    assert_eq!(harness.call.record().state, Incoming);
    assert_eq!(harness.command(Command::KeepAlive), Ok(Reply::Done), "which gives no more time");

    harness.advance(Duration::from_millis(1));

    assert_eq!(outcome(&harness), (408, 8587));
    assert_eq!(acts(&harness)[1..], [&refused(Refusal::NotAnswered), &Effect::Ended]);
    assert_eq!(harness.command(answer()), Err(Rejection::Ended));
    assert_eq!(harness.told_states(), [(Created, Incoming), (Deleted, Terminated)]);
}

#[test]
fn a_caller_who_hangs_up_first_ends_the_call_in_every_moment() {
    let mut ringing = Harness::incoming();
    let mut answering = Harness::incoming();
    assert!(answering.command(answer()).is_ok());
    for harness in [&mut ringing, &mut answering] {
        harness.leg(LegEvent::Ended(EndCause::HungUp));
        assert_eq!(outcome(harness), (487, 0));
        assert_eq!(harness.command(answer()), Err(Rejection::Ended), "an answer on its way comes too late");
        assert_eq!(acts(harness).last(), Some(&&Effect::Ended));
    }
    assert_eq!(ringing.told_states(), [(Created, Incoming), (Deleted, Terminated)]);
}

#[test]
fn each_other_end_before_the_two_are_connected_has_its_own_result() {
    let results = [
        (EndCause::AnsweredElsewhere, (487, 10003)),
        (EndCause::NotAcknowledged, (408, 1106)),
        (EndCause::MediaFailed, (500, 1005)),
        (EndCause::RefusedOffer, (488, 8500)),
        (EndCause::Internal, (500, 9999)),
    ];
    for (cause, result) in results {
        let mut harness = Harness::incoming();
        assert!(harness.command(answer()).is_ok());
        harness.leg(LegEvent::Ended(cause));
        assert_eq!(outcome(&harness), result, "{cause:?}");
    }
}

#[test]
fn an_answer_that_nobody_acknowledges_ends_the_call() {
    let mut harness = Harness::incoming();
    assert!(harness.command(answer()).is_ok());
    harness.advance(Config::default().answering_timeout);
    assert_eq!(harness.call.record().state, Terminating);
    assert_eq!(acts(&harness).last(), Some(&&Effect::EndLeg { leg: LEG }));
    harness.leg(LegEvent::Ended(EndCause::LocalHangUp));
    assert_eq!(outcome(&harness), (408, 1106));
}

#[test]
fn an_application_may_hang_up_and_may_lose_its_program_while_its_answer_is_on_its_way() {
    let ends: [(End, Outcome); 2] = [
        (|harness| assert!(harness.command(Command::HangUp).is_ok()), Outcome::EndedByBot),
        (|harness| harness.input(Input::ApplicationMediaLost), Outcome::MediaLost),
    ];
    for (end, outcome) in ends {
        let mut harness = Harness::incoming();
        assert!(harness.command(answer()).is_ok());
        end(&mut harness);
        harness.leg(LegEvent::Answered);
        harness.leg(LegEvent::Ended(EndCause::LocalHangUp));
        assert_eq!(harness.call.record().outcome, Some(outcome));
    }
}

#[test]
fn a_redirect_calls_all_at_once_and_tells_nothing_yet() {
    let harness = redirected(&["john", "ann"]);
    assert_eq!(harness.call.record().state, Redirecting);
    assert_eq!(harness.told_states(), [(Created, Incoming)]);
    let targets = redirect(&["john", "ann"]).targets;
    assert_eq!(acts(&harness)[1..], [&Effect::RedirectLeg { leg: LEG, targets }]);
    let kept = harness.effects.iter().rev().find_map(|effect| match effect {
        Effect::Persist(record) => Some(record.state),
        _ => None,
    });
    assert_eq!(kept, Some(Redirecting), "a restart finds it");
}

#[test]
fn whoever_answers_a_redirect_first_is_connected_and_shown() {
    let mut harness = redirected(&["john", "ann"]);
    report(&mut harness, 1, RedirectEvent::Answered);
    report(&mut harness, 0, RedirectEvent::Answered);
    assert_eq!(
        acts(&harness)[2..],
        [&Effect::ConnectRedirected { leg: LEG, target: 1 }, &Effect::Ended],
        "the caller is neither refused nor hung up"
    );
    let record = harness.call.record();
    let answered_by = record.answered_by.as_ref().expect("someone answered");
    assert_eq!(answered_by.identity, IdentitySet::user(Identity::of("ann")));
    assert_eq!(outcome(&harness), (200, 0));
    assert_eq!(harness.told_states(), [(Created, Incoming), (Deleted, Terminated)]);
}

#[test]
fn a_redirect_fails_once_all_have_and_the_caller_hears_what_people_said() {
    let cases = [
        ([EndCause::Busy, EndCause::NoEndpoint], Refusal::Busy, (486, 8539)),
        ([EndCause::NoAnswer, EndCause::Declined], Refusal::Declined, (603, 8538)),
        ([EndCause::NotFound, EndCause::NoAnswer], Refusal::NotAnswered, (487, 10004)),
        ([EndCause::NotFound, EndCause::NotFound], Refusal::NotFound, (404, 8543)),
        ([EndCause::Unreachable, EndCause::Internal], Refusal::Unavailable, (480, 10076)),
    ];
    for (causes, why, result) in cases {
        let mut harness = redirected(&["john", "ann"]);
        report(&mut harness, 0, RedirectEvent::Failed(causes[0]));
        report(&mut harness, 0, RedirectEvent::Failed(causes[0]));
        assert_eq!(harness.call.record().state, Redirecting, "the other one rings");
        report(&mut harness, 0, RedirectEvent::Answered);
        assert_eq!(harness.call.record().state, Redirecting, "who has failed answers nothing");
        report(&mut harness, 1, RedirectEvent::Failed(causes[1]));
        assert_eq!(outcome(&harness), result);
        assert_eq!(acts(&harness)[2..], [&refused(why), &Effect::Ended]);
    }
}

#[test]
fn a_redirect_that_nobody_answers_ends_by_its_own_time_out() {
    let mut harness = redirected(&["john"]);
    harness.advance(Duration::from_millis(19_999));
    assert_eq!(harness.call.record().state, Redirecting, "longer than the application had");
    harness.advance(Duration::from_millis(1));
    assert_eq!(outcome(&harness), (487, 10004));
    let cancelled = Effect::CancelRedirect { leg: LEG };
    assert_eq!(acts(&harness)[2..], [&cancelled, &refused(Refusal::NotAnswered), &Effect::Ended]);
}

#[test]
fn a_caller_who_hangs_up_during_a_redirect_lets_nobody_ring_on() {
    let mut harness = redirected(&["john"]);
    harness.leg(LegEvent::Ended(EndCause::HungUp));
    assert_eq!(acts(&harness)[2..], [&Effect::CancelRedirect { leg: LEG }, &Effect::Ended]);
    assert_eq!(outcome(&harness), (487, 0));
    harness.effects.clear();
    report(&mut harness, 0, RedirectEvent::Answered);
    assert_eq!(harness.effects, []);
}

#[test]
fn a_call_is_sent_on_only_so_often() {
    let route = || CallRoute {
        original: IdentitySet::application(Identity::of("bot")),
        redirected_to: IdentitySet::application(Identity::of("other")),
    };
    let with_routes = |count| {
        let routes = std::iter::repeat_with(route).take(count).collect();
        Harness::of_incoming(model::NewIncomingCall { routes, ..new_incoming_call() })
    };
    let most = Config::default().max_redirects;
    let command = Command::Redirect(redirect(&["ann"]));
    assert_eq!(with_routes(most - 1).command(command.clone()), Ok(Reply::Done));

    let mut harness = with_routes(most);
    assert_eq!(harness.command(command), Err(Rejection::TooManyRedirects));
    assert_eq!(harness.call.record().state, Incoming, "it can still be answered");
    assert_eq!(harness.command(answer()), Ok(Reply::Done));
}

#[test]
fn a_restart_ends_what_rang_or_was_sent_on() {
    for harness in [Harness::incoming(), redirected(&["ann"])] {
        let record = harness.call.record().clone();
        let effects =
            recover(record, Vec::new(), Outcome::ServerRestarted, harness.now, &mut CountedIds::default());
        let last = effects.iter().any(|effect| matches!(effect, Effect::Notify(told) if told.is_last()));
        assert!(last && effects.iter().all(Effect::is_stored));
    }
}
