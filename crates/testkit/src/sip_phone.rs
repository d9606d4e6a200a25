use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use sip_message::{Host, NameAddr, Uri};
use sip_proto::{CallHandle, Config, Credentials, Endpoint, Event, Flow, NewCall, Refer, Target, UserTable};
use tokio::net::UdpSocket;
use tokio::time::Instant;

use crate::dev::User;
use crate::server::Server;
use crate::wait::within;

/// A telephone that does what softphones for the command line do not: it joins its own calls with each other, and takes calls
/// from other phones of its user. It says nothing.
pub struct SipPhone {
    socket: UdpSocket,
    /// Where sound comes in.
    sound: UdpSocket,
    endpoint: Endpoint,
    server: SocketAddr,
    user: User,
    began: Instant,
    /// What has happened and was not waited for.
    events: Vec<Event>,
}

impl std::fmt::Debug for SipPhone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SipPhone").field("user", &self.user).finish_non_exhaustive()
    }
}

/// More than any datagram holds.
const MAX_DATAGRAM: usize = 65_536;

impl SipPhone {
    /// A phone that is not registered: it calls, and is not called.
    ///
    /// # Panics
    ///
    /// Panics where no port is free.
    pub async fn of(server: &Server, user: User) -> Self {
        let local = SocketAddr::new(server.sip().ip(), 0);
        let bind = async || UdpSocket::bind(local).await.expect("a free port");
        let (socket, sound) = (bind().await, bind().await);
        let port = socket.local_addr().expect("a bound socket has an address").port();
        let mut seed = [7; 32];
        seed[..2].copy_from_slice(&port.to_be_bytes());
        let endpoint = Endpoint::new(Config::default(), seed, Box::new(UserTable::new()));
        Self {
            socket,
            sound,
            endpoint,
            server: server.sip(),
            user,
            began: Instant::now(),
            events: Vec::new(),
        }
    }

    /// Calls somebody by what is before the `@`, with more headers in the request.
    ///
    /// # Panics
    ///
    /// Panics where the endpoint refuses.
    pub fn call(&mut self, name: &str, headers: Vec<(String, String)>) -> CallHandle {
        let offer = self.description();
        self.offer(name, headers, offer)
    }

    /// The same with a description of the test's own.
    ///
    /// # Panics
    ///
    /// As [`Self::call`].
    pub fn offer(&mut self, name: &str, headers: Vec<(String, String)>, offer: Bytes) -> CallHandle {
        let local = self.socket.local_addr().expect("a bound socket has an address");
        let flow =
            Flow { transport: sip_proto::Transport::Udp, local, remote: self.server, connection: None };
        let domain: Host = User::DOMAIN.parse().expect("a domain");
        let to = Uri::sip(name, domain.clone());
        let call = NewCall {
            targets: vec![Target { uri: to.clone(), flow }],
            from: NameAddr::new(Uri::sip(self.user.sip_name, domain)),
            to: NameAddr::new(to),
            offer,
            session_timer: None,
            credentials: Some(Credentials::new(self.user.sip_name, User::PASSWORD)),
            headers,
        };
        self.endpoint.call(call, self.began.elapsed()).expect("a call that the endpoint takes")
    }

    /// The same, and waits for the answer.
    pub async fn connect(&mut self, name: &str, headers: Vec<(String, String)>) -> CallHandle {
        let call = self.call(name, headers);
        self.expect("an answer", |event| {
            matches!(event, Event::Answered { handle, .. } if *handle == call).then_some(())
        })
        .await;
        call
    }

    /// What another phone says to have this call in its place (RFC 3891).
    ///
    /// # Panics
    ///
    /// Panics where the call is not established.
    pub fn replaces(&self, call: CallHandle) -> (String, String) {
        let (_, replaces) = self.endpoint.replaceable(call).expect("an established call");
        ("Replaces".to_owned(), replaces.to_string())
    }

    /// Hands the far end of one call over to that of another one (RFC 5589, 7).
    ///
    /// # Panics
    ///
    /// Panics where either is not established.
    pub fn join(&mut self, call: CallHandle, other: CallHandle) {
        let (to, replaces) = self.endpoint.replaceable(other).expect("an established call");
        let refer = Refer { to, replaces: Some(replaces), referred_by: None };
        self.endpoint.refer(call, refer, self.began.elapsed()).expect("an established call");
    }

    /// Hands the far end of a call over to somebody who is called then (RFC 3515).
    ///
    /// # Panics
    ///
    /// Panics where the call is not established.
    pub fn hand_over(&mut self, call: CallHandle, name: &str) {
        let domain: Host = User::DOMAIN.parse().expect("a domain");
        let refer = Refer { to: Uri::sip(name, domain), replaces: None, referred_by: None };
        self.endpoint.refer(call, refer, self.began.elapsed()).expect("an established call");
    }

    /// Hangs up.
    ///
    /// # Panics
    ///
    /// Panics where the call is over.
    pub fn hang_up(&mut self, call: CallHandle) {
        self.endpoint.hang_up(call, None, self.began.elapsed()).expect("a call that is not over");
    }

    /// Waits for something to happen, and answers and sends whatever belongs to it.
    ///
    /// # Panics
    ///
    /// Panics with what has happened where it does not.
    pub async fn expect<T>(&mut self, what: &str, mut find: impl FnMut(&Event) -> Option<T>) -> T {
        let waiting = async {
            loop {
                self.drain().await;
                let found = self.events.iter().enumerate().find_map(|(at, event)| Some((at, find(event)?)));
                if let Some((at, found)) = found {
                    self.events.remove(at);
                    return found;
                }
                self.step().await;
            }
        };
        within(what, waiting).await
    }

    /// Waits until a call is over, and returns why.
    pub async fn expect_end(&mut self, call: CallHandle) -> sip_proto::EndCause {
        self.expect("the end of a call", |event| {
            let Event::Ended { handle, cause } = event else { return None };
            (*handle == call).then(|| cause.clone())
        })
        .await
    }

    /// Waits for a packet of sound.
    pub async fn expect_sound(&mut self) {
        let mut buffer = [0; MAX_DATAGRAM];
        within("sound for a phone", self.sound.recv_from(&mut buffer)).await.expect("a readable socket");
    }

    async fn step(&mut self) {
        let mut buffer = vec![0; MAX_DATAGRAM];
        let due =
            self.endpoint.poll_timeout().unwrap_or_else(|| self.began.elapsed() + Duration::from_secs(60));
        tokio::select! {
            received = self.socket.recv_from(&mut buffer) => {
                let (length, remote) = received.expect("a readable socket");
                let local = self.socket.local_addr().expect("a bound socket has an address");
                let flow = Flow { transport: sip_proto::Transport::Udp, local, remote, connection: None };
                let payload = Bytes::copy_from_slice(buffer.get(..length).unwrap_or_default());
                self.endpoint.handle_receive(flow, &payload, self.began.elapsed());
            }
            () = tokio::time::sleep_until(self.began + due) => {
                self.endpoint.handle_timeout(self.began.elapsed());
            }
        }
    }

    async fn drain(&mut self) {
        loop {
            if let Some(event) = self.endpoint.poll_event() {
                self.events.push(event);
            } else if let Some(transmit) = self.endpoint.poll_transmit() {
                let sent = self.socket.send_to(&transmit.bytes, transmit.flow.remote).await;
                sent.expect("a datagram that can be sent");
            } else {
                return;
            }
        }
    }

    /// G.711 at the socket for sound.
    fn description(&self) -> Bytes {
        let sound = self.sound.local_addr().expect("a bound socket has an address");
        let (ip, port) = (sound.ip(), sound.port());
        let text = format!(
            "v=0\r\no=- {port} 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\n\
             m=audio {port} RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=sendrecv\r\n"
        );
        text.into()
    }
}
