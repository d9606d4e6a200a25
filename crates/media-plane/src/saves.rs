//! The saving thread: makes finished recordings durable, so that the file thread never waits for a disk to confirm.

use std::collections::{BTreeMap, VecDeque};
use std::fs::{self, File};
use std::io::{self, BufWriter, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender};
use std::thread::Thread;
use std::time::Duration;

use media_engine::{Recorder, wav_header};

use crate::event::{JobOutcome, MediaEvent, Recording, RecordingEnd};
use crate::{JobId, LegId};

/// Recordings that may wait to be saved. Each holds a file open; a disk that takes 10 ms for one is 10 s behind then.
pub(crate) const SAVES: usize = 1_024;

/// A recording whose last sample has been handed to the system.
#[derive(Debug)]
pub(crate) struct Save {
    pub(crate) leg: LegId,
    pub(crate) job: JobId,
    /// The file under its temporary name, or why it could not be written.
    pub(crate) file: io::Result<BufWriter<File>>,
    pub(crate) partial: PathBuf,
    pub(crate) path: PathBuf,
    pub(crate) samples: u32,
    pub(crate) lost_samples: u32,
    pub(crate) end: RecordingEnd,
}

/// What became of it.
#[derive(Debug)]
pub(crate) struct Saved {
    leg: LegId,
    job: JobId,
    outcome: JobOutcome,
}

impl Save {
    /// Waits for the disk.
    pub(crate) fn run(self) -> Saved {
        let Self { leg, job, file, partial, path, samples, lost_samples, end } = self;
        let outcome = match file.and_then(|file| save(file, &partial, &path, samples)) {
            Ok(()) => {
                let micros = u64::from(samples) * 1_000_000 / u64::from(Recorder::RATE.hz());
                let duration = Duration::from_micros(micros);
                JobOutcome::Recorded(Recording { path, samples, duration, lost_samples, end })
            }
            Err(error) => {
                tracing::error!(leg.id = leg.as_u64(), %error, "failed to write a recording");
                let _ = fs::remove_file(&partial);
                JobOutcome::Failed("recording could not be written")
            }
        };
        Saved { leg, job, outcome }
    }
}

/// Puts the length in, and makes the file appear whole or not at all, even if the machine stops.
fn save(mut file: BufWriter<File>, partial: &Path, path: &Path, samples: u32) -> io::Result<()> {
    file.rewind()?;
    file.write_all(&wav_header(Recorder::RATE.hz(), samples))?;
    let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.sync_all()?;
    fs::rename(partial, path)?;
    match path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

/// Saves one recording after the other, until nobody hands over any more.
pub(crate) struct SaveThread {
    pub(crate) saves: Receiver<Save>,
    pub(crate) saved: SyncSender<Saved>,
    pub(crate) file_thread: Thread,
}

impl SaveThread {
    pub(crate) fn run(self) {
        for save in self.saves {
            if self.saved.send(save.run()).is_err() {
                return;
            }
            self.file_thread.unpark();
        }
    }
}

/// Keeps the events of a leg in order while recordings of it are being saved; other legs need not wait.
#[derive(Debug, Default)]
pub(crate) struct Order(BTreeMap<LegId, VecDeque<Word>>);

#[derive(Debug)]
enum Word {
    Event(MediaEvent),
    /// Stands for the end of this recording.
    Saving(JobId),
}

impl Order {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn saving(&mut self, leg: LegId, job: JobId) {
        self.0.entry(leg).or_default().push_back(Word::Saving(job));
    }

    /// Gives the event back where it can be told at once.
    pub(crate) fn tell(&mut self, leg: LegId, event: MediaEvent) -> Option<MediaEvent> {
        match self.0.get_mut(&leg) {
            Some(words) => {
                words.push_back(Word::Event(event));
                None
            }
            None => Some(event),
        }
    }

    /// Takes what became of a recording; returns what can be told then.
    pub(crate) fn saved(&mut self, saved: Saved) -> Vec<MediaEvent> {
        let Saved { leg, job, outcome } = saved;
        let Some(words) = self.0.get_mut(&leg) else { return Vec::new() };
        if let Some(word) = words.iter_mut().find(|word| matches!(word, Word::Saving(at) if *at == job)) {
            *word = Word::Event(MediaEvent::JobDone { leg, job, outcome });
        }
        let mut events = Vec::new();
        while let Some(Word::Event(_)) = words.front() {
            if let Some(Word::Event(event)) = words.pop_front() {
                events.push(event);
            }
        }
        if words.is_empty() {
            self.0.remove(&leg);
        }
        events
    }

    /// Gives up every recording that is being saved; returns all that was kept back.
    pub(crate) fn give_up(&mut self) -> Vec<MediaEvent> {
        let outcome = JobOutcome::Failed("recording could not be saved");
        let legs = std::mem::take(&mut self.0).into_iter();
        let words = legs.flat_map(|(leg, words)| words.into_iter().map(move |word| (leg, word)));
        words
            .map(|(leg, word)| match word {
                Word::Event(event) => event,
                Word::Saving(job) => MediaEvent::JobDone { leg, job, outcome: outcome.clone() },
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn saved(leg: u64, job: u64) -> Saved {
        Saved { leg: LegId(leg), job: JobId(job), outcome: JobOutcome::Completed }
    }

    fn done(leg: u64, job: u64) -> MediaEvent {
        MediaEvent::JobDone { leg: LegId(leg), job: JobId(job), outcome: JobOutcome::Completed }
    }

    #[test]
    fn a_legs_words_wait_for_its_recordings_and_nobody_elses() {
        let mut order = Order::default();
        order.saving(LegId(1), JobId(1));
        order.saving(LegId(2), JobId(1));
        order.saving(LegId(1), JobId(2));

        assert_eq!(order.tell(LegId(1), MediaEvent::Lost { leg: LegId(1) }), None);
        assert_eq!(order.tell(LegId(3), done(3, 1)), Some(done(3, 1)));
        assert_eq!(order.saved(saved(1, 2)), []);
        assert_eq!(order.saved(saved(2, 1)), [done(2, 1)]);
        let rest = order.saved(saved(1, 1));
        assert_eq!(rest, [done(1, 1), done(1, 2), MediaEvent::Lost { leg: LegId(1) }]);
        assert!(order.is_empty());
    }

    #[test]
    fn what_cannot_be_saved_any_more_fails_in_its_place() {
        let mut order = Order::default();
        order.saving(LegId(1), JobId(1));
        assert_eq!(order.tell(LegId(1), MediaEvent::Lost { leg: LegId(1) }), None);

        let events = order.give_up();

        assert!(matches!(
            &events[..],
            [MediaEvent::JobDone { outcome: JobOutcome::Failed(_), .. }, MediaEvent::Lost { .. }]
        ));
        assert!(order.is_empty());
    }
}
