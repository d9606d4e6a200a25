//! What is said of a step whose time is over.

use std::time::Duration;

use super::{Action, Doing, Effect, Hold, Phase, Script, TRANSFER_LIMIT, words};

impl Script {
    /// Goes on where the time was the step's, and fails it where it was its limit.
    pub(super) fn step_timeout(&mut self, now: Duration) {
        let Phase::Stepping { doing, until, .. } = &mut self.phase else { return };
        let action = self.plan.steps.get(self.at).map(|step| &step.action);
        let timeout = words(self.plan.expect_timeout);
        let why = match doing {
            Doing::Holding(hold @ Hold::Held) => {
                *hold = Hold::Resuming;
                *until = now.saturating_add(self.plan.expect_timeout);
                self.effects.push_back(Effect::Hold(false));
                return;
            }
            Doing::Holding(Hold::Asking(_) | Hold::Resuming) => {
                format!("the far end did not say within {timeout} whether it can be held")
            }
            Doing::KeysOfFarEnd => {
                let expected = match action {
                    Some(Action::ExpectDtmf(keys)) => keys.iter().map(|key| key.key()).collect(),
                    Some(_) | None => String::new(),
                };
                let heard: String = self.keys.iter().map(|key| key.key()).collect();
                let heard = if heard.is_empty() { "none".to_owned() } else { format!("only {heard}") };
                format!("expected the keys {expected} within {timeout}; heard {heard}")
            }
            Doing::KnownSound { ear, within, loudest, .. } => {
                let (within, instead) = (words(*within), loudest.words());
                let alike = ear.best_share() * 100.0;
                let alike = if alike < 1.0 { String::new() } else { format!(", at best {alike:.0} % alike") };
                format!("expected the sound to begin within {within}; heard {instead}{alike}")
            }
            Doing::Pausing => {
                self.met(now);
                return;
            }
            Doing::Playing { .. } | Doing::Pressing { .. } => "it was not sent in time".to_owned(),
            Doing::Tone { loudest, .. } => {
                let hz = match action {
                    Some(Action::ExpectTone { hz }) => *hz,
                    Some(_) | None => 0,
                };
                format!("expected a tone of {hz} Hz within {timeout}; heard {}", loudest.words())
            }
            Doing::Transferring { .. } => {
                format!("the far end did not do what it was asked within {}", words(TRANSFER_LIMIT))
            }
        };
        self.fail_step(why, now);
    }
}
