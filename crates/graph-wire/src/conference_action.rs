//! The bodies of what an application asks of the conference that its call is in.

use model::{InvitationParticipant, Invitee, MediaPrompt, ParticipantId, RecordingStatus, ScreenSharingRole};

use crate::action::{action, check_prompt, client_context_parameter, parse_parameters, read_client_context};
use crate::create_call::read_invitees;
use crate::invalid_request::Path;
use crate::wire::{Fields, Member, Shape, Wire, wire_enum};
use crate::{InvalidRequest, Limits};

wire_enum! {
    ScreenSharingRole as "screenSharingRole" {
        ScreenSharingRole::Viewer = "viewer",
        ScreenSharingRole::Sharer = "sharer",
    }
}

action! {
    /// The body of an action that says nothing else: `mute`, `unmute`, `stopHoldMusic`, `addLargeGalleryView`.
    PlainAction {}
}

action! {
    /// The body of `participants/invite`.
    Invite {
        /// At least one, each a user or a phone number.
        participants: Vec<Invitee>,
    }
}

action! {
    /// The body of `startHoldMusic`.
    StartHoldMusic {
        /// What is heard in place of the server's own music.
        prompt: Option<MediaPrompt>,
    }
}

action! {
    /// The body of `participants/muteAll`.
    MuteAll {
        /// Whom; empty is everyone but the application itself.
        participants: Vec<ParticipantId>,
    }
}

action! {
    /// The body of `updateRecordingStatus`.
    UpdateRecordingStatus {
        /// What the application says of its recording.
        status: RecordingStatus,
    }
}

/// The body of `changeScreenSharingRole`, which has no `clientContext`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChangeScreenSharingRole {
    /// The side that the application takes.
    pub role: ScreenSharingRole,
}

impl PlainAction {
    fn read(fields: &Fields<'_>, limits: &Limits) -> Result<Self, InvalidRequest> {
        Ok(Self { client_context: read_client_context(fields, limits)? })
    }

    pub(crate) fn parameters() -> Vec<Member> {
        vec![client_context_parameter()]
    }
}

impl Invite {
    fn read(fields: &Fields<'_>, limits: &Limits) -> Result<Self, InvalidRequest> {
        let participants: Vec<InvitationParticipant> = fields.list("participants", limits.targets)?;
        if participants.is_empty() {
            return Err(fields.expected("participants", "at least one item"));
        }
        let list = Path::Member(fields.at(), "participants");
        let participants = read_invitees(participants, &list)?;
        Ok(Self { participants, client_context: read_client_context(fields, limits)? })
    }

    pub(crate) fn parameters() -> Vec<Member> {
        vec![Member::new("participants", Vec::<InvitationParticipant>::shape()), client_context_parameter()]
    }
}

impl StartHoldMusic {
    fn read(fields: &Fields<'_>, limits: &Limits) -> Result<Self, InvalidRequest> {
        let prompt: Option<MediaPrompt> = fields.optional("customPrompt")?;
        if let Some(prompt) = &prompt {
            check_prompt(prompt, &Path::Member(fields.at(), "customPrompt"), limits)?;
        }
        Ok(Self { prompt, client_context: read_client_context(fields, limits)? })
    }

    pub(crate) fn parameters() -> Vec<Member> {
        vec![Member::nullable("customPrompt", MediaPrompt::shape()), client_context_parameter()]
    }
}

impl MuteAll {
    fn read(fields: &Fields<'_>, limits: &Limits) -> Result<Self, InvalidRequest> {
        Ok(Self {
            participants: read_participant_ids(fields, "participants", limits)?,
            client_context: read_client_context(fields, limits)?,
        })
    }

    pub(crate) fn parameters() -> Vec<Member> {
        vec![Member::new("participants", Vec::<String>::shape()), client_context_parameter()]
    }
}

impl UpdateRecordingStatus {
    /// Nobody reports not to know: of the declared statuses that one is refused.
    fn read(fields: &Fields<'_>, limits: &Limits) -> Result<Self, InvalidRequest> {
        let status: RecordingStatus = fields.required("status")?;
        if status == RecordingStatus::Unknown {
            return Err(fields.expected("status", "one of notRecording, recording, failed"));
        }
        Ok(Self { status, client_context: read_client_context(fields, limits)? })
    }

    pub(crate) fn parameters() -> Vec<Member> {
        vec![Member::new("status", RecordingStatus::shape()), client_context_parameter()]
    }
}

impl ChangeScreenSharingRole {
    /// Reads a body.
    ///
    /// # Errors
    ///
    /// [`InvalidRequest`] with the place of the first thing that is wrong.
    pub fn decode(body: &[u8]) -> Result<Self, InvalidRequest> {
        let value = parse_parameters(body)?;
        Ok(Self { role: Fields::any(&value, &Path::Root)?.required("role")? })
    }

    pub(crate) fn parameters() -> Vec<Member> {
        vec![Member::new("role", Shape::Named("screenSharingRole"))]
    }
}

/// Reads a list of ids out of rosters, each id once. What is no GUID names nobody, and is refused.
pub(crate) fn read_participant_ids(
    fields: &Fields<'_>,
    name: &'static str,
    limits: &Limits,
) -> Result<Vec<ParticipantId>, InvalidRequest> {
    let texts: Vec<String> = fields.list(name, limits.named_participants)?;
    let list = Path::Member(fields.at(), name);
    let mut distinct = Vec::with_capacity(texts.len());
    for (index, text) in texts.iter().enumerate() {
        let id = ParticipantId::parse(text);
        let id = id.ok_or_else(|| Path::Item(&list, index).expected("the id of a participant"))?;
        distinct.push(id);
    }
    let mut seen = std::collections::BTreeSet::new();
    distinct.retain(|id| seen.insert(*id));
    Ok(distinct)
}
