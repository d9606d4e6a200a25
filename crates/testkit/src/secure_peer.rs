use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};

use bytes::Bytes;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use sip_message::digest::Challenge;
use sip_message::{Limits, Message, Request, Response, StatusCode, StreamEvent, StreamParser};
use transport::{ConnectionId, Destination, Flow, Identity, Incoming, Tls, Transports};

use crate::dev::User;
use crate::sip_socket::{Registration, authorization};
use crate::wait::within;

/// A certificate that was made just now, and is its own authority.
#[derive(Debug)]
pub struct Certificate(Identity);

impl Certificate {
    /// One for a host's name or address.
    ///
    /// # Panics
    ///
    /// Panics for what is neither.
    pub fn of(host: &str) -> Self {
        let made = generate_simple_self_signed([host.to_owned()]);
        let CertifiedKey { cert, signing_key } = made.expect("a certificate for a host");
        Self(Identity { certificate: cert.pem().into_bytes(), key: signing_key.serialize_pem().into_bytes() })
    }

    /// The certificate, PEM.
    pub fn certificate(&self) -> &[u8] {
        &self.0.certificate
    }

    /// Its private key, PEM.
    pub fn key(&self) -> &[u8] {
        &self.0.key
    }
}

/// A SIP phone or a carrier that is spoken to over TLS, and does only what it is told.
pub struct SecurePeer {
    transports: Transports,
    streams: BTreeMap<ConnectionId, StreamParser>,
    registers: u32,
}

impl std::fmt::Debug for SecurePeer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SecurePeer").field("address", &self.address()).finish_non_exhaustive()
    }
}

impl SecurePeer {
    /// One that shows a certificate to whoever connects, and wants another one shown where it connects.
    ///
    /// # Panics
    ///
    /// Panics where no port is free.
    pub async fn open(shown: &Certificate, trusted: &Certificate) -> Self {
        let security = Tls::new(Some(&shown.0), Some(trusted.certificate())).expect("two certificates");
        let config = transport::Config {
            tls: vec![(Ipv4Addr::LOCALHOST, 0).into()],
            security: Some(security),
            ..transport::Config::default()
        };
        let transports = Transports::bind(config).await.expect("a free port");
        Self { transports, streams: BTreeMap::new(), registers: 0 }
    }

    /// Where it listens.
    ///
    /// # Panics
    ///
    /// Panics where it does not.
    pub fn address(&self) -> SocketAddr {
        *self.transports.tls_addresses().first().expect("a bound listener has an address")
    }

    /// Registers at a server, answering its challenge, and returns the final status.
    ///
    /// # Panics
    ///
    /// Panics where no connection comes about, or the challenge cannot be answered.
    pub async fn register(&mut self, server: SocketAddr, registration: Registration) -> u16 {
        let mut authorized = String::new();
        loop {
            let request = self.register_request(registration, &authorized);
            let sent = self.transports.sender().send(Destination::tls(server, None), request.into());
            sent.expect("room for a request");
            let response = within("the response to a registration", self.response()).await;
            if response.status.as_u16() != 401 || !authorized.is_empty() {
                return response.status.as_u16();
            }
            let challenge = Challenge::strongest(&response.headers, "WWW-Authenticate");
            authorized = authorization(&challenge.expect("a digest challenge"), registration);
        }
    }

    /// Waits for a request, and returns it with the way that it came.
    pub async fn request(&mut self) -> (Request, Flow) {
        let waiting = async {
            loop {
                if let (Message::Request(request), flow) = self.message().await {
                    return (request, flow);
                }
            }
        };
        within("a request over TLS", waiting).await
    }

    /// Answers a request with nothing but a status.
    ///
    /// # Panics
    ///
    /// Panics for what is no status.
    pub fn reply(&self, (request, flow): &(Request, Flow), status: u16) {
        let mut response = request.response(StatusCode::new(status).expect("a status"));
        response.headers.set_to_tag("testkit").expect("a To that a server sent");
        let sent = self.transports.sender().send((*flow).into(), response.to_bytes());
        sent.expect("room for a response");
    }

    /// Waits until a connection is over over which no message came.
    ///
    /// # Panics
    ///
    /// Panics where one came.
    pub async fn expect_refused(&mut self) {
        let next = within("the end of a connection", self.transports.recv()).await;
        assert!(matches!(next, Some(Incoming::Closed { .. })), "{next:?}");
    }

    /// The next response that is final.
    async fn response(&mut self) -> Response {
        loop {
            match self.message().await.0 {
                Message::Response(response) if response.status.is_final() => return response,
                Message::Request(_) | Message::Response(_) => {}
            }
        }
    }

    async fn message(&mut self) -> (Message, Flow) {
        loop {
            let (flow, bytes): (Flow, Bytes) = match self.transports.recv().await {
                Some(Incoming::Received { flow, bytes }) => (flow, bytes),
                Some(Incoming::Closed { cause, .. }) => panic!("a connection over TLS is over: {cause:?}"),
                None => panic!("there are no connections any more"),
            };
            let Some(connection) = flow.connection else { continue };
            let stream =
                self.streams.entry(connection).or_insert_with(|| StreamParser::new(Limits::default()));
            stream.push(&bytes);
            // Nothing here says two things at once.
            if let Some(StreamEvent::Message(message)) = stream.poll() {
                return (message, flow);
            }
        }
    }

    fn register_request(&mut self, registration: Registration, authorization: &str) -> String {
        self.registers += 1;
        let (address, number) = (self.address(), self.registers);
        let (name, domain, expires) = (registration.user.sip_name, User::DOMAIN, registration.expires);
        format!(
            "REGISTER sip:{domain} SIP/2.0\r\n\
             Via: SIP/2.0/TLS {address};branch=z9hG4bK-{name}-{number};rport\r\n\
             Max-Forwards: 70\r\n\
             From: <sip:{name}@{domain}>;tag=testkit\r\n\
             To: <sip:{name}@{domain}>\r\n\
             Call-ID: registration-{address}\r\n\
             CSeq: {number} REGISTER\r\n\
             Contact: <sip:{name}@{address};transport=tls>\r\n\
             Expires: {expires}\r\n\
             {authorization}Content-Length: 0\r\n\r\n"
        )
    }
}
