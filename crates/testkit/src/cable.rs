use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::{AbortHandle, JoinHandle};

use crate::server::{Options, Server};

/// What lies between a browser and the server, for tests to pull: HTTP with its sockets, and the media of WebRTC.
#[derive(Debug)]
pub struct Cable {
    near: SocketAddr,
    streams: Arc<Mutex<Vec<AbortHandle>>>,
    flows: Arc<Mutex<Flows>>,
    tasks: Vec<JoinHandle<()>>,
}

/// Where media goes to in place of the server's own address: another of this machine, with the same port.
const MEDIA: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// Larger than any packet.
const MAX_DATAGRAM: usize = 2048;

/// Who sends media to the server.
#[derive(Debug, Default)]
struct Flows {
    open: BTreeMap<SocketAddr, Flow>,
    /// Addresses that are of a network which is gone.
    dead: BTreeSet<SocketAddr>,
}

#[derive(Debug)]
struct Flow {
    /// Connected to the server.
    socket: Arc<UdpSocket>,
    back: JoinHandle<()>,
}

impl Drop for Flow {
    fn drop(&mut self) {
        self.back.abort();
    }
}

impl Cable {
    /// Settings by which a server, whose WebRTC is at that address, has its media come over a cable.
    #[must_use]
    pub fn options(media: SocketAddr) -> Options {
        Options::new().with("webrtc.udp", media).with("webrtc.external_address", MEDIA)
    }

    /// Lies before a server that was started with [`Self::options`].
    ///
    /// # Panics
    ///
    /// Panics where its ports are taken.
    pub async fn to(server: &Server, media: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let near = listener.local_addr().expect("an address");
        let socket = UdpSocket::bind((MEDIA, media.port())).await.expect("the port of the media");
        let (streams, flows) = (Arc::<Mutex<Vec<_>>>::default(), Arc::<Mutex<Flows>>::default());
        let tasks = vec![
            tokio::spawn(carry_streams(listener, server.http(), Arc::clone(&streams))),
            tokio::spawn(carry_datagrams(Arc::new(socket), media, Arc::clone(&flows))),
        ];
        Self { near, streams, flows, tasks }
    }

    /// The server's address for browsers.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.near)
    }

    /// Tears every connection that is open, without a word. New ones are carried at once.
    pub fn cut_streams(&self) {
        for stream in lock(&self.streams).drain(..) {
            stream.abort();
        }
    }

    /// The same, and nothing is carried any more from and to the addresses that media came from: a browser has to find
    /// new ones, as in another network.
    pub fn change_network(&self) {
        {
            let mut flows = lock(&self.flows);
            let gone = std::mem::take(&mut flows.open);
            flows.dead.extend(gone.into_keys());
        }
        self.cut_streams();
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        self.cut_streams();
        for task in &self.tasks {
            task.abort();
        }
        lock(&self.flows).open.clear();
    }
}

async fn carry_streams(listener: TcpListener, server: SocketAddr, streams: Arc<Mutex<Vec<AbortHandle>>>) {
    while let Ok((mut near, _)) = listener.accept().await {
        let carrying = tokio::spawn(async move {
            if let Ok(mut far) = TcpStream::connect(server).await {
                // How it ends, both ends see.
                let _ = copy_bidirectional(&mut near, &mut far).await;
            }
        });
        lock(&streams).push(carrying.abort_handle());
    }
}

async fn carry_datagrams(near: Arc<UdpSocket>, server: SocketAddr, flows: Arc<Mutex<Flows>>) {
    let mut datagram = [0; MAX_DATAGRAM];
    loop {
        let Ok((length, from)) = near.recv_from(&mut datagram).await else { continue };
        let known = {
            let flows = lock(&flows);
            if flows.dead.contains(&from) {
                continue;
            }
            flows.open.get(&from).map(|flow| Arc::clone(&flow.socket))
        };
        let socket = match known {
            Some(socket) => socket,
            None => open_flow(&near, from, server, &flows).await,
        };
        // Datagrams may be lost.
        let _ = socket.send(datagram.get(..length).unwrap_or_default()).await;
    }
}

async fn open_flow(
    near: &Arc<UdpSocket>,
    from: SocketAddr,
    server: SocketAddr,
    flows: &Mutex<Flows>,
) -> Arc<UdpSocket> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
    socket.connect(server).await.expect("a way to the server");
    let socket = Arc::new(socket);
    let (far, near) = (Arc::clone(&socket), Arc::clone(near));
    let back = tokio::spawn(async move {
        let mut datagram = [0; MAX_DATAGRAM];
        loop {
            // A server that is not there yet, or any more, is an error on a connected socket.
            let Ok(length) = far.recv(&mut datagram).await else { continue };
            let _ = near.send_to(datagram.get(..length).unwrap_or_default(), from).await;
        }
    });
    lock(flows).open.insert(from, Flow { socket: Arc::clone(&socket), back });
    socket
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
