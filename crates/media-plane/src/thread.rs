//! A media thread: wait, receive, tick, flush, in a circle.

mod mixers;
mod passages;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::eventfd::EventFd;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use rtrb::Consumer;

use self::mixers::mixer_mut;
use crate::clock::{self, SLOTS, Slots};
use crate::command::{Command, Disposal};
use crate::leg::{Leg, Media, Workbench};
use crate::mixer::Mixer;
use crate::passage::Arrival;
use crate::registry::cost;
use crate::rota::Rota;
use crate::socket::Receiver;
use crate::stats::add;
use crate::{LegId, PlaneError};

/// Readiness reports taken by one system call; the clock is looked at between them.
const EVENTS: usize = 64;

/// Batches of stale datagrams thrown away when a leg is configured; more than its socket holds.
const STALE_BATCHES: usize = 16;

const WAKE: u64 = u64::MAX;
const TIMER: u64 = u64::MAX - 1;

/// Everything that a media thread owns.
pub(crate) struct MediaThread {
    epoll: Epoll,
    timer: TimerFd,
    armed: Option<Duration>,
    wake: Arc<EventFd>,
    commands: Consumer<Command>,
    stop: Arc<AtomicBool>,
    legs: Vec<Option<Box<Leg>>>,
    mixers: Vec<Option<Box<Mixer>>>,
    rota: Rota,
    clock: Slots,
    closing: Vec<LegId>,
    /// Legs that come from other threads, at the places that they will have, and which places these are.
    awaited: Vec<Option<Box<Arrival>>>,
    expected: Vec<u32>,
    /// Legs that have gone, until all events of theirs are on their way.
    departed: Vec<Disposal>,
    bench: Workbench,
}

/// What a thread is given by its starter.
pub(crate) struct Parts {
    pub(crate) wake: Arc<EventFd>,
    pub(crate) commands: Consumer<Command>,
    pub(crate) stop: Arc<AtomicBool>,
    pub(crate) max_legs: usize,
    pub(crate) bench: Workbench,
}

impl MediaThread {
    pub(crate) fn new(parts: Parts) -> Result<Self, PlaneError> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let timer =
            TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC)?;
        epoll.add(&*parts.wake, EpollEvent::new(EpollFlags::EPOLLIN, WAKE))?;
        epoll.add(&timer, EpollEvent::new(EpollFlags::EPOLLIN, TIMER))?;
        Ok(Self {
            epoll,
            timer,
            armed: None,
            wake: parts.wake,
            commands: parts.commands,
            stop: parts.stop,
            legs: std::iter::repeat_with(|| None).take(parts.max_legs).collect(),
            mixers: std::iter::repeat_with(|| None).take(parts.max_legs).collect(),
            rota: Rota::new(parts.max_legs),
            clock: Slots::new(clock::monotonic()),
            closing: Vec::with_capacity(parts.max_legs),
            awaited: std::iter::repeat_with(|| None).take(parts.max_legs).collect(),
            expected: Vec::with_capacity(parts.max_legs),
            departed: Vec::with_capacity(parts.max_legs),
            bench: parts.bench,
        })
    }

    /// Runs until told to stop; what is left then goes to the file thread.
    pub(crate) fn run(mut self) {
        let mut receiver = Receiver::new();
        let mut ready = [EpollEvent::empty(); EVENTS];
        while !self.stop.load(Ordering::Acquire) {
            self.arm();
            let count = self.epoll.wait(&mut ready, EpollTimeout::NONE).unwrap_or(0);
            for event in ready.iter().take(count) {
                match event.data() {
                    WAKE => self.take_commands(&mut receiver),
                    TIMER => {}
                    token => self.receive(token, &mut receiver),
                }
                self.run_due_slots();
            }
            self.finish_closing();
            self.bench.events.flush();
            self.bench.disposer.flush();
        }
        self.take_in(&mut receiver);
        for leg in self.legs.iter_mut().filter_map(Option::take) {
            self.bench.disposer.dispose(Disposal::Leg(leg));
        }
        self.bench.events.flush();
        self.bench.disposer.flush();
    }

    /// Sets the timer to the next slot that is used; an idle thread sleeps.
    fn arm(&mut self) {
        let ahead = (0..SLOTS).map(|ahead| self.clock.peek(ahead));
        let next = ahead.into_iter().find(|(slot, _)| self.rota.is_used(*slot)).map(|(_, due)| due);
        if next == self.armed {
            return;
        }
        let flags = TimerSetTimeFlags::TFD_TIMER_ABSTIME;
        // Setting a timer of our own to a valid time cannot fail.
        let _ = match next {
            Some(due) => self.timer.set(Expiration::OneShot(clock::timespec(due)), flags),
            None => self.timer.unset(),
        };
        self.armed = next;
    }

    /// Does what is due, at most a round of it: a thread that has more to do than time still receives, and hears that it
    /// is to stop.
    fn run_due_slots(&mut self) {
        let mut now = clock::monotonic();
        let is_pending = !self.rota.is_empty();
        let skipped = self.clock.skip(now, is_pending);
        if is_pending && skipped > 0 {
            add(&self.bench.stats.skipped_rounds, skipped);
        }
        for _ in 0..SLOTS {
            let (slot, due) = self.clock.peek(0);
            if due > now {
                return;
            }
            self.clock.advance();
            // From the last to the first, for one that has nothing more to do leaves.
            for number in (0..self.rota.mixers(slot)).rev() {
                if let Some(mixer) = self.rota.mixer(slot, number) {
                    self.tick_mixer(mixer, now);
                }
            }
            for number in 0.. {
                let Some(leg) = self.rota.leg(slot, number) else { break };
                self.tick_leg(leg, (due, now));
            }
            now = clock::monotonic();
        }
    }

    fn tick_leg(&mut self, index: u32, times: (Duration, Duration)) {
        let Some(Some(leg)) = self.legs.get_mut(index as usize) else { return };
        let id = leg.id;
        let is_whole = match leg.membership {
            Some(membership) => self.tick_member(id, membership, times),
            None => contained(id, || leg.tick(times, &mut self.bench)),
        };
        if !is_whole {
            self.closing.push(id);
        }
        if let Some(Some(leg)) = self.legs.get_mut(index as usize)
            && leg.is_paused
        {
            leg.is_paused = !listen(&self.epoll, leg);
        }
    }

    fn receive(&mut self, token: u64, receiver: &mut Receiver) {
        let (index, is_rtcp) = ((token >> 1) as usize, token & 1 == 1);
        let Some(Some(leg)) = self.legs.get_mut(index) else { return };
        let Some(sockets) = leg.sockets() else { return };
        let count = receiver.receive(if is_rtcp { &sockets.rtcp } else { &sockets.rtp });
        let now = clock::monotonic();
        let is_whole = contained(leg.id, || {
            for (datagram, from) in receiver.datagrams() {
                if is_rtcp {
                    leg.handle_rtcp(datagram, from, now);
                } else {
                    leg.handle_rtp(datagram, from, now, &mut self.bench);
                }
            }
        });
        if !is_whole {
            self.closing.push(leg.id);
        }
        if let Some(membership) = leg.membership.filter(|membership| !membership.is_awake)
            && let Some(mixer) = mixer_mut(&mut self.mixers, membership.mixer)
        {
            mixer.wake(leg);
        }
        // An error that only a read clears counts as well, or it would be reported for ever.
        if !leg.spend(count.max(1)) {
            pause(&self.epoll, leg);
        }
    }

    fn take_commands(&mut self, receiver: &mut Receiver) {
        let _ = self.wake.read();
        self.take_in(receiver);
        while let Ok(command) = self.commands.pop() {
            self.take_command(command, receiver);
        }
    }

    fn take_command(&mut self, command: Command, receiver: &mut Receiver) {
        if let Some(command) = self.hold(command) {
            match command {
                Command::Open(leg) => {
                    if let Some(place) = self.legs.get_mut(leg.id.index()) {
                        *place = Some(leg);
                    }
                }
                Command::Depart(departure) => self.depart(departure),
                Command::Expect(arrival) => self.expect(arrival, receiver),
                Command::Configure(leg, media) => self.configure(leg, media, receiver),
                Command::Play(leg, play) => {
                    match self.leg(leg) {
                        Some((leg, bench)) => leg.play(play, bench),
                        None => self.bench.disposer.dispose(Disposal::Play(play)),
                    }
                    self.attend(leg);
                }
                Command::Tape(leg, tape) => {
                    match self.leg(leg) {
                        Some((leg, bench)) => leg.add_tape(tape, bench),
                        None => self.bench.disposer.dispose(Disposal::Tape(tape)),
                    }
                    self.attend(leg);
                }
                Command::Stream(leg, stream) => {
                    match self.leg(leg) {
                        Some((leg, bench)) => leg.stream(stream, bench),
                        None => self.bench.disposer.dispose(Disposal::Stream(stream)),
                    }
                    self.attend(leg);
                }
                Command::SendTones(leg, tones) => match self.leg(leg) {
                    Some((leg, bench)) => leg.send_tones(tones, bench),
                    None => self.bench.disposer.dispose(Disposal::Tones(tones)),
                },
                Command::Echo(leg, is_echo) => {
                    if let Some((leg, _)) = self.leg(leg) {
                        leg.jobs.is_echo = is_echo;
                    }
                }
                Command::Sample(leg, sample) => match self.leg(leg) {
                    Some((leg, bench)) => leg.sample(sample, clock::monotonic(), bench),
                    None => self.bench.disposer.dispose(Disposal::Sample(sample)),
                },
                Command::Stop(leg, job) => {
                    if let Some((leg, bench)) = self.leg(leg) {
                        leg.stop(job, bench);
                    }
                }
                Command::Close(leg) => self.closing.push(leg),
                Command::OpenMixer(mixer) => self.open_mixer(mixer),
                Command::CloseMixer(mixer) => self.close_mixer(mixer),
                Command::Join(leg, mixer, seat) => self.join(leg, mixer, seat),
                Command::Leave(leg) => self.leave(leg),
                Command::Mute(leg, is_muted) => {
                    if let Some((mixer, member)) = self.member(leg) {
                        mixer.engine.set_muted(member, is_muted);
                    }
                }
                Command::Route(leg, audience) => {
                    let old = match self.member(leg) {
                        Some((mixer, member)) => mixer.engine.set_audience(member, audience),
                        None => audience,
                    };
                    self.bench.disposer.dispose(Disposal::Audience(old));
                }
            }
        }
    }

    fn leg(&mut self, id: LegId) -> Option<(&mut Leg, &mut Workbench)> {
        let leg = self.legs.get_mut(id.index())?.as_deref_mut().filter(|leg| leg.id == id)?;
        Some((leg, &mut self.bench))
    }

    fn configure(&mut self, id: LegId, mut media: Box<Media>, receiver: &mut Receiver) {
        let weight = cost(media.codec);
        let now = clock::monotonic();
        let Some((leg, bench)) = self.leg(id) else {
            return self.bench.disposer.dispose(Disposal::Media(media));
        };
        let is_first = !leg.is_configured();
        let converters = media.converters.take();
        leg.configure(media, now, bench);
        self.convert_for_others(id, converters);
        let Some((leg, _)) = self.leg(id).filter(|_| is_first) else { return };
        leg.drop_waiting();
        for sockets in leg.sockets().into_iter().cycle().take(STALE_BATCHES) {
            if receiver.receive(&sockets.rtp) + receiver.receive(&sockets.rtcp) == 0 {
                break;
            }
        }
        self.enter_round(id, weight);
        self.connect(id);
    }

    /// Gives a leg the least loaded slot and starts to listen for it.
    fn enter_round(&mut self, id: LegId, weight: u32) {
        self.catch_up();
        let slot = self.rota.enter_leg(id.index() as u32, weight, None);
        let Some(Some(leg)) = self.legs.get_mut(id.index()) else { return };
        leg.slot = Some((slot, weight));
        let Some(sockets) = leg.sockets() else { return };
        let token = (id.index() as u64) << 1;
        let interest = |token| EpollEvent::new(EpollFlags::EPOLLIN, token);
        let rtp = self.epoll.add(&sockets.rtp, interest(token));
        if let Err(error) = rtp.and(self.epoll.add(&sockets.rtcp, interest(token | 1))) {
            tracing::error!(leg.id = id.as_u64(), %error, "failed to listen for a leg");
        }
    }

    /// Lets an idle clock go on from here.
    fn catch_up(&mut self) {
        if self.rota.is_empty() {
            self.clock.skip(clock::monotonic(), false);
        }
    }

    /// Closes what was asked to be closed, and lets go of what has departed, once everything said about it is on its way.
    fn finish_closing(&mut self) {
        if self.bench.events.has_waiting() {
            return;
        }
        while let Some(id) = self.closing.pop() {
            let place =
                self.legs.get_mut(id.index()).filter(|leg| leg.as_ref().is_some_and(|leg| leg.id == id));
            let Some(mut leg) = place.and_then(Option::take) else { continue };
            self.take_out(&mut leg);
            contained(id, || leg.close(clock::monotonic(), &mut self.bench));
            self.bench.disposer.dispose(Disposal::Leg(leg));
        }
        for departure in self.departed.drain(..) {
            self.bench.disposer.dispose(departure);
        }
    }

    /// Takes a leg that goes out of its mixer and of the round, and listens for it no longer.
    fn take_out(&mut self, leg: &mut Leg) {
        self.forget_member(leg);
        if let Some(slot) = leg.slot {
            self.rota.leave_leg(leg.id.index() as u32, slot);
        }
        if let Some(sockets) = leg.sockets().filter(|_| leg.slot.is_some()) {
            let _ = self.epoll.delete(&sockets.rtp);
            let _ = self.epoll.delete(&sockets.rtcp);
        }
    }
}

/// Does work for one leg; false where it panicked. A defect that one far end found ends its leg, not the thread.
pub(crate) fn contained(leg: LegId, work: impl FnOnce()) -> bool {
    let is_whole = catch_unwind(AssertUnwindSafe(work)).is_ok();
    if !is_whole {
        tracing::error!(leg.id = leg.as_u64(), "media of a leg panicked; the leg is closed");
    }
    is_whole
}

/// Stops listening until the leg's next tick.
fn pause(epoll: &Epoll, leg: &mut Leg) {
    leg.is_paused = set_interest(epoll, leg, EpollFlags::empty());
}

fn listen(epoll: &Epoll, leg: &Leg) -> bool {
    set_interest(epoll, leg, EpollFlags::EPOLLIN)
}

fn set_interest(epoll: &Epoll, leg: &Leg, flags: EpollFlags) -> bool {
    let Some(sockets) = leg.sockets() else { return true };
    let token = (leg.id.index() as u64) << 1;
    let rtp = epoll.modify(&sockets.rtp, &mut EpollEvent::new(flags, token));
    let rtcp = epoll.modify(&sockets.rtcp, &mut EpollEvent::new(flags, token | 1));
    rtp.is_ok() && rtcp.is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ROUND;
    use crate::command::Disposer;
    use crate::event::EventSender;
    use crate::leg::{PlayJob, Transport};
    use crate::stream::Stream;
    use crate::{JobId, MixerConfig, MixerId, StreamConfig};
    use media_engine::{Audience, Frame, SampleRate, Seat, ToneGenerator};
    use nix::sys::eventfd::EfdFlags;
    use rtrb::{Producer, RingBuffer};

    /// A thread that is told what to do and does it round by round.
    pub(super) fn thread() -> (MediaThread, Producer<Command>) {
        let eventfd = || Arc::new(EventFd::from_flags(EfdFlags::EFD_NONBLOCK).unwrap());
        let (commands, out) = RingBuffer::new(8);
        let frame = || Frame::silence(SampleRate::Hz8000);
        let bench = Workbench {
            heard: frame(),
            said: frame(),
            scratch: frame(),
            bridged: frame(),
            keys: Vec::new(),
            packet: [0; _],
            events: EventSender::new(RingBuffer::new(64).0, eventfd(), 64),
            disposer: Disposer::new(RingBuffer::new(64).0, std::thread::current(), 64),
            stats: Arc::default(),
            lost_after: Duration::from_secs(20),
            cname: String::new(),
        };
        let parts = Parts { wake: eventfd(), commands: out, stop: Arc::default(), max_legs: 8, bench };
        (MediaThread::new(parts).unwrap(), commands)
    }

    #[test]
    fn a_meeting_of_nobody_costs_no_wake_up() {
        let (mut thread, mut commands) = thread();
        let mut receiver = Receiver::new();
        let (mixer, bot) = (MixerId::new(1, 0, 0), LegId::new(1, 0, 0));
        let config = MixerConfig::default();
        let seat = Seat::new(bot.as_u64(), Some(SampleRate::Hz16000), Audience::default(), false);
        for command in [
            Command::OpenMixer(Box::new(Mixer::new(mixer, config))),
            Command::Open(Box::new(Leg::new(bot, Transport::Hosted))),
            Command::Join(bot, mixer, Box::new(seat)),
        ] {
            assert!(commands.push(command).is_ok());
            thread.take_commands(&mut receiver);
            thread.arm();
            assert_eq!(thread.armed, None);
        }

        let tone = PlayJob::tone(JobId(1), ToneGenerator::sine(400.0, 100), Some(2));
        assert!(commands.push(Command::Play(bot, Box::new(tone))).is_ok());
        thread.take_commands(&mut receiver);
        thread.arm();
        assert!(thread.armed.is_some());

        for _ in 0..2 {
            thread.tick_mixer(0, clock::monotonic());
        }
        thread.arm();
        assert_eq!(thread.armed, None);
    }

    #[test]
    fn an_application_alone_in_a_meeting_has_rounds_until_it_ends() {
        let (mut thread, mut commands) = thread();
        let mut receiver = Receiver::new();
        let (mixer, bot) = (MixerId::new(1, 0, 0), LegId::new(1, 0, 0));
        let seat = Seat::new(bot.as_u64(), Some(SampleRate::Hz16000), Audience::default(), false);
        let (stream, mut port) = Stream::new(StreamConfig::default(), 0).unwrap();
        for command in [
            Command::Open(Box::new(Leg::new(bot, Transport::Hosted))),
            Command::Stream(bot, Box::new(stream)),
            Command::OpenMixer(Box::new(Mixer::new(mixer, MixerConfig::default()))),
            Command::Join(bot, mixer, Box::new(seat)),
        ] {
            assert!(commands.push(command).is_ok());
        }
        thread.take_commands(&mut receiver);
        for number in 0..100 {
            thread.tick_mixer(0, clock::monotonic());
            thread.arm();
            assert!(thread.armed.is_some());
            assert_eq!(port.next_heard().map(|heard| (heard.number, heard.is_silent)), Some((number, true)));
        }

        drop(port);
        thread.tick_mixer(0, clock::monotonic());
        thread.arm();
        assert_eq!(thread.armed, None);
    }

    #[test]
    fn a_thread_that_is_late_looks_up_after_every_round() {
        let (mut thread, _commands) = thread();
        thread.rota.enter_leg(0, 8, None);
        let behind = ROUND * 4;
        thread.clock = Slots::new(clock::monotonic() - behind);

        thread.run_due_slots();

        assert_eq!(thread.clock.peek(0).0, 0);
        assert!(thread.clock.peek(0).1 + ROUND * 3 <= clock::monotonic());
    }

    #[test]
    fn a_panic_in_the_work_for_a_leg_stays_there() {
        assert!(contained(LegId(1), || {}));
        assert!(!contained(LegId(1), || panic!("a defect, on purpose")));
    }
}
