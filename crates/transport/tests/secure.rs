//! Streams over TLS on the loopback interface, with authorities of the tests' own.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use transport::{
    CloseCause, Config, ConnectionId, Destination, Flow, Identity, Incoming, PeerName, Protocol, SendError,
    Tls, TlsError, Transports,
};

const LOOPBACK: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Who signs certificates.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// An identity for a host name or an address.
    fn identity(&self, name: &str) -> Identity {
        let key = KeyPair::generate().unwrap();
        let certificate =
            CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &self.issuer).unwrap();
        Identity { certificate: certificate.pem().into(), key: key.serialize_pem().into() }
    }

    fn tls(&self, name: &str) -> Tls {
        Tls::new(Some(&self.identity(name)), Some(self.pem.as_bytes())).unwrap()
    }
}

fn config(security: Tls) -> Config {
    Config { tls: vec![LOOPBACK], tcp: vec![LOOPBACK], security: Some(security), ..Config::default() }
}

/// Transports with an address that takes TLS.
async fn bound(config: Config) -> (Transports, SocketAddr) {
    let transports = Transports::bind(config).await.unwrap();
    let address = transports.tls_addresses()[0];
    (transports, address)
}

/// Two that trust the same authority; the second one is `carrier.test`.
async fn pair() -> (Transports, Transports, SocketAddr) {
    let authority = Authority::new();
    let (here, _) = bound(config(authority.tls("here.test"))).await;
    let (there, address) = bound(config(authority.tls("carrier.test"))).await;
    (here, there, address)
}

fn to(address: SocketAddr, name: &str) -> Destination {
    Destination::tls(address, Some(PeerName::new(name).unwrap()))
}

fn send(transports: &Transports, to: Destination, text: &'static str) -> ConnectionId {
    transports.sender().send(to, Bytes::from_static(text.as_bytes())).unwrap().unwrap()
}

async fn received(transports: &mut Transports) -> (Flow, Bytes) {
    match transports.recv().await.unwrap() {
        Incoming::Received { flow, bytes } => (flow, bytes),
        closed @ Incoming::Closed { .. } => panic!("{closed:?}"),
    }
}

async fn closed(transports: &mut Transports) -> CloseCause {
    loop {
        if let Incoming::Closed { cause, .. } = transports.recv().await.unwrap() {
            return cause;
        }
    }
}

#[tokio::test]
async fn bytes_go_to_a_peer_that_shows_its_name_and_come_back_on_the_same_connection() {
    let (mut here, mut there, address) = pair().await;

    let used = send(&here, to(address, "Carrier.TEST"), "hello");
    let (flow, bytes) = received(&mut there).await;
    there.sender().send(flow.into(), Bytes::from_static(b"back")).unwrap();
    let (returned, back) = received(&mut here).await;

    assert_eq!(
        (flow.protocol, flow.local, bytes, back),
        (Protocol::Tls, address, "hello".into(), "back".into())
    );
    assert_eq!(
        (returned.protocol, returned.remote, returned.connection),
        (Protocol::Tls, address, Some(used))
    );
    assert_eq!(send(&here, to(address, "carrier.test"), "again"), used);
    assert_eq!(received(&mut there).await, (flow, "again".into()));
}

#[tokio::test]
async fn a_peer_with_the_certificate_of_another_name_or_authority_gets_nothing() {
    let (mut here, mut there, address) = pair().await;
    let (mut stranger, _) = bound(config(Authority::new().tls("stranger.test"))).await;

    send(&here, to(address, "other.test"), "secret");
    assert_eq!(closed(&mut here).await, CloseCause::HandshakeFailed);
    send(&here, Destination::tls(address, None), "secret");
    assert_eq!(closed(&mut here).await, CloseCause::HandshakeFailed);
    send(&stranger, to(address, "carrier.test"), "secret");
    assert_eq!(closed(&mut stranger).await, CloseCause::HandshakeFailed);

    for _ in 0..3 {
        assert!(matches!(there.recv().await.unwrap(), Incoming::Closed { .. }));
    }
}

#[tokio::test]
async fn a_peer_without_a_name_shows_its_address() {
    let authority = Authority::new();
    let (here, _) = bound(config(authority.tls("here.test"))).await;
    let (mut there, address) = bound(config(authority.tls("127.0.0.1"))).await;

    send(&here, Destination::tls(address, None), "hello");

    assert_eq!(received(&mut there).await.1, "hello");
}

#[tokio::test]
async fn a_connection_stands_for_its_own_name_and_protocol_alone() {
    let (here, mut there, address) = pair().await;
    let known = send(&here, to(address, "carrier.test"), "hello");
    let (flow, _) = received(&mut there).await;

    let other = send(&here, to(address, "other.test"), "x");
    let plain = send(&here, Destination { connection: Some(known), ..Destination::tcp(address) }, "x");

    assert!(known != other && known != plain && other != plain);
    assert!(flow.connection.is_some());
}

#[tokio::test]
async fn a_peer_that_does_not_secure_its_connection_in_time_loses_it() {
    let security = Authority::new().tls("here.test");
    let quick = Config { handshake_timeout: Duration::from_millis(20), ..config(security) };
    let (mut here, address) = bound(quick).await;

    let _silent = TcpStream::connect(address).await.unwrap();
    assert_eq!(closed(&mut here).await, CloseCause::HandshakeFailed);

    let listener = TcpListener::bind(LOOPBACK).await.unwrap();
    send(&here, to(listener.local_addr().unwrap(), "carrier.test"), "x");
    let (_mute, _) = listener.accept().await.unwrap();
    assert_eq!(closed(&mut here).await, CloseCause::HandshakeFailed);
    assert_eq!(here.sender().connections(), 0);
}

#[tokio::test]
async fn whoever_speaks_plainly_where_tls_is_expected_is_not_heard() {
    let (mut here, address) = bound(config(Authority::new().tls("here.test"))).await;
    let mut plain = TcpStream::connect(address).await.unwrap();

    plain.write_all(b"OPTIONS sip:here.test SIP/2.0\r\n\r\n").await.unwrap();

    let told = here.recv().await.unwrap();
    assert!(matches!(told, Incoming::Closed { cause: CloseCause::HandshakeFailed, .. }), "{told:?}");
}

#[tokio::test]
async fn past_the_limit_of_handshakes_a_connection_is_closed_and_those_that_are_secured_do_not_count() {
    let authority = Authority::new();
    let narrow = Config { max_handshakes: 1, ..config(authority.tls("carrier.test")) };
    let (mut there, address) = bound(narrow).await;
    let (here, _) = bound(config(authority.tls("here.test"))).await;
    let (other, _) = bound(config(authority.tls("other.test"))).await;
    send(&here, to(address, "carrier.test"), "one");
    received(&mut there).await;
    send(&other, to(address, "carrier.test"), "two");
    received(&mut there).await;

    let first = TcpStream::connect(address).await.unwrap();
    let mut second = TcpStream::connect(address).await.unwrap();
    assert!(matches!(second.read(&mut [0; 1]).await, Ok(0) | Err(_)));
    assert_eq!(there.sender().connections(), 3);

    drop(first);
    assert_eq!(closed(&mut there).await, CloseCause::HandshakeFailed);
    let (late, _) = bound(config(authority.tls("late.test"))).await;
    send(&late, to(address, "carrier.test"), "three");
    assert_eq!(received(&mut there).await.1, "three");
}

#[tokio::test]
async fn another_certificate_is_shown_from_the_next_handshake_on() {
    let authority = Authority::new();
    let security = authority.tls("old.test");
    let (mut there, address) = bound(config(security.clone())).await;
    let (here, _) = bound(config(authority.tls("here.test"))).await;
    let old = send(&here, to(address, "old.test"), "one");
    received(&mut there).await;

    security.show(Some(&authority.identity("new.test"))).unwrap();
    send(&here, to(address, "new.test"), "two");
    assert_eq!(received(&mut there).await.1, "two");
    assert_eq!(send(&here, to(address, "old.test"), "three"), old);
    assert_eq!(received(&mut there).await.1, "three");

    let mut broken = authority.identity("newer.test");
    broken.key = authority.identity("newest.test").key;
    assert!(matches!(security.show(Some(&broken)), Err(TlsError::Refused(_))));
    let (late, _) = bound(config(authority.tls("late.test"))).await;
    send(&late, to(address, "new.test"), "four");
    assert_eq!(received(&mut there).await.1, "four");
}

#[tokio::test]
async fn a_long_stream_arrives_whole_and_a_drain_writes_what_is_queued() {
    let (mut here, mut there, address) = pair().await;
    let chunk = |number: u8| Bytes::from(vec![number; 100_000]);
    for number in 0..20 {
        here.sender().send(to(address, "carrier.test"), chunk(number)).unwrap();
    }

    let first = received(&mut there).await;
    there.sender().send(first.0.into(), Bytes::from_static(b"go on")).unwrap();
    received(&mut here).await;
    let mut heard = first.1.to_vec();
    let reading = async {
        loop {
            match there.recv().await.unwrap() {
                Incoming::Received { bytes, .. } => heard.extend_from_slice(&bytes),
                Incoming::Closed { cause, .. } => return cause,
            }
        }
    };
    let (is_drained, cause) = tokio::join!(here.drain(Duration::from_secs(5)), reading);

    assert_eq!(cause, CloseCause::Peer);
    assert!(is_drained);
    let expected: Vec<u8> = (0..20).flat_map(|number| chunk(number).to_vec()).collect();
    assert!(heard == expected, "{} of {} bytes", heard.len(), expected.len());
}

#[tokio::test]
async fn without_an_identity_nobody_can_connect_and_without_security_nothing_is_secured() {
    let plain = Config { security: None, ..config(Authority::new().tls("x.test")) };
    assert!(Transports::bind(plain.clone()).await.is_err());
    let nameless = Tls::new(None, Some(Authority::new().pem.as_bytes())).unwrap();
    assert!(Transports::bind(config(nameless)).await.is_err());

    let transports = Transports::bind(Config { tls: Vec::new(), ..plain }).await.unwrap();
    let refused = transports.sender().send(to(LOOPBACK, "carrier.test"), Bytes::from_static(b"x"));
    assert!(matches!(refused, Err(SendError::NoSecurity)), "{refused:?}");
}

#[test]
fn what_cannot_be_read_is_told_by_its_part() {
    let authority = Authority::new();
    let good = authority.identity("a.test");
    let made = |identity: Identity| Tls::new(Some(&identity), Some(authority.pem.as_bytes())).map(drop);

    let garbled = Identity { certificate: b"x".to_vec(), ..good.clone() };
    assert!(matches!(made(garbled), Err(TlsError::Certificate)));
    assert!(matches!(made(Identity { key: b"x".to_vec(), ..good.clone() }), Err(TlsError::Key)));
    assert!(matches!(Tls::new(Some(&good), Some(b"x")), Err(TlsError::Authorities)));
    assert!(matches!(PeerName::new("not a name"), Err(TlsError::Name)));
    assert_eq!(format!("{good:?}"), "Identity { .. }");
}
