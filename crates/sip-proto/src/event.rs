//! What goes in and out of an endpoint besides messages.

use core::fmt;
use core::time::Duration;
use std::collections::BTreeMap;

use bytes::Bytes;
use sip_message::{NameAddr, Replaces, Scheme, StatusCode, Uri};

use crate::config::SessionTimer;
use crate::flow::{Flow, Transport};
use crate::peers::PeerId;
use crate::pinging::{PingFailure, PingHandle};
use crate::registering::{RegistrationFailure, RegistrationHandle};

/// One call of an endpoint. Never used again for another call of the same endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallHandle(pub(crate) u64);

impl fmt::Display for CallHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// One place where the called user may be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The Request-URI of the INVITE.
    pub uri: Uri,
    /// The way there.
    pub flow: Flow,
}

impl Target {
    /// Whether the way is as secure as the URI wants it.
    pub(crate) fn is_secure_enough(&self) -> bool {
        self.flow.transport == Transport::Tls || *self.uri.scheme() != Scheme::Sips
    }
}

/// A name and secret for challenges to outgoing requests.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The user name.
    pub username: String,
    /// What shows that it is that user.
    pub secret: Secret,
}

impl Credentials {
    /// A name and password.
    #[must_use]
    pub fn new(username: impl Into<String>, password: impl Into<String>) -> Self {
        Self { username: username.into(), secret: Secret::Password(password.into()) }
    }
}

/// What answers challenges.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    /// Digests of a password that this side does not know. They answer challenges of their realm alone, the
    /// strongest for whose algorithm there is one.
    Digests {
        /// The realm that they were made for.
        realm: String,
        /// HA1 of the user name, this realm and the password, each of another algorithm.
        ha1s: Vec<sip_message::digest::Ha1>,
    },
    /// A password, which answers any challenge.
    Password(String),
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").finish_non_exhaustive()
    }
}

/// An outgoing call.
#[derive(Debug, Clone)]
pub struct NewCall {
    /// All are rung at the same time; the first that answers has the call.
    pub targets: Vec<Target>,
    /// The caller, without tag.
    pub from: NameAddr,
    /// The callee, without tag.
    pub to: NameAddr,
    /// The session description of the INVITE.
    pub offer: Bytes,
    /// The session timer to ask for; `None` takes the endpoint's.
    pub session_timer: Option<SessionTimer>,
    /// Answers challenges of the far end.
    pub credentials: Option<Credentials>,
    /// More headers of the INVITE, names and values. Headers of the dialog itself cannot be set.
    pub headers: Vec<(String, String)>,
}

/// Why a request to an endpoint was refused; nothing has changed then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// [`crate::Limits`] are reached.
    #[error("the endpoint holds as many calls or transactions as it may")]
    Full,
    /// A target's `sips` URI wants TLS, and its flow is none (RFC 3261, 26.2.2).
    #[error("a target that is to be reached securely has no secure way to it")]
    Insecure,
    /// An outgoing call names no target.
    #[error("a call needs a target")]
    NoTarget,
    /// An outgoing call names more targets than [`crate::Limits::contacts`].
    #[error("a call has too many targets")]
    TooManyTargets,
    /// The handle names no call, or one that has ended.
    #[error("no such call")]
    Unknown,
    /// The call is not in a phase that has a use for this.
    #[error("the call does not wait for that")]
    WrongPhase,
}

/// Why a party hangs up (RFC 3326).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// `SIP` or `Q.850`.
    pub protocol: String,
    /// The status code or cause code of that protocol.
    pub cause: u16,
    /// For people.
    pub text: String,
}

impl Reason {
    /// Somebody else took the call, so that this is no missed one (RFC 3326, 3.1).
    #[must_use]
    pub fn answered_elsewhere() -> Self {
        Self { protocol: "SIP".to_owned(), cause: 200, text: "Call completed elsewhere".to_owned() }
    }
}

/// How an incoming call is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// 300 to 699; anything else becomes 480.
    pub status: StatusCode,
    /// The reason phrase; `None` takes the registered one.
    pub reason: Option<String>,
    /// With a status of 3xx, where the caller may try instead, the best first.
    pub contacts: Vec<NameAddr>,
    /// More headers of the response, names and values. Headers of the dialog itself cannot be set.
    pub headers: Vec<(String, String)>,
}

impl Rejection {
    /// A refusal with a status alone.
    #[must_use]
    pub const fn new(status: StatusCode) -> Self {
        Self { status, reason: None, contacts: Vec::new(), headers: Vec::new() }
    }

    /// 302: the caller may try these, the best first.
    #[must_use]
    pub fn redirect(contacts: Vec<NameAddr>) -> Self {
        Self { contacts, ..Self::new(StatusCode::MOVED_TEMPORARILY) }
    }
}

/// Why a call ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EndCause {
    /// Somebody else took the call, as the CANCEL of an incoming call or the 487 of the last target says by its Reason
    /// header (RFC 3326, 3.1).
    AnsweredElsewhere,
    /// The caller of an incoming call gave up before the answer.
    Cancelled,
    /// This side hung up, or rejected an incoming call.
    LocalHangUp,
    /// The far end's 2xx to our offer, or its ACK where our 2xx held the offer, brought no session description.
    MissingAnswer,
    /// The ACK of our 2xx never came.
    NoAck,
    /// No target accepted; the most telling refusal.
    Rejected {
        /// 300 to 699.
        status: StatusCode,
        /// Its reason phrase.
        reason: String,
        /// With a status of 3xx, where the target wants to be called instead, at most [`crate::Limits::contacts`].
        contacts: Vec<NameAddr>,
        /// When to try again, in seconds, where the target says so (RFC 3261, 20.33).
        retry_after: Option<u32>,
    },
    /// The far end hung up.
    RemoteBye {
        /// The Reason header of the BYE.
        reason: Option<String>,
    },
    /// The session timer ran out, or a refresh found the far end gone.
    SessionExpired,
    /// No target answered in time (timer B, or [`crate::Config::ring_limit`]).
    Timeout,
    /// No target could be reached.
    TransportFailed,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The far end accepted the call.
    Answered {
        /// The call.
        handle: CallHandle,
        /// Its answer to our offer: that of its 2xx, or the one that it gave as early media where the 2xx has none.
        sdp: Bytes,
        /// The far end as it named itself in To.
        remote: Box<NameAddr>,
        /// Which of [`NewCall::targets`].
        target: usize,
    },
    /// The ACK came for the 2xx that [`crate::Endpoint::answer`] or `answer_offer` sent.
    Confirmed {
        /// The call.
        handle: CallHandle,
        /// The answer, when our 2xx held the offer.
        sdp: Option<Bytes>,
    },
    /// A far end lets something be heard before it answers: an announcement, or a tone of its network (RFC 3960).
    ///
    /// Told once for each far end, which the tag of `remote` tells apart, also behind one target. It lasts until the
    /// call is answered or over: a [`Self::Ringing`] that follows does not end it. Where several speak, the last that
    /// began is the one to hear. The tag in [`Self::Answered`] is that of the far end whose session goes on.
    EarlyMedia {
        /// The call.
        handle: CallHandle,
        /// Which of [`NewCall::targets`].
        target: usize,
        /// The far end as it named itself in To, with its tag.
        remote: Box<NameAddr>,
        /// Its answer to our offer.
        sdp: Bytes,
    },
    /// The call is over. The last event of its handle.
    Ended {
        /// The call.
        handle: CallHandle,
        /// Why.
        cause: EndCause,
    },
    /// Someone calls. 100 was sent; [`crate::Endpoint::ring`], `answer`, `reject` or `reject_with` comes next.
    Incoming(Box<Incoming>),
    /// The far end takes the change that [`crate::Endpoint::offer`] offered.
    OfferAnswered {
        /// The call.
        handle: CallHandle,
        /// Its answer.
        sdp: Bytes,
    },
    /// The far end changes the session; [`crate::Endpoint::answer_offer`] comes next.
    OfferReceived {
        /// The call.
        handle: CallHandle,
        /// The offer; `None` asks this side to make one.
        sdp: Option<Bytes>,
    },
    /// The session stays as it was before [`crate::Endpoint::offer`].
    OfferRefused {
        /// The call.
        handle: CallHandle,
        /// 300 to 699. 491 also says that the far end's own offer came first: whoever still wants the
        /// change makes another offer once that one is answered.
        status: StatusCode,
    },
    /// The far end took its offer back; there is nothing to answer.
    OfferWithdrawn {
        /// The call.
        handle: CallHandle,
    },
    /// The far end does what [`crate::Endpoint::refer`] asked for. [`Self::ReferEnded`] follows, unless the
    /// call ends first: a far end that has moved on may hang up without a word.
    ReferAccepted {
        /// The call.
        handle: CallHandle,
    },
    /// Nothing more is heard of what [`crate::Endpoint::refer`] asked for.
    ReferEnded {
        /// The call.
        handle: CallHandle,
        /// The final status of the call that the far end made; `None` when it did not say.
        status: Option<StatusCode>,
    },
    /// The call that the far end makes as [`crate::Endpoint::refer`] asked for is under way.
    ReferProgress {
        /// The call that was asked on.
        handle: CallHandle,
        /// The provisional status.
        status: StatusCode,
    },
    /// The far end does not do what [`crate::Endpoint::refer`] asked for; the call goes on.
    ReferRefused {
        /// The call.
        handle: CallHandle,
        /// Why: 300 to 699, 408 for no answer, 503 for a flow that failed.
        status: StatusCode,
    },
    /// The far end wants this side to call somebody else in its place; [`crate::Endpoint::accept_refer`] or
    /// `refuse_refer` comes next.
    Referred(Box<Referred>),
    /// A far end was asked whether it is there.
    Pong {
        /// The question.
        ping: PingHandle,
        /// The final status, 200 to 699, which whoever is there gives; or that nothing came.
        result: Result<StatusCode, PingFailure>,
    },
    /// Bindings of a user were added or changed.
    Registered {
        /// The user's address of record.
        aor: String,
        /// How many contacts it has.
        contacts: usize,
    },
    /// A registrar elsewhere took this side's registration or its refresh.
    RegistrationAccepted {
        /// The registration.
        registration: RegistrationHandle,
        /// How long it lasts; it is refreshed in time.
        expires: Duration,
    },
    /// A registration of this side is over because [`crate::Endpoint::unregister`] wanted it. The last event
    /// of its handle.
    RegistrationEnded {
        /// The registration.
        registration: RegistrationHandle,
    },
    /// A registration of this side is over. The last event of its handle.
    RegistrationFailed {
        /// The registration.
        registration: RegistrationHandle,
        /// Why.
        cause: RegistrationFailure,
    },
    /// A target rings or reports progress (180 to 183).
    Ringing {
        /// The call.
        handle: CallHandle,
        /// The provisional status.
        status: StatusCode,
    },
    /// The session timer was refreshed by either side.
    SessionRefreshed {
        /// The call.
        handle: CallHandle,
        /// The far end's description, when our refresh was a re-INVITE.
        sdp: Option<Bytes>,
    },
    /// A target has received the INVITE.
    Trying {
        /// The call.
        handle: CallHandle,
    },
    /// A user has no binding any more.
    Unregistered {
        /// The user's address of record.
        aor: String,
    },
}

impl Event {
    /// The call that it is about; `None` for registrations.
    #[must_use]
    pub fn handle(&self) -> Option<CallHandle> {
        match self {
            Self::Answered { handle, .. }
            | Self::Confirmed { handle, .. }
            | Self::EarlyMedia { handle, .. }
            | Self::Ended { handle, .. }
            | Self::OfferAnswered { handle, .. }
            | Self::OfferReceived { handle, .. }
            | Self::OfferRefused { handle, .. }
            | Self::OfferWithdrawn { handle }
            | Self::ReferAccepted { handle }
            | Self::ReferEnded { handle, .. }
            | Self::ReferProgress { handle, .. }
            | Self::ReferRefused { handle, .. }
            | Self::Ringing { handle, .. }
            | Self::SessionRefreshed { handle, .. }
            | Self::Trying { handle } => Some(*handle),
            Self::Incoming(incoming) => Some(incoming.handle),
            Self::Referred(referred) => Some(referred.handle),
            Self::Pong { .. }
            | Self::Registered { .. }
            | Self::RegistrationAccepted { .. }
            | Self::RegistrationEnded { .. }
            | Self::RegistrationFailed { .. }
            | Self::Unregistered { .. } => None,
        }
    }
}

/// An incoming call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incoming {
    /// The call.
    pub handle: CallHandle,
    /// The address of record, `user@domain`, of the user who showed to be the caller; `None` where
    /// [`crate::IncomingPolicy::Offer`] asks nobody.
    pub caller: Option<String>,
    /// The peer of [`crate::Endpoint::set_peers`] that sent it.
    pub peer: Option<PeerId>,
    /// The caller, as it says: a name to show, no proof.
    pub from: NameAddr,
    /// Who the caller is, as whoever sent the INVITE asserts: P-Asserted-Identity (RFC 3325), or without one the
    /// Remote-Party-ID of the caller that claims to be verified. Whether that is worth anything is this side's to
    /// decide: anyone can write it.
    pub asserted: Vec<NameAddr>,
    /// The caller does not want the callee to learn who calls (Privacy, RFC 3323; or the Remote-Party-ID). What is said
    /// about it but cannot be read counts as that wish.
    pub is_private: bool,
    /// How the call came here, for people: Diversion (RFC 5806) and History-Info (RFC 7044), names and values.
    pub history: Vec<(String, String)>,
    /// The callee as dialled.
    pub to: NameAddr,
    /// What the INVITE asks for.
    pub request_uri: Uri,
    /// The session description; `None` asks this side to offer in its answer.
    pub offer: Option<Bytes>,
    /// What the call is about, for people.
    pub subject: Option<String>,
    /// The call of this side whose place it takes, where [`crate::Endpoint::hang_up`] belongs once this one
    /// is answered (RFC 3891). That the caller knows the tags of that call means that a party of it told
    /// them; whether the caller may, is this side's to decide.
    pub replaces: Option<CallHandle>,
    /// Who sent the caller here, as the caller says (RFC 3892).
    pub referred_by: Option<NameAddr>,
    /// Headers for whoever is called in the end, names and values: those that only inform, and `X-` ones.
    pub headers: Vec<(String, String)>,
    /// The Call-ID.
    pub call_id: String,
    /// Where the INVITE came from.
    pub flow: Flow,
}

/// What the far end of a call asks for with a REFER (RFC 3515).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Referred {
    /// The call on which it asks.
    pub handle: CallHandle,
    /// Whom to call: a SIP, SIPS or tel URI.
    pub refer_to: Uri,
    /// The dialog whose place the new call is to take; [`crate::Endpoint::replaced_call`] tells whether it is
    /// one of this side's own.
    pub replaces: Option<Replaces>,
    /// Who asks, as the far end says (RFC 3892).
    pub referred_by: Option<NameAddr>,
}

/// What the far end of a call is asked to do (RFC 3515).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refer {
    /// Whom to call.
    pub to: Uri,
    /// The dialog whose place the new call is to take, as [`crate::Endpoint::replaceable`] gives it.
    pub replaces: Option<Replaces>,
    /// Who asks; `None` takes this side's address in the call.
    pub referred_by: Option<NameAddr>,
}

/// A message to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transmit {
    /// Where to. Without `connection` on a stream transport, one has to be opened.
    pub flow: Flow,
    /// The whole message.
    pub bytes: Bytes,
}

/// One place where a registered user is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// The Contact URI, which is the Request-URI of calls to it.
    pub contact: Uri,
    /// The way on which the registration came.
    pub flow: Flow,
    /// When it ends, since the epoch of the endpoint's clock.
    pub expires_at: Duration,
}

/// Who the users are.
pub trait Users: Send {
    /// The user who authenticates as `username`, which may or may not carry a domain.
    fn lookup(&self, username: &str, realm: &str) -> Option<UserCredentials>;
}

/// What authenticates one user.
#[derive(Clone, PartialEq, Eq)]
pub struct UserCredentials {
    /// The address of record, `user@domain`.
    pub aor: String,
    /// Digest secrets: HA1 of the user name, realm and password as the user sends them.
    pub ha1_md5: Option<sip_message::digest::Ha1>,
    /// The same with SHA-256.
    pub ha1_sha256: Option<sip_message::digest::Ha1>,
}

/// Users in memory, by user name.
pub type UserTable = BTreeMap<String, UserCredentials>;

impl Users for UserTable {
    fn lookup(&self, username: &str, _realm: &str) -> Option<UserCredentials> {
        self.get(username).cloned()
    }
}
