//! A conversation of several as a state machine: a group call, or what goes on in a meeting.
//!
//! A [`Conference`] knows its members (applications' calls, and people called through legs), who may hear whom, who
//! waits in the lobby, and when it is over. It is used like a [`crate::Call`]: one [`ConferenceInput`], then
//! [`Conference::poll_effect`] until it is empty, then [`Conference::poll_timeout`]. Calls are told of it by
//! [`ConferenceEvent`]s, in order.
//!
//! ```text
//!            calls others
//! Join ──┬──────────────► Waiting ─────── first answer ──┐
//!        ├── lobby rules ► InLobby ── admitted ──────────┤
//!        └──────────────────────────────────────────────►│ In ◄──► OnHold
//! Arrive ── as Join; a caller for whom there is no room is turned away
//! Invite ───────────────► Invited ──── answers ──────────┘  │
//!                            └─────── fails, cancelled ─────┴──► gone (a person by way of Leaving)
//! ```
//!
//! What always holds, and is tested over random walks: every call that joins is told of its end once; every question is
//! answered once and every operation ends once; a roster never shows someone who is gone; whoever is connected is in;
//! a conference without members is over; a call that is told who speaks most is told of each change once.

mod arriving;
mod groups;
mod hearing;
mod input;
mod leaving;
mod member;
mod moving;
mod page;
mod requests;
mod roles;
mod rosters;
mod sharing;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use model::{
    AudioRoutingGroup, CallId, IdSource, Invitee, OnlineMeeting, OperationId, Outcome, Participant,
    ParticipantId, RosterParticipant, Timestamp,
};

use crate::ending::{not_answered, outcome_of};
use crate::{JobResult, LegEvent};

use self::groups::Groups;
pub use self::input::{
    Arriving, Chime, ConferenceAnswer, ConferenceEffect, ConferenceEvent, ConferenceInput, ConferenceRequest,
    Joining, Sound, Way,
};
use self::member::{App, Invitation, Member, SOURCES_PER_MEMBER, Side, Standing, State};
pub use self::page::{PersonEvent, PersonRequest, PersonState, Seen};
use self::requests::Question;
use self::rosters::Rosters;
use self::sharing::Sharing;

/// The deadlines and limits of a conference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConferenceConfig {
    /// How long whoever is called may ring.
    pub ringing_timeout: Duration,
    /// How long someone may wait in the lobby. Arbitrary: half an hour.
    pub lobby_timeout: Duration,
    /// How long the last one may stay in a meeting after all others have left. Arbitrary: ten minutes.
    pub alone_timeout: Duration,
    /// How long changes of the roster are gathered before they are told. Arbitrary: shorter than anybody notices, longer
    /// than a handful of people take who come in together.
    pub roster_fold: Duration,
    /// How many may be in it, and be called into it.
    pub max_participants: usize,
    /// How many may wait in its lobby. Arbitrary: more than anybody would go through, and too few to be in the way.
    pub max_waiting: usize,
    /// How many private routes of sound it may have. Arbitrary.
    pub max_groups: usize,
}

impl Default for ConferenceConfig {
    fn default() -> Self {
        Self {
            ringing_timeout: Duration::from_secs(60),
            lobby_timeout: Duration::from_secs(30 * 60),
            alone_timeout: Duration::from_secs(10 * 60),
            roster_fold: Duration::from_millis(100),
            max_participants: 1_000,
            max_waiting: 200,
            max_groups: 256,
        }
    }
}

/// How many members make the time longer by once more its shortest for which changes of the roster are gathered. Arbitrary.
const MEMBERS_OF_A_FOLD: usize = 50;

/// A conversation of several. See the module's page for the order in which its methods are used.
#[derive(Clone, Debug)]
pub struct Conference {
    config: ConferenceConfig,
    kind: Kind,
    members: BTreeMap<ParticipantId, Member>,
    groups: Groups,
    rosters: Rosters,
    /// Invitations under way, by the operation that they belong to.
    inviting: BTreeMap<OperationId, Inviting>,
    hold: Option<Hold>,
    sharing: Option<Sharing>,
    dominant: Option<ParticipantId>,
    sequence: u64,
    sources: u32,
    /// Whether those who do not present may not speak, as the meeting says.
    silences_attendees: bool,
    /// Counts raised hands.
    hands: u64,
    /// Whether there have been two at once.
    has_met: bool,
    alone_until: Option<Timestamp>,
    /// The people of whose coming those who are in know, where that is announced.
    announced: Option<BTreeSet<ParticipantId>>,
    effects: VecDeque<ConferenceEffect>,
    is_over: bool,
}

#[derive(Clone, Debug)]
enum Kind {
    /// A group call, started by a call that may have left.
    Group {
        initiator: Option<CallId>,
    },
    Meeting(Box<OnlineMeeting>),
}

/// An operation that calls others in.
#[derive(Clone, Copy, Debug)]
struct Inviting {
    call: CallId,
    open: usize,
    joined: usize,
    failure: Outcome,
}

/// Who is taken aside, and who asked for it.
#[derive(Clone, Copy, Debug)]
struct Hold {
    participant: ParticipantId,
    by: CallId,
    operation: OperationId,
    /// Whether the call is still to be told that the music plays.
    is_starting: bool,
}

impl Conference {
    /// A group call; the first call that joins is its initiator.
    pub fn group(config: ConferenceConfig) -> Self {
        Self::new(config, Kind::Group { initiator: None })
    }

    /// What goes on in a meeting.
    pub fn meeting(config: ConferenceConfig, meeting: OnlineMeeting) -> Self {
        Self::new(config, Kind::Meeting(Box::new(meeting)))
    }

    fn new(config: ConferenceConfig, kind: Kind) -> Self {
        let mut conference = Self {
            config,
            kind,
            members: BTreeMap::new(),
            groups: Groups::default(),
            rosters: Rosters::default(),
            inviting: BTreeMap::new(),
            hold: None,
            sharing: None,
            dominant: None,
            sequence: 0,
            sources: 0,
            silences_attendees: false,
            hands: 0,
            has_met: false,
            alone_until: None,
            announced: None,
            effects: VecDeque::new(),
            is_over: false,
        };
        conference.silences_attendees = conference.is_switched_off(page::MICROPHONES);
        conference
    }

    /// Takes one input. Inputs about members that are gone, or after the end, change nothing.
    pub fn handle(&mut self, input: ConferenceInput, now: Timestamp, ids: &mut dyn IdSource) {
        match input {
            ConferenceInput::Adopt { joining, participant, info, is_held } => {
                let call = joining.call;
                self.join(*joining, now, ids);
                self.adopt(participant, *info, is_held, now);
                self.enter_call(call, now);
            }
            ConferenceInput::AdoptPerson { participant, info, is_held } => {
                self.adopt(participant, *info, is_held, now);
            }
            ConferenceInput::Arrive(arriving) => self.arrive(*arriving, now),
            ConferenceInput::Ask { call, command, operation, request } => {
                self.ask(Question { call, command, operation, request }, now, ids);
            }
            ConferenceInput::Close => self.send_all_away(Outcome::EndedByBot, now),
            ConferenceInput::Depart { participant } => drop(self.depart(participant, now)),
            ConferenceInput::Dominant(participant) => self.hear_most(participant),
            ConferenceInput::Join(joining) => self.join(*joining, now, ids),
            ConferenceInput::Leave { call } => self.leave(call, Outcome::EndedByBot, now),
            ConferenceInput::Leg { participant, event } => self.leg_event(participant, event, now),
            ConferenceInput::MediaReplaced { participant } => self.media_replaced(participant),
            ConferenceInput::MeetingChanged(meeting) => self.meeting_changed(meeting, now),
            ConferenceInput::Person { participant, request } => {
                self.person_asks(participant, request, now, ids);
            }
            ConferenceInput::PersonReplaced { participant, info } => {
                self.person_replaced(participant, *info, now);
            }
            ConferenceInput::Release { participant, by } => self.release(participant, by, now),
            ConferenceInput::ScreenShown { participant } => self.screen_shown(participant),
            ConferenceInput::SoundStarted { participant, operation, result } => {
                if self.is_on_hold(participant, operation) {
                    self.sound_started(participant, result, now);
                }
            }
        }
        self.settle(now);
        self.tell_speaker();
        self.tell_pages();
    }

    /// Acts on deadlines that have passed; does nothing before them.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        let mut overdue = Vec::new();
        for (id, member) in &self.members {
            match &member.state {
                State::InLobby { until } if *until <= now => overdue.push((*id, Outcome::LobbyTimedOut)),
                State::Invited(invitation) if invitation.until <= now => {
                    overdue.push((*id, invitation.unanswered));
                }
                State::In
                | State::InLobby { .. }
                | State::Invited(_)
                | State::Leaving
                | State::OnHold
                | State::Shown
                | State::Waiting => {}
            }
        }
        for (id, outcome) in overdue {
            self.send_away(id, outcome, now);
        }
        if self.alone_until.take_if(|until| *until <= now).is_some() {
            self.send_all_away(Outcome::LeftAlone, now);
        }
        self.settle(now);
        self.tell_speaker();
        self.tell_pages();
        if self.rosters.take_due(now) {
            self.tell_rosters();
        }
    }

    /// What is to be done next, in order.
    pub fn poll_effect(&mut self) -> Option<ConferenceEffect> {
        self.effects.pop_front()
    }

    /// When [`Conference::handle_timeout`] wants to be called.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        let waits = self.members.values().filter_map(|member| match &member.state {
            State::InLobby { until } => Some(*until),
            State::Invited(invitation) => Some(invitation.until),
            State::In | State::Leaving | State::OnHold | State::Shown | State::Waiting => None,
        });
        waits.chain(self.alone_until).chain(self.rosters.due()).min()
    }

    /// Who is there, as this call may see it; `None` where the call is not in it.
    pub fn roster_for(&self, call: CallId) -> Option<Vec<RosterParticipant>> {
        let (viewer, _) = self.app(call)?;
        Some(self.seen_by(viewer))
    }

    /// Whoever waits outside does not see who is inside.
    fn seen_by(&self, viewer: ParticipantId) -> Vec<RosterParticipant> {
        let is_outside =
            self.members.get(&viewer).is_some_and(|member| matches!(member.state, State::InLobby { .. }));
        let is_shown = |id: &ParticipantId, member: &Member| {
            *id == viewer || (!is_outside && member.is_listed() && !member.is_hidden)
        };
        let mut shown: Vec<_> = self.members.iter().filter(|(id, member)| is_shown(id, member)).collect();
        shown.sort_by_key(|(_, member)| member.source);
        let sharer = self.sharer();
        shown.into_iter().map(|(id, member)| member.shown(*id, sharer == Some(*id))).collect()
    }

    /// The private routes of sound, none for a call that is not in.
    pub fn groups_for(&self, call: CallId) -> impl Iterator<Item = &AudioRoutingGroup> {
        self.groups.iter().filter(move |_| self.is_in(call))
    }

    /// Whether someone is still taken aside by this operation: prompts come late.
    pub fn is_on_hold(&self, participant: ParticipantId, operation: OperationId) -> bool {
        self.hold.is_some_and(|hold| hold.participant == participant && hold.operation == operation)
    }

    fn is_in(&self, call: CallId) -> bool {
        self.app(call).is_some_and(|(_, member)| member.is_present())
    }

    fn app(&self, call: CallId) -> Option<(ParticipantId, &Member)> {
        let mut apps = self.members.iter();
        apps.find(|(_, member)| member.app().is_some_and(|app| app.call == call))
            .map(|(id, member)| (*id, member))
    }

    fn add(&mut self, id: ParticipantId, member: Member, now: Timestamp) {
        self.members.insert(id, member);
        self.touch(id, now);
    }

    /// Notes that a member changed, for the rosters.
    fn touch(&mut self, id: ParticipantId, now: Timestamp) {
        self.sequence += 1;
        if let Some(member) = self.members.get_mut(&id) {
            member.changed = self.sequence;
        }
        self.rosters_change(now);
    }

    /// In larger conversations changes are gathered for longer, as there is more to be told to more.
    fn rosters_change(&mut self, now: Timestamp) {
        let larger = u32::try_from(self.members.len() / MEMBERS_OF_A_FOLD).unwrap_or(u32::MAX);
        self.rosters.change(now, self.config.roster_fold.saturating_mul(1 + larger));
    }

    fn next_source(&mut self) -> u32 {
        self.sources += SOURCES_PER_MEMBER;
        self.sources
    }

    fn act(&mut self, effect: ConferenceEffect) {
        self.effects.push_back(effect);
    }

    fn tell(&mut self, call: CallId, event: ConferenceEvent) {
        self.act(ConferenceEffect::Tell { call, event });
    }

    fn member(&mut self, side: Side, info: Participant, state: State, standing: Standing) -> Member {
        Member {
            info,
            side,
            state,
            role: self.role_of(&standing),
            standing,
            source: self.next_source(),
            is_muted_by_itself: false,
            is_muted_by_server: false,
            is_held: false,
            is_hidden: false,
            is_in_default_group: true,
            has_dialled_in: false,
            page: None,
            recording: None,
            changed: 0,
        }
    }

    fn join(&mut self, joining: Joining, now: Timestamp, ids: &mut dyn IdSource) {
        let Joining { call, participant, info, invitees, .. } = joining;
        let standing = if joining.is_guest { Standing::Guest } else { Standing::Application };
        let is_let_in = self.lets_in(&standing, false);
        if !self.has_room_for(usize::from(is_let_in) + invitees.len())
            || (!is_let_in && !self.has_room_for_arrival(false))
        {
            return self.tell(call, ConferenceEvent::Ended(Outcome::TooManyParticipants));
        }
        let app = App {
            call,
            is_delta_roster: joining.is_delta_roster,
            is_told_of_speakers: joining.is_told_of_speakers,
            told_speaker: None,
        };
        let waits = !invitees.is_empty();
        let state = match (is_let_in, waits) {
            (false, _) => State::InLobby { until: now.after(self.config.lobby_timeout) },
            (true, true) => State::Waiting,
            (true, false) => State::In,
        };
        let member = self.member(Side::App(app), info, state, standing);
        let is_in_default_group = joining.is_in_default_group;
        let member = Member { is_hidden: joining.is_hidden, is_in_default_group, ..member };
        if let Kind::Group { initiator: initiator @ None } = &mut self.kind {
            *initiator = Some(call);
        }
        let is_in = member.is_present();
        self.add(participant, member, now);
        if is_in {
            self.connect(participant);
            self.joined(call);
        } else if !is_let_in {
            let sound = Sound::Lobby { is_spoken: false };
            self.act(ConferenceEffect::StartSound { participant, sound });
        }
        for invitee in invitees {
            self.invite(invitee, (call, None), now, ids);
        }
    }

    /// Takes in a person whose leg is up already.
    fn adopt(&mut self, participant: ParticipantId, info: Participant, is_held: bool, now: Timestamp) {
        // Only calls between two are taken in, and they become group calls, which have no roles.
        let member = self.member(Side::Person, info, State::In, Standing::Guest);
        self.add(participant, Member { is_held, ..member }, now);
        self.connect(participant);
    }

    /// An application that called others is in from the first answer on.
    fn enter_call(&mut self, call: CallId, now: Timestamp) {
        let Some((id, Member { state: State::Waiting, .. })) = self.app(call) else { return };
        if let Some(member) = self.members.get_mut(&id) {
            member.state = State::In;
        }
        self.connect(id);
        self.joined(call);
        self.touch(id, now);
    }

    /// Calls a person.
    fn invite(
        &mut self,
        invitee: Invitee,
        (by, operation): (CallId, Option<OperationId>),
        now: Timestamp,
        ids: &mut dyn IdSource,
    ) {
        let participant = ParticipantId::next(ids);
        let target = &invitee.target;
        let info = Participant { identity: target.identity.clone(), ..Participant::default() };
        let invitation = Invitation {
            by,
            operation,
            until: now.after(self.config.ringing_timeout),
            replaces: target.replaces_call_id.clone(),
            unanswered: not_answered(&invitee.callee),
        };
        let standing = invitee.callee.user().map_or(Standing::Guest, |user| Standing::User(user.clone()));
        let member = self.member(Side::Person, info, State::Invited(invitation), standing);
        let member = Member {
            is_hidden: target.hidden.unwrap_or(false),
            is_in_default_group: !target.remove_from_default_audio_routing_group.unwrap_or(false),
            ..member
        };
        self.members.insert(participant, member);
        self.act(ConferenceEffect::StartLeg { participant, invitee: Box::new(invitee), by });
    }

    fn leg_event(&mut self, participant: ParticipantId, event: LegEvent, now: Timestamp) {
        let Some(member) = self.members.get_mut(&participant).filter(|member| member.is_person()) else {
            return;
        };
        match (member.state.clone(), event) {
            (State::Invited(invitation), LegEvent::Answered) => {
                member.state = State::In;
                self.connect(participant);
                self.touch(participant, now);
                if let Some(call) = invitation.replaces.clone() {
                    self.act(ConferenceEffect::EndReplaced { call, by: invitation.by });
                }
                self.invitation_ended(&invitation, None);
                self.enter_call(invitation.by, now);
            }
            (State::Invited(invitation), LegEvent::Ended(cause)) => {
                self.members.remove(&participant);
                self.invitation_ended(&invitation, Some(outcome_of(cause, false)));
            }
            (State::In | State::InLobby { .. } | State::OnHold, LegEvent::Held(is_held))
                if member.is_held != is_held =>
            {
                member.is_held = is_held;
                self.touch(participant, now);
            }
            (State::In | State::OnHold, LegEvent::Tone(tone)) => {
                let apps: Vec<CallId> = self.present_apps().map(|(_, call)| call).collect();
                for call in apps {
                    self.tell(call, ConferenceEvent::Tone(tone));
                }
                // Two who are alone are like two at the ends of a line: a key may be meant for a machine there.
                if let Some(other) = self.counterpart(participant) {
                    self.act(ConferenceEffect::SendTone { participant: other, tone });
                }
            }
            (_, LegEvent::Ended(_)) => self.gone(participant, now),
            (_, LegEvent::Answered | LegEvent::Held(_) | LegEvent::Ringing | LegEvent::Tone(_)) => {}
        }
    }

    fn invitation_ended(&mut self, invitation: &Invitation, failure: Option<Outcome>) {
        let Some(operation) = invitation.operation else { return };
        let Some(inviting) = self.inviting.get_mut(&operation) else { return };
        inviting.open -= 1;
        match failure {
            None => inviting.joined += 1,
            Some(failure) => inviting.failure = failure,
        }
        if inviting.open > 0 {
            return;
        }
        let result = if inviting.joined > 0 { JobResult::Done } else { JobResult::Failed(inviting.failure) };
        let call = inviting.call;
        self.inviting.remove(&operation);
        self.tell(call, ConferenceEvent::OperationEnded { operation, result });
    }

    fn present_apps(&self) -> impl Iterator<Item = (ParticipantId, CallId)> {
        self.members
            .iter()
            .filter(|(_, member)| member.is_present())
            .filter_map(|(id, member)| Some((*id, member.app()?.call)))
    }

    fn sound_started(&mut self, participant: ParticipantId, result: Result<(), Outcome>, now: Timestamp) {
        match result {
            Ok(()) => {
                if let Some(hold) = &mut self.hold {
                    let started = *hold;
                    hold.is_starting = false;
                    self.hold_started(started, JobResult::Done);
                }
            }
            Err(outcome) => self.take_back(participant, JobResult::Failed(outcome), now),
        }
    }

    /// Takes someone back who was taken aside.
    fn take_back(&mut self, participant: ParticipantId, result: JobResult, now: Timestamp) {
        let Some(member) = self.members.get_mut(&participant) else { return };
        if !matches!(member.state, State::OnHold) {
            return;
        }
        member.state = State::In;
        self.act(ConferenceEffect::StopSound(participant));
        self.connect(participant);
        self.touch(participant, now);
        self.end_hold(participant, result);
    }

    fn end_hold(&mut self, participant: ParticipantId, result: JobResult) {
        if let Some(hold) = self.hold.take_if(|hold| hold.participant == participant) {
            self.hold_started(hold, result);
        }
    }

    /// Tells how the beginning of a hold went, once.
    fn hold_started(&mut self, hold: Hold, result: JobResult) {
        if hold.is_starting {
            self.tell(hold.by, ConferenceEvent::OperationEnded { operation: hold.operation, result });
        }
    }

    fn tell_rosters(&mut self) {
        let listed = self.members.values().filter(|member| member.is_listed());
        let apps: Vec<App> = listed.filter_map(|member| member.app().cloned()).collect();
        for App { call, is_delta_roster, .. } in apps {
            let Some(present) = self.roster_for(call) else { continue };
            if let Some(roster) = self.rosters.tell(call, present, is_delta_roster) {
                self.tell(call, ConferenceEvent::Roster(roster));
            }
        }
        self.show_rosters_to_pages();
    }
}
