//! Calls to and from the phone network: how they end, and what they may lead to.

use std::collections::BTreeMap;

use call_engine::{
    Command, CommandId, ConferenceEvent, ConferenceRequest, Config, Effect, EndCause, Input, LegEvent,
    RedirectEvent, Rejection, Reply,
};
use model::{
    AllowedPresenters, CallState, Callee, ChatInfo, Destination, Identity, IdentitySet,
    InvitationParticipant, Invitee, LobbyBypass, LobbyBypassScope, MeetingInfo, MeetingJoin, NewCall,
    NewIncomingCall, OnlineMeeting, Participant, Person, PhoneNumber, RedirectTarget, Timestamp, Transfer,
};

use crate::harness::{Harness, answer, group, new_call, new_incoming_call, redirect};

const NUMBER: &str = "+12015550123";

fn number() -> PhoneNumber {
    NUMBER.parse().expect("a number")
}

fn of_instance() -> IdentitySet {
    IdentitySet { application_instance: Some(Identity::of("instance")), ..IdentitySet::default() }
}

/// The number, as a request names it.
fn invitee() -> Invitee {
    let identity = IdentitySet { phone: Some(Identity::of(NUMBER)), ..IdentitySet::default() };
    let target = InvitationParticipant { identity, ..InvitationParticipant::default() };
    Invitee { target, callee: Person::Phone(number()) }
}

/// A call of the application's number to another number.
fn to_number() -> NewCall {
    NewCall { destination: Destination::Person(Box::new(invitee())), ..by_instance(new_call()) }
}

fn by_instance(new: NewCall) -> NewCall {
    NewCall { source: Some(Participant { identity: of_instance(), ..Participant::default() }), ..new }
}

/// A call to the application's number.
fn at_number(caller: Person) -> NewIncomingCall {
    let target = InvitationParticipant { identity: of_instance(), ..InvitationParticipant::default() };
    NewIncomingCall { caller, target, ..new_incoming_call() }
}

fn result(harness: &Harness) -> (i32, i32) {
    let info = harness.call.record().outcome.expect("the call has ended").result_info();
    (info.code, info.subcode)
}

fn sent_on_to_number() -> Command {
    let mut sent_on = redirect(&["ann"]);
    sent_on.targets.push(RedirectTarget { target: invitee().target, callee: Callee::Phone(number()) });
    Command::Redirect(sent_on)
}

fn transferred_to_number() -> Command {
    Command::Transfer(Box::new(Transfer { target: invitee(), transferee: None }))
}

/// Names the invitation of a number.
const INVITING: CommandId = CommandId(99);

/// Whether the conference is asked to invite a number where the application wants that.
fn is_asked_to_invite(harness: &mut Harness) -> bool {
    let request = ConferenceRequest::Invite(vec![invitee()]);
    let command = Command::Conference { request, client_context: None };
    harness.input(Input::Command { id: INVITING, command });
    harness.effects.iter().any(|effect| matches!(effect, Effect::AskConference { .. }))
}

#[test]
fn each_refusal_of_the_phone_network_is_a_result_of_its_own() {
    for status in [403_u16, 404, 408, 480, 484, 486, 488, 500, 503, 603] {
        let mut harness = Harness::of(to_number(), Config::default());
        harness.leg(LegEvent::Ended(EndCause::PhoneNetwork(status)));
        assert_eq!(result(&harness), (i32::from(status), 560_000 + i32::from(status)));
    }
}

#[test]
fn a_number_where_nobody_answers_in_time_is_as_if_the_phone_network_said_so() {
    let mut harness = Harness::of(to_number(), Config::default());
    harness.advance(Config::default().ringing_timeout);
    harness.leg(LegEvent::Ended(EndCause::LocalHangUp));
    assert_eq!(result(&harness), (480, 560_480));
}

#[test]
fn a_hang_up_in_the_phone_network_says_which_side_called() {
    let mut outgoing = Harness::of(to_number(), Config::default());
    outgoing.leg(LegEvent::Answered);
    outgoing.leg(LegEvent::Ended(EndCause::HungUp));
    assert_eq!(result(&outgoing), (200, 560_000));
    for caller in [Person::Phone(number()), Person::Withheld] {
        let mut incoming = Harness::of_incoming(at_number(caller));
        assert_eq!(incoming.command(answer()), Ok(Reply::Done));
        incoming.leg(LegEvent::Answered);
        incoming.leg(LegEvent::Ended(EndCause::HungUp));
        assert_eq!(result(&incoming), (200, 540_000));
    }
}

#[test]
fn a_call_that_the_phone_network_may_not_have_any_longer_ends_as_forbidden() {
    let mut harness = Harness::of(to_number(), Config::default());
    harness.leg(LegEvent::Answered);
    harness.leg(LegEvent::Ended(EndCause::PhoneNetwork(403)));
    assert_eq!(result(&harness), (403, 560_403));
}

#[test]
fn a_caller_in_the_phone_network_who_gives_up_has_cancelled() {
    let mut harness = Harness::of_incoming(at_number(Person::Phone(number())));
    harness.leg(LegEvent::Ended(EndCause::HungUp));
    assert_eq!(result(&harness), (487, 540_487));
}

#[test]
fn a_user_who_calls_the_number_ends_the_call_as_users_do() {
    let mut harness = Harness::of_incoming(at_number("john".into()));
    assert_eq!(harness.command(answer()), Ok(Reply::Done));
    harness.leg(LegEvent::Answered);
    harness.leg(LegEvent::Ended(EndCause::HungUp));
    assert_eq!(result(&harness), (200, 4521));
}

#[test]
fn a_call_at_a_number_is_redirected_to_a_number_and_another_one_is_not() {
    let mut by_name = Harness::incoming();
    assert_eq!(by_name.command(sent_on_to_number()), Err(Rejection::NoInstance));
    assert_eq!(by_name.call.record().state, CallState::Incoming);
    let mut harness = Harness::of_incoming(at_number(Person::Phone(number())));
    assert_eq!(harness.command(sent_on_to_number()), Ok(Reply::Done));
    for (target, cause) in [(0, EndCause::NoEndpoint), (1, EndCause::PhoneNetwork(486))] {
        harness.input(Input::Redirect { target, event: RedirectEvent::Failed(cause) });
    }
    assert_eq!(result(&harness), (486, 560_486));
}

#[test]
fn a_call_of_an_application_instance_is_transferred_to_a_number_and_another_one_is_not() {
    let mut by_name = Harness::established();
    assert_eq!(by_name.command(transferred_to_number()), Err(Rejection::NoInstance));
    assert_eq!(by_name.call.record().state, CallState::Established);
    let mut harness = Harness::of(by_instance(new_call()), Config::default());
    harness.leg(LegEvent::Answered);
    assert_eq!(harness.command(transferred_to_number()), Ok(Reply::Done));
    assert_eq!(harness.call.record().state, CallState::Transferring);
}

#[test]
fn numbers_are_invited_by_whoever_called_or_was_called_at_a_number() {
    assert!(is_asked_to_invite(&mut Harness::established()), "a call that the application makes");
    let mut several = Harness::of(group(new_call()), Config::default());
    several.input(Input::Conference(ConferenceEvent::Joined));
    assert!(is_asked_to_invite(&mut several), "a group call");
    let answered = |new: NewIncomingCall| {
        let mut harness = Harness::of_incoming(new);
        assert_eq!(harness.command(answer()), Ok(Reply::Done));
        harness.leg(LegEvent::Answered);
        harness
    };
    assert!(is_asked_to_invite(&mut answered(at_number("john".into()))), "a call to its number");
    let mut by_name = answered(new_incoming_call());
    assert!(!is_asked_to_invite(&mut by_name), "a call to its name");
    let refused = Effect::Reply { command: INVITING, reply: Err(Rejection::NoInstance) };
    assert!(by_name.effects.contains(&refused));
    assert_eq!(by_name.call.record().state, CallState::Established);
}

#[test]
fn whoever_has_joined_by_a_token_invites_no_numbers() {
    let by_number = MeetingInfo::JoinMeetingId { join_meeting_id: "7654321".to_owned(), passcode: None };
    let by_token = MeetingInfo::Token { token: "token".to_owned() };
    for (asked, may) in [(by_number, true), (by_token, false)] {
        let thread_id = "19:meeting_x@thread.v2".to_owned();
        let chat = ChatInfo { thread_id, message_id: None, reply_chain_message_id: None };
        let join = MeetingJoin { meeting: meeting(), chat, asked, guest: None };
        let new = NewCall { destination: Destination::Meeting(Box::new(join)), ..new_call() };
        let mut harness = Harness::of(new, Config::default());
        harness.input(Input::Conference(ConferenceEvent::Joined));
        assert_eq!(is_asked_to_invite(&mut harness), may);
    }
}

fn meeting() -> OnlineMeeting {
    let now = Timestamp::from_millis(0);
    OnlineMeeting {
        id: "meeting".into(),
        tenant: "contoso".into(),
        organizer: "bob".into(),
        organizer_name: None,
        thread_id: "19:meeting_x@thread.v2".to_owned(),
        external_id: None,
        subject: None,
        created_at: now,
        starts_at: now,
        ends_at: now,
        attendees: Vec::new(),
        join_meeting_id: "7654321".to_owned(),
        passcode: None,
        video_teleconference_id: None,
        lobby_bypass: LobbyBypass { scope: LobbyBypassScope::Everyone, is_dial_in_bypass_enabled: false },
        is_admitting_left_to_organizers: false,
        allowed_presenters: AllowedPresenters::Everyone,
        is_entry_exit_announced: false,
        is_locked: false,
        consents: BTreeMap::new(),
        options: BTreeMap::new(),
        is_from_file: false,
        revision: 0,
    }
}
