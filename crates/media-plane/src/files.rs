//! The file thread: empties the rings of recordings into files, and frees what media threads are done with.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use media_engine::{Recorder, wav_header};
use rtrb::Consumer;

use crate::command::Disposal;
use crate::event::{EventSender, JobOutcome, MediaEvent, RecordingEnd};
use crate::leg::Leg;
use crate::passage::{Arrival, Departure};
use crate::registry::Registry;
use crate::saves::{Order, Save, Saved};
use crate::stats::ThreadStats;
use crate::tape::Tape;
use crate::{JobId, LegId, clock};

/// How often rings are emptied; they hold a second.
const DRAIN_EVERY: Duration = Duration::from_millis(50);

/// How long an idle thread sleeps; it is woken when there is something to do.
const IDLE: Duration = Duration::from_secs(10);

/// What callers tell the file thread.
pub(crate) enum FileCommand {
    /// Begin a file.
    Open(NewTape),
    /// The media thread was not told of it after all.
    Forget(LegId, JobId),
}

/// A recording that is about to begin.
pub(crate) struct NewTape {
    pub(crate) leg: LegId,
    pub(crate) job: JobId,
    pub(crate) path: PathBuf,
    pub(crate) ring: Consumer<i16>,
}

pub(crate) struct FileThread {
    pub(crate) commands: Receiver<FileCommand>,
    pub(crate) disposals: Vec<Consumer<Disposal>>,
    /// The way to the thread that waits for the disk, and what comes back from there.
    pub(crate) saves: SyncSender<Save>,
    pub(crate) saved: Receiver<Saved>,
    pub(crate) order: Order,
    pub(crate) events: EventSender,
    pub(crate) registry: Arc<Mutex<Registry>>,
    pub(crate) stop: Arc<AtomicBool>,
    pub(crate) stats: ThreadStats,
    pub(crate) open: BTreeMap<(LegId, JobId), OpenTape>,
}

impl FileThread {
    pub(crate) fn run(mut self) {
        loop {
            // Read before the work, so that what was handed over before the stop is still done.
            let is_last = self.stop.load(Ordering::Acquire);
            self.round();
            if is_last {
                return self.finish();
            }
            let is_busy = !self.open.is_empty() || self.events.has_waiting();
            std::thread::park_timeout(if is_busy { DRAIN_EVERY } else { IDLE });
        }
    }

    fn round(&mut self) {
        self.take_commands();
        self.drain();
        self.dispose();
        self.take_saved();
        self.events.flush();
    }

    fn drain(&mut self) {
        for tape in self.open.values_mut() {
            tape.drain();
        }
    }

    fn finish(mut self) {
        while !self.order.is_empty() {
            match self.saved.recv() {
                Ok(saved) => self.end_save(saved),
                Err(_gone) => self.give_up_saves(),
            }
            self.events.flush();
        }
    }

    fn take_commands(&mut self) {
        while let Ok(command) = self.commands.try_recv() {
            match command {
                FileCommand::Open(tape) => {
                    self.open.insert((tape.leg, tape.job), OpenTape::new(tape.path, tape.ring));
                }
                FileCommand::Forget(leg, job) => {
                    if let Some(tape) = self.open.remove(&(leg, job)) {
                        tape.discard();
                    }
                }
            }
        }
    }

    fn dispose(&mut self) {
        for at in 0..self.disposals.len() {
            while let Some(disposal) = self.disposals.get_mut(at).and_then(|ring| ring.pop().ok()) {
                match disposal {
                    Disposal::Leg(leg) => self.end_leg(*leg),
                    Disposal::Departure(departure) => self.end_departure(&departure),
                    Disposal::Arrival(arrival) => self.end_arrival(&arrival),
                    Disposal::Tape(tape) => self.end_tape(&tape),
                    Disposal::Media(media) => drop(media),
                    Disposal::Play(play) => drop(play),
                    Disposal::Tones(tones) => drop(tones),
                    Disposal::Mixer(mixer) => drop(mixer),
                    Disposal::Seat(seat) => drop(seat),
                    Disposal::Audience(audience) => drop(audience),
                    Disposal::Stream(stream) => drop(stream),
                    Disposal::Converters(converters) => drop(converters),
                    Disposal::Sample(sample) => drop(sample),
                }
            }
        }
    }

    fn end_leg(&mut self, mut leg: Leg) {
        let (id, port, stats) = (leg.id, leg.port(), leg.stats());
        for job in leg.jobs.play.iter().map(|play| play.job).chain(leg.jobs.tones) {
            self.done(id, job, JobOutcome::Cancelled);
        }
        for tape in leg.jobs.tapes.iter_mut().flatten() {
            tape.stop(RecordingEnd::LegClosed);
            self.end_tape(tape);
        }
        drop(leg);
        self.registry().release(id, port, clock::monotonic());
        self.tell(id, MediaEvent::Closed { leg: id, stats: Box::new(stats) });
    }

    /// Nothing more is said of the old name, whose recordings came here before.
    fn end_departure(&mut self, departure: &Departure) {
        let (leg, to) = (departure.leg, departure.to);
        self.registry().vacate(leg);
        // One that did not leave any more has been closed.
        if !departure.is_void {
            self.tell(leg, MediaEvent::Moved { leg, to });
        }
    }

    /// Where nobody came under the new name nobody ever will: the leg has ended under the old one, with its port.
    fn end_arrival(&mut self, arrival: &Arrival) {
        if arrival.is_void {
            let leg = arrival.leg;
            self.registry().release(leg, None, clock::monotonic());
            self.tell(leg, MediaEvent::Closed { leg, stats: Box::default() });
        }
    }

    fn registry(&self) -> MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end_tape(&mut self, tape: &Tape) {
        // The caller registers before the media thread can know, so it is here or in the queue.
        self.take_commands();
        match self.open.remove(&(tape.leg, tape.job)) {
            Some(open) => self.save(open.finish(tape)),
            None => self.done(tape.leg, tape.job, JobOutcome::Failed("recording was not registered")),
        }
    }

    /// Hands a recording to the saving thread. Where that is too far behind, closed legs wait for it here, running
    /// recordings do not.
    fn save(&mut self, mut save: Save) {
        self.order.saving(save.leg, save.job);
        loop {
            match self.saves.try_send(save) {
                Ok(()) => return,
                Err(TrySendError::Disconnected(save)) => return self.end_save(save.run()),
                Err(TrySendError::Full(back)) => save = back,
            }
            self.take_saved();
            self.drain();
            self.events.flush();
            std::thread::park_timeout(DRAIN_EVERY);
        }
    }

    fn take_saved(&mut self) {
        loop {
            match self.saved.try_recv() {
                Ok(saved) => self.end_save(saved),
                Err(TryRecvError::Empty) => return,
                Err(TryRecvError::Disconnected) => return self.give_up_saves(),
            }
        }
    }

    fn end_save(&mut self, saved: Saved) {
        for event in self.order.saved(saved) {
            self.events.send(event, &self.stats);
        }
    }

    fn give_up_saves(&mut self) {
        for event in self.order.give_up() {
            self.events.send(event, &self.stats);
        }
    }

    fn done(&mut self, leg: LegId, job: JobId, outcome: JobOutcome) {
        self.tell(leg, MediaEvent::JobDone { leg, job, outcome });
    }

    fn tell(&mut self, leg: LegId, event: MediaEvent) {
        if let Some(event) = self.order.tell(leg, event) {
            self.events.send(event, &self.stats);
        }
    }
}

/// A WAV file that grows under a temporary name.
#[derive(Debug)]
pub(crate) struct OpenTape {
    path: PathBuf,
    partial: PathBuf,
    file: io::Result<BufWriter<File>>,
    ring: Consumer<i16>,
    samples: u32,
}

impl OpenTape {
    fn new(path: PathBuf, ring: Consumer<i16>) -> Self {
        let mut partial = path.clone().into_os_string();
        partial.push(".part");
        let partial = PathBuf::from(partial);
        let file = begin(&partial);
        Self { path, partial, file, ring, samples: 0 }
    }

    /// Writes what has come; after a failure only empties the ring.
    fn drain(&mut self) {
        let waiting = self.ring.slots();
        let Ok(chunk) = self.ring.read_chunk(waiting) else { return };
        let (first, second) = chunk.as_slices();
        if let Ok(file) = &mut self.file {
            let mut samples = first.iter().chain(second);
            match samples.try_for_each(|sample| file.write_all(&sample.to_le_bytes())) {
                Ok(()) => self.samples = self.samples.saturating_add(waiting as u32),
                Err(error) => self.file = Err(error),
            }
        }
        chunk.commit_all();
    }

    /// Takes what is left in the ring; the rest of the work waits for the disk.
    fn finish(mut self, tape: &Tape) -> Save {
        self.drain();
        Save {
            leg: tape.leg,
            job: tape.job,
            file: self.file,
            partial: self.partial,
            path: self.path,
            samples: self.samples,
            lost_samples: tape.lost_samples,
            end: tape.end.unwrap_or(RecordingEnd::LegClosed),
        }
    }

    fn discard(self) {
        let _ = fs::remove_file(&self.partial);
    }
}

fn begin(partial: &Path) -> io::Result<BufWriter<File>> {
    // What people say is for nobody else on this machine.
    let file = File::options().write(true).create(true).truncate(true).mode(0o600).open(partial)?;
    let mut file = BufWriter::new(file);
    file.write_all(&wav_header(Recorder::RATE.hz(), 0))?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{MediaEvents, Recording};
    use crate::leg::{Sockets, Transport};
    use crate::passage::Passenger;
    use crate::ports::PortPool;
    use crate::socket::Socket;
    use crate::tape::RING_SAMPLES;
    use media_engine::{Frame, SampleRate};
    use nix::sys::eventfd::{EfdFlags, EventFd};
    use rtrb::{Producer, RingBuffer};
    use std::os::unix::fs::PermissionsExt as _;
    use std::sync::mpsc::sync_channel;

    const RATE: SampleRate = SampleRate::Hz16000;

    /// A file thread whose disk is the test.
    struct Rig {
        thread: FileThread,
        commands: SyncSender<FileCommand>,
        disposals: Producer<Disposal>,
        saves: Receiver<Save>,
        saved: SyncSender<Saved>,
        events: MediaEvents,
    }

    impl Rig {
        fn new() -> Self {
            let signal = Arc::new(EventFd::from_flags(EfdFlags::EFD_NONBLOCK).unwrap());
            let (commands, commands_out) = sync_channel(8);
            let (disposals, disposals_out) = RingBuffer::new(8);
            let (saves, saves_out) = sync_channel(8);
            let (saved_in, saved) = sync_channel(8);
            let (ring, out) = RingBuffer::new(8);
            let registry = Registry::new(1, 1, PortPool::new(20_000, 20_100), Duration::ZERO);
            let thread = FileThread {
                commands: commands_out,
                disposals: vec![disposals_out],
                saves,
                saved,
                order: Order::default(),
                events: EventSender::new(ring, Arc::clone(&signal), 8),
                registry: Arc::new(Mutex::new(registry)),
                stop: Arc::default(),
                stats: ThreadStats::default(),
                open: BTreeMap::new(),
            };
            let events = MediaEvents::new(signal, Vec::new(), out);
            Self { thread, commands, disposals, saves: saves_out, saved: saved_in, events }
        }

        fn capture(&self, leg: u64, name: &str) -> Tape {
            let (leg, job) = (LegId(leg), JobId(1));
            let path = std::env::temp_dir().join(format!("{}-{name}.wav", std::process::id()));
            let (ring, out) = RingBuffer::new(RING_SAMPLES);
            self.commands.send(FileCommand::Open(NewTape { leg, job, path, ring: out })).unwrap();
            Tape::capture(leg, job, (RATE, Duration::from_secs(60)), ring)
        }

        fn end(&mut self, mut tape: Tape) {
            tape.stop(RecordingEnd::LegClosed);
            assert!(self.disposals.push(Disposal::Tape(Box::new(tape))).is_ok());
            self.thread.round();
        }

        fn close(&mut self, leg: u64) {
            let bind = || Socket::bind([127, 0, 0, 1].into(), 0).unwrap();
            let sockets = Sockets { port: 20_000, rtp: bind(), rtcp: bind() };
            let leg = Box::new(Leg::new(LegId(leg), Transport::Sockets(sockets)));
            assert!(self.disposals.push(Disposal::Leg(leg)).is_ok());
            self.thread.round();
        }

        /// What is heard next; recordings are removed again.
        fn told(&mut self) -> Option<(u64, Option<Recording>)> {
            self.thread.round();
            let event = self.events.next()?;
            if let MediaEvent::Closed { leg, .. } = event {
                return Some((leg.0, None));
            }
            let MediaEvent::JobDone { leg, outcome: JobOutcome::Recorded(recording), .. } = event else {
                panic!("{event:?}")
            };
            let mode = fs::metadata(&recording.path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "it is for nobody else");
            fs::remove_file(&recording.path).unwrap();
            Some((leg.0, Some(recording)))
        }
    }

    fn seconds(tape: &mut Tape, seconds: usize, mut each: impl FnMut()) {
        let (frame, mut scratch) = (Frame::silence(RATE), Frame::silence(RATE));
        for _ in 0..seconds * 2 {
            (0..25).for_each(|_| tape.handle_frame(&frame, &mut scratch));
            each();
        }
    }

    #[test]
    fn a_disk_that_takes_long_cuts_no_hole_into_another_recording() {
        let mut rig = Rig::new();
        let (mut slow, mut other) = (rig.capture(1, "slow"), rig.capture(2, "other"));
        seconds(&mut slow, 1, || rig.thread.round());
        rig.end(slow);
        let stuck = rig.saves.try_recv().unwrap();

        seconds(&mut other, 5, || rig.thread.round());
        rig.end(other);

        rig.saved.send(rig.saves.try_recv().unwrap().run()).unwrap();
        let (leg, recording) = rig.told().unwrap();
        let recording = recording.unwrap();
        assert_eq!((leg, recording.samples, recording.lost_samples), (2, 5 * 16_000, 0));
        assert_eq!(rig.told(), None);
        rig.saved.send(stuck.run()).unwrap();
        assert_eq!(rig.told().unwrap().1.unwrap().samples, 16_000);
    }

    #[test]
    fn the_last_event_of_a_leg_waits_for_its_recording() {
        let mut rig = Rig::new();
        let tape = rig.capture(1, "last");
        rig.end(tape);
        rig.close(1);
        rig.close(2);

        assert_eq!(rig.told(), Some((2, None)));
        assert_eq!(rig.told(), None);
        rig.saved.send(rig.saves.try_recv().unwrap().run()).unwrap();
        assert!(matches!(rig.told(), Some((1, Some(_)))));
        assert_eq!(rig.told(), Some((1, None)));
    }

    #[test]
    fn the_last_event_of_an_old_name_waits_for_its_recording() {
        let mut rig = Rig::new();
        let tape = rig.capture(1, "moved");
        rig.end(tape);
        let wake = Arc::new(EventFd::from_flags(EfdFlags::EFD_NONBLOCK).unwrap());
        let (departure, _arrival) = crate::passage::passage(LegId(1), LegId(7), wake);
        assert!(rig.disposals.push(Disposal::Departure(departure)).is_ok());
        rig.close(7);

        assert_eq!(rig.told(), Some((7, None)));
        assert_eq!(rig.events.next(), None);
        rig.saved.send(rig.saves.try_recv().unwrap().run()).unwrap();
        assert!(matches!(rig.told(), Some((1, Some(_)))));
        assert_eq!(rig.events.next(), Some(MediaEvent::Moved { leg: LegId(1), to: LegId(7) }));
    }

    #[test]
    fn where_nobody_comes_the_new_name_is_closed() {
        let mut rig = Rig::new();
        let wake = Arc::new(EventFd::from_flags(EfdFlags::EFD_NONBLOCK).unwrap());
        let (mut departure, mut arrival) = crate::passage::passage(LegId(1), LegId(7), wake);
        departure.send(Passenger::Nobody);
        assert!(arrival.take().is_some());
        for disposal in [Disposal::Departure(departure), Disposal::Arrival(arrival)] {
            assert!(rig.disposals.push(disposal).is_ok());
        }

        assert_eq!(rig.told(), Some((7, None)));
        assert_eq!(rig.events.next(), None);
    }

    #[test]
    fn without_the_saving_thread_recordings_are_saved_all_the_same() {
        let mut rig = Rig::new();
        let tape = rig.capture(1, "alone");
        rig.thread.round();
        drop(std::mem::replace(&mut rig.saves, sync_channel(1).1));

        rig.end(tape);

        assert!(matches!(rig.told(), Some((1, Some(_)))));
    }
}
