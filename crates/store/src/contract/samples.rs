use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use model::{
    AllowedPresenters, AppId, Application, ApplicationInstance, Attempt, Call, CallDirection, CallId,
    CallKind, CallRoute, CallState, CallerForm, ChainId, ChangeType, IdSource, Identity, IdentitySet,
    Incoming, IncomingContext, InvitationParticipant, LobbyBypass, LobbyBypassScope, MediaConfig, MeetingId,
    MeetingOption, Modality, Notification, NotificationBody, NotificationId, NumberRule, OnlineMeeting,
    Operation, OperationId, OperationKind, OperationStatus, Participant, ParticipantId, PermissionSet,
    RecordingId, ScenarioId, SrtpPolicy, Tenant, TenantId, Timestamp, Trunk, TrunkAccount, TrunkBudget,
    TrunkId, TrunkPeer, TrunkRegistration, TrunkSecret, TrunkTransport, User, UserId,
};
use uuid::Uuid;

use crate::{KeyPurpose, Recording, SigningKey, Transaction};

/// Makes values to store; two of the same seed make the same ones.
#[derive(Clone, Debug)]
pub struct Samples {
    next: u128,
}

impl Samples {
    /// Starts from `seed`; ids of different seeds differ.
    pub fn new(seed: u64) -> Self {
        Self { next: u128::from(seed) << 64 }
    }

    /// A call that has just been made, with `subject_bytes` of subject to make it as large as wanted.
    pub fn call(&mut self, subject_bytes: usize) -> Call {
        Call {
            id: CallId::next(self),
            app: AppId::from("app"),
            tenant: TenantId::from("tenant"),
            is_tenant_shown: true,
            created_at: Timestamp::from_millis(1_000),
            callback_uri: "https://bot.example/callback".to_owned(),
            chain: ChainId::next(self),
            scenario: ScenarioId::from("scenario"),
            direction: CallDirection::Outgoing,
            state: CallState::Establishing,
            media_state: None,
            my_participant: ParticipantId::next(self),
            source: Participant {
                identity: IdentitySet::application(Identity::of("app").named("Bot")),
                ..Participant::default()
            },
            targets: vec![InvitationParticipant {
                identity: IdentitySet::user(Identity::of("user").named("Jöhn \"J\" \0")),
                ..InvitationParticipant::default()
            }],
            incoming: None,
            kind: CallKind::PeerToPeer { person: UserId::from("user").into() },
            chat: None,
            meeting: None,
            subject: Some("s".repeat(subject_bytes)),
            requested_modalities: vec![Modality::Audio],
            media_config: MediaConfig::ServiceHosted {
                pre_fetch_media: Vec::new(),
                remove_from_default_audio_group: None,
            },
            call_options: None,
            tone: None,
            answered_by: None,
            content_sharing: None,
            outcome: None,
            notified: 0,
        }
    }

    /// A call whose application hosts the media.
    pub fn app_hosted_call(&mut self) -> Call {
        let media_config = MediaConfig::AppHosted {
            blob: Some(r#"{"endpoint":"wss://bot.example/média"}"#.to_owned()),
            remove_from_default_audio_group: Some(true),
        };
        Call { media_config, ..self.call(10) }
    }

    /// A call that someone sent on to its application.
    pub fn incoming_call(&mut self) -> Call {
        let application = |id: &str| IdentitySet::application(Identity::of(id));
        let context = IncomingContext {
            source_participant: ParticipantId::next(self),
            on_behalf_of: Some(application("other")),
            transferor: None,
        };
        let routes = vec![CallRoute { original: application("other"), redirected_to: application("app") }];
        let accepted_modalities = Some(vec![Modality::Audio]);
        let incoming = Incoming { context, routes, accepted_modalities };
        Call { direction: CallDirection::Incoming, incoming: Some(Box::new(incoming)), ..self.call(10) }
    }

    /// An operation that runs.
    pub fn operation(&mut self) -> Operation {
        Operation {
            id: OperationId::next(self),
            kind: OperationKind::SubscribeToTone,
            status: OperationStatus::Running,
            client_context: Some("context".to_owned()),
            outcome: None,
        }
    }

    /// A notification that tells of `call` as it is.
    pub fn notification(&mut self, call: &Call, sequence: u64) -> Notification {
        Notification {
            id: NotificationId::next(self),
            sequence,
            call: call.id,
            app: call.app.clone(),
            tenant: call.tenant.clone(),
            scenario: call.scenario.clone(),
            callback_uri: call.callback_uri.clone(),
            created_at: Timestamp::from_millis(2_000),
            change: ChangeType::Updated,
            body: NotificationBody::Call(Arc::new(call.clone())),
        }
    }

    /// A recording of `call` that expires at `expires_at`.
    pub fn recording(&mut self, call: CallId, expires_at: i64) -> Recording {
        Recording {
            id: RecordingId::next(self),
            call,
            operation: OperationId::next(self),
            path: "recordings/1.wav".to_owned(),
            token_sha256: [7; 32],
            created_at: Timestamp::from_millis(0),
            expires_at: Timestamp::from_millis(expires_at),
        }
    }

    /// The transaction that makes a call and owes the first `notifications` about it.
    pub fn new_call(&mut self, notifications: u64) -> (Call, Transaction) {
        let call = self.call(10);
        let owed = (1..=notifications).map(|sequence| self.notification(&call, sequence)).collect();
        let transaction = Transaction {
            call: Some(Arc::new(call.clone())),
            notifications: owed,
            ..Transaction::at(Timestamp::from_millis(1_000))
        };
        (call, transaction)
    }
}

impl IdSource for Samples {
    fn next_guid(&mut self) -> Uuid {
        self.next += 1;
        Uuid::from_u128(self.next)
    }
}

/// A transaction that only writes `call`.
pub(super) fn only_call(call: &Call, at: i64) -> Transaction {
    Transaction { call: Some(Arc::new(call.clone())), ..Transaction::at(Timestamp::from_millis(at)) }
}

/// The same call, over.
pub(super) fn ended(call: &Call) -> Call {
    Call { state: CallState::Terminated, ..call.clone() }
}

pub(super) fn attempt(number: u32) -> Attempt {
    Attempt {
        number,
        at: Timestamp::from_millis(i64::from(number)),
        duration_ms: 12,
        status: number.is_multiple_of(2).then_some(503),
        error: (!number.is_multiple_of(2)).then(|| "connection refused".to_owned()),
    }
}

pub(super) fn key(id: &str, purpose: KeyPurpose, created_at: i64, expires_at: i64) -> SigningKey {
    SigningKey {
        id: id.to_owned(),
        purpose,
        pkcs8: vec![1, 2, 3],
        created_at: Timestamp::from_millis(created_at),
        retires_at: Timestamp::from_millis(expires_at - 1),
        expires_at: Timestamp::from_millis(expires_at),
    }
}

pub(super) fn tenant(id: &str, name: &str) -> Tenant {
    let grants =
        BTreeMap::from([(AppId::from("app"), PermissionSet::from_iter(["Calls.Initiate.All".into()]))]);
    Tenant {
        id: TenantId::from(id),
        name: name.to_owned(),
        grants,
        access_policies: BTreeMap::new(),
        dial_in_numbers: BTreeSet::new(),
    }
}

pub(super) fn application() -> Application {
    Application {
        id: AppId::from("app"),
        name: "Bot".to_owned(),
        alias: Some("sales".to_owned()),
        secret_hashes: vec!["$argon2id$x".to_owned()],
        assertion_keys: Vec::new(),
        webhook: None,
        is_calling_enabled: true,
        trunk_budget: TrunkBudget { calls_per_day: 7, minutes_per_day: 8 },
    }
}

pub(super) fn user(id: &str) -> User {
    User {
        id: UserId::from(id),
        tenant: TenantId::from("tenant"),
        name: "John".to_owned(),
        address: "john@contoso.example".to_owned(),
        ha1: None,
        script: None,
        is_administrator: true,
    }
}

pub(super) fn instance() -> ApplicationInstance {
    ApplicationInstance {
        id: "instance".to_owned(),
        app: AppId::from("app"),
        tenant: TenantId::from("tenant"),
        numbers: ["+12345678900", "+12345678999"].map(|number| number.parse().unwrap()).into(),
        is_withheld: false,
    }
}

/// A trunk with something in each field.
pub(super) fn trunk() -> Trunk {
    let some = |number: u32| NonZeroU32::new(number).unwrap();
    Trunk {
        id: TrunkId::from("trunk"),
        tenant: TenantId::from("tenant"),
        name: "Carrier".to_owned(),
        priority: 1,
        weight: some(2),
        peer: TrunkPeer {
            host: "carrier.example".to_owned(),
            port: Some(5061),
            transport: TrunkTransport::Tls,
        },
        account: Some(TrunkAccount {
            username: "customer".to_owned(),
            secret: TrunkSecret::Password("secret".to_owned()),
            registration: Some(TrunkRegistration {
                address: "customer@carrier.example".to_owned(),
                expires: Duration::from_secs(600),
            }),
        }),
        sources: vec!["192.0.2.0/24".parse().unwrap(), "2001:db8::7".parse().unwrap()],
        allowed_prefixes: vec!["+1".to_owned().try_into().unwrap()],
        blocked_prefixes: vec!["+1900".to_owned().try_into().unwrap()],
        calls_per_second: some(3),
        concurrent_calls: some(4),
        options_interval: Some(Duration::from_secs(30)),
        srtp: SrtpPolicy::Required,
        outgoing_rules: vec![NumberRule { from: "+1".to_owned(), to: String::new(), digits: None }],
        incoming_rules: vec![NumberRule { from: String::new(), to: "+1".to_owned(), digits: Some(10) }],
        caller_form: CallerForm::ByRules,
        is_trusted: true,
    }
}

/// A meeting whose ids are all made of `id`.
pub(super) fn meeting(id: &str) -> OnlineMeeting {
    OnlineMeeting {
        id: MeetingId::from(id),
        tenant: TenantId::from("tenant"),
        organizer: UserId::from("user"),
        organizer_name: Some("Jöhn".to_owned()),
        thread_id: format!("19:meeting_{id}@thread.v2"),
        external_id: None,
        subject: Some("Weekly \"sync\"".to_owned()),
        created_at: Timestamp::from_millis(1_000),
        starts_at: Timestamp::from_millis(2_000),
        ends_at: Timestamp::from_millis(3_000),
        attendees: Vec::new(),
        join_meeting_id: format!("join-{id}"),
        passcode: Some("psw123".to_owned()),
        video_teleconference_id: Some(format!("vtc-{id}")),
        lobby_bypass: LobbyBypass { scope: LobbyBypassScope::Organization, is_dial_in_bypass_enabled: true },
        is_admitting_left_to_organizers: false,
        allowed_presenters: AllowedPresenters::Everyone,
        is_entry_exit_announced: true,
        is_locked: false,
        consents: BTreeMap::from([(
            AppId::from("app"),
            PermissionSet::from_iter(["Calls.JoinGroupCalls.Chat".into()]),
        )]),
        options: BTreeMap::from([("allowRecording".to_owned(), MeetingOption::Switch(false))]),
        is_from_file: false,
        revision: 0,
    }
}
