//! A room's task, over loopback.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use webrtc::{Gateway, Limits};

use super::far::{ANN, BEN, CEM, Far, Layers, ONE, THREE, start};
use crate::{Event, Kind, OfferError, PageId, RoomHandle, Tile};

/// Long enough for a busy machine; tests wait for events, so it only matters when they fail.
const DEADLINE: Duration = Duration::from_secs(20);
const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// A page with a socket.
struct Page {
    far: Far,
    socket: UdpSocket,
}

impl Page {
    async fn join(room: &RoomHandle, page: PageId, layers: Layers) -> Self {
        let socket = UdpSocket::bind((V4, 0)).await.unwrap();
        let far = Far::new(page.0 as u8, layers, socket.local_addr().unwrap(), start());
        let mut joined = Self { far, socket };
        let offer = joined.far.offer(2);
        let answer = room.offer(page, offer).await.unwrap();
        joined.far.accept(&answer);
        joined
    }

    /// Joins from a network that lets only TCP through: what the page sends by UDP goes over a connection.
    async fn join_over_tcp(room: &RoomHandle, page: PageId, gateway: &Gateway) -> Self {
        let socket = UdpSocket::bind((V4, 0)).await.unwrap();
        let far = Far::new(page.0 as u8, ONE, socket.local_addr().unwrap(), start());
        let mut joined = Self { far, socket };
        let entrance = UdpSocket::bind((V4, 0)).await.unwrap();
        let offer = joined.far.offer(2);
        let answer = room.offer(page, offer).await.unwrap();
        let port = gateway.candidate().port();
        assert!(answer.contains(&format!(" {port} typ host tcptype passive\r\n")), "{answer}");
        let here = entrance.local_addr().unwrap().port();
        joined.far.accept(&answer.replace(&format!(" {port} typ"), &format!(" {here} typ")));
        let stream = TcpStream::connect(gateway.candidate()).await.unwrap();
        tokio::spawn(carry(entrance, stream, joined.socket.local_addr().unwrap()));
        joined
    }

    async fn step(&mut self) {
        let mut buffer = [0; 2_000];
        for (to, octets) in self.far.transmits() {
            self.socket.send_to(&octets, to).await.unwrap();
        }
        let wake = Instant::from_std(self.far.next()).min(Instant::now() + Duration::from_millis(10));
        match tokio::time::timeout_at(wake, self.socket.recv_from(&mut buffer)).await {
            Ok(received) => {
                let (length, from) = received.unwrap();
                self.far.handle_datagram(from, &buffer[..length], start());
            }
            Err(_) => self.far.handle_timeout(start()),
        }
    }
}

/// Carries datagrams over a connection, and back.
async fn carry(entrance: UdpSocket, stream: TcpStream, page: SocketAddr) {
    let (mut reader, mut writer) = stream.into_split();
    let outward = async {
        let mut buffer = [0; 2_000];
        loop {
            let length = entrance.recv(&mut buffer).await.unwrap();
            let framed = [&(length as u16).to_be_bytes()[..], &buffer[..length]].concat();
            writer.write_all(&framed).await.unwrap();
        }
    };
    let inward = async {
        while let Ok(length) = reader.read_u16().await {
            let mut octets = vec![0; length.into()];
            reader.read_exact(&mut octets).await.unwrap();
            entrance.send_to(&octets, page).await.unwrap();
        }
    };
    tokio::select! { () = inward => {}, () = outward => {} }
}

/// Lets pages live until it is done.
async fn run(pages: &mut [Page], mut is_done: impl FnMut(&[Page]) -> bool) {
    let live = async {
        while !is_done(pages) {
            for page in &mut *pages {
                page.step().await;
            }
        }
    };
    timeout(DEADLINE, live).await.expect("it takes too long");
}

async fn gateway(limits: Limits) -> Gateway {
    Gateway::bind(SocketAddr::new(V4, 0), V4, limits).await.unwrap()
}

async fn next(events: &mut mpsc::Receiver<Event>) -> Option<Event> {
    timeout(DEADLINE, events.recv()).await.unwrap()
}

fn tile(page: &Page, watched: PageId) -> Vec<Tile> {
    vec![Tile { line: page.far.lines[0].clone(), page: watched, kind: Kind::Camera, height: 360 }]
}

#[tokio::test]
async fn pages_of_two_rooms_share_a_socket_and_see_their_own() {
    let gateway = gateway(Limits::default()).await;
    let (room, mut events) = RoomHandle::open(&gateway);
    let (other, _other_events) = RoomHandle::open(&gateway);
    let mut pages = [
        Page::join(&room, ANN, THREE).await,
        Page::join(&room, BEN, ONE).await,
        Page::join(&other, ANN, ONE).await,
    ];
    assert_eq!(gateway.sessions(), 3);
    room.allow(ANN, Kind::Camera, true);
    room.watch(BEN, tile(&pages[1], ANN));
    other.allow(ANN, Kind::Camera, true);
    other.watch(ANN, tile(&pages[2], ANN));
    pages[0].far.make(Kind::Camera, true);
    run(&mut pages, |pages| pages[1].far.on(0).len() > 5).await;
    assert!(pages[1].far.on(0).iter().all(|frame| frame.tag == 1));
    assert_eq!(pages[2].far.on(0), []);
    assert_eq!(next(&mut events).await, Some(Event::Flowing { page: ANN, kind: Kind::Camera }));
    let stats = room.stats(BEN).await.unwrap();
    assert!(stats.is_connected && stats.sent > 5, "{stats:?}");
    assert_eq!(room.stats(CEM).await, None);

    room.leave(ANN);
    run(&mut pages, |pages| pages[0].far.is_closed).await;
    assert_eq!(room.stats(ANN).await, None);
    assert_eq!(gateway.sessions(), 2);
    drop(room);
    run(&mut pages, |pages| pages[1].far.is_closed && gateway.sessions() == 1).await;
    assert_eq!(next(&mut events).await, None);
}

#[tokio::test]
async fn pictures_pass_over_tcp_to_somebody_with_udp() {
    let mut gateway = gateway(Limits::default()).await;
    while !gateway.reach().has_tcp {
        // The number that UDP got is taken for TCP.
        gateway = Gateway::bind(SocketAddr::new(V4, 0), V4, Limits::default()).await.unwrap();
    }
    let (room, _events) = RoomHandle::open(&gateway);
    let mut pages = [Page::join_over_tcp(&room, ANN, &gateway).await, Page::join(&room, BEN, ONE).await];
    for (page, other) in [(0, 1), (1, 0)] {
        let (id, watched) = ([ANN, BEN][page], [ANN, BEN][other]);
        room.allow(id, Kind::Camera, true);
        room.watch(id, tile(&pages[page], watched));
        pages[page].far.make(Kind::Camera, true);
    }
    run(&mut pages, |pages| pages.iter().all(|page| page.far.on(0).len() > 5)).await;
    assert_eq!(gateway.connections(), 1);
}

#[tokio::test]
async fn a_page_comes_back_and_restarts_ice() {
    let gateway = gateway(Limits::default()).await;
    let (room, mut events) = RoomHandle::open(&gateway);
    let mut pages = [Page::join(&room, ANN, ONE).await];
    run(&mut pages, |pages| pages[0].far.is_connected).await;
    let offer = pages[0].far.restart();
    let answer = room.offer(ANN, offer).await.unwrap();
    pages[0].far.accept(&answer);
    room.allow(ANN, Kind::Screen, true);
    pages[0].far.make(Kind::Screen, true);
    run(&mut pages, |_| !events.is_empty()).await;
    assert_eq!(next(&mut events).await, Some(Event::Flowing { page: ANN, kind: Kind::Screen }));

    pages[0].far.rtc.close().unwrap();
    pages[0].far.handle_timeout(start());
    run(&mut pages, |_| !events.is_empty()).await;
    assert_eq!(next(&mut events).await, Some(Event::Gone { page: ANN }));
    let mut pages = [Page::join(&room, ANN, ONE).await];
    pages[0].far.make(Kind::Screen, true);
    run(&mut pages, |_| !events.is_empty()).await;
    assert_eq!(next(&mut events).await, Some(Event::Flowing { page: ANN, kind: Kind::Screen }));
    assert_eq!(gateway.sessions(), 1);
}

#[tokio::test]
async fn there_are_no_more_pages_than_the_gateway_takes() {
    let gateway = gateway(Limits { sessions: 1, ..Limits::default() }).await;
    let (room, _events) = RoomHandle::open(&gateway);
    let _ann = Page::join(&room, ANN, ONE).await;
    let mut far = Far::new(2, ONE, SocketAddr::new(V4, 9), start());
    let offer = far.offer(1);
    let full = OfferError::Description(webrtc::OfferError::Full);
    assert_eq!(room.offer(BEN, offer.clone()).await, Err(full));
    room.leave(ANN);
    assert!(room.offer(BEN, offer).await.is_ok());
}

#[tokio::test]
async fn an_offer_keeps_its_place_before_what_is_said_after_it() {
    let gateway = gateway(Limits::default()).await;
    let (room, _events) = RoomHandle::open(&gateway);
    let mut far = Far::new(1, ONE, SocketAddr::new(V4, 9), start());
    let offer = far.offer(1);
    let overtaken = room.offer(ANN, "v=0".to_owned());
    let latest = room.offer(ANN, offer.clone());
    assert_eq!(overtaken.await, Err(OfferError::Gone));
    assert!(latest.await.is_ok());
    let left = room.offer(BEN, offer);
    room.leave(BEN);
    assert_eq!(left.await, Err(OfferError::Gone));
    assert_eq!(room.stats(BEN).await, None, "whoever has left does not come back by an offer from before");
    assert_eq!(gateway.sessions(), 1);
}

#[tokio::test]
async fn nobody_waits_for_a_room_whose_task_is_over() {
    let gateway = gateway(Limits::default()).await;
    let other = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (room, mut events) = {
        let _entered = other.enter();
        RoomHandle::open(&gateway)
    };
    assert!(!room.is_closed());
    let waiting = room.offer(ANN, "v=0".to_owned());
    other.shutdown_background();
    assert!(room.is_closed());
    assert_eq!(timeout(DEADLINE, waiting).await.unwrap(), Err(OfferError::Gone));
    assert_eq!(timeout(DEADLINE, room.offer(ANN, "v=0".to_owned())).await.unwrap(), Err(OfferError::Gone));
    assert_eq!(next(&mut events).await, None);
    assert_eq!(room.stats(ANN).await, None);
}

#[tokio::test]
async fn who_does_not_read_events_stops_nobody() {
    let gateway = gateway(Limits::default()).await;
    let (room, mut events) = RoomHandle::open(&gateway);
    let mut pages = [Page::join(&room, ANN, ONE).await];
    pages[0].far.make(Kind::Camera, true);
    for round in 1..100 {
        room.allow(ANN, Kind::Camera, round % 2 == 1);
        let received = room.stats(ANN).await.unwrap().received;
        run(&mut pages, |pages| pages[0].far.is_connected).await;
        let mut now = received;
        while now == received && round % 2 == 1 {
            pages[0].step().await;
            now = room.stats(ANN).await.unwrap().received;
        }
    }
    assert_eq!(next(&mut events).await, Some(Event::Flowing { page: ANN, kind: Kind::Camera }));
    assert!(events.len() <= 64);
}
