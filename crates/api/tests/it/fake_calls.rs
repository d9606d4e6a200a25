use std::collections::BTreeMap;
use std::sync::Mutex;

use api::{Attach, CallControl, CallFault, CallFuture};
use app_media::Format;
use call_engine::{Command, ConferenceRequest, Reply};
use model::{
    AppId, AudioRoutingGroup, Call, CallDirection, CallId, CallKind, CallState, ChainId, Destination,
    NewCall, OnlineMeeting, Operation, OperationId, OperationKind, OperationStatus, Owner, ParticipantId,
    RosterParticipant, ScenarioId, Timestamp,
};
use node::WhipAnswer;
use tokio::sync::mpsc;
use uuid::Uuid;

/// Calls that are created and shown, and whose commands are written down.
#[derive(Default)]
pub(crate) struct FakeCalls {
    pub(crate) live: Mutex<BTreeMap<CallId, (Call, Vec<Operation>)>>,
    pub(crate) commands: Mutex<Vec<Command>>,
    /// What was asked for at creation.
    pub(crate) created: Mutex<Vec<NewCall>>,
    /// Who is in every call.
    pub(crate) participants: Mutex<Vec<RosterParticipant>>,
    /// The private routes of every call.
    pub(crate) groups: Mutex<Vec<AudioRoutingGroup>>,
    /// Who speaks most in every call.
    pub(crate) dominant: Mutex<Option<(ParticipantId, u32)>>,
    /// The meetings that it was told of.
    pub(crate) changed_meetings: Mutex<Vec<OnlineMeeting>>,
    /// The one ticket that is good, for any call.
    pub(crate) ticket: Mutex<Option<String>>,
    /// Is told how sockets are attached.
    pub(crate) attached: Mutex<Option<mpsc::UnboundedSender<(CallId, Format, app_media::Socket)>>>,
    /// Offers that were answered.
    pub(crate) offers: Mutex<Vec<String>>,
    /// What the next request is answered with.
    pub(crate) fault: Mutex<Option<CallFault>>,
}

impl FakeCalls {
    fn find(&self, owner: &Owner, id: CallId) -> Result<(Call, Vec<Operation>), CallFault> {
        if let Some(fault) = self.fault.lock().unwrap().take() {
            return Err(fault);
        }
        let live = self.live.lock().unwrap();
        let found = live.get(&id).filter(|(call, _)| call.app == owner.app).ok_or(CallFault::NotFound)?;
        if found.0.tenant == owner.tenant { Ok(found.clone()) } else { Err(CallFault::OtherTenant) }
    }

    fn add(&self, new: NewCall) -> Result<Call, CallFault> {
        if let Some(fault) = self.fault.lock().unwrap().take() {
            return Err(fault);
        }
        let mut live = self.live.lock().unwrap();
        let number = u128::try_from(live.len()).unwrap() + 1;
        self.created.lock().unwrap().push(new.clone());
        let call = call(new, CallId::from(Uuid::from_u128(number << 64)));
        live.insert(call.id, (call.clone(), Vec::new()));
        Ok(call)
    }

    fn run(&self, owner: &Owner, id: CallId, command: Command) -> Result<Reply, CallFault> {
        self.find(owner, id)?;
        self.commands.lock().unwrap().push(command.clone());
        let (kind, status, client_context) = match command {
            Command::Answer(_)
            | Command::HangUp
            | Command::KeepAlive
            | Command::Redirect(_)
            | Command::Reject { .. }
            | Command::Transfer(_) => return Ok(Reply::Done),
            Command::Conference { request, client_context } => match asked(request) {
                Asked::Done => return Ok(Reply::Done),
                Asked::Group(group) => return Ok(Reply::Group(Box::new(group))),
                Asked::Operation(kind, status) => (kind, status, client_context),
            },
            Command::CancelMediaProcessing { client_context } => {
                (OperationKind::CancelMediaProcessing, OperationStatus::Completed, client_context)
            }
            Command::PlayPrompt { prompts, client_context } => {
                (OperationKind::PlayPrompt { prompts }, OperationStatus::Running, client_context)
            }
            Command::RecordResponse { params, client_context } => {
                let kind =
                    OperationKind::Record { params, completion: None, location: None, access_token: None };
                (kind, OperationStatus::Running, client_context)
            }
            Command::SendDtmfTones { tones, delay_between_tones_ms, client_context } => {
                let kind = OperationKind::SendDtmfTones { tones, delay_between_tones_ms, completion: None };
                (kind, OperationStatus::Running, client_context)
            }
            Command::SubscribeToTone { client_context } => {
                (OperationKind::SubscribeToTone, OperationStatus::Completed, client_context)
            }
        };
        let id_of_operation = OperationId::from(Uuid::from_u128(0x0b));
        let operation = Operation { id: id_of_operation, kind, status, client_context, outcome: None };
        self.live.lock().unwrap().get_mut(&id).unwrap().1.push(operation.clone());
        Ok(Reply::Operation(Box::new(operation)))
    }
}

/// What a conference answers when it does what it is asked.
enum Asked {
    Done,
    Group(AudioRoutingGroup),
    Operation(OperationKind, OperationStatus),
}

fn asked(request: ConferenceRequest) -> Asked {
    let (completed, running) = (OperationStatus::Completed, OperationStatus::Running);
    match request {
        ConferenceRequest::AddLargeGalleryView => {
            Asked::Operation(OperationKind::AddLargeGalleryView, running)
        }
        ConferenceRequest::CreateGroup(group) | ConferenceRequest::UpdateGroup(group) => Asked::Group(group),
        ConferenceRequest::Invite(invitees) => {
            let participants = invitees.into_iter().map(|invitee| invitee.target).collect();
            Asked::Operation(OperationKind::InviteParticipants { participants }, running)
        }
        ConferenceRequest::Mute(_) | ConferenceRequest::MuteSelf => {
            Asked::Operation(OperationKind::MuteParticipant, completed)
        }
        ConferenceRequest::MuteAll(_) => Asked::Operation(OperationKind::MuteAll, completed),
        ConferenceRequest::StartHoldMusic { .. } => Asked::Operation(OperationKind::StartHoldMusic, running),
        ConferenceRequest::StopHoldMusic(_) => Asked::Operation(OperationKind::StopHoldMusic, running),
        ConferenceRequest::UnmuteSelf => Asked::Operation(OperationKind::UnmuteParticipant, completed),
        ConferenceRequest::UpdateRecordingStatus(status) => {
            Asked::Operation(OperationKind::UpdateRecordingStatus { status }, completed)
        }
        ConferenceRequest::Admit(_)
        | ConferenceRequest::ChangeScreenSharingRole(_)
        | ConferenceRequest::DeleteGroup(_)
        | ConferenceRequest::Remove(_)
        | ConferenceRequest::RemoveFromLobby(_)
        | ConferenceRequest::Transfer(_) => Asked::Done,
    }
}

fn call(new: NewCall, id: CallId) -> Call {
    let (kind, targets, meeting) = match new.destination {
        Destination::Group(invitees) => {
            (CallKind::Group, invitees.into_iter().map(|invitee| invitee.target).collect(), None)
        }
        Destination::Meeting(join) => (CallKind::Meeting, Vec::new(), Some((join.chat, join.asked))),
        Destination::Person(invitee) => {
            (CallKind::PeerToPeer { person: invitee.callee }, vec![invitee.target], None)
        }
    };
    let (chat, meeting) = meeting.unzip();
    Call {
        id,
        app: new.app,
        tenant: new.tenant,
        is_tenant_shown: new.is_tenant_shown,
        created_at: Timestamp::default(),
        callback_uri: new.callback_uri,
        chain: new.chain.unwrap_or_else(|| ChainId::from(Uuid::from_u128(0xc))),
        scenario: new.scenario.unwrap_or_else(|| ScenarioId::from("made-up")),
        direction: CallDirection::Outgoing,
        state: CallState::Establishing,
        media_state: None,
        my_participant: ParticipantId::from(Uuid::from_u128(0xd)),
        source: new.source.unwrap_or_default(),
        targets,
        incoming: None,
        kind,
        chat,
        meeting,
        subject: new.subject,
        requested_modalities: new.requested_modalities,
        media_config: new.media_config,
        call_options: new.call_options,
        tone: None,
        answered_by: None,
        content_sharing: None,
        outcome: None,
        notified: Default::default(),
    }
}

impl CallControl for FakeCalls {
    fn create(&self, new: NewCall) -> CallFuture<'_, Call> {
        Box::pin(async { self.add(new) })
    }

    fn call<'a>(&'a self, owner: &'a Owner, id: CallId) -> CallFuture<'a, Call> {
        Box::pin(async move { self.find(owner, id).map(|(call, _)| call) })
    }

    fn operations<'a>(&'a self, owner: &'a Owner, id: CallId) -> CallFuture<'a, Vec<Operation>> {
        Box::pin(async move { self.find(owner, id).map(|(_, operations)| operations) })
    }

    fn participants<'a>(&'a self, owner: &'a Owner, id: CallId) -> CallFuture<'a, Vec<RosterParticipant>> {
        Box::pin(async move { self.find(owner, id).map(|_| self.participants.lock().unwrap().clone()) })
    }

    fn routing_groups<'a>(&'a self, owner: &'a Owner, id: CallId) -> CallFuture<'a, Vec<AudioRoutingGroup>> {
        Box::pin(async move { self.find(owner, id).map(|_| self.groups.lock().unwrap().clone()) })
    }

    fn dominant<'a>(&'a self, owner: &'a Owner, id: CallId) -> CallFuture<'a, Option<(ParticipantId, u32)>> {
        Box::pin(async move { self.find(owner, id).map(|_| *self.dominant.lock().unwrap()) })
    }

    fn command<'a>(&'a self, owner: &'a Owner, id: CallId, command: Command) -> CallFuture<'a, Reply> {
        Box::pin(async move { self.run(owner, id, command) })
    }

    fn redeem(&self, call: CallId, ticket: &str) -> Option<Attach> {
        self.ticket.lock().unwrap().take_if(|good| good == ticket)?;
        let attached = self.attached.lock().unwrap().clone();
        Some(Box::new(move |format, socket| {
            Box::pin(async move {
                let told = attached.is_some_and(|attached| attached.send((call, format, socket)).is_ok());
                told.then_some(()).ok_or(CallFault::NotFound)
            })
        }))
    }

    fn whip<'a>(&'a self, _: CallId, ticket: &'a str, sdp: String) -> CallFuture<'a, WhipAnswer> {
        Box::pin(async move {
            let mut good = self.ticket.lock().unwrap();
            good.as_deref().filter(|good| *good == ticket).ok_or(CallFault::NotFound)?;
            if let Some(fault) = self.fault.lock().unwrap().take() {
                return Err(fault);
            }
            *good = None;
            self.offers.lock().unwrap().push(sdp);
            Ok(WhipAnswer { sdp: "v=0\r\n".to_owned(), session: "secret".to_owned() })
        })
    }

    fn end_whip<'a>(&'a self, _: CallId, session: &'a str) -> CallFuture<'a, ()> {
        Box::pin(async move { (session == "secret").then_some(()).ok_or(CallFault::NotFound) })
    }

    fn reoffer<'a>(&'a self, owner: &'a Owner, call: CallId, sdp: String) -> CallFuture<'a, String> {
        Box::pin(async move {
            self.find(owner, call)?;
            self.offers.lock().unwrap().push(sdp);
            Ok("v=0\r\ns=again\r\n".to_owned())
        })
    }

    fn invitation<'a>(&'a self, owner: &'a Owner, call: CallId) -> CallFuture<'a, String> {
        Box::pin(async move { self.find(owner, call).map(|_| r#"{"websocket":{}}"#.to_owned()) })
    }

    fn meeting_changed(&self, meeting: OnlineMeeting) {
        self.changed_meetings.lock().unwrap().push(meeting);
    }

    fn live_of(&self, app: &AppId) -> usize {
        self.live.lock().unwrap().values().filter(|(call, _)| call.app == *app).count()
    }
}
