//! Endpoints that stand in for people: they take real RTP through the real media path.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use call_engine::EndCause;
use media_engine::{PromptAudio, WavLimits};
use model::{Script, ScriptAnswer, Tone};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use crate::context::Context;
use crate::far_end::{FarEnd, FarEndCommand, FarEndEvent, FarEndEvents, ReferProgress};
use crate::leg::negotiator;
use crate::media::{Job, MediaPort, PortEvent};

/// A script and the call that it takes part in.
pub(crate) struct Part {
    pub(crate) script: Script,
    pub(crate) offer: Bytes,
    /// Where it keeps what it hears.
    pub(crate) heard: Option<PathBuf>,
    pub(crate) events: FarEndEvents,
}

/// Starts a scripted endpoint's part in a call.
pub(crate) fn start(context: Context, part: Part) -> FarEnd {
    let (far_end, commands) = FarEnd::new();
    tokio::spawn(async move {
        let events = part.events.clone();
        let cause = Performance { context, part, commands }.run().await;
        events.report(FarEndEvent::Ended(cause));
    });
    far_end
}

struct Performance {
    context: Context,
    part: Part,
    commands: mpsc::UnboundedReceiver<FarEndCommand>,
}

/// Jobs of a scripted endpoint's media leg.
const CAPTURE: Job = Job(1);
const PLAY: Job = Job(2);
/// The first of the keys; each has a job of its own.
const FIRST_KEY: u64 = 16;

/// How long the file of what was heard may take to be finished.
const FINISH_LIMIT: Duration = Duration::from_secs(5);

impl Performance {
    async fn run(mut self) -> EndCause {
        match self.part.script.answer {
            ScriptAnswer::Busy => EndCause::Busy,
            ScriptAnswer::Declined => EndCause::Declined,
            ScriptAnswer::Never => {
                self.part.events.report(FarEndEvent::Ringing);
                self.hung_up().await;
                EndCause::LocalHangUp
            }
            ScriptAnswer::After(delay) => {
                self.part.events.report(FarEndEvent::Ringing);
                let answers_at = Instant::now() + delay;
                tokio::select! {
                    () = self.hung_up() => return EndCause::LocalHangUp,
                    () = sleep_until(answers_at) => {}
                }
                self.talk().await.unwrap_or_else(|cause| cause)
            }
        }
    }

    async fn talk(&mut self) -> Result<EndCause, EndCause> {
        let (media, mut media_events) =
            self.context.media.open_for_script().map_err(|_| EndCause::Internal)?;
        let mut negotiator = negotiator(&media, self.context.config.srtp)?;
        let offer = std::str::from_utf8(&self.part.offer).map_err(|_| EndCause::RefusedOffer)?;
        let (negotiated, answer) = negotiator.answer(offer).map_err(|_| EndCause::RefusedOffer)?;
        media.configure(&negotiated).map_err(|_| EndCause::Internal)?;
        if let Some(path) = &self.part.heard {
            media.capture(CAPTURE, path).map_err(|_| EndCause::Internal)?;
        }
        self.part.events.report(FarEndEvent::Answered { sdp: Bytes::from(answer), source: None });
        self.sound(&media).await?;
        let cause = self.perform(&media).await;
        if self.part.heard.is_some() {
            media.stop(CAPTURE);
            finish(&mut media_events).await;
        }
        Ok(cause)
    }

    /// Starts what the endpoint says by itself.
    async fn sound(&self, media: &MediaPort) -> Result<(), EndCause> {
        let script = &self.part.script;
        if script.echo {
            media.echo(true).map_err(|_| EndCause::Internal)?;
        }
        if let Some(hz) = script.tone_hz {
            media.play_tone(PLAY, hz).map_err(|_| EndCause::Internal)?;
        }
        if let Some(name) = &script.play_file {
            let prompt = self.read(name).await.map_err(|error| {
                tracing::error!(name, error, "failed to play what a script names");
                EndCause::Internal
            })?;
            media.play(PLAY, &[prompt]).map_err(|_| EndCause::Internal)?;
        }
        Ok(())
    }

    /// Reads what a script plays: a file of this machine, or an address under the rules for prompts.
    async fn read(&self, name: &str) -> Result<Arc<PromptAudio>, String> {
        let file = if name.contains("://") {
            self.context.prompts.fetch_file(name).await?
        } else {
            tokio::fs::read(name).await.map_err(|error| error.to_string())?.into()
        };
        let prompt = PromptAudio::from_wav(&file, &WavLimits::PROMPT).map_err(|error| error.to_string())?;
        Ok(Arc::new(prompt))
    }

    /// Presses keys and hangs up at their times, until either side hangs up.
    async fn perform(&mut self, media: &MediaPort) -> EndCause {
        let answered_at = Instant::now();
        let mut keys: Vec<(Duration, Tone)> = self.part.script.keys.clone();
        keys.sort_by_key(|(at, _)| *at);
        for (job, (at, tone)) in (FIRST_KEY..).zip(keys) {
            if self.wait_until(answered_at + at).await.is_err() {
                return EndCause::LocalHangUp;
            }
            if media.send_tones(Job(job), &[tone], 0).is_err() {
                return EndCause::Internal;
            }
        }
        let is_over = match self.part.script.hang_up_after {
            Some(after) => self.wait_until(answered_at + after).await.is_ok(),
            None => false,
        };
        if is_over {
            return EndCause::HungUp;
        }
        self.hung_up().await;
        EndCause::LocalHangUp
    }

    /// Waits; an error says that the other side hung up meanwhile.
    async fn wait_until(&mut self, at: Instant) -> Result<(), ()> {
        tokio::select! {
            () = self.hung_up() => Err(()),
            () = sleep_until(at) => Ok(()),
        }
    }

    /// Waits until the other side hangs up or is gone.
    async fn hung_up(&mut self) {
        while let Some(command) = self.commands.recv().await {
            match command {
                FarEndCommand::HangUp | FarEndCommand::Lose => return,
                FarEndCommand::Refer(_) => {
                    self.part.events.report(FarEndEvent::ReferProgress(ReferProgress::Refused));
                }
                // A script offers nothing after its answer, and calls nobody.
                FarEndCommand::Answer(_)
                | FarEndCommand::AnswerOffer(_)
                | FarEndCommand::Referral(_)
                | FarEndCommand::Reject(_)
                | FarEndCommand::Ring => {}
            }
        }
    }
}

/// Waits until what was heard is on disk.
async fn finish(events: &mut mpsc::Receiver<PortEvent>) {
    let finished = async {
        while let Some(event) = events.recv().await {
            if matches!(event, PortEvent::JobDone { job: CAPTURE, .. }) {
                return;
            }
        }
    };
    if tokio::time::timeout(FINISH_LIMIT, finished).await.is_err() {
        tracing::warn!("what a scripted endpoint heard was not written in time");
    }
}
