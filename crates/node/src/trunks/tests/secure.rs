use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use bytes::{Bytes, BytesMut};
use call_engine::EndCause;
use model::{Trunk, TrunkTransport};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use sip_message::{Limits, Message, Request, StatusCode, parse_datagram};
use transport::{Config, Flow, Identity, Incoming, Tls, Transports};

use super::{Bench, PATIENT, trunk_at};

/// A trunk's peer that is spoken to over TLS, and whoever trusts its certificate.
struct SecureCarrier {
    transports: Transports,
    trusting: Config,
}

impl SecureCarrier {
    /// With a certificate for the name.
    async fn open(name: &str) -> Self {
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed([name.to_owned()]).unwrap();
        let key = signing_key.serialize_pem().into_bytes();
        let identity = Identity { certificate: cert.pem().into_bytes(), key };
        let here = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
        let own = Tls::new(Some(&identity), None).unwrap();
        let config = Config { tls: vec![here], security: Some(own), ..Config::default() };
        let trusting = Tls::new(None, Some(&identity.certificate)).unwrap();
        Self {
            transports: Transports::bind(config).await.unwrap(),
            trusting: Config { security: Some(trusting), ..Config::default() },
        }
    }

    fn trunk(&self) -> Trunk {
        let mut trunk = trunk_at(self.transports.tls_addresses()[0], "a", 1);
        trunk.peer.transport = TrunkTransport::Tls;
        trunk
    }

    /// The next request, which may come in several pieces.
    async fn request(&mut self) -> (Request, Flow) {
        let mut received = BytesMut::new();
        loop {
            let Some(Incoming::Received { flow, bytes }) = self.transports.recv().await else {
                panic!("the connection is over")
            };
            received.extend_from_slice(&bytes);
            let message = parse_datagram(&Bytes::copy_from_slice(&received), &Limits::default());
            if let Ok(Message::Request(request)) = message {
                return (request, flow);
            }
        }
    }
}

#[tokio::test]
async fn a_peer_with_the_certificate_of_its_host_is_called_over_tls() {
    let mut carrier = SecureCarrier::open("127.0.0.1").await;
    let bench = Bench::over(carrier.trusting.clone(), [carrier.trunk()], PATIENT).await;
    let mut call = bench.call();
    let (invite, flow) = carrier.request().await;
    let contact = invite.headers.contact().unwrap().unwrap().uri;
    assert_eq!(contact.param("transport").as_deref(), Some("tls"));
    let mut busy = invite.response(StatusCode::BUSY_HERE);
    busy.headers.set_to_tag("carrier").unwrap();
    carrier.transports.sender().send(flow.into(), busy.to_bytes()).unwrap();
    assert_eq!(call.end().await, EndCause::PhoneNetwork(486));
}

#[tokio::test]
async fn a_peer_with_another_certificate_hears_nothing() {
    let mut carrier = SecureCarrier::open("another.example").await;
    let bench = Bench::over(carrier.trusting.clone(), [carrier.trunk()], PATIENT).await;
    let mut call = bench.call();
    assert_eq!(call.end().await, EndCause::PhoneNetwork(503));
    let closed = carrier.transports.recv().await;
    assert!(matches!(closed, Some(Incoming::Closed { .. })), "{closed:?}");
}
