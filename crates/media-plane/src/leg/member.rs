//! A leg as a member of a mixer.

use media_engine::{AudioSender, Codec};

use super::{Leg, Workbench, job_done};
use crate::command::Disposal;
use crate::conference::HOSTED_RATE;
use crate::event::JobOutcome;
use crate::stream::{Spoken, Stream};

impl Leg {
    /// Whether it plays, records or captures.
    pub(crate) fn has_jobs(&self) -> bool {
        self.jobs.play.is_some() || self.jobs.has_ears()
    }

    /// Whether nothing comes from it until a packet does.
    pub(crate) fn may_sleep(&self) -> bool {
        let is_idle = self.link.as_ref().is_none_or(|link| link.media.receiver.is_idle());
        is_idle && !self.jobs.has_tapes()
    }

    /// In what the far end is sent what others say, unless it is on hold or hears something of its own.
    pub(crate) fn listening_codec(&self) -> Option<Codec> {
        let link = self.link.as_ref().filter(|_| self.jobs.play.is_none())?;
        let sends = link.media.negotiated.direction.sends() && link.peer.destination().is_some();
        sends.then_some(link.media.codec)
    }

    /// Its encoder and what it sends, for what others say.
    pub(crate) fn sender(&mut self) -> Option<&mut AudioSender> {
        let link = self.link.as_mut().filter(|_| self.jobs.play.is_none())?;
        Some(&mut link.media.sender)
    }

    /// The same although it plays something of its own.
    pub(crate) fn busy_sender(&mut self) -> Option<&mut AudioSender> {
        self.link.as_mut().map(|link| &mut link.media.sender)
    }

    /// Puts the next 20 ms of what a hosted leg says on the bench.
    pub(crate) fn prompt(&mut self, bench: &mut Workbench) -> Spoken {
        bench.said.reset(HOSTED_RATE);
        let (is_playing, ended) = self.jobs.fill(&mut bench.said);
        if let Some((play, outcome)) = ended {
            job_done(self.id, play.job, outcome, bench);
            bench.disposer.dispose(Disposal::Play(play));
        }
        self.jobs.dispose_ended(&mut bench.disposer);
        match &mut self.jobs.stream {
            // What the application says waits for the end of a prompt, and what it takes back does not.
            Some(stream) if is_playing => stream.drop_flushed(),
            Some(stream) => return stream.fill(&mut bench.said),
            None => {}
        }
        if is_playing { Spoken::Sound } else { Spoken::Nothing }
    }

    /// Lets an application say and hear; what it had before ends.
    pub(crate) fn stream(&mut self, stream: Box<Stream>, bench: &mut Workbench) {
        if let Some(old) = self.jobs.stream.replace(stream) {
            bench.disposer.dispose(Disposal::Stream(old));
        }
    }

    /// Whether a hosted leg hears all others together.
    pub(crate) fn wants_mix(&self) -> bool {
        self.jobs.has_tapes() || self.jobs.stream.as_deref().is_some_and(Stream::has_mix)
    }

    /// Lets a hosted leg's recordings, and its application, hear what lies on the bench.
    pub(crate) fn hear_mix(&mut self, bench: &mut Workbench) {
        if let Some(stream) = &mut self.jobs.stream {
            stream.end_round(&bench.heard);
        }
        if let Some(ended) = self.jobs.stream.take_if(|stream| stream.is_abandoned()) {
            bench.disposer.dispose(Disposal::Stream(ended));
        }
        self.jobs.hear(&bench.heard, None, &mut bench.scratch);
        self.jobs.dispose_ended(&mut bench.disposer);
    }

    /// Ends what a hosted leg does, which it cannot do outside of a mixer.
    pub(crate) fn end_hosted_jobs(&mut self, bench: &mut Workbench) {
        if !self.is_hosted() {
            return;
        }
        if let Some(play) = self.jobs.play.take() {
            job_done(self.id, play.job, JobOutcome::Cancelled, bench);
            bench.disposer.dispose(Disposal::Play(play));
        }
        self.jobs.cancel_tapes();
        self.jobs.dispose_ended(&mut bench.disposer);
    }
}
