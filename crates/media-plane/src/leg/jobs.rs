//! What a leg has been asked to do.

use media_engine::{Frame, Player, PlayerState, Tone, ToneGenerator};

use crate::JobId;
use crate::command::{Disposal, Disposer, ToneJob};
use crate::event::{JobOutcome, RecordingEnd};
use crate::stream::Stream;
use crate::tape::Tape;
use media_engine::RecordOutcome;

/// Recordings and captures of one leg at a time: an operation's, a scripted endpoint's, and room for two
/// more.
pub(crate) const MAX_TAPES: usize = 4;

/// A sound to be sent.
#[derive(Debug)]
pub(crate) struct PlayJob {
    pub(crate) job: JobId,
    sound: Sound,
    is_stopped: bool,
}

#[derive(Debug)]
enum Sound {
    Prompts { players: Vec<Player>, current: usize },
    Tone { generator: ToneGenerator, frames_left: Option<u32> },
}

impl PlayJob {
    pub(crate) fn prompts(job: JobId, players: Vec<Player>) -> Self {
        Self { job, sound: Sound::Prompts { players, current: 0 }, is_stopped: false }
    }

    /// An endless tone without `frames_left`.
    pub(crate) fn tone(job: JobId, generator: ToneGenerator, frames_left: Option<u32>) -> Self {
        Self { job, sound: Sound::Tone { generator, frames_left }, is_stopped: false }
    }

    /// Fills the frame, whose rate is the leg's; returns the outcome once it has ended.
    fn fill(&mut self, out: &mut Frame) -> Option<JobOutcome> {
        let has_ended = match &mut self.sound {
            Sound::Prompts { players, current } => {
                match players.get_mut(*current).map(|player| player.fill(out)) {
                    Some(PlayerState::Playing) => false,
                    Some(PlayerState::Ended) => {
                        *current += 1;
                        *current >= players.len()
                    }
                    None => true,
                }
            }
            Sound::Tone { generator, frames_left } => {
                generator.fill(out);
                *frames_left = frames_left.map(|left| left.saturating_sub(1));
                *frames_left == Some(0)
            }
        };
        match (has_ended || self.is_stopped, self.is_stopped) {
            (false, _) => None,
            (true, false) => Some(JobOutcome::Completed),
            (true, true) => Some(JobOutcome::Cancelled),
        }
    }

    fn stop(&mut self) {
        self.is_stopped = true;
        if let Sound::Prompts { players, current } = &mut self.sound
            && let Some(player) = players.get_mut(*current)
        {
            player.cancel();
        }
    }
}

/// The jobs of a leg.
#[derive(Debug, Default)]
pub(crate) struct Jobs {
    pub(crate) play: Option<Box<PlayJob>>,
    pub(crate) tones: Option<JobId>,
    pub(crate) tapes: [Option<Box<Tape>>; MAX_TAPES],
    pub(crate) is_echo: bool,
    /// The application's own sound, where it hosts its media.
    pub(crate) stream: Option<Box<Stream>>,
}

/// Why a tone or recording job was not taken.
pub(crate) struct Refused;

impl Jobs {
    /// Starts a sound; one that is playing ends cancelled.
    pub(crate) fn play(&mut self, play: Box<PlayJob>) -> Option<Box<PlayJob>> {
        self.play.replace(play)
    }

    /// The next 20 ms of the sound, if there is one, and its job with the outcome when it ended.
    pub(crate) fn fill(&mut self, out: &mut Frame) -> (bool, Option<(Box<PlayJob>, JobOutcome)>) {
        let Some(play) = &mut self.play else { return (false, None) };
        let outcome = play.fill(out);
        let ended = outcome.and_then(|outcome| self.play.take().map(|play| (play, outcome)));
        (true, ended)
    }

    pub(crate) fn add_tape(&mut self, tape: Box<Tape>) -> Result<(), Box<Tape>> {
        match self.tapes.iter_mut().find(|slot| slot.is_none()) {
            Some(slot) => {
                *slot = Some(tape);
                Ok(())
            }
            None => Err(tape),
        }
    }

    /// Gives the frame to every recording, or `bridged` to those that began at its rate.
    pub(crate) fn hear(&mut self, frame: &Frame, bridged: Option<&Frame>, scratch: &mut Frame) {
        for tape in self.tapes.iter_mut().flatten() {
            let bridged = bridged.filter(|bridged| tape.rate != frame.rate() && tape.rate == bridged.rate());
            tape.handle_frame(bridged.unwrap_or(frame), scratch);
        }
    }

    /// Ends all recordings.
    pub(crate) fn cancel_tapes(&mut self) {
        for tape in self.tapes.iter_mut().flatten() {
            tape.stop(RecordingEnd::Recorder(RecordOutcome::Cancelled));
        }
    }

    pub(crate) fn has_tapes(&self) -> bool {
        self.tapes.iter().any(Option::is_some)
    }

    /// Whether what is heard goes anywhere.
    pub(crate) fn has_ears(&self) -> bool {
        self.has_tapes() || self.stream.is_some()
    }

    pub(crate) fn hear_tone(&mut self, tone: Tone) {
        for tape in self.tapes.iter_mut().flatten() {
            tape.handle_tone(tone);
        }
    }

    /// Hands ended recordings to the file thread, which reports them.
    pub(crate) fn dispose_ended(&mut self, disposer: &mut Disposer) {
        for slot in &mut self.tapes {
            if slot.as_ref().is_some_and(|tape| tape.end.is_some())
                && let Some(tape) = slot.take()
            {
                disposer.dispose(Disposal::Tape(tape));
            }
        }
    }

    /// Stops a job; returns whether keys being sent are to be cancelled.
    pub(crate) fn stop(&mut self, job: JobId) -> bool {
        if let Some(play) = self.play.as_mut().filter(|play| play.job == job) {
            play.stop();
        }
        for tape in self.tapes.iter_mut().flatten().filter(|tape| tape.job == job) {
            tape.stop(RecordingEnd::Recorder(RecordOutcome::Cancelled));
        }
        self.tones == Some(job)
    }

    pub(crate) fn send_tones(
        &mut self,
        tones: &ToneJob,
        sender: &mut media_engine::AudioSender,
    ) -> Result<(), Refused> {
        if self.tones.is_some() {
            return Err(Refused);
        }
        sender.send_tones(&tones.tones, tones.gap_ms).map_err(|_| Refused)?;
        self.tones = Some(tones.job);
        Ok(())
    }
}
