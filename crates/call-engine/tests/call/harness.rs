//! A call, its virtual time and everything that it ever asked for.

use std::collections::BTreeMap;
use std::time::Duration;

use call_engine::{
    Call, Command, CommandId, Config, Effect, Input, Job, LegEvent, Rejection, Reply, TransferEvent,
};
use model::{
    Answer, CallId, Callee, ChangeType, Destination, IdSource, Identity, IdentitySet, IncomingContext,
    InvitationParticipant, Invitee, LegId, MediaConfig, MediaInfo, MediaPrompt, Modality, NewCall,
    NewIncomingCall, Notification, NotificationBody, Operation, OperationId, Participant, ParticipantId,
    RecordParams, Redirect, RedirectTarget, Timestamp, Transfer, Transferee,
};
use uuid::Uuid;

/// Ids in order, so that a history replays byte for byte.
#[derive(Debug, Default)]
pub(crate) struct CountedIds(u128);

impl IdSource for CountedIds {
    fn next_guid(&mut self) -> Uuid {
        self.0 += 1;
        Uuid::from_u128(self.0)
    }
}

/// A call under test.
pub(crate) struct Harness {
    pub(crate) call: Call,
    pub(crate) now: Timestamp,
    pub(crate) ids: CountedIds,
    /// Every effect, in order.
    pub(crate) effects: Vec<Effect>,
    commands: u64,
}

impl Harness {
    pub(crate) fn new(config: Config) -> Self {
        Self::of(new_call(), config)
    }

    pub(crate) fn of(new: NewCall, config: Config) -> Self {
        let (now, mut ids) = (Timestamp::from_millis(1_000_000), CountedIds::default());
        let id = CallId::next(&mut ids);
        let call = Call::create((id, new), LegId(1), config, now, &mut ids);
        let mut harness = Self { call, now, ids, effects: Vec::new(), commands: 0 };
        harness.drain();
        harness
    }

    pub(crate) fn established() -> Self {
        let mut harness = Self::new(Config::default());
        harness.leg(LegEvent::Answered);
        harness
    }

    /// A call that came in and rings.
    pub(crate) fn incoming() -> Self {
        Self::of_incoming(new_incoming_call())
    }

    pub(crate) fn of_incoming(new: NewIncomingCall) -> Self {
        let (now, mut ids) = (Timestamp::from_millis(1_000_000), CountedIds::default());
        let id = CallId::next(&mut ids);
        let call = Call::incoming((id, new), LegId(1), Config::default(), now, &mut ids);
        let mut harness = Self { call, now, ids, effects: Vec::new(), commands: 0 };
        harness.drain();
        harness
    }

    /// Tells of the transfer that was asked for last.
    pub(crate) fn transfer(&mut self, event: TransferEvent) {
        self.input(Input::Transfer { command: CommandId(self.commands), event });
    }

    /// Lets the other party hand the conversation over.
    pub(crate) fn replace_party(&mut self, name: &str) {
        let identity = invitee(name).target.identity;
        let info = Box::new(Participant { identity, ..Participant::default() });
        self.input(Input::PartyReplaced { person: name.into(), info });
    }

    pub(crate) fn leg(&mut self, event: LegEvent) {
        self.input(Input::Leg(event));
    }

    pub(crate) fn input(&mut self, input: Input) {
        self.call.handle(input, self.now, &mut self.ids);
        self.drain();
    }

    /// Sends a command and returns its one reply.
    pub(crate) fn command(&mut self, command: Command) -> Result<Reply, Rejection> {
        self.commands += 1;
        let id = CommandId(self.commands);
        self.input(Input::Command { id, command });
        let mut replies = self.effects.iter().filter_map(|effect| match effect {
            Effect::Reply { command, reply } if *command == id => Some(reply.clone()),
            _ => None,
        });
        let reply = replies.next().expect("a command is answered at once");
        assert_eq!(replies.next(), None, "a command is answered once");
        reply
    }

    pub(crate) fn play(&mut self, client_context: &str) -> OperationId {
        let prompts = vec![prompt()];
        let reply =
            self.command(Command::PlayPrompt { prompts, client_context: Some(client_context.to_owned()) });
        operation_of(reply)
    }

    pub(crate) fn advance(&mut self, by: Duration) {
        self.now = self.now.after(by);
        self.call.handle_timeout(self.now, &mut self.ids);
        self.drain();
    }

    pub(crate) fn notifications(&self) -> Vec<&Notification> {
        self.effects
            .iter()
            .filter_map(|effect| match effect {
                Effect::Notify(notification) => Some(&**notification),
                _ => None,
            })
            .collect()
    }

    /// The states that the application was told of, the last one marked by its change.
    pub(crate) fn told_states(&self) -> Vec<(ChangeType, model::CallState)> {
        self.notifications()
            .into_iter()
            .filter_map(|notification| match &notification.body {
                NotificationBody::Call(call) => Some((notification.change, call.state)),
                NotificationBody::ContentSharing(_)
                | NotificationBody::Operation(_)
                | NotificationBody::Roster(_) => None,
            })
            .collect()
    }

    /// Finished operations, by how often the application was told of each.
    pub(crate) fn told_operations(&self) -> BTreeMap<OperationId, usize> {
        let mut told = BTreeMap::new();
        for notification in self.notifications() {
            if let NotificationBody::Operation(operation) = &notification.body {
                *told.entry(operation.id).or_default() += 1;
            }
        }
        told
    }

    pub(crate) fn running_jobs(&self) -> Vec<(OperationId, Job)> {
        let mut jobs = Vec::new();
        for effect in &self.effects {
            match effect {
                Effect::StartJob { operation, job, .. } => jobs.push((*operation, job.clone())),
                Effect::CancelJob { operation } => jobs.retain(|(running, _)| running != operation),
                _ => {}
            }
        }
        jobs
    }

    fn drain(&mut self) {
        let mut has_acted = false;
        while let Some(effect) = self.call.poll_effect() {
            assert!(!(effect.is_stored() && has_acted), "what is stored comes before what is done");
            has_acted |= !effect.is_stored();
            self.effects.push(effect);
        }
    }
}

pub(crate) fn operation_of(reply: Result<Reply, Rejection>) -> OperationId {
    match reply {
        Ok(Reply::Operation(operation)) => operation.id,
        other => panic!("not an operation: {other:?}"),
    }
}

pub(crate) fn find(harness: &Harness, id: OperationId) -> Operation {
    harness.call.operation(id).expect("a recent operation is remembered").clone()
}

pub(crate) fn prompt() -> MediaPrompt {
    MediaPrompt { media: MediaInfo { uri: "https://cdn.contoso.com/beep.wav".to_owned(), resource_id: None } }
}

pub(crate) fn record_params(barge_in_allowed: bool) -> RecordParams {
    let second = Duration::from_secs(1);
    RecordParams {
        prompts: Vec::new(),
        barge_in_allowed,
        initial_silence_timeout: second,
        max_silence_timeout: second,
        max_record_duration: second,
        play_beep: true,
        stop_tones: Vec::new(),
    }
}

pub(crate) fn new_call() -> NewCall {
    NewCall {
        app: "bot".into(),
        app_name: "Bot".to_owned(),
        tenant: "contoso".into(),
        callback_uri: "https://bot.contoso.com/callback".to_owned(),
        chain: None,
        scenario: None,
        source: None,
        destination: Destination::Person(Box::new(invitee("john"))),
        subject: None,
        requested_modalities: vec![Modality::Audio],
        media_config: MediaConfig::ServiceHosted {
            pre_fetch_media: Vec::new(),
            remove_from_default_audio_group: None,
        },
        call_options: None,
        is_tenant_shown: false,
    }
}

/// The same with media that the application hosts.
pub(crate) fn app_hosted(new: NewCall) -> NewCall {
    let media_config =
        MediaConfig::AppHosted { blob: Some("blob".to_owned()), remove_from_default_audio_group: None };
    NewCall { media_config, ..new }
}

/// The same to several people.
pub(crate) fn group(new: NewCall) -> NewCall {
    NewCall { destination: Destination::Group(["john", "user1"].map(invitee).into()), ..new }
}

pub(crate) fn invitee(name: &str) -> Invitee {
    let identity = IdentitySet::user(Identity::of(name));
    Invitee {
        target: InvitationParticipant { identity, ..InvitationParticipant::default() },
        callee: name.into(),
    }
}

pub(crate) fn new_incoming_call() -> NewIncomingCall {
    let bot = IdentitySet::application(Identity::of("bot").named("Bot"));
    NewIncomingCall {
        app: "bot".into(),
        tenant: "contoso".into(),
        callback_uri: "https://bot.contoso.com/webhook".to_owned(),
        chain: None,
        caller: "john".into(),
        source: Participant { identity: IdentitySet::user(Identity::of("john")), ..Participant::default() },
        target: InvitationParticipant { identity: bot, ..InvitationParticipant::default() },
        subject: None,
        requested_modalities: vec![Modality::Audio, Modality::Video],
        context: IncomingContext {
            source_participant: ParticipantId::from(Uuid::from_u128(7 << 64)),
            on_behalf_of: None,
            transferor: None,
        },
        routes: Vec::new(),
    }
}

pub(crate) fn answer() -> Command {
    Command::Answer(Box::new(Answer {
        callback_uri: Some("https://bot.contoso.com/answered".to_owned()),
        accepted_modalities: vec![Modality::Audio],
        media_config: new_call().media_config,
        call_options: None,
    }))
}

/// Sends a call on to these people for 20 seconds.
pub(crate) fn redirect(names: &[&str]) -> Redirect {
    let target =
        |name: &&str| RedirectTarget { target: invitee(name).target, callee: Callee::User((*name).into()) };
    Redirect {
        targets: names.iter().map(target).collect(),
        timeout: Duration::from_secs(20),
        callback_uri: None,
    }
}

/// Hands the other party, or the transferee, over.
pub(crate) fn transfer(name: &str, transferee: Option<Transferee>) -> Command {
    Command::Transfer(Box::new(Transfer { target: invitee(name), transferee }))
}

/// The same to someone whom the application has a call with.
pub(crate) fn consultative_transfer(name: &str, replaced: CallId) -> Command {
    let mut target = invitee(name);
    target.target.replaces_call_id = Some(replaced.to_string());
    Command::Transfer(Box::new(Transfer { target, transferee: None }))
}
