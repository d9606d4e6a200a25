use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use model::{Call, CallId, Timestamp};
use tokio::sync::broadcast;

use crate::trace::{Inner, Recording};
use crate::{Dialog, Trace};

/// How much is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Calls that are over.
    pub ended_calls: usize,
    /// Entries of one call.
    pub entries: usize,
    /// SIP messages of one call.
    pub messages: usize,
    /// Octets of all that is kept, about.
    pub octets: usize,
}

/// Summaries that may wait for somebody who looks.
const WAITING: usize = 256;

/// A call at a glance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The call.
    pub call: Arc<Call>,
    /// When it was answered, where that is known.
    pub answered_at: Option<Timestamp>,
    /// When it was over.
    pub ended_at: Option<Timestamp>,
}

/// The traces of a server's calls. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Recorder(Option<Arc<Shared>>);

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) limits: Limits,
    octets: AtomicUsize,
    calls: Mutex<Calls>,
    pub(crate) changes: broadcast::Sender<Summary>,
}

#[derive(Debug, Default)]
struct Calls {
    begun: u64,
    /// All that are kept, in the order in which they began.
    kept: BTreeMap<u64, Arc<Inner>>,
    numbers: BTreeMap<CallId, u64>,
    ended: VecDeque<u64>,
}

impl Recorder {
    /// Keeps as much as the limits allow.
    pub fn new(limits: Limits) -> Self {
        let (changes, _) = broadcast::channel(WAITING);
        Self(Some(Arc::new(Shared { limits, octets: AtomicUsize::new(0), calls: Mutex::default(), changes })))
    }

    /// Keeps nothing.
    pub const fn off() -> Self {
        Self(None)
    }

    /// Whether it keeps anything.
    pub const fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Begins the trace of a call; the call is over as it is dropped.
    pub fn begin(&self, call: CallId) -> Recording {
        Recording::new(self.0.as_ref().map(|shared| shared.begin(call)))
    }

    /// The trace of a call that is alive, or not long over.
    pub fn find(&self, call: CallId) -> Option<Trace> {
        let calls = self.0.as_ref()?.calls();
        let number = calls.numbers.get(&call)?;
        calls.kept.get(number).map(|inner| Trace::of(Arc::clone(inner)))
    }

    /// Calls that are alive, the latest first, from the one behind `after`; `None` where that one is not known any more.
    pub fn live(&self, after: Option<CallId>, limit: usize) -> Option<Vec<Summary>> {
        let Some(shared) = &self.0 else { return after.is_none().then(Vec::new) };
        let calls = shared.calls();
        let before = match after {
            Some(id) => *calls.numbers.get(&id)?,
            None => u64::MAX,
        };
        // Those that are over lie between them; there are not more than are kept.
        let summaries = calls.kept.range(..before).rev().filter_map(|(_, inner)| inner.live_summary());
        Some(summaries.take(limit).collect())
    }

    /// Is told of each call that changes from here on. Whoever does not keep up is told so, and should look anew.
    pub fn changes(&self) -> Option<broadcast::Receiver<Summary>> {
        self.0.as_ref().map(|shared| shared.changes.subscribe())
    }

    /// What belongs to a SIP call that comes in, before it is known to whom: nothing where nothing is kept.
    pub fn dialog(&self) -> Dialog {
        if self.is_on() { Dialog::waiting() } else { Dialog::new() }
    }
}

impl Shared {
    fn begin(self: &Arc<Self>, call: CallId) -> Arc<Inner> {
        let mut calls = self.calls();
        calls.begun += 1;
        let number = calls.begun;
        let inner = Arc::new(Inner::new(Arc::downgrade(self), number, call, self.limits));
        calls.numbers.insert(call, number);
        calls.kept.insert(number, Arc::clone(&inner));
        inner
    }

    /// A call is over: it is one of those that make room.
    pub(crate) fn ended(&self, number: u64) {
        let mut calls = self.calls();
        calls.ended.push_back(number);
        while calls.ended.len() > self.limits.ended_calls {
            self.forget_oldest(&mut calls);
        }
    }

    /// Takes room for so much; `false` where there is none, even without all that is over.
    pub(crate) fn reserve(&self, octets: usize) -> bool {
        if self.octets.fetch_add(octets, Ordering::Relaxed) + octets <= self.limits.octets {
            return true;
        }
        let mut calls = self.calls();
        while self.octets.load(Ordering::Relaxed) > self.limits.octets {
            if !self.forget_oldest(&mut calls) {
                self.release(octets);
                return false;
            }
        }
        true
    }

    pub(crate) fn release(&self, octets: usize) {
        self.octets.fetch_sub(octets, Ordering::Relaxed);
    }

    fn forget_oldest(&self, calls: &mut Calls) -> bool {
        let Some(number) = calls.ended.pop_front() else { return false };
        if let Some(inner) = calls.kept.remove(&number) {
            if calls.numbers.get(&inner.call) == Some(&number) {
                calls.numbers.remove(&inner.call);
            }
            self.release(inner.forget());
        }
        true
    }

    fn calls(&self) -> MutexGuard<'_, Calls> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use model::{
        AppId, CallDirection, CallKind, CallState, ChainId, IdSource, MediaConfig, Participant,
        ParticipantId, Person, ScenarioId, TenantId,
    };

    use super::*;
    use crate::{Direction, Event, Lane, Sighting};

    const LIMITS: Limits = Limits { ended_calls: 3, entries: 20, messages: 10, octets: 100_000 };
    const AT: Timestamp = Timestamp::from_millis(1_000);

    struct Ids(u128);

    impl IdSource for Ids {
        fn next_guid(&mut self) -> uuid::Uuid {
            self.0 += 1;
            uuid::Uuid::from_u128(self.0)
        }
    }

    fn call(number: u128, state: CallState) -> Arc<Call> {
        let mut ids = Ids(number * 100);
        Arc::new(Call {
            id: id(number),
            app: AppId::from("bot"),
            tenant: TenantId::from("t"),
            is_tenant_shown: false,
            created_at: AT,
            callback_uri: "https://bot.example/".to_owned(),
            chain: ChainId::next(&mut ids),
            scenario: ScenarioId::from("s"),
            direction: CallDirection::Outgoing,
            state,
            media_state: None,
            my_participant: ParticipantId::next(&mut ids),
            source: Participant::default(),
            targets: Vec::new(),
            incoming: None,
            kind: CallKind::PeerToPeer { person: Person::Withheld },
            chat: None,
            meeting: None,
            subject: None,
            requested_modalities: Vec::new(),
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
        })
    }

    fn id(number: u128) -> CallId {
        CallId::next(&mut Ids(number))
    }

    fn ids(summaries: &[Summary]) -> Vec<CallId> {
        summaries.iter().map(|summary| summary.call.id).collect()
    }

    fn words(trace: &Trace) -> Vec<&'static str> {
        trace.show().entries.iter().map(|entry| entry.what).collect()
    }

    #[test]
    fn live_calls_are_listed_the_latest_first_and_in_pages() {
        let recorder = Recorder::new(LIMITS);
        let mut traces: Vec<_> = (1..=5).map(|number| recorder.begin(id(number))).collect();
        assert_eq!(recorder.live(None, 10), Some(Vec::new()), "none is stored yet");
        for (trace, number) in traces.iter().zip(1..) {
            trace.changed(AT, &call(number, CallState::Establishing));
        }
        assert_eq!(ids(&recorder.live(None, 2).unwrap()), [id(5), id(4)]);
        assert_eq!(ids(&recorder.live(Some(id(4)), 2).unwrap()), [id(3), id(2)]);
        drop(traces.remove(3));
        assert_eq!(ids(&recorder.live(Some(id(4)), 1).unwrap()), [id(3)], "a call that has ended is a place");
        assert!(recorder.live(Some(id(77)), 1).is_none());
    }

    #[test]
    fn the_latest_calls_that_are_over_are_kept() {
        let recorder = Recorder::new(LIMITS);
        for number in 1..=5 {
            recorder.begin(id(number)).note(AT, Lane::Leg, "ringing", None);
        }
        let kept: Vec<_> = (1..=5).filter(|number| recorder.find(id(*number)).is_some()).collect();
        assert_eq!(kept, [3, 4, 5]);
    }

    #[test]
    fn what_a_call_keeps_is_bounded_and_so_is_what_all_keep() {
        let recorder = Recorder::new(LIMITS);
        let busy = recorder.begin(id(1));
        for _ in 0..1_000 {
            busy.note(AT, Lane::Tone, "heard", Some("5"));
        }
        let shown = busy.show();
        assert_eq!((shown.entries.len(), shown.entries_dropped), (20, 980));
        assert_eq!((shown.entries[0].sequence, shown.entries[19].sequence), (1, 1_000));

        let text = "x".repeat(1_000);
        let over = recorder.begin(id(2));
        over.note(AT, Lane::Leg, "ringing", Some(&text));
        drop(over);
        let others: Vec<_> = (10..500).map(|number| recorder.begin(id(number))).collect();
        others.iter().for_each(|trace| trace.note(AT, Lane::Leg, "ringing", Some(&text)));
        assert!(recorder.find(id(2)).is_none(), "what is over makes room");
        let kept = others.iter().filter(|trace| !trace.show().entries.is_empty()).count();
        assert!((100..400).contains(&kept), "{kept}");
        assert_eq!(others[489].show().entries_dropped, 1);
        drop(others);
        drop(busy);
        let next = recorder.begin(id(600));
        next.note(AT, Lane::Leg, "ringing", Some(&text));
        assert_eq!(words(&next), ["ringing"], "there is room again");
    }

    #[test]
    fn changes_of_a_call_become_entries_and_are_told() {
        let recorder = Recorder::new(LIMITS);
        let mut changes = recorder.changes().unwrap();
        let trace = recorder.begin(id(1));
        let held = |state, is_held: bool| {
            let media_state =
                Some(if is_held { model::MediaState::Inactive } else { model::MediaState::Active });
            Arc::new(Call { media_state, ..Call::clone(&call(1, state)) })
        };
        trace.changed(AT, &call(1, CallState::Establishing));
        for is_held in [false, true, false] {
            trace.changed(Timestamp::from_millis(2_000), &held(CallState::Established, is_held));
        }
        trace.changed(Timestamp::from_millis(3_000), &call(1, CallState::Terminated));
        assert_eq!(words(&trace), ["establishing", "established", "held", "resumed", "terminated"]);
        let told: Vec<_> = std::iter::from_fn(|| changes.try_recv().ok()).collect();
        assert_eq!(told.len(), 5);
        let last = told.last().unwrap();
        assert_eq!(last.answered_at, Some(Timestamp::from_millis(2_000)));
        assert_eq!(last.ended_at, Some(Timestamp::from_millis(3_000)));
        assert!(recorder.live(None, 10).unwrap().is_empty());
    }

    #[test]
    fn who_looks_is_told_and_who_does_not_keep_up_is_told_that() {
        let recorder = Recorder::new(Limits { entries: 1_000, ..LIMITS });
        let trace = recorder.begin(id(1));
        trace.note(AT, Lane::Leg, "calling", None);
        let mut events = recorder.find(id(1)).unwrap().watch().unwrap();
        trace.note(AT, Lane::Leg, "ringing", None);
        let Ok(Event::Entry(entry)) = events.try_recv() else { panic!("an entry") };
        assert_eq!((entry.what, entry.sequence), ("ringing", 2));
        (0..500).for_each(|_| trace.note(AT, Lane::Tone, "heard", None));
        assert!(matches!(events.try_recv(), Err(broadcast::error::TryRecvError::Lagged(_))));
    }

    #[test]
    fn messages_wait_for_the_call_that_they_are_of() {
        let recorder = Recorder::new(LIMITS);
        let (first, second) = (recorder.begin(id(1)), recorder.begin(id(2)));
        let dialog = recorder.dialog();
        let say = |method: &str| {
            let text = format!("{method} sip:a SIP/2.0\r\nCall-ID: a\r\nCSeq: 1 {method}\r\n\r\n");
            let sighting = Sighting::of(text.as_bytes()).unwrap();
            dialog.push(sighting.keep(AT, Direction::Received, "udp:192.0.2.7:5060"));
        };
        (0..20).for_each(|_| say("INVITE"));
        dialog.give_to(&first);
        say("ACK");
        dialog.give_to(&second);
        say("BYE");
        let methods = |trace: &Trace| {
            let messages = trace.show().messages;
            messages.iter().map(|message| (message.method().to_owned(), message.dialog)).collect::<Vec<_>>()
        };
        let of_first = methods(&first);
        assert_eq!((of_first.len(), of_first[8].clone()), (9, ("ACK".to_owned(), 1)));
        assert_eq!(methods(&second), [("BYE".to_owned(), 1)]);
        dialog.give_to_nobody();
        assert!(!dialog.is_of_interest());
        say("INFO");
        assert_eq!(methods(&second).len(), 1);
    }

    #[test]
    fn nothing_is_kept_where_nobody_looks() {
        let recorder = Recorder::off();
        let trace = recorder.begin(id(1));
        trace.changed(AT, &call(1, CallState::Established));
        trace.note(AT, Lane::Leg, "ringing", None);
        assert!(!trace.is_on() && trace.show().entries.is_empty() && trace.watch().is_none());
        assert!(recorder.find(id(1)).is_none() && recorder.changes().is_none());
        assert!(!recorder.dialog().is_of_interest());
        assert_eq!(recorder.live(None, 1), Some(Vec::new()));
    }
}
