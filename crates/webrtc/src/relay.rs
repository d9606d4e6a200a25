//! The packets of a session to and from a media leg with a socket of its own, on this machine.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use rtc_proto::rtcp::{MAX_REPORT_LEN, Report, write_report};
use rtc_proto::rtp;
use rtc_proto::sdp::Negotiated;
use tokio::io::ReadBuf;
use tokio::net::UdpSocket;

use crate::{MAX_DATAGRAM_OCTETS, RtpPort};

/// A socket over which sessions, one after the other, exchange plain RTP with one media leg. Sound passes as it is: both
/// sides have the same codec, and only payload types may differ.
#[derive(Clone, Debug)]
pub struct Relay(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    socket: UdpSocket,
    address: SocketAddr,
    leg: Mutex<Option<Leg>>,
}

/// The leg's side.
#[derive(Clone, Copy, Debug)]
struct Leg {
    address: SocketAddr,
    numbers: Numbers,
}

/// Payload types of one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Numbers {
    /// Those that are sent there.
    sent: (u8, Option<u8>),
    /// Those that come from there.
    received: (u8, Option<u8>),
    /// The clock of keys there.
    event_clock: u32,
}

/// What becomes of a packet on its way to the other side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Across {
    /// Sound, under this payload type.
    Sound(u8),
    /// A key, under this payload type; lengths are that many times as long, divided by the second.
    Key(u8, u32, u32),
}

impl Numbers {
    fn of(terms: &Negotiated) -> Self {
        let event = terms.telephone_event;
        Self {
            sent: (terms.payload_type, event.map(|event| event.payload_type)),
            received: (terms.receive_payload_type, event.map(|event| event.receive_payload_type)),
            event_clock: event.map_or(terms.codec.rtp_clock(), |event| event.clock),
        }
    }

    /// What a packet from this side is on the other one; nothing where it is of neither kind.
    fn across(self, payload_type: u8, other: Self) -> Option<Across> {
        if payload_type == self.received.0 {
            Some(Across::Sound(other.sent.0))
        } else if Some(payload_type) == self.received.1 {
            Some(Across::Key(other.sent.1?, other.event_clock, self.event_clock))
        } else {
            None
        }
    }
}

/// A source that only reports: no packet of sound has it.
const REPORTER: u32 = 1;

impl Relay {
    /// Takes a port at an address of this machine. Must be called within a runtime of tokio.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub async fn open(ip: IpAddr) -> io::Result<Self> {
        let socket = UdpSocket::bind((ip, 0)).await?;
        // Sending never waits, and until the runtime has seen the socket ready it would refuse.
        socket.writable().await?;
        let address = socket.local_addr()?;
        Ok(Self(Arc::new(Shared { socket, address, leg: Mutex::default() })))
    }

    /// Where the leg sends to.
    pub fn address(&self) -> SocketAddr {
        self.0.address
    }

    /// Says where the leg is and what has been agreed on with it, as this side sees it. Before that nothing passes.
    pub fn meet(&self, leg: SocketAddr, terms: &Negotiated) {
        *self.0.leg() = Some(Leg { address: leg, numbers: Numbers::of(terms) });
    }

    /// What a session with these terms carries packets with. One at a time: the one before has to be over.
    pub fn port(&self, terms: &Negotiated) -> RelayPort {
        RelayPort { shared: Arc::clone(&self.0), far: Numbers::of(terms) }
    }

    /// Lets the leg know that somebody is still there while no sound comes (RFC 3550, 6.4.2).
    pub fn keep_alive(&self) {
        let Some(leg) = *self.0.leg() else { return };
        let report = Report { ssrc: REPORTER, sender: None, block: None, cname: "relay", is_bye: false };
        let mut packet = [0; MAX_REPORT_LEN];
        if let Some(packet) = write_report(&report, &mut packet).and_then(|length| packet.get(..length)) {
            // Lost, as on any network, where the kernel does not take it.
            let _ = self.0.socket.try_send_to(packet, leg.address);
        }
    }
}

impl Shared {
    /// Held to copy what is in it.
    fn leg(&self) -> MutexGuard<'_, Option<Leg>> {
        self.leg.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One session's way to the leg.
#[derive(Debug)]
pub struct RelayPort {
    shared: Arc<Shared>,
    far: Numbers,
}

impl RtpPort for RelayPort {
    fn poll_sent(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<Option<usize>> {
        loop {
            let mut read = ReadBuf::new(buffer);
            // An error is of an earlier datagram that was refused; the socket itself is well.
            let Ok(from) = ready!(self.shared.socket.poll_recv_from(cx, &mut read)) else { continue };
            let length = read.filled().len();
            let Some(leg) = *self.shared.leg() else { continue };
            let Some(packet) = buffer.get_mut(..length) else { continue };
            if from == leg.address && !rtp::is_rtcp(packet) && renumber(packet, leg.numbers, self.far) {
                return Poll::Ready(Some(length));
            }
        }
    }

    fn deliver(&mut self, datagram: &[u8]) {
        let Some(leg) = *self.shared.leg() else { return };
        let mut packet = [0; MAX_DATAGRAM_OCTETS];
        let Some(packet) = packet.get_mut(..datagram.len()) else { return };
        packet.copy_from_slice(datagram);
        if renumber(packet, self.far, leg.numbers) {
            // Lost, as on any network, where the kernel does not take it.
            let _ = self.shared.socket.try_send_to(packet, leg.address);
        }
    }
}

/// Gives a packet the payload type of the other side; false where it has none there.
fn renumber(packet: &mut [u8], from: Numbers, to: Numbers) -> bool {
    let Some(octet) = packet.get_mut(1) else { return false };
    let Some(across) = from.across(*octet & 0x7f, to) else { return false };
    let (Across::Sound(number) | Across::Key(number, ..)) = across;
    *octet = (*octet & 0x80) | (number & 0x7f);
    if let Across::Key(_, times, divided) = across
        && times != divided
    {
        rescale(packet, times, divided);
    }
    true
}

/// Keys tell how long they have been pressed on a clock of their own (RFC 4733, 2.3.5): some browsers know that of 8 kHz only,
/// beside sound at 48 kHz.
fn rescale(packet: &mut [u8], times: u32, divided: u32) {
    let Ok(start) = rtp::header_len(packet) else { return };
    let Some(duration) = packet.get_mut(start..).and_then(|event| event.get_mut(2..4)) else { return };
    let octets = <[u8; 2]>::try_from(&*duration).unwrap_or_default();
    let scaled = u64::from(u16::from_be_bytes(octets)) * u64::from(times) / u64::from(divided.max(1));
    duration.copy_from_slice(&u16::try_from(scaled).unwrap_or(u16::MAX).to_be_bytes());
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::net::Ipv4Addr;

    use rtc_proto::Codec;
    use rtc_proto::rtp::{FIXED_HEADER_LEN, Header, Packet};
    use rtc_proto::sdp::{Direction, OpusFormat, TelephoneEvent};

    use super::*;
    use crate::PLACEHOLDER_REMOTE;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    fn terms(payload_type: u8, event: u8) -> Negotiated {
        let event = TelephoneEvent { payload_type: event, receive_payload_type: event, clock: 48_000 };
        Negotiated {
            remote_rtp: PLACEHOLDER_REMOTE,
            remote_rtcp: PLACEHOLDER_REMOTE,
            has_rtcp_mux: true,
            codec: Codec::Opus,
            payload_type,
            receive_payload_type: payload_type,
            telephone_event: Some(event),
            direction: Direction::SendRecv,
            srtp: None,
            ptime_ms: 20,
            opus: OpusFormat::default(),
            audio_level: None,
        }
    }

    fn packet(payload_type: u8, sequence: u16) -> Vec<u8> {
        let mut packet = vec![7; FIXED_HEADER_LEN + 4];
        Header { marker: true, payload_type, sequence, timestamp: 1, ssrc: 9 }.write(&mut packet);
        packet
    }

    fn numbers(datagram: &[u8]) -> (u8, u16) {
        let header = Packet::parse(datagram).unwrap().header;
        assert!(header.marker && header.ssrc == 9 && datagram.ends_with(&[7; 4]));
        (header.payload_type, header.sequence)
    }

    #[tokio::test]
    async fn sound_and_keys_pass_both_ways_under_the_numbers_of_the_other_side() {
        let (relay, leg) = (Relay::open(HERE).await.unwrap(), UdpSocket::bind((HERE, 0)).await.unwrap());
        relay.meet(leg.local_addr().unwrap(), &terms(111, 110));
        let mut port = relay.port(&terms(96, 126));
        let mut buffer = [0; MAX_DATAGRAM_OCTETS];
        for (sequence, (far, near)) in (1..).zip([(96, 111), (126, 110)]) {
            port.deliver(&packet(far, sequence));
            let length = leg.recv(&mut buffer).await.unwrap();
            assert_eq!(numbers(&buffer[..length]), (near, sequence));
            leg.send_to(&packet(near, sequence), relay.address()).await.unwrap();
            let length = poll_fn(|cx| port.poll_sent(cx, &mut buffer)).await.unwrap();
            assert_eq!(numbers(&buffer[..length]), (far, sequence));
        }
    }

    #[test]
    fn how_long_a_key_is_pressed_is_told_on_the_clock_of_the_other_side() {
        let at = |clock: u32| {
            let mut terms = terms(111, 110);
            terms.telephone_event = terms.telephone_event.map(|event| TelephoneEvent { clock, ..event });
            Numbers::of(&terms)
        };
        for (duration, from, to, expected) in [
            (800, 8_000, 48_000, 4_800),
            (4_800, 48_000, 8_000, 800),
            (800, 8_000, 8_000, 800),
            (u16::MAX, 8_000, 48_000, u16::MAX),
        ] {
            let mut key = packet(110, 1);
            key.truncate(FIXED_HEADER_LEN);
            key.extend([5, 10]);
            key.extend(duration.to_be_bytes());
            assert!(renumber(&mut key, at(from), at(to)));
            assert_eq!(key[FIXED_HEADER_LEN..FIXED_HEADER_LEN + 2], [5, 10]);
            assert_eq!(key[FIXED_HEADER_LEN + 2..], expected.to_be_bytes(), "{duration} from {from} to {to}");
        }
        assert!(
            renumber(&mut packet(110, 1)[..FIXED_HEADER_LEN], at(8_000), at(48_000)),
            "one without a key is nothing"
        );
    }

    #[tokio::test]
    async fn what_is_not_of_the_leg_or_of_neither_kind_does_not_pass() {
        let (relay, leg) = (Relay::open(HERE).await.unwrap(), UdpSocket::bind((HERE, 0)).await.unwrap());
        let stranger = UdpSocket::bind((HERE, 0)).await.unwrap();
        let mut port = relay.port(&terms(96, 126));
        port.deliver(&packet(96, 1));
        relay.meet(leg.local_addr().unwrap(), &terms(111, 110));
        let mut buffer = [0; MAX_DATAGRAM_OCTETS];
        port.deliver(&packet(97, 2));
        port.deliver(&[0x80]);
        port.deliver(&vec![0x80; MAX_DATAGRAM_OCTETS + 1]);
        relay.keep_alive();
        port.deliver(&packet(96, 3));
        let length = leg.recv(&mut buffer).await.unwrap();
        assert!(rtp::is_rtcp(&buffer[..length]), "the report is the first that has come");
        let length = leg.recv(&mut buffer).await.unwrap();
        assert_eq!(numbers(&buffer[..length]), (111, 3));

        stranger.send_to(&packet(111, 4), relay.address()).await.unwrap();
        leg.send_to(&packet(0, 5), relay.address()).await.unwrap();
        leg.send_to(&[0x80, 200, 0, 1, 0, 0, 0, 9], relay.address()).await.unwrap();
        leg.send_to(&packet(111, 6), relay.address()).await.unwrap();
        let length = poll_fn(|cx| port.poll_sent(cx, &mut buffer)).await.unwrap();
        assert_eq!(numbers(&buffer[..length]), (96, 6));
    }
}
