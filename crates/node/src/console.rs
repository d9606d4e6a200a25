//! What people who look at a node are shown.

use std::time::Duration;

use media_plane::LegSample;
use model::{AppId, CallId, Participant, ParticipantId, TenantId, TrunkId, TrunkUsage, UserId};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};
use trunk::TrunkHealth;

use crate::calls::Calls;
use crate::clock::Clock;
use crate::sip::Sip;

/// How long media threads may take to say how legs are; they look up every 20 ms.
const PATIENCE: Duration = Duration::from_millis(500);

/// People of one call whose sound is shown.
pub(crate) const MAX_SOUNDS: usize = 64;

/// Somebody's sound, as it was asked for.
#[derive(Debug)]
pub(crate) struct AskedSound {
    pub(crate) participant: ParticipantId,
    pub(crate) info: Participant,
    pub(crate) leg: u64,
    pub(crate) sampled: oneshot::Receiver<LegSample>,
}

/// What the console looks at; cheap to clone.
#[derive(Clone)]
pub struct Console {
    calls: Calls,
    sip: Sip,
}

/// A phone that is registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phone {
    /// Where it is reached.
    pub contact: String,
    /// What carries SIP to it: `udp`, `tcp` or `tls`.
    pub transport: &'static str,
    /// Where it was heard from.
    pub remote: std::net::SocketAddr,
    /// When its registration ends.
    pub expires_at: model::Timestamp,
}

/// Somebody's sound in a call, at the moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Sound {
    /// Who that is, as participants are named.
    pub participant: ParticipantId,
    /// The same, for people.
    pub info: Participant,
    /// The number of the media leg.
    pub leg: u64,
    /// How that is.
    pub sample: LegSample,
}

/// A trunk at the moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trunking {
    /// The trunk.
    pub trunk: TrunkId,
    /// Whether it makes calls.
    pub health: TrunkHealth,
    /// How many calls there are, in both directions.
    pub calls: u32,
}

impl Console {
    pub(crate) const fn new(calls: Calls, sip: Sip) -> Self {
        Self { calls, sip }
    }

    /// Where phones of users are registered, by their addresses without scheme, in any case.
    pub async fn phones(&self, addresses: Vec<String>) -> Vec<Vec<Phone>> {
        let clock = self.calls.context().clock;
        let users = addresses.into_iter().map(|address| address.to_lowercase()).collect();
        let registered = self.sip.registered(users).await;
        registered
            .into_iter()
            .map(|bindings| bindings.into_iter().map(|binding| phone(binding, clock)).collect())
            .collect()
    }

    /// How many pages a user has open, or had a moment ago.
    pub fn pages_of(&self, user: &UserId) -> usize {
        self.calls.context().browsers.count_of(user)
    }

    /// All trunks.
    pub fn trunks(&self) -> Vec<Trunking> {
        self.calls.context().trunks.shown()
    }

    /// What an application has used of trunks today.
    pub fn usage(&self, app: &AppId) -> TrunkUsage {
        self.calls.context().trunks.usage_of(app)
    }

    /// The meetings that somebody is in, by tenant and thread.
    pub fn meetings(&self) -> Vec<(TenantId, String)> {
        self.calls.context().conferences.meetings()
    }

    /// How many are in a meeting; nothing where nobody is.
    pub async fn in_meeting(&self, tenant: &TenantId, thread: &str) -> Option<usize> {
        self.calls.context().conferences.count_in(tenant, thread).await
    }

    /// How the sound of those is who are in a live call, of the first 64; `None` where the call is over.
    pub async fn sounds(&self, call: CallId) -> Option<Vec<Sound>> {
        let asked = self.calls.sounds(call).await?;
        let mut sounds = Vec::new();
        let until = Instant::now() + PATIENCE;
        for AskedSound { participant, info, leg, sampled } in asked {
            if let Ok(Ok(sample)) = timeout_at(until, sampled).await {
                sounds.push(Sound { participant, info, leg, sample });
            }
        }
        Some(sounds)
    }

    /// How many calls an application has alive.
    pub fn calls_of(&self, app: &AppId) -> usize {
        self.calls.live_of(app)
    }
}

fn phone(binding: sip_proto::Binding, clock: Clock) -> Phone {
    let transport = match binding.flow.transport {
        sip_proto::Transport::Tcp => "tcp",
        sip_proto::Transport::Tls => "tls",
        sip_proto::Transport::Udp => "udp",
    };
    let left = binding.expires_at.saturating_sub(clock.elapsed());
    Phone {
        contact: binding.contact.to_string(),
        transport,
        remote: binding.flow.remote,
        expires_at: clock.now().after(left),
    }
}
