//! Legs that come to a media thread and leave it.

use super::{MediaThread, contained};
use crate::command::{Command, Disposal};
use crate::passage::{Arrival, Departure, Passenger};
use crate::registry::cost;
use crate::socket::Receiver;

impl MediaThread {
    /// Sends a leg to another thread.
    pub(super) fn depart(&mut self, mut departure: Box<Departure>) {
        let id = departure.leg;
        let place = self.legs.get_mut(id.index()).filter(|leg| leg.as_ref().is_some_and(|leg| leg.id == id));
        let passenger = match place.and_then(Option::take) {
            Some(mut leg) => {
                self.take_out(&mut leg);
                // Where it was about to be closed for a defect it is closed on the other side.
                let is_broken = self.closing.contains(&id);
                let is_whole = contained(id, || leg.depart(&mut self.bench)) && !is_broken;
                leg.arrive(departure.to);
                if is_whole { Passenger::Leg(leg) } else { Passenger::Broken(leg) }
            }
            None => Passenger::Nobody,
        };
        departure.send(passenger);
        self.departed.push(Disposal::Departure(departure));
    }

    /// Waits for a leg from another thread, unless it is there already.
    pub(super) fn expect(&mut self, arrival: Box<Arrival>, receiver: &mut Receiver) {
        let index = arrival.leg.index();
        if let Some(place) = self.awaited.get_mut(index) {
            *place = Some(arrival);
            self.expected.push(index as u32);
            self.take_in(receiver);
        }
    }

    /// Keeps a command for a leg that has not arrived yet; gives back all others.
    pub(super) fn hold(&mut self, command: Command) -> Option<Command> {
        if self.expected.is_empty() {
            return Some(command);
        }
        let awaited = command.leg().and_then(|leg| {
            let place = self.awaited.get_mut(leg.index())?.as_deref_mut();
            place.filter(|arrival| arrival.leg == leg)
        });
        match awaited {
            Some(arrival) => {
                arrival.held.push(command);
                None
            }
            None => Some(command),
        }
    }

    /// Takes in the legs that have come, and does what they were told on their way.
    pub(super) fn take_in(&mut self, receiver: &mut Receiver) {
        let mut at = 0;
        while let Some(index) = self.expected.get(at).copied() {
            let Some(place) = self.awaited.get_mut(index as usize) else { break };
            let Some(passenger) = place.as_mut().and_then(|arrival| arrival.take()) else {
                at += 1;
                continue;
            };
            let arrival = place.take();
            self.expected.swap_remove(at);
            if let Some(arrival) = arrival {
                self.settle(passenger, arrival, receiver);
            }
        }
    }

    fn settle(&mut self, passenger: Passenger, mut arrival: Box<Arrival>, receiver: &mut Receiver) {
        let id = arrival.leg;
        let (leg, is_broken) = match passenger {
            Passenger::Leg(leg) => (Some(leg), false),
            Passenger::Broken(leg) => (Some(leg), true),
            Passenger::Nobody => (None, false),
        };
        let codec = leg.as_ref().and_then(|leg| leg.codec());
        if let Some(place) = self.legs.get_mut(id.index()) {
            *place = leg;
        }
        if let Some(codec) = codec {
            self.enter_round(id, cost(codec));
        }
        for command in arrival.held.drain(..) {
            self.take_command(command, receiver);
        }
        if is_broken {
            self.closing.push(id);
        }
        self.bench.disposer.dispose(Disposal::Arrival(arrival));
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::thread;
    use super::*;
    use crate::leg::{Leg, PlayJob, Transport};
    use crate::passage::passage;
    use crate::pipe::{Pipe, PipePort};
    use crate::{JobId, LegId};
    use media_engine::ToneGenerator;
    use nix::sys::eventfd::{EfdFlags, EventFd};
    use std::sync::Arc;

    const HERE: LegId = LegId(1 << 32);

    /// The name of a leg on the other thread.
    fn there() -> LegId {
        LegId::new(1, 1, 3)
    }

    fn leg() -> (Command, PipePort) {
        let (pipe, port) = Pipe::new().unwrap();
        (Command::Open(Box::new(Leg::new(HERE, Transport::Pipe(pipe)))), port)
    }

    fn ways() -> (Arc<EventFd>, Box<Departure>, Box<Arrival>) {
        let wake = Arc::new(EventFd::from_flags(EfdFlags::EFD_NONBLOCK).unwrap());
        let (departure, arrival) = passage(HERE, there(), Arc::clone(&wake));
        (wake, departure, arrival)
    }

    fn tone(job: u64) -> Command {
        Command::Play(there(), Box::new(PlayJob::tone(JobId(job), ToneGenerator::sine(400.0, 1), None)))
    }

    fn tell(thread: &mut MediaThread, command: Command) {
        thread.take_command(command, &mut Receiver::new());
    }

    /// The sound that the leg plays after its passage.
    fn playing(thread: &MediaThread) -> Option<JobId> {
        let leg = thread.legs[there().index()].as_ref().filter(|leg| leg.id == there())?;
        leg.jobs.play.as_ref().map(|play| play.job)
    }

    #[test]
    fn what_a_leg_is_told_on_its_way_is_done_in_order_once_it_is_there() {
        let ((mut from, _commands), (mut to, _others)) = (thread(), thread());
        let (open, port) = leg();
        let (wake, departure, arrival) = ways();
        tell(&mut from, open);
        tell(&mut to, Command::Expect(arrival));
        for job in 1..=3 {
            tell(&mut to, tone(job));
        }
        to.take_in(&mut Receiver::new());
        assert_eq!(playing(&to), None);
        assert!(wake.read().is_err());

        tell(&mut from, Command::Depart(departure));

        assert!(wake.read().is_ok(), "the other thread is woken");
        to.take_in(&mut Receiver::new());
        assert_eq!(playing(&to), Some(JobId(3)));
        tell(&mut to, tone(4));
        assert_eq!(playing(&to), Some(JobId(4)));
        assert!(from.legs.iter().all(Option::is_none) && to.expected.is_empty() && !port.is_closed());
    }

    #[test]
    fn a_leg_that_was_quicker_than_the_word_of_it_is_taken_in_at_once() {
        let ((mut from, _commands), (mut to, _others)) = (thread(), thread());
        let (_wake, departure, arrival) = ways();
        tell(&mut from, leg().0);
        tell(&mut from, Command::Depart(departure));

        tell(&mut to, Command::Expect(arrival));
        tell(&mut to, tone(1));

        assert_eq!(playing(&to), Some(JobId(1)));
    }

    #[test]
    fn a_leg_goes_on_to_a_third_thread_before_it_has_come_to_the_second() {
        let ((mut first, _a), (mut second, _b), (mut third, _c)) = (thread(), thread(), thread());
        let (open, port) = leg();
        let (wake, departure, arrival) = ways();
        let last = LegId::new(1, 2, 5);
        let (departs_again, arrives_again) = passage(there(), last, wake);
        tell(&mut first, open);
        tell(&mut second, Command::Expect(arrival));
        tell(&mut third, Command::Expect(arrives_again));
        tell(&mut second, Command::Depart(departs_again));
        tell(&mut third, Command::Close(last));
        tell(&mut first, Command::Depart(departure));
        second.take_in(&mut Receiver::new());
        third.take_in(&mut Receiver::new());

        assert_eq!(third.legs[5].as_ref().map(|leg| leg.id), Some(last));
        assert!(!port.is_closed());
        third.finish_closing();
        assert!(third.legs[5].is_none());
        drop(third);
        assert!(port.is_closed());
    }

    #[test]
    fn nobody_is_waited_for_who_has_ended_before() {
        let ((mut from, _commands), (mut to, _others)) = (thread(), thread());
        let (_wake, departure, arrival) = ways();
        tell(&mut to, Command::Expect(arrival));
        tell(&mut to, tone(1));

        tell(&mut from, Command::Depart(departure));
        to.take_in(&mut Receiver::new());

        assert!(to.expected.is_empty() && to.awaited.iter().all(Option::is_none));
        assert!(to.legs.iter().all(Option::is_none));
        assert!(matches!(&from.departed[..], [Disposal::Departure(departure)] if departure.is_void));
    }

    #[test]
    fn a_leg_with_a_defect_is_closed_where_it_arrives() {
        let ((mut from, _commands), (mut to, _others)) = (thread(), thread());
        let (open, _port) = leg();
        let (_wake, departure, arrival) = ways();
        tell(&mut from, open);
        tell(&mut to, Command::Expect(arrival));
        from.closing.push(HERE);

        tell(&mut from, Command::Depart(departure));
        to.take_in(&mut Receiver::new());
        from.finish_closing();

        assert_eq!(to.closing, [there()]);
        to.finish_closing();
        assert!(to.legs.iter().all(Option::is_none));
    }

    #[test]
    fn what_comes_on_the_way_has_a_bound_but_for_the_close() {
        let (ring, mut out) = rtrb::RingBuffer::new(100);
        let mut queue = crate::passage::Queue::new(ring, 4);
        let (_wake, mut departure, arrival) = ways();
        let echo = || Command::Echo(there(), true);
        queue.push(Command::Expect(arrival)).unwrap();
        for _ in 0..crate::passage::HELD {
            queue.push(echo()).unwrap();
        }
        assert!(queue.push(echo()).is_err());
        assert!(queue.push(Command::Echo(HERE, true)).is_ok(), "others have nothing to do with it");
        queue.push(Command::Close(there())).unwrap();
        let Ok(Command::Expect(mut arrival)) = out.pop() else { panic!("not expected") };
        while let Ok(command) = out.pop() {
            if command.leg() == Some(there()) {
                arrival.held.push(command);
            }
        }
        assert_eq!(arrival.held.len(), arrival.held.capacity());
        assert!(queue.push(echo()).is_err());

        departure.send(Passenger::Nobody);
        assert!(arrival.take().is_some());

        assert!(queue.push(echo()).is_ok());
    }
}
