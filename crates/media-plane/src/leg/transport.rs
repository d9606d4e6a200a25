//! How packets of a leg travel.

use super::{Leg, Workbench};
use crate::pipe::{PIPED_PEER, Pipe};
use crate::ports::RtpPort;
use crate::socket::Socket;

/// A pair of sockets.
#[derive(Debug)]
pub(crate) struct Sockets {
    pub(crate) port: RtpPort,
    pub(crate) rtp: Socket,
    pub(crate) rtcp: Socket,
}

/// How packets of a leg travel.
#[derive(Debug)]
pub(crate) enum Transport {
    /// There are none: the leg is a bot's whose media is hosted here.
    Hosted,
    /// Through another task.
    Pipe(Pipe),
    /// Over sockets of the media thread.
    Sockets(Sockets),
}

impl Leg {
    /// Whether it is a bot's, without a far end.
    pub(crate) fn is_hosted(&self) -> bool {
        matches!(self.transport, Transport::Hosted)
    }

    /// Whether its packets travel through another task.
    pub(crate) fn is_piped(&self) -> bool {
        matches!(self.transport, Transport::Pipe(_))
    }

    pub(crate) fn sockets(&self) -> Option<&Sockets> {
        match &self.transport {
            Transport::Sockets(sockets) => Some(sockets),
            Transport::Hosted | Transport::Pipe(_) => None,
        }
    }

    pub(crate) fn port(&self) -> Option<RtpPort> {
        self.sockets().map(|sockets| sockets.port)
    }

    /// Forgets what came through its pipe before anybody could listen.
    pub(crate) fn drop_waiting(&mut self) {
        if let Transport::Pipe(pipe) = &mut self.transport {
            while pipe.next().is_some() {}
        }
    }

    /// Takes what has come through its pipe; false where nothing has.
    pub(crate) fn drain(&mut self, bench: &mut Workbench) -> bool {
        let Transport::Pipe(pipe) = &self.transport else { return false };
        let waiting = pipe.waiting();
        for _ in 0..waiting {
            let Transport::Pipe(pipe) = &mut self.transport else { break };
            let Some(mut datagram) = pipe.next() else { break };
            let at = datagram.at;
            self.handle_rtp(datagram.octets_mut(), PIPED_PEER, at, bench);
        }
        waiting > 0
    }
}
