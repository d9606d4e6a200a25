use model::{
    AppId, CallDirection, CallOptions, ChainId, ChatInfo, Destination, Identity, InvitationParticipant,
    Invitee, MeetingInfo, MeetingJoin, Modality, NewCall, OnlineMeeting, Participant, Permission, Person,
    PhoneNumber, ScenarioId, TenantId, UserId,
};

use crate::call::read_call_options;
use crate::invalid_request::Path;
use crate::media::check_url;
use crate::wire::{Fields, Wire};
use crate::{InvalidRequest, Limits, MediaConfig, json};

/// The body of `POST /communications/calls`, found valid.
///
/// Read-only members (`id`, `state`, …) and undeclared ones are ignored. A client that asks for no modality gets audio.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateCall {
    /// Where notifications go: an absolute URL, as it was sent.
    pub callback_uri: String,
    /// What the body asks for.
    pub intent: Intent,
    /// Who hosts the media.
    pub media_config: MediaConfig,
    /// Who calls, where the body says so.
    pub source: Option<Participant>,
    /// The subject.
    pub subject: Option<String>,
    /// The kinds of media, each once, in the order asked for.
    pub requested_modalities: Vec<Modality>,
    /// The tenant, where the body names one: the caller's, or the request is to be refused.
    pub tenant: Option<TenantId>,
    /// Options, where the body has any.
    pub call_options: Option<CallOptions>,
    /// A chain to correlate with, where the body names one.
    pub chain: Option<ChainId>,
}

/// What a request to create a call means (one endpoint serves them all).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Intent {
    /// Call several people or numbers.
    GroupCall {
        /// Two or more.
        targets: Vec<Invitee>,
    },
    /// Join a meeting.
    Join {
        /// Which one.
        meeting: MeetingInfo,
        /// Its chat, where the meeting is named by its coordinates.
        chat: Option<ChatInfo>,
    },
    /// Call one person, or one number.
    PeerToPeer {
        /// Which one.
        target: Box<Invitee>,
    },
}

impl Intent {
    /// The permissions of which one is needed; media that the application hosts needs `Calls.AccessMedia.All` besides.
    /// A join may have the consent of the one chat that it joins instead.
    pub const fn permissions(&self) -> &'static [&'static str] {
        match self {
            Self::PeerToPeer { .. } => &[Permission::INITIATE],
            Self::GroupCall { .. } => &[Permission::INITIATE_GROUP_CALL],
            Self::Join { .. } => &[Permission::JOIN_GROUP_CALL, Permission::JOIN_GROUP_CALL_AS_GUEST],
        }
    }

    /// Whether it calls a phone number.
    pub fn calls_numbers(&self) -> bool {
        match self {
            Self::GroupCall { targets } => targets.iter().any(|target| target.callee.is_in_phone_network()),
            Self::Join { .. } => false,
            Self::PeerToPeer { target } => target.callee.is_in_phone_network(),
        }
    }

    fn into_destination(self, joined: Option<JoinedMeeting>) -> Option<Destination> {
        match self {
            Self::GroupCall { targets } => Some(Destination::Group(targets)),
            Self::Join { meeting: asked, chat } => {
                let JoinedMeeting { meeting, guest } = joined?;
                let own_chat = ChatInfo {
                    thread_id: meeting.thread_id.clone(),
                    message_id: Some(OWN_CHAT.to_owned()),
                    reply_chain_message_id: None,
                };
                let chat = match chat {
                    Some(sent) => ChatInfo { message_id: sent.message_id.or(own_chat.message_id), ..sent },
                    None => own_chat,
                };
                Some(Destination::Meeting(Box::new(MeetingJoin { meeting, chat, asked, guest })))
            }
            Self::PeerToPeer { target } => Some(Destination::Person(target)),
        }
    }
}

/// The message that a meeting's own chat hangs on (documentation of `chatInfo`).
pub(crate) const OWN_CHAT: &str = "0";

/// The meeting that a request to join was found to mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinedMeeting {
    /// The meeting.
    pub meeting: OnlineMeeting,
    /// Who the application is in it where it joins as a guest.
    pub guest: Option<Identity>,
}

/// Who sent the request, as its token and headers say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The application.
    pub app: AppId,
    /// Its name to show.
    pub app_name: String,
    /// The token's tenant.
    pub tenant: TenantId,
    /// The request's `Scenario-Id`, if any.
    pub scenario: Option<ScenarioId>,
}

impl CreateCall {
    /// Reads a body.
    ///
    /// # Errors
    ///
    /// [`InvalidRequest`] with the place of the first thing that is wrong.
    pub fn decode(body: &[u8], limits: &Limits) -> Result<Self, InvalidRequest> {
        let value = json::parse(body)?;
        let root = Fields::of(&value, &Path::Root, &["call"])?;
        let callback_uri: String = root.required("callbackUri")?;
        check_url(&callback_uri, &Path::Member(&Path::Root, "callbackUri"), limits)?;
        if root.optional::<CallDirection>("direction")? == Some(CallDirection::Incoming) {
            return Err(root.expected("direction", "outgoing"));
        }
        let media_config = root
            .value("mediaConfig")
            .ok_or_else(|| root.expected("mediaConfig", "a value: the member is required"))?;
        let source: Option<Participant> = root.optional("source")?;
        Ok(Self {
            intent: read_intent(&root, limits)?,
            media_config: MediaConfig::read(media_config, &Path::Member(&Path::Root, "mediaConfig"), limits)?,
            subject: root.optional("subject")?,
            requested_modalities: read_modalities(&root, "requestedModalities")?,
            tenant: root.optional::<String>("tenantId")?.map(TenantId::new),
            call_options: read_call_options(&root, "outgoingCallOptions")?,
            chain: read_chain(&root)?,
            callback_uri,
            source,
        })
    }

    /// Whether the application hosts the media, which needs `Calls.AccessMedia.All` besides.
    pub const fn is_app_hosted(&self) -> bool {
        matches!(self.media_config, MediaConfig::AppHosted { .. })
    }

    /// Turns the request into what the server does; `None` where it joins a meeting and what that was found to be is not given.
    pub fn into_new_call(self, caller: Caller, joined: Option<JoinedMeeting>) -> Option<NewCall> {
        let destination = self.intent.into_destination(joined)?;
        Some(NewCall {
            app: caller.app,
            app_name: caller.app_name,
            // The documented answer to a group call names the tenant though its request does not.
            is_tenant_shown: self.tenant.is_some() || matches!(destination, Destination::Group(_)),
            tenant: caller.tenant,
            callback_uri: self.callback_uri,
            chain: self.chain,
            scenario: caller.scenario,
            source: self.source,
            destination,
            subject: self.subject,
            requested_modalities: self.requested_modalities,
            media_config: self.media_config.into(),
            call_options: self.call_options,
        })
    }
}

/// Reads kinds of media, each once; none means sound.
pub(crate) fn read_modalities(root: &Fields<'_>, name: &str) -> Result<Vec<Modality>, InvalidRequest> {
    let asked: Vec<Modality> = root.list(name, MAX_MODALITIES)?;
    let mut distinct = Vec::new();
    for modality in asked {
        if !distinct.contains(&modality) {
            distinct.push(modality);
        }
    }
    if distinct.is_empty() {
        distinct.push(Modality::Audio);
    }
    Ok(distinct)
}

/// Four kinds exist; arbitrary, twice that for clients that repeat themselves.
const MAX_MODALITIES: usize = 8;

fn read_chain(root: &Fields<'_>) -> Result<Option<ChainId>, InvalidRequest> {
    let text: Option<String> = root.optional("callChainId")?;
    let parse = |text: String| ChainId::parse(&text).ok_or_else(|| root.expected("callChainId", "a GUID"));
    text.map(parse).transpose()
}

fn read_intent(root: &Fields<'_>, limits: &Limits) -> Result<Intent, InvalidRequest> {
    let targets: Vec<InvitationParticipant> = root.list("targets", limits.targets)?;
    if let Some(meeting) = root.value("meetingInfo") {
        if !targets.is_empty() {
            return Err(root.expected("targets", "no items beside meetingInfo"));
        }
        let meeting = MeetingInfo::read(meeting, &Path::Member(&Path::Root, "meetingInfo"))?;
        return read_meeting(root, meeting);
    }
    let list = Path::Member(&Path::Root, "targets");
    let targets = read_invitees(targets, &list)?;
    match <[Invitee; 1]>::try_from(targets) {
        Ok([target]) => Ok(Intent::PeerToPeer { target: Box::new(target) }),
        Err(targets) if targets.is_empty() => {
            Err(root.expected("targets", "at least one item, or meetingInfo beside it"))
        }
        Err(targets) => Ok(Intent::GroupCall { targets }),
    }
}

/// Those to be called who are in a list at that place.
pub(crate) fn read_invitees(
    targets: Vec<InvitationParticipant>,
    at: &Path<'_>,
) -> Result<Vec<Invitee>, InvalidRequest> {
    let invitee = |(index, target)| read_invitee(target, &Path::Item(at, index));
    targets.into_iter().enumerate().map(invitee).collect()
}

/// Someone to be called: a user or a phone number.
pub(crate) fn read_invitee(target: InvitationParticipant, at: &Path<'_>) -> Result<Invitee, InvalidRequest> {
    let callee = read_person(&target, at)?;
    Ok(Invitee { target, callee })
}

/// Who is meant: a user or a phone number.
pub(crate) fn read_person(target: &InvitationParticipant, at: &Path<'_>) -> Result<Person, InvalidRequest> {
    let identity = Path::Member(at, "identity");
    match (&target.identity.user, &target.identity.phone) {
        (Some(user), None) => Ok(Person::User(UserId::new(read_id(user, &Path::Member(&identity, "user"))?))),
        (None, Some(phone)) => {
            let number = read_id(phone, &Path::Member(&identity, "phone"))?;
            // Only in the form that the API shows: what is written otherwise would be shown otherwise, too.
            let parsed = PhoneNumber::parse(number).ok().filter(|parsed| parsed.as_str() == number);
            parsed.map(Person::Phone).ok_or_else(|| {
                let at = Path::Member(&identity, "phone");
                Path::Member(&at, "id").expected("an E.164 number with the plus, as +12015550123")
            })
        }
        (None, None) | (Some(_), Some(_)) => Err(identity.expected("either a user or a phone")),
    }
}

/// The id of whom an identity names.
pub(crate) fn read_id<'a>(named: &'a Identity, at: &Path<'_>) -> Result<&'a str, InvalidRequest> {
    let id = named.id.as_deref().filter(|id| !id.is_empty());
    id.ok_or_else(|| Path::Member(at, "id").expected("an id"))
}

fn read_meeting(root: &Fields<'_>, meeting: MeetingInfo) -> Result<Intent, InvalidRequest> {
    // Only coordinates need the chat; what else is sent beside a number or a token is not looked at.
    let chat = match &meeting {
        MeetingInfo::Organizer { organizer, .. } => {
            if organizer.user.as_ref().and_then(|user| user.id.as_ref()).is_none() {
                return Err(root.expected("meetingInfo.organizer.user.id", "an id"));
            }
            Some(root.required("chatInfo")?)
        }
        MeetingInfo::JoinMeetingId { .. } | MeetingInfo::Token { .. } => None,
    };
    Ok(Intent::Join { meeting, chat })
}
