//! How the sound of those is who are in a call.

use std::collections::BTreeMap;

use model::{CallId, IdentitySet};
use node::{Codec, Sound};
use serde_json::{Value, json};

use super::console;
use crate::state::Shared;

/// What was counted the time before, by leg: shares are of what came since then.
#[derive(Debug, Default)]
pub(super) struct Before(BTreeMap<u64, Counted>);

/// Packets of one leg so far.
#[derive(Clone, Copy, Debug, Default)]
struct Counted {
    received: u64,
    lost: i64,
}

/// A sample of a live call; `None` where it is over.
pub(super) async fn sample(state: &Shared, call: CallId, before: &mut Before) -> Option<Value> {
    let sounds = console(state).ok()?.node.sounds(call).await?;
    let participants: Vec<_> = sounds.iter().map(|sound| before.shown(sound)).collect();
    before.0.retain(|leg, _| sounds.iter().any(|sound| sound.leg == *leg));
    Some(json!({"at": state.api.clock.now().to_string(), "participants": participants}))
}

impl Before {
    fn shown(&mut self, sound: &Sound) -> Value {
        let stats = &sound.sample.stats;
        let receiver = &stats.receiver;
        let now = Counted { received: receiver.received, lost: i64::from(receiver.cumulative_lost) };
        let before = self.0.insert(sound.leg, now);
        let clock = sound.sample.codec.map(Codec::clock_rate);
        let jitter_ms = |units: u32| clock.map(|hz| tenths(f64::from(units) * 1_000.0 / f64::from(hz)));
        // A far end that has not reported says nothing of what it hears.
        let has_reported = stats.round_trip_us.is_some() || stats.remote_jitter != 0;
        let of_reports = |value: f64| has_reported.then(|| tenths(value));
        json!({
            "id": sound.participant.to_string(),
            "name": name(&sound.info.identity),
            "role": if sound.info.identity.phone.is_some() { "trunk" } else { "person" },
            "codec": sound.sample.codec.map(codec),
            "leg": sound.leg.to_string(),
            "levelIn": sound.sample.level_db.map(|db| tenths(f64::from(db))),
            "levelOut": Value::Null,
            "lossIn": loss(before.unwrap_or_default(), now),
            "lossOut": of_reports(f64::from(stats.remote_fraction_lost) * 100.0 / 256.0),
            "jitterInMs": jitter_ms(receiver.jitter),
            "jitterOutMs": jitter_ms(stats.remote_jitter).filter(|_| has_reported),
            "roundTripMs": stats.round_trip_us.map(|us| tenths(f64::from(us) / 1_000.0)),
            "packetsIn": stats.received_packets,
            "packetsOut": stats.sent_packets,
            "isFlowing": before.map_or(now.received > 0, |before| now.received > before.received),
        })
    }
}

/// The share of packets in percent that did not come; `None` where none was to come.
fn loss(before: Counted, now: Counted) -> Option<f64> {
    // A new source begins to count anew.
    let received = now.received.checked_sub(before.received)?;
    let lost = u32::try_from((now.lost - before.lost).max(0)).ok()?;
    let (received, lost) = (f64::from(u32::try_from(received).ok()?), f64::from(lost));
    let expected = received + lost;
    (expected > 0.0).then(|| tenths(lost * 100.0 / expected))
}

/// Rounded to tenths: more is noise.
fn tenths(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

const fn codec(codec: Codec) -> &'static str {
    match codec {
        Codec::G722 => "G722",
        Codec::Opus => "opus",
        Codec::Pcma => "PCMA",
        Codec::Pcmu => "PCMU",
    }
}

/// Who it is, for people.
fn name(identity: &IdentitySet) -> Option<&str> {
    let IdentitySet { application, guest, phone, user, .. } = identity;
    let known = [user, guest, application, phone].into_iter().flatten();
    let mut names = known.filter_map(|one| one.display_name.as_deref().or(one.id.as_deref()));
    names.next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loss_is_of_what_was_to_come_since_the_time_before() {
        let at = |received, lost| Counted { received, lost };
        assert_eq!(loss(at(0, 0), at(50, 0)), Some(0.0));
        assert_eq!(loss(at(100, 10), at(145, 15)), Some(10.0));
        assert_eq!(loss(at(100, 10), at(100, 10)), None, "nothing was to come");
        assert_eq!(loss(at(100, 10), at(150, 9)), Some(0.0), "what was thought lost came late");
        assert_eq!(loss(at(100, 10), at(5, 0)), None, "another source");
    }
}
