//! The lab's telephones: users' calls that applications ask for in their tests.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use api::{LabCall, LabFault, LabFuture, LabMoment, LabState, LabStep, LabVerdict};
use graph_wire::InvalidRequest;
use model::{CallId, IdSource as _, Owner, Timestamp, User};
use node::{Clock, PromptSource, SharedDirectory, SipAddresses};
use sip_message::digest::{Algorithm, Ha1};
use sip_message::{Host, NameAddr, Uri};
use sip_proto::{Credentials, Secret, Transport};
use softphone::{Action, HeardSound, Moment, Place, Plan, PlanError, Report, Setup, Sound, Step};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::adapters::Prompts;

/// Calls at once: each has three threads and ten megabytes of what it hears.
const MAX_LIVE: usize = 8;

/// Calls that are over and can still be looked at, at most, and for how long.
const MAX_KEPT: usize = 16;
const KEPT_FOR: Duration = Duration::from_secs(3600);

/// The longest call. Arbitrary: several times what a test takes that people wait for.
const LONGEST: Duration = Duration::from_secs(300);

/// What is remembered of what happens in a call. Arbitrary: far more than its steps lead to.
const MAX_MOMENTS: usize = 1_000;

/// How long expectations wait where the request does not say, and how long a tone lasts.
const EXPECT_TIMEOUT: Duration = Duration::from_secs(10);
const TONE_LENGTH: Duration = Duration::from_secs(1);

/// Everything that the telephones need.
pub(super) struct Lab {
    pub(super) directory: SharedDirectory,
    pub(super) prompts: Prompts,
    pub(super) clock: Clock,
    /// Where the telephones find the server, and how.
    pub(super) server: (SocketAddr, Transport),
    pub(super) calls: Arc<Mutex<Calls>>,
    /// Turns at fetching and decoding sounds.
    pub(super) preparing: Semaphore,
    pub(super) stop: CancellationToken,
    pub(super) tasks: TaskTracker,
}

/// The calls under way, and the latest that are over.
#[derive(Default)]
pub(super) struct Calls(BTreeMap<CallId, Kept>);

/// The sounds of one call, by their addresses.
type Sounds = BTreeMap<String, Arc<Sound>>;

/// How many calls fetch and decode their sounds at a time.
pub(super) const PREPARING: usize = 2;

/// A call and what has become of it.
struct Kept {
    owner: Owner,
    state: LabState,
    heard: HeardSound,
    stop: CancellationToken,
    ended_at: Option<Timestamp>,
}

/// The address at which a server is reached from its own machine, if it takes SIP at all.
pub(super) fn own_address(sip: SipAddresses) -> Option<(SocketAddr, Transport)> {
    let udp = sip.udp.map(|address| (address, Transport::Udp));
    let (mut address, transport) = udp.or(sip.tcp.map(|address| (address, Transport::Tcp)))?;
    if address.ip().is_unspecified() {
        let loopback: IpAddr =
            if address.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() };
        address.set_ip(loopback);
    }
    Some((address, transport))
}

impl Lab {
    /// Ends the calls under way.
    pub(super) async fn drain(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    fn lock(&self) -> MutexGuard<'_, Calls> {
        lock(&self.calls)
    }

    async fn begin(&self, owner: &Owner, call: LabCall) -> Result<CallId, LabFault> {
        let directory = self.directory.load_full();
        let user = directory.users.get(&call.from).filter(|user| user.tenant == owner.tenant);
        let user = user.ok_or_else(|| invalid("from", "a user of this tenant"))?;
        // Looked at again once there is something to keep; who has to wait anyway need not fetch sounds first.
        self.lock().check_room()?;
        let credentials = credentials(user).ok_or_else(|| invalid("from", "a user with a SIP password"))?;
        let plan = self.plan(owner, &call).await?;
        let to = softphone::target(&call.to, self.server.0).map_err(|why| refused("to", &why))?;
        let (name, domain) = user.address.split_once('@').unwrap_or((&user.address, ""));
        let domain: Host = domain.parse().unwrap_or_else(|_| self.server.0.ip().into());
        let heard = HeardSound::new(LONGEST);
        let setup = Setup {
            server: self.server.0,
            transport: self.server.1,
            aor: NameAddr::new(Uri::sip(name, domain)),
            credentials: Some(credentials),
            registers: false,
            place: Place::Dial(to),
            plan,
            heard: heard.clone(),
        };
        let id = CallId::from(node::RandomIds.next_guid());
        let stop = self.stop.child_token();
        let now = self.clock.now();
        let state = LabState {
            from: call.from,
            to: call.to,
            created_at: now,
            state: "calling",
            happened: Vec::new(),
            verdict: None,
        };
        let kept = Kept { owner: owner.clone(), state, heard, stop: stop.clone(), ended_at: None };
        self.lock().add(id, kept, now)?;
        let performing = perform(Arc::clone(&self.calls), (id, setup), stop, self.clock);
        // A telephone compares what it hears with what it expects, which is no work for threads that answer requests.
        self.tasks.spawn_blocking(move || tokio::runtime::Handle::current().block_on(performing));
        Ok(id)
    }

    async fn plan(&self, owner: &Owner, call: &LabCall) -> Result<Plan, LabFault> {
        // Decoding takes several times what is kept, so that few do so at a time; the semaphore is never closed.
        let _turn =
            self.preparing.acquire().await.map_err(|error| LabFault::Unavailable(error.to_string()))?;
        let (mut steps, mut sounds) = (Vec::new(), BTreeMap::new());
        for (at, step) in call.steps.iter().enumerate() {
            steps.push(self.step(owner, &format!("steps[{at}]"), step, &mut sounds).await?);
        }
        let length = |name: &str, text: &Option<String>| {
            let text = text.as_deref();
            text.map(softphone::length).transpose().map_err(|why| refused(name, &why))
        };
        let refusal = call.expect_refused.map(|status| softphone::refusal(&status.to_string())).transpose();
        let plan = Plan {
            steps,
            hang_up_after: length("hangUpAfter", &call.hang_up_after)?,
            expect_timeout: length("expectTimeout", &call.expect_timeout)?.unwrap_or(EXPECT_TIMEOUT),
            expected_refusal: refusal.map_err(|why| refused("expectRefused", &why))?,
        };
        plan.check().map_err(|why| refused("steps", &why))?;
        Ok(plan)
    }

    async fn step(
        &self,
        owner: &Owner,
        path: &str,
        step: &LabStep,
        sounds: &mut Sounds,
    ) -> Result<Step, LabFault> {
        let at = |name: &str| format!("{path}.{name}");
        let length = |name: &str, text: &str| softphone::length(text).map_err(|why| refused(&at(name), &why));
        let pitch =
            |name: &str, hz: u32| softphone::pitch(&hz.to_string()).map_err(|why| refused(&at(name), &why));
        let keys = |name: &str, text: &str| softphone::keys(text).map_err(|why| refused(&at(name), &why));
        let (label, action) = match step {
            LabStep::Dtmf(text) => (format!("dtmf {text}"), Action::Dtmf(keys("dtmf", text)?)),
            LabStep::ExpectAudio { uri, within } => {
                let sound = self.sound(owner, &at("expectAudio"), uri, sounds).await?;
                sound.check_known().map_err(|why| refused(&at("expectAudio"), &why))?;
                let soon = within.as_deref().map(|text| length("expectAudio.within", text)).transpose()?;
                let words = within.as_ref().map(|text| format!(" within {text}")).unwrap_or_default();
                (format!("expectAudio {uri}{words}"), Action::ExpectSound { sound, within: soon })
            }
            LabStep::ExpectDtmf(text) => {
                (format!("expectDtmf {text}"), Action::ExpectDtmf(keys("expectDtmf", text)?))
            }
            LabStep::ExpectTone(hz) => {
                (format!("expectTone {hz}"), Action::ExpectTone { hz: pitch("expectTone", *hz)? })
            }
            LabStep::Hold(text) => (format!("hold {text}"), Action::Hold(length("hold", text)?)),
            LabStep::Pause(text) => (format!("pause {text}"), Action::Pause(length("pause", text)?)),
            LabStep::Say(uri) => {
                (format!("say {uri}"), Action::Say(self.sound(owner, &at("say"), uri, sounds).await?))
            }
            LabStep::Tone { hz, length: text } => {
                let long = text.as_deref().map(|text| length("tone.for", text)).transpose()?;
                let action = Action::Tone { hz: pitch("tone", *hz)?, length: long.unwrap_or(TONE_LENGTH) };
                (format!("tone {hz}"), action)
            }
            LabStep::Transfer(text) => {
                let to =
                    softphone::target(text, self.server.0).map_err(|why| refused(&at("transfer"), &why))?;
                (format!("transfer {text}"), Action::Transfer(to))
            }
        };
        Ok(Step { label, action })
    }

    /// Fetches a sound as prompts of the application are, once for a call.
    async fn sound(
        &self,
        owner: &Owner,
        path: &str,
        uri: &str,
        sounds: &mut Sounds,
    ) -> Result<Arc<Sound>, LabFault> {
        if let Some(known) = sounds.get(uri) {
            return Ok(Arc::clone(known));
        }
        let file = self.prompts.fetch(Some(&owner.app), uri).await;
        let file = file.map_err(|why| refused(path, &PlanError(format!("it cannot be fetched: {why}"))))?;
        let read = tokio::task::spawn_blocking(move || Sound::from_wav(&file)).await;
        let sound = read.map_err(|error| LabFault::Unavailable(error.to_string()))?;
        let sound = Arc::new(sound.map_err(|why| refused(path, &why))?);
        let length: Duration = sounds.values().map(|sound| sound.length()).sum();
        if length + sound.length() > LONGEST {
            let why = format!("all sounds of a call are at most {} s together", LONGEST.as_secs());
            return Err(refused(path, &PlanError(why)));
        }
        sounds.insert(uri.to_owned(), Arc::clone(&sound));
        Ok(sound)
    }
}

impl api::Lab for Lab {
    fn place<'a>(&'a self, owner: &'a Owner, call: LabCall) -> LabFuture<'a, CallId> {
        Box::pin(self.begin(owner, call))
    }

    fn call(&self, owner: &Owner, id: CallId) -> Option<LabState> {
        self.lock().of(owner, id).map(|kept| kept.state.clone())
    }

    fn heard(&self, owner: &Owner, id: CallId) -> Option<Vec<u8>> {
        let heard = self.lock().of(owner, id).map(|kept| kept.heard.clone());
        heard.map(|heard| heard.wav())
    }

    fn hang_up(&self, owner: &Owner, id: CallId) -> bool {
        let calls = self.lock();
        let kept = calls.of(owner, id);
        kept.inspect(|kept| kept.stop.cancel()).is_some()
    }
}

impl Calls {
    fn of(&self, owner: &Owner, id: CallId) -> Option<&Kept> {
        self.0.get(&id).filter(|kept| kept.owner == *owner)
    }

    fn check_room(&self) -> Result<(), LabFault> {
        let live = self.0.values().filter(|kept| kept.ended_at.is_none()).count();
        if live < MAX_LIVE { Ok(()) } else { Err(LabFault::Busy) }
    }

    /// Takes another call, and forgets those that are over and old.
    fn add(&mut self, id: CallId, kept: Kept, now: Timestamp) -> Result<(), LabFault> {
        self.check_room()?;
        self.0.retain(|_, kept| kept.ended_at.is_none_or(|ended_at| now.since(ended_at) < KEPT_FOR));
        let mut over: Vec<_> =
            self.0.iter().filter_map(|(id, kept)| kept.ended_at.map(|ended_at| (ended_at, *id))).collect();
        over.sort_unstable();
        for (_, oldest) in over.iter().take((over.len() + 1).saturating_sub(MAX_KEPT)) {
            self.0.remove(oldest);
        }
        self.0.insert(id, kept);
        Ok(())
    }

    fn told(&mut self, id: CallId, moment: &Moment) {
        let Some(kept) = self.0.get_mut(&id) else { return };
        if moment.is_in_call && kept.state.state == "calling" {
            kept.state.state = "answered";
        }
        if kept.state.happened.len() < MAX_MOMENTS {
            let Moment { at, is_in_call, text } = moment.clone();
            kept.state.happened.push(LabMoment { at_ms: millis(at), is_in_call, text });
        }
    }

    fn ended(&mut self, id: CallId, verdict: LabVerdict, now: Timestamp) {
        if let Some(kept) = self.0.get_mut(&id) {
            kept.state.state = "over";
            kept.state.verdict = Some(verdict);
            kept.ended_at = Some(now);
        }
    }
}

/// One call, from its beginning to its verdict.
async fn perform(
    calls: Arc<Mutex<Calls>>,
    (id, setup): (CallId, Setup),
    stop: CancellationToken,
    clock: Clock,
) {
    let told = {
        let calls = Arc::clone(&calls);
        move |moment: &Moment| lock(&calls).told(id, moment)
    };
    let running = softphone::run(setup, stop.clone(), told);
    tokio::pin!(running);
    let ended = tokio::select! {
        ended = &mut running => ended,
        () = tokio::time::sleep(LONGEST) => {
            stop.cancel();
            running.await
        }
    };
    let verdict = match ended {
        Ok(report) => verdict(&report),
        Err(error) => {
            tracing::warn!(error = %error, "a telephone of the lab did not work");
            LabVerdict { failure: Some((0, error.to_string())), steps: Vec::new() }
        }
    };
    lock(&calls).ended(id, verdict, clock.now());
}

fn lock(calls: &Mutex<Calls>) -> MutexGuard<'_, Calls> {
    calls.lock().unwrap_or_else(PoisonError::into_inner)
}

fn verdict(report: &Report) -> LabVerdict {
    let failure = report.failure.as_ref();
    LabVerdict {
        failure: failure.map(|failure| (millis(failure.at), failure.text.clone())),
        steps: crate::commands::phone::steps(report),
    }
}

/// The digests of a user's password, which itself nobody knows here.
fn credentials(user: &User) -> Option<Credentials> {
    let ha1 = user.ha1.as_ref()?;
    let ha1s = [(Algorithm::Sha256, &ha1.sha256_address), (Algorithm::Md5, &ha1.md5_address)];
    let ha1s = ha1s.into_iter().filter_map(|(algorithm, hex)| Ha1::from_hex(algorithm, hex)).collect();
    let secret = Secret::Digests { realm: ha1.realm.clone(), ha1s };
    Some(Credentials { username: user.address.clone(), secret })
}

fn invalid(path: &str, expected: &str) -> LabFault {
    InvalidRequest::Member { path: path.to_owned(), expected: expected.to_owned() }.into()
}

/// What the telephone does not understand, at its place in the request.
fn refused(path: &str, why: &PlanError) -> LabFault {
    invalid(path, &format!("something that can be done; {why}"))
}

fn millis(at: Duration) -> u64 {
    u64::try_from(at.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use sip_proto::Transport;

    use super::*;

    fn kept(ended_at: Option<Timestamp>) -> Kept {
        let state = LabState {
            from: "john".into(),
            to: "sip:bot".to_owned(),
            created_at: Timestamp::from_millis(0),
            state: "calling",
            happened: Vec::new(),
            verdict: None,
        };
        let owner = Owner { app: "bot".into(), tenant: "contoso".into() };
        let heard = HeardSound::new(Duration::from_secs(1));
        Kept { owner, state, heard, stop: CancellationToken::new(), ended_at }
    }

    fn id(number: u128) -> CallId {
        CallId::parse(&format!("{number:032x}")).unwrap()
    }

    #[test]
    fn only_so_many_calls_are_under_way() {
        let (mut calls, now) = (Calls::default(), Timestamp::from_millis(1_000));
        for number in 0..8 {
            calls.add(id(number), kept(None), now).unwrap();
        }
        assert!(matches!(calls.add(id(8), kept(None), now), Err(LabFault::Busy)));
        calls.ended(id(3), LabVerdict { failure: None, steps: Vec::new() }, now);
        calls.add(id(8), kept(None), now).unwrap();
        assert_eq!(calls.0.len(), 9);
    }

    #[test]
    fn the_latest_that_are_over_are_kept_for_an_hour() {
        let (mut calls, mut now) = (Calls::default(), Timestamp::from_millis(1_000));
        for number in 0..20 {
            now = now.after(Duration::from_secs(1));
            calls.add(id(number), kept(None), now).unwrap();
            calls.ended(id(number), LabVerdict { failure: None, steps: Vec::new() }, now);
        }
        assert_eq!(calls.0.keys().copied().collect::<Vec<_>>(), (4..20).map(id).collect::<Vec<_>>());
        calls.add(id(20), kept(None), now.after(KEPT_FOR)).unwrap();
        assert_eq!(calls.0.keys().copied().collect::<Vec<_>>(), [id(20)]);
    }

    #[test]
    fn what_happens_is_remembered_up_to_a_limit_and_shows_that_the_call_is_answered() {
        let mut calls = Calls::default();
        calls.add(id(1), kept(None), Timestamp::from_millis(0)).unwrap();
        let moment = |is_in_call| Moment { at: Duration::from_millis(7), is_in_call, text: "x".to_owned() };
        calls.told(id(1), &moment(false));
        assert_eq!(calls.0[&id(1)].state.state, "calling");
        (0..2_000).for_each(|_| calls.told(id(1), &moment(true)));
        let state = &calls.0[&id(1)].state;
        assert_eq!((state.state, state.happened.len(), state.happened[0].at_ms), ("answered", 1_000, 7));
    }

    #[test]
    fn a_server_on_all_addresses_is_reached_by_loopback() {
        let address = |text: &str| -> Option<SocketAddr> { Some(text.parse().unwrap()) };
        let of = |udp, tcp| own_address(SipAddresses { udp, tcp, tls: None });
        let udp = of(address("0.0.0.0:5060"), address("0.0.0.0:5061"));
        assert_eq!(udp, Some(("127.0.0.1:5060".parse().unwrap(), Transport::Udp)));
        let tcp = of(None, address("[::]:5061"));
        assert_eq!(tcp, Some(("[::1]:5061".parse().unwrap(), Transport::Tcp)));
        assert_eq!(of(None, None), None);
    }
}
