//! Everything about an endpoint that an operator may decide.

use core::time::Duration;

use sip_message::StatusCode;

/// The base values of all SIP timers (RFC 3261, table 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timers {
    /// The estimate of a round trip.
    pub t1: Duration,
    /// The longest pause between two transmissions of a request or response.
    pub t2: Duration,
    /// The longest time that a message stays in the network.
    pub t4: Duration,
}

impl Timers {
    /// The values that RFC 3261 recommends.
    pub const RFC: Self =
        Self { t1: Duration::from_millis(500), t2: Duration::from_secs(4), t4: Duration::from_secs(5) };

    /// How long a transaction waits at most: timers B, F, H, J, L and M.
    #[must_use]
    pub const fn timeout(&self) -> Duration {
        self.t1.saturating_mul(64)
    }

    /// Timer D, which covers the far end's timer H.
    pub(crate) const fn d(&self) -> Duration {
        self.timeout()
    }
}

/// How much an endpoint holds. Beyond a limit, requests get 503 with Retry-After.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Calls of this side that have not ended.
    pub calls: usize,
    /// Calls from outside that have not ended. Apart from `calls`, so that nobody outside can use those up.
    pub incoming_calls: usize,
    /// Transactions of this side beyond which it starts no call. A call needs one or two, each for up to
    /// half a minute.
    pub client_transactions: usize,
    /// Transactions that far ends have opened.
    pub server_transactions: usize,
    /// Addresses of record with at least one binding, and apart from them, registrations of this side elsewhere.
    pub registrations: usize,
    /// Contacts of one address of record, and as they all ring, targets of one outgoing call.
    pub contacts: usize,
    /// Sources whose failed attempts to authenticate are remembered.
    pub sources: usize,
    /// Failed attempts from one source before it is refused for [`Registration::lockout`].
    pub failures: u32,
}

impl Default for Limits {
    /// Room for a thousand calls a second on one node, and eight phones for each user.
    fn default() -> Self {
        Self {
            calls: 20_000,
            incoming_calls: 20_000,
            client_transactions: 100_000,
            server_transactions: 100_000,
            registrations: 100_000,
            contacts: 8,
            sources: 10_000,
            failures: 20,
        }
    }
}

/// What becomes of an INVITE outside dialogs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IncomingPolicy {
    /// It is taken like one of [`Self::Offer`] once it shows which user sends it; until then it gets 401.
    ///
    /// A user shows it by the digest secret of the registrar, or by sending over the stream connection
    /// on which the phone of the same name registered. The source of a datagram shows nothing: anyone
    /// can write it. Challenges open no transaction, and wrong passwords count for
    /// [`Registration::lockout`].
    Authenticate,
    /// It opens a transaction, gets 100, and is told as [`crate::Event::Incoming`], whoever sends it.
    Offer,
    /// It gets this status, 300 or above, and is forgotten.
    ///
    /// One answer for each request, no state and no repeats: nobody can fill a table or aim more than
    /// they send at somebody else.
    Refuse(StatusCode),
}

impl IncomingPolicy {
    /// The policy with a status that refuses.
    pub(crate) fn bounded(self) -> Self {
        match self {
            Self::Refuse(status) if status.as_u16() < 300 => Self::default(),
            Self::Authenticate | Self::Offer | Self::Refuse(_) => self,
        }
    }
}

impl Default for IncomingPolicy {
    /// The user is temporarily unavailable (RFC 3261, 21.4.18).
    fn default() -> Self {
        Self::Refuse(StatusCode::TEMPORARILY_UNAVAILABLE)
    }
}

/// A digest algorithm that a challenge may name (RFC 8760).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Challenge {
    /// MD5, the only one that many phones know.
    Md5,
    /// SHA-256.
    Sha256,
}

/// The registrar's rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// The realm of challenges.
    pub realm: String,
    /// The challenges of a 401 in order of preference.
    ///
    /// Phones in wide use give up on a second challenge for one realm, and on an algorithm that they
    /// do not know, so the default is MD5 alone. A phone that answers with either algorithm is
    /// accepted whatever was offered.
    pub challenges: Vec<Challenge>,
    /// Bindings that ask for less get 423.
    pub min_expires: Duration,
    /// For bindings that do not say; at most `max_expires`.
    pub default_expires: Duration,
    /// Bindings that ask for more get this.
    pub max_expires: Duration,
    /// How long a nonce is good.
    pub nonce_lifetime: Duration,
    /// How long a source stays refused after too many failures.
    pub lockout: Duration,
}

/// The session timer that is offered and asked for (RFC 4028).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionTimer {
    /// After this long without a refresh the session is over. Whole seconds, at least `min`.
    pub interval: Duration,
    /// The smallest interval that is accepted; at least [`Self::FLOOR`].
    pub min: Duration,
}

impl SessionTimer {
    /// The smallest interval that RFC 4028, 5 allows. Smaller values are raised to it.
    pub const FLOOR: Duration = Duration::from_secs(90);

    /// The timer with its bounds kept.
    pub(crate) fn bounded(self) -> Self {
        let min = self.min.max(Self::FLOOR);
        Self { interval: self.interval.max(min), min }
    }
}

impl Default for SessionTimer {
    fn default() -> Self {
        Self { interval: Duration::from_secs(1800), min: Duration::from_secs(90) }
    }
}

/// Everything about an endpoint that an operator may decide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Base values of the SIP timers.
    pub timers: Timers,
    /// Bounds of every table.
    pub limits: Limits,
    /// The registrar's rules.
    pub registration: Registration,
    /// What becomes of calls from outside.
    pub incoming: IncomingPolicy,
    /// The session timer of incoming calls, and of outgoing ones that do not bring their own.
    pub session: SessionTimer,
    /// How long an outgoing call may ring, and an incoming one may wait for its answer.
    pub ring_limit: Duration,
    /// How long a re-INVITE or UPDATE may wait for the user's answer before it gets 500.
    pub answer_limit: Duration,
    /// Domains of this endpoint's users, lower case. Empty accepts any.
    pub domains: Vec<String>,
    /// The product in User-Agent and Server.
    pub product: String,
}

impl Config {
    /// How long the outcome of a REFER is awaited or told: as long as the call that it leads to may ring,
    /// and the time of the transactions around it.
    pub(crate) fn refer_limit(&self) -> Duration {
        self.ring_limit.saturating_add(self.timers.timeout())
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            timers: Timers::RFC,
            limits: Limits::default(),
            registration: Registration {
                realm: "hookswitch".to_owned(),
                challenges: vec![Challenge::Md5],
                min_expires: Duration::from_secs(30),
                default_expires: Duration::from_secs(300),
                // Bindings are kept in memory alone: after a restart a user is out of reach until the phone
                // registers again, so this bounds that time.
                max_expires: Duration::from_secs(300),
                nonce_lifetime: Duration::from_secs(300),
                lockout: Duration::from_secs(60),
            },
            incoming: IncomingPolicy::default(),
            session: SessionTimer::default(),
            // Longer than the three minutes of a proxy's timer C (RFC 3261, 16.6).
            ring_limit: Duration::from_secs(300),
            // Well inside timer F, after which an UPDATE's sender gives up by itself.
            answer_limit: Duration::from_secs(10),
            domains: Vec::new(),
            product: "Hookswitch".to_owned(),
        }
    }
}
