use model::{
    AudioRoutingGroup, CallId, ChangeType, ContentSharingSessionId, Invitee, MediaPrompt, OnlineMeeting,
    OperationId, Outcome, Participant, ParticipantId, RecordingStatus, Roster, ScreenSharingRole, Tone,
    Transferee, UserId,
};

use super::{PersonEvent, PersonRequest};
use crate::{CommandId, JobResult, LegEvent, Rejection};

/// Something that happened to a conference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConferenceInput {
    /// A call between two becomes a conference: its person is taken in as it is, its application joins.
    Adopt {
        /// The application's call, which is in at once.
        joining: Box<Joining>,
        /// The person's id from here on.
        participant: ParticipantId,
        /// Who it is.
        info: Box<Participant>,
        /// Whether it holds the call.
        is_held: bool,
    },
    /// Someone is taken in whose leg is up already, out of another conversation: the two of a redirect or a transfer meet in a
    /// conference of their own.
    AdoptPerson {
        /// The person's id from here on.
        participant: ParticipantId,
        /// Who it is.
        info: Box<Participant>,
        /// Whether it holds the call.
        is_held: bool,
    },
    /// Somebody who has dialled in, or has the meeting's page, comes to a meeting with a leg that is up already: straight in or into the lobby, as the
    /// meeting says, or not at all ([`ConferenceEffect::TurnAway`]).
    Arrive(Box<Arriving>),
    /// An application asks for something; exactly one [`ConferenceEvent::Answered`] follows, unless its call is over.
    Ask {
        /// Its call.
        call: CallId,
        /// Names the question in the answer.
        command: CommandId,
        /// What [`ConferenceEvent::OperationEnded`] is told for, where it takes time.
        operation: OperationId,
        /// What is asked.
        request: ConferenceRequest,
    },
    /// The server shuts down: everyone goes.
    Close,
    /// Somebody goes to another conversation with its leg ([`ConferenceEffect::Released`]), as the phone of the one who talked
    /// to it hands it over.
    Depart {
        /// Who goes.
        participant: ParticipantId,
    },
    /// Somebody else is the loudest, or nobody.
    Dominant(Option<ParticipantId>),
    /// An application's call joins; it is told [`ConferenceEvent::Joined`] or [`ConferenceEvent::Ended`].
    Join(Box<Joining>),
    /// An application's call leaves; it is told [`ConferenceEvent::Ended`].
    Leave {
        /// The call.
        call: CallId,
    },
    /// The leg to a person reports.
    Leg {
        /// The person.
        participant: ParticipantId,
        /// What.
        event: LegEvent,
    },
    /// Somebody asks for something at a page; [`PersonEvent::Denied`] follows where it cannot be.
    Person {
        /// Who.
        participant: ParticipantId,
        /// For what.
        request: PersonRequest,
    },
    /// Somebody has handed the conversation over: the leg leads to someone else from here on, who has its place and id.
    PersonReplaced {
        /// Whose leg it was.
        participant: ParticipantId,
        /// Who is there now.
        info: Box<Participant>,
    },
    /// Someone is handed over to another conversation, as the transfer that a call asked for is accepted. The person goes with
    /// its leg ([`ConferenceEffect::Released`]), and the call is told [`ConferenceEvent::Ended`]; or, where the person is not
    /// there any more, [`ConferenceEvent::TransfereeGone`].
    Release {
        /// Who.
        participant: ParticipantId,
        /// The application's call.
        by: CallId,
    },
    /// Someone's leg has been exchanged for another one, which is nowhere yet: its application has dialled in by other
    /// means. The effects bring it to where the old one was, and set routes to it anew: legs are looked up when an effect
    /// is performed.
    MediaReplaced {
        /// Whose.
        participant: ParticipantId,
    },
    /// The meeting's settings changed.
    MeetingChanged(Box<OnlineMeeting>),
    /// A picture has come of the screen that someone shares.
    ScreenShown {
        /// Whose.
        participant: ParticipantId,
    },
    /// The music of someone on hold plays, or cannot be played. Says nothing about a hold that is over.
    SoundStarted {
        /// Who hears it.
        participant: ParticipantId,
        /// The operation that took them aside.
        operation: OperationId,
        /// Whether it plays.
        result: Result<(), Outcome>,
    },
}

/// Somebody who comes to a meeting by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arriving {
    /// Its participant id.
    pub participant: ParticipantId,
    /// Who it is.
    pub info: Participant,
    /// The user whose own phone it is; nobody of the directory where it is a number of the phone network.
    pub user: Option<UserId>,
    /// Whether it holds the call.
    pub is_held: bool,
    /// How it comes.
    pub way: Way,
}

/// How somebody comes to a meeting by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// By a number or a phone: it sees no screen, and is told in words.
    DialledIn,
    /// By the meeting's page, where it is told [`PersonEvent`]s.
    Page,
}

/// A call that joins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Joining {
    /// The call.
    pub call: CallId,
    /// The application's participant id (`myParticipantId`).
    pub participant: ParticipantId,
    /// Who it is.
    pub info: Participant,
    /// Whether it is a guest rather than an application of the directory.
    pub is_guest: bool,
    /// Whether it hears everyone and is heard by everyone from the start.
    pub is_in_default_group: bool,
    /// Whether it is told of changes instead of whole rosters.
    pub is_delta_roster: bool,
    /// Whether it is told who speaks most ([`ConferenceEvent::Dominant`]).
    pub is_told_of_speakers: bool,
    /// Whether others are not shown it.
    pub is_hidden: bool,
    /// Whom it calls: the first who answers establishes its call. Empty where it joins what is there.
    pub invitees: Vec<Invitee>,
}

/// What an application asks of the conference that its call is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConferenceRequest {
    /// Show several pictures at once.
    AddLargeGalleryView,
    /// Let someone in from the lobby; `None` is everyone who waits.
    Admit(Option<ParticipantId>),
    /// Take a side in screen sharing.
    ChangeScreenSharingRole(ScreenSharingRole),
    /// Make a private route of sound; an empty id has one made.
    CreateGroup(AudioRoutingGroup),
    /// End a private route of sound.
    DeleteGroup(String),
    /// Call others.
    Invite(Vec<Invitee>),
    /// Mute someone.
    Mute(ParticipantId),
    /// Mute these, or with nobody named everyone but the application itself.
    MuteAll(Vec<ParticipantId>),
    /// Mute the application itself.
    MuteSelf,
    /// Send someone away, cancelling the call to whoever has not answered.
    Remove(ParticipantId),
    /// Send someone away who waits in the lobby.
    RemoveFromLobby(ParticipantId),
    /// Take someone aside, to music: the prompt, or the server's own.
    StartHoldMusic {
        /// Whom.
        participant: ParticipantId,
        /// What is heard.
        prompt: Option<MediaPrompt>,
    },
    /// Take someone back.
    StopHoldMusic(ParticipantId),
    /// Say who is handed over to someone outside, and whether the application may do so. Nothing changes yet.
    Transfer(Transferee),
    /// Unmute the application itself.
    UnmuteSelf,
    /// Change a private route of sound.
    UpdateGroup(AudioRoutingGroup),
    /// Say whether the application records.
    UpdateRecordingStatus(RecordingStatus),
}

/// What a call is told by the conference that it is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConferenceEvent {
    /// What it asked for is answered.
    Answered {
        /// The question.
        command: CommandId,
        /// The answer.
        answer: Result<ConferenceAnswer, Rejection>,
    },
    /// A screen is shared, by somebody else or with the first picture now, or no longer.
    ContentSharing {
        /// Which of these.
        change: ChangeType,
        /// The same from the beginning to the end.
        session: ContentSharingSessionId,
    },
    /// Somebody else speaks most, with the number of its sound, or nobody. Told only to calls that joined for it; after
    /// [`ConferenceEvent::Joined`] nobody does until it is told.
    Dominant(Option<(ParticipantId, u32)>),
    /// It is in no longer; the last event.
    Ended(Outcome),
    /// It is in, and hears.
    Joined,
    /// What it asked for has come to its end.
    OperationEnded {
        /// The operation that it was asked with.
        operation: OperationId,
        /// How it ended.
        result: JobResult,
    },
    /// Who is there.
    Roster(Roster),
    /// Somebody pressed a key.
    Tone(Tone),
    /// The one who was to be handed over is not there any more.
    TransfereeGone,
}

/// What a question is answered with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConferenceAnswer {
    /// It is done, or has begun.
    Done,
    /// A routing group as it is kept.
    Group(AudioRoutingGroup),
    /// Who is to be handed over.
    Transferee(ParticipantId),
}

/// What the owner of a conference must do, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConferenceEffect {
    /// Let everybody who is in hear that somebody came or went.
    Chime(Chime),
    /// Let someone hear and be heard.
    Connect(ParticipantId),
    /// Let someone neither hear nor be heard.
    Disconnect(ParticipantId),
    /// End the leg to a person: cancel it if nobody answered, hang up otherwise. It reports its end.
    EndLeg(ParticipantId),
    /// End a call whose place was taken.
    EndReplaced {
        /// The call as the request named it.
        call: String,
        /// The application's call that asked for it: only calls of the same application may be ended so.
        by: CallId,
    },
    /// The conference is over. Nothing follows.
    Ended,
    /// Someone has gone to another conversation: its leg is not the conference's any more, and is not to be ended.
    Released(ParticipantId),
    /// Press a key for someone, as the one did with whom it is alone.
    SendTone {
        /// Who hears it.
        participant: ParticipantId,
        /// The key.
        tone: Tone,
    },
    /// Drop what someone says, or let it through again.
    SetMuted {
        /// Who.
        participant: ParticipantId,
        /// Whether it is dropped.
        is_muted: bool,
    },
    /// Change who hears someone and whom it hears.
    SetRoute {
        /// Who.
        participant: ParticipantId,
        /// Whether it hears everyone and is heard by everyone.
        is_in_default_group: bool,
        /// Who alone hears it; `None` leaves it to the default group.
        audience: Option<Vec<ParticipantId>>,
    },
    /// Let others see someone's pictures, or not. Nothing may be seen of somebody for whom this was not said, or who is gone.
    ShowPictures {
        /// Whose.
        participant: ParticipantId,
        /// Whether its camera may be seen.
        camera: bool,
        /// Whether its screen may be seen.
        screen: bool,
    },
    /// Call a person.
    StartLeg {
        /// The person's id.
        participant: ParticipantId,
        /// Who.
        invitee: Box<Invitee>,
        /// The application's call that asked for it: it is shown as the caller.
        by: CallId,
    },
    /// Play something to someone who is not connected. Music on hold reports [`ConferenceInput::SoundStarted`].
    StartSound {
        /// Who hears it.
        participant: ParticipantId,
        /// What.
        sound: Sound,
    },
    /// Stop what is played to someone.
    StopSound(ParticipantId),
    /// Tell a call.
    Tell {
        /// The call.
        call: CallId,
        /// What.
        event: ConferenceEvent,
    },
    /// Tell a person at its page.
    TellPerson {
        /// Whom.
        participant: ParticipantId,
        /// What.
        event: PersonEvent,
    },
    /// Tell a caller who has arrived that there is no room, and hang up. It is no member, and its leg's end is of no interest.
    TurnAway(ParticipantId),
    /// Tell a caller who has dialled in that it is in now; it is connected already.
    Welcome(ParticipantId),
}

/// What those who are in are told of people without a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chime {
    /// Somebody is in who was not.
    Came,
    /// Somebody is in no longer.
    Went,
}

/// What is played to someone who is not connected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sound {
    /// Music for someone taken aside.
    Hold {
        /// The application's call that asked for it: the prompt is fetched in its name.
        by: CallId,
        /// Tells one hold from the next in [`ConferenceInput::SoundStarted`].
        operation: OperationId,
        /// What is heard; the server's own music without one.
        prompt: Option<MediaPrompt>,
    },
    /// The sound of waiting to be let in.
    Lobby {
        /// Whether it is said in words, too: to somebody who sees no screen.
        is_spoken: bool,
    },
}
