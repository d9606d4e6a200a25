//! Instructions that deciding a whole call may take.

#![expect(missing_docs, reason = "the macros make items that are public and have none")]

use call_engine::{Call, Config, Effect, EndCause, Input, LegEvent};
use gungraun::{
    Callgrind, EventKind, LibraryBenchmarkConfig, library_benchmark, library_benchmark_group, main,
};
use model::{
    CallId, Destination, IdSource, Identity, IdentitySet, InvitationParticipant, Invitee, LegId, MediaConfig,
    Modality, NewCall, Timestamp,
};
use uuid::Uuid;

/// What was measured (Debian 12, rustc 1.95), and a tenth on top: more than compilers and small fixes move it by.
fn budget(measured: u64) -> LibraryBenchmarkConfig {
    let limit = measured + measured / 10;
    let mut config = LibraryBenchmarkConfig::default();
    config.tool(Callgrind::with_args(["--cache-sim=no"]).hard_limits([(EventKind::Ir, limit)]));
    config
}

/// Ids in order: making random ones is not the engine's work.
struct CountedIds(u128);

impl IdSource for CountedIds {
    fn next_guid(&mut self) -> Uuid {
        self.0 += 1;
        Uuid::from_u128(self.0)
    }
}

fn new_call() -> NewCall {
    let target = InvitationParticipant {
        identity: IdentitySet::user(Identity::of("112f7296-5fa4-42ca-bae8-6a692b15d4b8").named("John")),
        ..InvitationParticipant::default()
    };
    NewCall {
        app: "2891555a-92ff-42e6-80fa-6e1300c6b5c6".into(),
        app_name: "Calling Bot".to_owned(),
        tenant: "aa67bd4c-8475-432d-bd41-39f255720e0a".into(),
        callback_uri: "https://bot.contoso.com/callback".to_owned(),
        chain: None,
        scenario: None,
        source: None,
        destination: Destination::Person(Box::new(Invitee {
            target,
            callee: "112f7296-5fa4-42ca-bae8-6a692b15d4b8".into(),
        })),
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

/// Lets the effects go, and counts them so that none is optimised away.
fn drain(call: &mut Call) -> usize {
    std::iter::from_fn(|| call.poll_effect()).map(std::hint::black_box::<Effect>).count()
}

#[library_benchmark(config = budget(28_669))]
#[bench::answered(new_call())]
fn call_from_creation_to_end(new: NewCall) -> usize {
    let (now, mut ids) = (Timestamp::from_millis(1_000_000), CountedIds(0));
    let id = CallId::next(&mut ids);
    let mut call = Call::create((id, new), LegId(1), Config::default(), now, &mut ids);
    let mut effects = drain(&mut call);
    for event in [LegEvent::Ringing, LegEvent::Answered, LegEvent::Ended(EndCause::HungUp)] {
        call.handle(Input::Leg(event), now, &mut ids);
        effects += drain(&mut call);
    }
    effects
}

library_benchmark_group!(name = calls, benchmarks = call_from_creation_to_end);
main!(library_benchmark_groups = calls);
