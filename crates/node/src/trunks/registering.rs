use std::sync::Arc;
use std::time::Duration;

use model::{Trunk, TrunkAccount, TrunkRegistration};
use sip_message::Uri;
use sip_proto::{Candidate, RegistrationFailure};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use trunk::Failure;

use super::driver::Presence;
use super::invite::{credentials, peer_uri};
use super::places::Locator;
use super::{MAX_PLACES, Trunks, WeakTrunks};
use crate::sip::{Registration, RegistrationNews, TrunkRegister, WeakSip};

/// How long is waited after the first failure; twice as long after each that follows. Arbitrary.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
/// The longest that is waited, whatever the registrar wants: calls do not come in meanwhile. Arbitrary.
const LONGEST_PAUSE: Duration = Duration::from_secs(120);

/// How long a registrar may take to let go.
const GOODBYE_LIMIT: Duration = Duration::from_secs(1);

/// A registration at a trunk's peer that is kept up.
pub(super) struct Kept {
    trunk: Trunk,
    account: TrunkAccount,
    registration: TrunkRegistration,
    trunks: WeakTrunks,
    locator: Locator,
    sip: WeakSip,
    presence: Arc<Presence>,
    stop: CancellationToken,
}

/// Why a registration is not kept up any more.
enum Over {
    Failed {
        retry_after: Option<Duration>,
    },
    /// It is not wanted any more, or nobody is there who wants it.
    Stopped,
}

impl Kept {
    /// `None` for a trunk that does not register.
    pub(super) fn new(
        trunk: &Trunk,
        trunks: &Trunks,
        (sip, presence, stop): (&WeakSip, &Arc<Presence>, &CancellationToken),
    ) -> Option<Self> {
        let account = trunk.account.clone()?;
        let registration = account.registration.clone()?;
        Some(Self {
            trunk: trunk.clone(),
            account,
            registration,
            trunks: trunks.downgrade(),
            locator: trunks.0.locator.clone(),
            sip: sip.clone(),
            presence: Arc::clone(presence),
            stop: stop.clone(),
        })
    }

    /// Registers, and again after each failure, until it is stopped; then takes the registration back. It begins after the
    /// one in whose place it comes: two would take each other's place at the registrar.
    pub(super) async fn run(self, before: Option<JoinHandle<()>>) {
        if let Some(before) = before {
            let _ = before.await;
        }
        let mut pause = FIRST_PAUSE;
        loop {
            let mut wanted = None;
            let places = tokio::select! {
                places = self.locator.locate(&self.trunk) => places,
                () = self.stop.cancelled() => return,
            };
            for place in places.into_iter().take(MAX_PLACES) {
                match self.keep(place, &mut pause).await {
                    Over::Failed { retry_after } => wanted = retry_after,
                    Over::Stopped => return,
                }
            }
            let wait = wanted.unwrap_or(pause).clamp(FIRST_PAUSE, LONGEST_PAUSE);
            pause = (pause * 2).min(LONGEST_PAUSE);
            tokio::select! {
                () = sleep(jittered(wait)) => {}
                () = self.presence.is_back.notified() => {}
                () = self.stop.cancelled() => return,
            }
        }
    }

    /// Registers at a place and stays registered there as long as that goes.
    async fn keep(&self, place: Candidate, pause: &mut Duration) -> Over {
        let Some(sip) = self.sip.upgrade() else { return Over::Stopped };
        let Some(register) = self.register(place.clone()) else { return Over::Stopped };
        let registered = sip.register(register).await;
        // It must not keep the endpoint alive.
        drop(sip);
        let Some(mut registration) = registered else { return Over::Failed { retry_after: None } };
        let mut is_registered = false;
        loop {
            tokio::select! {
                news = registration.next() => match news {
                    Some(RegistrationNews::Accepted) => {
                        if !std::mem::replace(&mut is_registered, true) {
                            tracing::info!(trunk.id = %self.trunk.id, "registered at a trunk's peer");
                        }
                        *pause = FIRST_PAUSE;
                        self.locator.note(&place, None);
                        self.tell(true);
                    }
                    Some(RegistrationNews::Failed(cause)) => {
                        tracing::warn!(trunk.id = %self.trunk.id, ?cause, "failed to register at a trunk's peer");
                        self.tell(false);
                        let failure = failure_of(&cause);
                        self.locator.note(&place, Some(failure));
                        return Over::Failed { retry_after: retry_after(failure) };
                    }
                    Some(RegistrationNews::Ended) | None => return Over::Stopped,
                },
                () = self.presence.is_back.notified() => registration.refresh().await,
                () = self.stop.cancelled() => {
                    leave(&mut registration).await;
                    self.tell(false);
                    return Over::Stopped;
                }
            }
        }
    }

    fn register(&self, place: Candidate) -> Option<TrunkRegister> {
        let (user, domain) = self.registration.address.split_once('@')?;
        let domain: sip_message::Host = domain.parse().ok()?;
        // The domain of the address is whose registrar it is; where the peer is, the place says (RFC 3261, 10.2).
        let registrar = Uri::sip("", domain.clone());
        let registrar = if *registrar.host()? == *peer_uri(&self.trunk)?.host()? {
            registrar.with_port(self.trunk.peer.port)
        } else {
            registrar
        };
        Some(TrunkRegister {
            place,
            registrar,
            address: Uri::sip(user, domain),
            credentials: credentials(&self.account),
            expires: self.registration.expires,
        })
    }

    fn tell(&self, is_registered: bool) {
        if let Some(trunks) = self.trunks.upgrade() {
            trunks.registered(&self.trunk, is_registered);
        }
    }
}

/// Takes a registration back.
async fn leave(registration: &mut Registration) {
    registration.unregister().await;
    let ended = async {
        while let Some(news) = registration.next().await {
            if matches!(news, RegistrationNews::Ended) {
                return;
            }
        }
    };
    // A registrar that says nothing forgets it by itself.
    let _ = timeout(GOODBYE_LIMIT, ended).await;
}

fn failure_of(cause: &RegistrationFailure) -> Failure {
    match cause {
        RegistrationFailure::Refused { status, retry_after, .. } => Failure::Status {
            code: status.as_u16(),
            retry_after: retry_after.map(|seconds| Duration::from_secs(seconds.into())),
        },
        RegistrationFailure::Timeout => Failure::Timeout,
        RegistrationFailure::TransportFailed => Failure::Unreachable,
    }
}

const fn retry_after(failure: Failure) -> Option<Duration> {
    match failure {
        Failure::Status { retry_after, .. } => retry_after,
        Failure::Timeout | Failure::Unreachable => None,
    }
}

/// Up to a quarter longer, so that those whom one outage hit do not come back all at once.
fn jittered(pause: Duration) -> Duration {
    let [chance, ..] = crate::ids::random_seed();
    pause + pause * u32::from(chance) / 1024
}
