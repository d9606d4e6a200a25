use model::{
    CallId, MediaDirection, MediaStream, MeetingRole, Modality, OperationId, Outcome, Participant,
    ParticipantId, RecordingInfo, RosterParticipant, Timestamp, UserId,
};

use super::page::Page;

/// Someone of a conference: in it, waiting, or being called.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) info: Participant,
    pub(super) side: Side,
    pub(super) state: State,
    /// What it is to a meeting, whose settings make a role of it.
    pub(super) standing: Standing,
    pub(super) role: Option<MeetingRole>,
    /// The number of its sound.
    pub(super) source: u32,
    pub(super) is_muted_by_itself: bool,
    pub(super) is_muted_by_server: bool,
    /// Whether its own end holds the call.
    pub(super) is_held: bool,
    pub(super) is_hidden: bool,
    pub(super) is_in_default_group: bool,
    /// Whether it came by a number for dialling in, and so sees no screen.
    pub(super) has_dialled_in: bool,
    /// The page that it sees the conversation at, where it has one.
    pub(super) page: Option<Page>,
    pub(super) recording: Option<RecordingInfo>,
    /// When it changed last, counted over the conference.
    pub(super) changed: u64,
}

/// What a member is to a meeting.
#[derive(Clone, Debug)]
pub(super) enum Standing {
    /// An application of the directory.
    Application,
    /// Someone from outside.
    Guest,
    /// Nobody.
    Picture,
    /// A user of the directory.
    User(UserId),
}

/// What a member is to this server.
#[derive(Clone, Debug)]
pub(super) enum Side {
    /// A picture that the server composes: it is only shown.
    Gallery,
    /// An application's call.
    App(App),
    /// A person, called through a leg.
    Person,
}

/// An application's call in a conference.
#[derive(Clone, Debug)]
pub(super) struct App {
    pub(super) call: CallId,
    pub(super) is_delta_roster: bool,
    pub(super) is_told_of_speakers: bool,
    /// Whom it was told of last.
    pub(super) told_speaker: Option<(ParticipantId, u32)>,
}

/// How far a member is.
#[derive(Clone, Debug)]
pub(super) enum State {
    /// It talks.
    In,
    /// It waits to be let in.
    InLobby {
        /// When that is given up.
        until: Timestamp,
    },
    /// It is being called.
    Invited(Invitation),
    /// It was told to go; the end of its leg is awaited.
    Leaving,
    /// It is taken aside, to music.
    OnHold,
    /// It is a picture, and takes part in nothing.
    Shown,
    /// An application that called others waits for the first answer.
    Waiting,
}

/// A person who is being called.
#[derive(Clone, Debug)]
pub(super) struct Invitation {
    /// The call that asked for it.
    pub(super) by: CallId,
    /// The operation that it belongs to; a new group call's own invitations have none.
    pub(super) operation: Option<OperationId>,
    /// When it is given up.
    pub(super) until: Timestamp,
    /// The call whose place it takes.
    pub(super) replaces: Option<String>,
    /// What it is where nobody answers.
    pub(super) unanswered: Outcome,
}

impl Member {
    pub(super) const fn is_muted(&self) -> bool {
        self.is_muted_by_itself || self.is_muted_by_server
    }

    /// Whether it takes part: it talks, or is only taken aside.
    pub(super) const fn is_present(&self) -> bool {
        matches!(self.state, State::In | State::OnHold)
    }

    /// Whether rosters show it: who is being called is not there yet.
    pub(super) const fn is_listed(&self) -> bool {
        matches!(self.state, State::In | State::OnHold | State::InLobby { .. } | State::Shown)
    }

    pub(super) const fn app(&self) -> Option<&App> {
        match &self.side {
            Side::App(app) => Some(app),
            Side::Gallery | Side::Person => None,
        }
    }

    pub(super) const fn is_person(&self) -> bool {
        matches!(self.side, Side::Person)
    }

    /// The member as rosters show it.
    pub(super) fn shown(&self, id: ParticipantId, is_sharing: bool) -> RosterParticipant {
        let metadata = match (&self.side, self.is_hidden) {
            (Side::Gallery, _) => Some(GALLERY_METADATA.to_owned()),
            (Side::App(_) | Side::Person, true) => Some(HIDDEN_METADATA.to_owned()),
            (Side::App(_) | Side::Person, false) => None,
        };
        RosterParticipant {
            id,
            info: self.info.clone(),
            is_muted: self.is_muted(),
            is_in_lobby: matches!(self.state, State::InLobby { .. }),
            role: self.role,
            media_streams: self.streams(is_sharing),
            recording: self.recording.clone(),
            metadata,
            sequence: self.changed,
            removed: None,
        }
    }

    /// Numbers of sound are spread so that each has room for its pictures.
    fn streams(&self, is_sharing: bool) -> Vec<MediaStream> {
        let stream = |media_type, offset, direction, label: &str| MediaStream {
            media_type,
            source_id: self.source + offset,
            direction,
            is_server_muted: self.is_muted_by_server,
            label: Some(label.to_owned()),
        };
        let video = |offset, direction| stream(Modality::Video, offset, direction, "main-video");
        if matches!(self.side, Side::Gallery) {
            return vec![video(0, MediaDirection::SendReceive)];
        }
        let is_idle = self.is_held || !matches!(self.state, State::In);
        let unless_idle = |direction| if is_idle { MediaDirection::Inactive } else { direction };
        let audio = unless_idle(MediaDirection::SendReceive);
        let mut streams = vec![stream(Modality::Audio, 0, audio, "main-audio")];
        if let Some(page) = &self.page {
            let films =
                if page.is_filmed { MediaDirection::SendReceive } else { MediaDirection::ReceiveOnly };
            streams.push(video(CAMERA_OFFSET, unless_idle(films)));
        }
        let screen = match (is_sharing, &self.page) {
            (true, _) => Some(MediaDirection::SendOnly),
            (false, Some(_)) => Some(MediaDirection::ReceiveOnly),
            (false, None) => None,
        };
        if let Some(direction) = screen {
            let kind = Modality::VideoBasedScreenSharing;
            streams.push(stream(kind, SCREEN_OFFSET, unless_idle(direction), "applicationsharing-video"));
        }
        // Only sound is dropped for whoever is muted.
        streams.iter_mut().skip(1).for_each(|stream| stream.is_server_muted = false);
        streams
    }
}

/// The numbers of someone's pictures, as the API's examples have them: counted from that of its sound.
const CAMERA_OFFSET: u32 = 1;
const SCREEN_OFFSET: u32 = 7;

/// How far apart the numbers of two members' sound are.
pub(super) const SOURCES_PER_MEMBER: u32 = 10;

/// What clients agreed on for participants that are not to be shown.
const HIDDEN_METADATA: &str = r#"{"__platform":{"ui":{"hidden":true}}}"#;

/// What clients agreed on for a picture of several participants.
const GALLERY_METADATA: &str = concat!(
    r#"{"__platform":{"ui":{"hidden":true}},"audienceView":{"page":"0","status":"active","type":"lg","#,
    r#""aspectRatio":"16x9"}}"#
);
