use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use sip_message::digest::{Algorithm, Answer, Challenge, Ha1};
use sip_message::{Limits, Message, Method, Request, Uri, parse_datagram};
use tokio::net::UdpSocket;

use crate::dev::User;
use crate::wait::within;

/// A UDP socket that sends whatever a test wants a server to see, and can register as a user.
#[derive(Debug)]
pub struct SipSocket {
    socket: UdpSocket,
    server: SocketAddr,
    /// A number that no other socket of this process has: each is a phone that has just been switched on, so its
    /// registrations are not in the sequence of those before (RFC 3261, 10.2.4).
    number: u32,
    sent: u32,
}

/// What is registered.
#[derive(Clone, Copy, Debug)]
pub struct Registration {
    /// The user.
    pub user: User,
    /// Its password, right or wrong.
    pub password: &'static str,
    /// Seconds; 0 removes the contact.
    pub expires: u32,
}

impl Registration {
    /// A user with the right password, for ten minutes.
    pub const fn of(user: User) -> Self {
        Self { user, password: User::PASSWORD, expires: 600 }
    }
}

/// More than any datagram holds.
const MAX_DATAGRAM: usize = 65_536;

impl SipSocket {
    /// Binds an address to talk to the server from.
    ///
    /// # Panics
    ///
    /// Panics where the address is taken.
    pub async fn bind(address: SocketAddr, server: SocketAddr) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let socket = UdpSocket::bind(address).await;
        let socket = socket.unwrap_or_else(|error| panic!("failed to bind {address}: {error}"));
        Self { socket, server, number: NEXT.fetch_add(1, Ordering::Relaxed), sent: 0 }
    }

    /// Its address.
    pub fn address(&self) -> SocketAddr {
        self.socket.local_addr().expect("a bound socket has an address")
    }

    /// Sends octets.
    ///
    /// # Panics
    ///
    /// Panics where the system refuses.
    pub async fn send(&self, octets: &[u8]) {
        let sent = self.socket.send_to(octets, self.server).await;
        sent.unwrap_or_else(|error| panic!("failed to send {} octets: {error}", octets.len()));
    }

    /// Waits for the next datagram that is a SIP message.
    pub async fn receive(&self) -> Message {
        let mut buffer = vec![0; MAX_DATAGRAM];
        within("a SIP message from the server", async {
            loop {
                let Ok((length, _)) = self.socket.recv_from(&mut buffer).await else { continue };
                let datagram = Bytes::copy_from_slice(buffer.get(..length).unwrap_or_default());
                if let Ok(message) = parse_datagram(&datagram, &Limits::default()) {
                    return message;
                }
            }
        })
        .await
    }

    /// The requests that have come and were not waited for.
    pub fn requests(&self) -> Vec<Request> {
        let mut buffer = vec![0; MAX_DATAGRAM];
        let mut requests = Vec::new();
        while let Ok((length, _)) = self.socket.try_recv_from(&mut buffer) {
            let datagram = Bytes::copy_from_slice(buffer.get(..length).unwrap_or_default());
            if let Ok(Message::Request(request)) = parse_datagram(&datagram, &Limits::default()) {
                requests.push(request);
            }
        }
        requests
    }

    /// Registers, answering the strongest challenge, and returns the final status.
    ///
    /// The contact is this socket: whatever is bound to its address afterwards, when this value is dropped, is the
    /// user's phone.
    ///
    /// # Panics
    ///
    /// Panics where the server answers without a challenge that can be answered.
    pub async fn register(&mut self, registration: Registration) -> u16 {
        let request = self.register_request(registration, "");
        self.send(request.as_bytes()).await;
        let (status, challenge) = self.response().await;
        if status != 401 {
            return status;
        }
        let challenge = challenge.expect("a 401 without a digest challenge");
        let authorization = authorization(&challenge, registration);
        let request = self.register_request(registration, &authorization);
        self.send(request.as_bytes()).await;
        self.response().await.0
    }

    /// The next response, which is not provisional: its status, and its challenge.
    async fn response(&self) -> (u16, Option<Challenge>) {
        loop {
            if let Message::Response(response) = self.receive().await
                && response.status.as_u16() >= 200
            {
                let challenge = Challenge::strongest(&response.headers, "WWW-Authenticate");
                return (response.status.as_u16(), challenge);
            }
        }
    }

    fn register_request(&mut self, registration: Registration, authorization: &str) -> String {
        self.sent += 1;
        let (address, phone, number) = (self.address(), self.number, self.sent);
        let (name, domain) = (registration.user.sip_name, User::DOMAIN);
        let expires = registration.expires;
        format!(
            "REGISTER sip:{domain} SIP/2.0\r\n\
             Via: SIP/2.0/UDP {address};branch=z9hG4bK-{name}-{phone}-{number};rport\r\n\
             Max-Forwards: 70\r\n\
             From: <sip:{name}@{domain}>;tag=testkit\r\n\
             To: <sip:{name}@{domain}>\r\n\
             Call-ID: registration-{phone}-{address}\r\n\
             CSeq: {number} REGISTER\r\n\
             Contact: <sip:{name}@{address}>\r\n\
             Expires: {expires}\r\n\
             {authorization}Content-Length: 0\r\n\r\n"
        )
    }
}

/// The header that answers a challenge of a registration.
pub(crate) fn authorization(challenge: &Challenge, registration: Registration) -> String {
    let Registration { user, password, .. } = registration;
    let algorithm: Algorithm = challenge.algorithm;
    let ha1 = Ha1::new(algorithm, user.sip_name, &challenge.realm, password);
    let uri: Uri = format!("sip:{}", User::DOMAIN).parse().expect("a domain makes a URI");
    let answer = Answer {
        username: user.sip_name,
        ha1: &ha1,
        method: &Method::Register,
        uri: &uri,
        cnonce: "0a4f113b",
        count: 1,
    };
    let credentials = challenge.answer(&answer).expect("a challenge in a known algorithm");
    format!("Authorization: {credentials}\r\n")
}
