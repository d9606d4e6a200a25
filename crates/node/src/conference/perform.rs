use std::sync::Arc;

use attendant::Sentence;
use call_engine::{ConferenceEffect, ConferenceEvent, ConferenceInput, EndCause, LegEvent, Sound};
use media_engine::{PromptAudio, SampleRate};
use media_plane::Route;
use model::{AppId, CallId, Invitee, MediaPrompt, OperationId, Outcome, ParticipantId, Tone};

use super::{ConferenceTask, ConferenceTaskInput};
use crate::far_end::FarEndEvents;
use crate::leg::{Caller, Dialling, Leg};
use crate::media::Job;
use crate::referral::ReferralStatus;
use crate::ringing::Party;
use crate::task::CallInput;

/// The one thing that is played to someone who is not connected.
const SOUND: Job = Job(u64::MAX);
/// The one key that is pressed for someone.
pub(super) const KEY: Job = Job(u64::MAX - 1);
/// What is said to a caller who is in now.
const WELCOME: Job = Job(u64::MAX - 2);
/// What is said to a caller for whom there is no room.
pub(super) const TURNED_AWAY: Job = Job(u64::MAX - 3);
/// Keys that may wait for one another: more than a number with its prefix has.
const MAX_KEYS: usize = 32;

impl ConferenceTask {
    /// Performs everything that the last input led to; `false` once the conference is over.
    pub(super) async fn perform(&mut self) -> bool {
        while let Some(effect) = self.engine.poll_effect() {
            if effect == ConferenceEffect::Ended {
                return false;
            }
            self.act(effect).await;
        }
        self.tell_sources();
        true
    }

    async fn act(&mut self, effect: ConferenceEffect) {
        match effect {
            ConferenceEffect::Chime(chime) => self.bell.ring(&self.context, &self.mixer, chime),
            ConferenceEffect::Connect(id) => {
                self.has_moved = true;
                self.with_leg(id, |task, leg| task.mixer.join(leg));
            }
            ConferenceEffect::Disconnect(id) => self.with_leg(id, |task, leg| task.mixer.leave(leg)),
            ConferenceEffect::EndLeg(id) => self.end_leg(id),
            ConferenceEffect::EndReplaced { call, by } => {
                if let Some(side) = self.calls.get(&by) {
                    // A call that is over replaces nothing.
                    let _ = side.inputs.end(CallInput::EndReplaced(call));
                }
            }
            ConferenceEffect::Released(participant) => self.released(participant),
            ConferenceEffect::ShowPictures { participant, camera, screen } => {
                self.pages.show(participant, camera, screen);
            }
            ConferenceEffect::SendTone { participant, tone } => self.press(participant, tone),
            ConferenceEffect::SetMuted { participant, is_muted } => {
                self.with_leg(participant, |task, leg| task.mixer.set_muted(leg, is_muted));
            }
            ConferenceEffect::SetRoute { participant, is_in_default_group, audience } => {
                let legs =
                    |ids: Vec<ParticipantId>| ids.into_iter().filter_map(|id| self.leg_of(id)).collect();
                let route = Route { is_in_default_group, audience: audience.map(legs) };
                self.with_leg(participant, |task, leg| task.mixer.set_route(leg, route));
            }
            ConferenceEffect::StartLeg { participant, invitee, by } => {
                self.start_leg(participant, &invitee, by).await;
            }
            ConferenceEffect::StartSound { participant, sound } => self.start_sound(participant, sound),
            ConferenceEffect::StopSound(participant) => {
                if let Some(leg) = self.legs.get(&participant) {
                    leg.media.stop(SOUND);
                }
            }
            ConferenceEffect::Tell { call, event } => self.tell(call, event),
            ConferenceEffect::TellPerson { participant, event } => self.pages.tell(participant, event),
            ConferenceEffect::TurnAway(participant) => {
                let is_said = self.say(participant, TURNED_AWAY, &[Sentence::Full, Sentence::GoodBye]);
                if !is_said {
                    self.end_leg(participant);
                }
            }
            // Whoever does not hear it hears the others.
            ConferenceEffect::Welcome(participant) => {
                let _ = self.say(participant, WELCOME, &[Sentence::Joined]);
            }
            // `perform` takes this before it comes here.
            ConferenceEffect::Ended => {}
        }
    }

    /// Says something to a caller alone; `false` where that fails.
    fn say(&self, participant: ParticipantId, job: Job, sentences: &[Sentence]) -> bool {
        let said: Vec<_> = sentences.iter().map(|it| self.context.sounds.spoken.get(*it)).collect();
        let Some(leg) = self.legs.get(&participant) else { return false };
        let played = leg.media.play(job, &said);
        if let Err(error) = &played {
            tracing::warn!(%error, "failed to speak to a caller");
        }
        played.is_ok()
    }

    pub(super) fn end_leg(&mut self, participant: ParticipantId) {
        // Nobody comes in the place of somebody who is sent away.
        self.referring.remove(&participant);
        match self.legs.get(&participant) {
            Some(leg) if !leg.events.has_ended() => leg.hang_up(),
            // A phone that hands over may have left before.
            Some(_) | None => self.lose_leg(participant, EndCause::LocalHangUp),
        }
    }

    /// Presses a key for somebody, once those before it have been pressed.
    fn press(&mut self, participant: ParticipantId, tone: Tone) {
        let keys = self.keys.entry(participant).or_default();
        // Faster than anybody hears them nobody means them.
        if keys.len() < MAX_KEYS {
            keys.push_back(tone);
        }
        if keys.len() == 1 {
            self.press_next(participant);
        }
    }

    fn press_next(&mut self, participant: ParticipantId) {
        let tone = self.keys.get(&participant).and_then(|keys| keys.front().copied());
        let pressed =
            tone.zip(self.legs.get(&participant)).map(|(tone, leg)| leg.media.send_tones(KEY, &[tone], 0));
        if !matches!(pressed, Some(Ok(()))) {
            self.keys.remove(&participant);
        }
    }

    /// A key has been pressed, or never will be.
    pub(super) fn pressed(&mut self, participant: ParticipantId) {
        if let Some(keys) = self.keys.get_mut(&participant) {
            keys.pop_front();
            self.press_next(participant);
        }
    }

    /// Hands a leg over to another conversation.
    fn released(&mut self, participant: ParticipantId) {
        let releasing = self.releasing.take().filter(|(person, _)| person.participant == participant);
        // Whoever is called in its place is called over its media, which goes with it.
        self.referring.remove(&participant);
        self.pages.release(participant);
        if let (Some((person, way)), Some(leg)) = (releasing, self.legs.remove(&participant)) {
            leg.tell_of_referral(ReferralStatus::Failed(EndCause::Cancelled));
            way.go(Party { leg, person });
        }
    }

    fn with_leg(&self, participant: ParticipantId, act: impl FnOnce(&Self, media_plane::LegId)) {
        if let Some(leg) = self.leg_of(participant) {
            act(self, leg);
        }
    }

    fn tell(&mut self, call: CallId, event: ConferenceEvent) {
        let is_last = matches!(event, ConferenceEvent::Ended(_));
        let side = if is_last { self.calls.remove(&call) } else { None };
        if let Some(side) = side.as_ref().or_else(|| self.calls.get(&call)) {
            let is_droppable = matches!(event, ConferenceEvent::Tone(_));
            let input = CallInput::Conference(event);
            // A call whose task is over has left, or is about to; keys are dropped where one is held up.
            let _ =
                if is_droppable { side.inputs.tell(input).is_ok() } else { side.inputs.end(input).is_ok() };
        }
    }

    /// Calls a person in the name of the call that asked for it.
    async fn start_leg(&mut self, participant: ParticipantId, invitee: &Invitee, by: CallId) {
        let own = self.own.clone();
        let media = self.context.media.open_for_person(self.mixer.id(), own.clone(), participant);
        let started = match (self.calls.get(&by), media) {
            (Some(side), Ok(media)) => {
                let dialling = Dialling {
                    caller: &Caller::Application(side.app.clone()),
                    tenant: &side.tenant,
                    callee: &invitee.callee,
                    payer: Some(side.payer.clone()),
                    line: None,
                    subject: side.subject.as_deref(),
                    label: participant.to_string(),
                };
                let events = FarEndEvents::to_conference(own, participant).traced(&side.trace);
                Leg::start(&self.context, dialling, Arc::new(media), events).await
            }
            (None, _) => Err(EndCause::Cancelled),
            (_, Err(error)) => {
                tracing::error!(%error, "failed to open a media leg");
                Err(EndCause::Internal)
            }
        };
        match started {
            Ok(leg) => drop(self.legs.insert(participant, leg)),
            Err(cause) => self.feed(ConferenceInput::Leg { participant, event: LegEvent::Ended(cause) }),
        }
    }

    /// Plays to someone who is not connected. An application has no ears of its own: what it records is what is heard
    /// in the conference.
    fn start_sound(&mut self, participant: ParticipantId, sound: Sound) {
        let Some(leg) = self.legs.get(&participant) else {
            if let Sound::Hold { operation, .. } = sound {
                self.feed(ConferenceInput::SoundStarted { participant, operation, result: Ok(()) });
            }
            return;
        };
        match sound {
            Sound::Lobby { is_spoken } => {
                let sounds = &self.context.sounds;
                let sound = if is_spoken { sounds.spoken_lobby() } else { sounds.lobby() };
                if let Err(error) = leg.media.play_looped(SOUND, sound) {
                    tracing::warn!(%error, "failed to play the sound of waiting");
                }
            }
            Sound::Hold { operation, prompt: None, .. } => {
                let prompt = self.context.sounds.hold_music();
                self.play_hold_music(participant, operation, Ok(prompt));
            }
            Sound::Hold { by, operation, prompt: Some(prompt) } => {
                let rate = leg.media.rate();
                // A call that has left takes its holds along.
                if let Some(app) = self.calls.get(&by).map(|side| side.app.clone()) {
                    self.fetch_hold_music((participant, operation), rate, app, prompt);
                }
            }
        }
    }

    fn fetch_hold_music(
        &self,
        (participant, operation): (ParticipantId, OperationId),
        rate: SampleRate,
        app: AppId,
        prompt: MediaPrompt,
    ) {
        let (prompts, own) = (self.context.prompts.clone(), self.own.downgrade());
        tokio::spawn(async move {
            let fetched = prompts.load_all(&app, &[prompt], rate, false).await;
            let prompt = fetched.and_then(|mut all| all.pop().ok_or(Outcome::PromptInvalid));
            if let Some(own) = own.upgrade() {
                // A conference that is over plays nothing.
                let _ = own.end(ConferenceTaskInput::HoldMusic { participant, operation, prompt });
            }
        });
    }

    pub(super) fn play_hold_music(
        &mut self,
        participant: ParticipantId,
        operation: OperationId,
        prompt: Result<Arc<PromptAudio>, Outcome>,
    ) {
        // Whoever was taken back meanwhile hears the others.
        if !self.engine.is_on_hold(participant, operation) {
            return;
        }
        let Some(leg) = self.legs.get(&participant) else { return };
        let result = prompt.and_then(|prompt| {
            leg.media.play_looped(SOUND, prompt).map_err(|error| {
                tracing::warn!(%error, "failed to play music on hold");
                Outcome::InternalError
            })
        });
        self.feed(ConferenceInput::SoundStarted { participant, operation, result });
    }
}
