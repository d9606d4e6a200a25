//! What an application says and what has been heard of it: audio of any size goes in, frames of 20 ms come out.

use std::collections::VecDeque;
use std::time::Duration;

use media_engine::{FRAME_MS, level_dbfs};

use crate::format::Rate;
use crate::standing::Standing;
use crate::violation::Violation;

/// Marks that may wait to be heard. Arbitrary: one for each half second of the longest audio that may wait.
pub(crate) const MAX_MARKS: usize = 256;
/// Octets of a mark's name. Arbitrary: an id and something to read beside it.
pub(crate) const MAX_MARK_OCTETS: usize = 256;

const FRAME: Duration = Duration::from_millis(FRAME_MS as u64);
/// How long the media thread has had nothing when the application is taken to have stopped. One that speaks in real time
/// in pieces that are no whole frames leaves it without for less than a frame at first, and a frame more for jitter.
const DRY: Duration = Duration::from_millis(2 * FRAME_MS as u64);
/// What is softer than this is nobody who speaks.
const QUIETEST_VOICE_DB: f32 = -50.0;
/// Samples that stay allocated when all has been said; a long answer must not keep megabytes for the rest of the call.
const KEPT_SAMPLES: usize = 16 * 1024;

/// A queue of audio with named positions in it.
///
/// Frames are handed out one by one to whoever has room for them and are numbered from 1. [`Self::handle_gone`] says how
/// many of them were heard, or dropped after a clear; that is when marks are reached. Frames in which nobody speaks are left
/// out where all sound is late for nothing ([`Standing`]); they count as heard in their place.
#[derive(Debug)]
pub(crate) struct Playout {
    rate: Rate,
    limit: usize,
    samples: VecDeque<i16>,
    /// Samples ever taken in and ever handed out or cleared.
    accepted: u64,
    taken: u64,
    last_accepted: Duration,
    /// Since when all frames are gone, where they are.
    idle_since: Duration,
    is_paused: bool,
    /// Marks whose samples wait here, by position.
    marks: VecDeque<(u64, String)>,
    /// Marks whose samples have been handed out, by frame.
    flying: VecDeque<(u64, String)>,
    /// Frames handed out, gone from the media thread's queue, and heard.
    said: u64,
    gone: u64,
    heard: u64,
    /// Frames that are going to be gone next without having been heard.
    dropped: u64,
    reports: VecDeque<Report>,
    standing: Standing,
    /// Nobody speaks in what was handed out or left out last, while there is a surplus.
    is_quiet: bool,
    /// Frames left out since one was handed out that is not gone yet, by that frame.
    left_out: VecDeque<(u64, u64)>,
}

/// What became of a mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Report {
    /// The audio before it was dropped.
    Cleared(String),
    /// The audio before it has been heard.
    Reached(String),
}

impl Playout {
    /// An empty queue that holds at most `limit` of audio.
    pub(crate) fn new(rate: Rate, limit: Duration) -> Self {
        Self {
            rate,
            limit: (limit.as_millis() as u64 * u64::from(rate.hz()) / 1000) as usize,
            samples: VecDeque::new(),
            accepted: 0,
            taken: 0,
            last_accepted: Duration::ZERO,
            idle_since: Duration::ZERO,
            is_paused: false,
            marks: VecDeque::new(),
            flying: VecDeque::new(),
            said: 0,
            gone: 0,
            heard: 0,
            dropped: 0,
            reports: VecDeque::new(),
            standing: Standing::new(),
            is_quiet: false,
            left_out: VecDeque::new(),
        }
    }

    /// Takes in what is to be said next.
    ///
    /// # Errors
    ///
    /// [`Violation::TooMuchAudio`] where more would wait than may; then nothing of it is taken.
    pub(crate) fn handle_audio(&mut self, samples: &[i16], now: Duration) -> Result<(), Violation> {
        if self.samples.len() + samples.len() > self.limit {
            return Err(Violation::TooMuchAudio(self.limit as u64 * 1000 / u64::from(self.rate.hz())));
        }
        self.samples.extend(samples);
        self.accepted += samples.len() as u64;
        self.last_accepted = now;
        Ok(())
    }

    /// Names the end of what has been taken in.
    ///
    /// # Errors
    ///
    /// [`Violation::TooManyMarks`], [`Violation::MarkName`].
    pub(crate) fn handle_mark(&mut self, name: String) -> Result<(), Violation> {
        if name.is_empty() || name.len() > MAX_MARK_OCTETS {
            return Err(Violation::MarkName);
        }
        if self.marks.len() + self.flying.len() >= MAX_MARKS {
            return Err(Violation::TooManyMarks);
        }
        self.marks.push_back((self.accepted, name));
        self.settle();
        Ok(())
    }

    /// Drops what has not been heard, with its marks, and says how much that was. The media thread's queue is to be
    /// emptied, too.
    pub(crate) fn handle_clear(&mut self, now: Duration) -> Duration {
        let flying = self.said - self.gone - self.dropped;
        let left_out: u64 = self.left_out.drain(..).map(|(_, count)| count).sum();
        self.standing.restart(self.accepted, now);
        let waiting = self.samples.len() as u64 * 1000 / u64::from(self.rate.hz());
        self.dropped += flying;
        self.taken = self.accepted;
        self.samples.clear();
        self.shrink();
        let marks = self.flying.drain(..).chain(self.marks.drain(..));
        self.reports.extend(marks.map(|(_, name)| Report::Cleared(name)));
        FRAME * (flying + left_out) as u32 + Duration::from_millis(waiting)
    }

    /// Stops or goes on handing out.
    pub(crate) fn set_paused(&mut self, is_paused: bool, now: Duration) {
        self.standing.restart(self.accepted, now);
        self.is_paused = is_paused;
    }

    /// Takes note of how many frames are gone, of all that were ever handed out.
    pub(crate) fn handle_gone(&mut self, frames: u64, now: Duration) {
        let fresh = frames.min(self.said).saturating_sub(self.gone);
        if fresh == 0 {
            return;
        }
        self.gone += fresh;
        let unheard = fresh.min(self.dropped);
        self.dropped -= unheard;
        self.heard += fresh - unheard;
        self.idle_since = now;
        let waiting = self.said - self.gone + (self.samples.len() / self.rate.frame_samples()) as u64;
        self.standing.observe(waiting, (self.accepted, self.rate.hz()), now);
        self.settle();
    }

    /// Hands out the next frame, if there is one: a whole one, or what is left, and silence after it, once the
    /// application has stopped.
    pub(crate) fn poll_frame(&mut self, out: &mut [i16], now: Duration) -> bool {
        self.leave_out(out.len());
        let is_whole = self.samples.len() >= out.len();
        if self.is_paused || self.samples.is_empty() || !is_whole && !self.has_stopped(now) {
            return false;
        }
        let count = self.samples.len().min(out.len());
        let (front, back) = self.samples.as_slices();
        let (head, tail) = out.split_at_mut(front.len().min(count));
        head.copy_from_slice(front.get(..head.len()).unwrap_or_default());
        let (rest, padding) = tail.split_at_mut(count - head.len());
        rest.copy_from_slice(back.get(..rest.len()).unwrap_or_default());
        padding.fill(0);
        self.samples.drain(..count);
        self.shrink();
        self.taken += count as u64;
        self.said += 1;
        self.settle();
        true
    }

    /// When the rest of a frame may be handed out, if nothing happens before; once it may, it only waits for room.
    pub(crate) fn poll_timeout(&self, now: Duration) -> Option<Duration> {
        let has_rest = !self.samples.is_empty() && self.samples.len() < self.rate.frame_samples();
        let at = self.stops_at();
        (has_rest && !self.is_paused && self.is_idle() && now < at).then_some(at)
    }

    /// What became of marks, in order.
    pub(crate) fn poll_report(&mut self) -> Option<Report> {
        self.reports.pop_front()
    }

    /// Whether what comes next begins after silence.
    pub(crate) fn is_dry(&self, now: Duration) -> bool {
        self.is_idle() && now >= self.idle_since + DRY
    }

    /// How much has been heard so far.
    pub(crate) fn heard(&self) -> Duration {
        Duration::from_millis(self.heard * u64::from(FRAME_MS))
    }

    /// Leaves frames out in which nobody speaks, but the first of each pause, where there is a surplus.
    fn leave_out(&mut self, frame: usize) {
        self.is_quiet &= self.standing.has_surplus();
        while self.standing.has_surplus() && !self.is_paused && self.samples.len() >= frame {
            let is_quiet = self.is_next_quiet(frame);
            let was_quiet = std::mem::replace(&mut self.is_quiet, is_quiet);
            if !(was_quiet && is_quiet) {
                return;
            }
            self.standing.leave_out();
            self.samples.drain(..frame);
            self.taken += frame as u64;
            match self.left_out.back_mut().filter(|(said, _)| *said == self.said) {
                Some((_, count)) => *count += 1,
                None => self.left_out.push_back((self.said, 1)),
            }
        }
    }

    fn is_next_quiet(&self, frame: usize) -> bool {
        let (front, back) = self.samples.as_slices();
        let front = front.get(..frame).unwrap_or(front);
        let back = back.get(..frame - front.len()).unwrap_or(back);
        [front, back].iter().all(|part| level_dbfs(part) < QUIETEST_VOICE_DB)
    }

    /// Moves marks on whose samples have been handed out, and reports those that are reached.
    fn settle(&mut self) {
        while self.marks.front().is_some_and(|(position, _)| *position <= self.taken) {
            let Some((_, name)) = self.marks.pop_front() else { break };
            self.flying.push_back((self.said, name));
        }
        while let Some((_, count)) = self.left_out.pop_front_if(|(frame, _)| *frame <= self.gone) {
            self.heard += count;
        }
        while self.flying.front().is_some_and(|(frame, _)| *frame <= self.gone) {
            let Some((_, name)) = self.flying.pop_front() else { break };
            self.reports.push_back(Report::Reached(name));
        }
    }

    fn has_stopped(&self, now: Duration) -> bool {
        self.is_idle() && now >= self.stops_at()
    }

    fn stops_at(&self) -> Duration {
        self.idle_since.max(self.last_accepted) + DRY
    }

    /// Whether all that was handed out is gone.
    const fn is_idle(&self) -> bool {
        self.said == self.gone
    }

    fn shrink(&mut self) {
        if self.samples.is_empty() && self.samples.capacity() > KEPT_SAMPLES {
            self.samples.shrink_to(KEPT_SAMPLES);
        }
    }
}

#[cfg(test)]
mod tests;
