use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsStream;

use crate::table::{Opener, Slot, Way, signalled};
use crate::transports::Shared;
use crate::{CloseCause, ConnectionId, Flow, Incoming, Protocol};

/// One read; larger than nearly all messages, small enough for a stack.
const READ_BYTES: usize = 16 * 1024;

/// How long to wait where the process is out of files, so that the loop does not spin. Arbitrary.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Accepts connections until the drain begins.
pub(crate) async fn accept(listener: TcpListener, protocol: Protocol, shared: Arc<Shared>) {
    loop {
        let accepted = tokio::select! {
            () = shared.draining.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, remote)) => admit(stream, Way { protocol, remote, name: None }, &shared),
            Err(error) => {
                tracing::warn!(%error, "failed to accept a connection");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn admit(stream: TcpStream, way: Way, shared: &Arc<Shared>) {
    let is_secure = way.protocol == Protocol::Tls;
    let Some(slot) = shared.table.insert(way, Opener::Peer, &shared.draining) else {
        tracing::debug!("closed a connection past a limit");
        return;
    };
    let permit = is_secure.then(|| Arc::clone(&shared.handshakes).try_acquire_owned()).transpose();
    let Ok(permit) = permit else {
        shared.table.remove(slot.id);
        tracing::debug!("closed a connection past the limit of handshakes");
        return;
    };
    let shared = Arc::clone(shared);
    let tasks = shared.tasks.clone();
    tasks.spawn(async move {
        let ends = (slot.id, slot.way.remote);
        let wait = shared.config.first_bytes_timeout.min(shared.config.idle_timeout);
        let cause = match accepted(stream, &slot, permit, &shared).await {
            Ok(stream) => serve(stream, slot, wait, &shared).await,
            Err(cause) => cause,
        };
        finish(ends, cause, &shared).await;
    });
}

/// A connection on which bytes can go.
enum Stream {
    Plain(TcpStream),
    Secure(Box<TlsStream<TcpStream>>),
}

/// Secures a connection that a peer has opened, if it is to be.
async fn accepted(
    stream: TcpStream,
    slot: &Slot,
    permit: Option<OwnedSemaphorePermit>,
    shared: &Shared,
) -> Result<Stream, CloseCause> {
    let (Some(permit), Some(tls)) = (permit, &shared.config.security) else {
        return Ok(Stream::Plain(stream));
    };
    let secured = tokio::select! {
        cause = signalled(&slot.close, &slot.too_slow) => return Err(cause),
        secured = tls.accept(stream, shared.config.handshake_timeout) => secured,
    };
    drop(permit);
    secured.map(|stream| Stream::Secure(Box::new(stream))).map_err(handshake_failed)
}

fn handshake_failed(error: io::Error) -> CloseCause {
    tracing::debug!(%error, "failed to secure a connection");
    CloseCause::HandshakeFailed
}

/// Opens the connection of `slot`, then serves it like an accepted one.
pub(crate) async fn open(slot: Slot, shared: Arc<Shared>) {
    let ends = (slot.id, slot.way.remote);
    let connected = tokio::select! {
        cause = signalled(&slot.close, &slot.too_slow) => Err(cause),
        connected = connect(&slot.way, &shared) => connected,
    };
    let cause = match connected {
        Ok(stream) => serve(stream, slot, shared.config.idle_timeout, &shared).await,
        Err(cause) => cause,
    };
    finish(ends, cause, &shared).await;
}

async fn connect(way: &Way, shared: &Shared) -> Result<Stream, CloseCause> {
    let connecting = timeout(shared.config.connect_timeout, TcpStream::connect(way.remote));
    let Ok(Ok(stream)) = connecting.await else { return Err(CloseCause::ConnectFailed) };
    match (way.protocol, &shared.config.security) {
        (Protocol::Tls, Some(tls)) => {
            let peer = (way.remote, way.name.as_ref());
            let secured = tls.connect(stream, peer, shared.config.handshake_timeout).await;
            secured.map(|stream| Stream::Secure(Box::new(stream))).map_err(handshake_failed)
        }
        (Protocol::Tls, None) => Err(CloseCause::HandshakeFailed),
        (Protocol::Tcp | Protocol::Udp, _) => Ok(Stream::Plain(stream)),
    }
}

async fn finish((id, remote): (ConnectionId, SocketAddr), cause: CloseCause, shared: &Shared) {
    shared.table.remove(id);
    let closed = Incoming::Closed { connection: id, remote, cause };
    // Nobody is told once nobody listens any more.
    let _ = shared.incoming.send(closed).await;
}

/// Moves bytes until there is a cause to end. The first ones may take the peer as long as `wait`.
async fn serve(stream: Stream, slot: Slot, wait: Duration, shared: &Shared) -> CloseCause {
    let socket = match &stream {
        Stream::Plain(stream) => stream,
        Stream::Secure(stream) => stream.get_ref().0,
    };
    let Ok(local) = socket.local_addr() else { return CloseCause::Broken };
    let _ = socket.set_nodelay(true);
    match stream {
        Stream::Plain(mut stream) => {
            let (reader, writer) = stream.split();
            move_bytes((reader, writer), (slot, local), wait, shared).await
        }
        Stream::Secure(stream) => {
            let (reader, writer) = tokio::io::split(stream);
            move_bytes((reader, writer), (slot, local), wait, shared).await
        }
    }
}

async fn move_bytes<R: AsyncRead + Unpin, W: AsyncWrite + Unpin>(
    (mut reader, writer): (R, W),
    (slot, local): (Slot, SocketAddr),
    wait: Duration,
    shared: &Shared,
) -> CloseCause {
    let Slot { id, way, writes, too_slow, close } = slot;
    let flow = Flow { local, remote: way.remote, protocol: way.protocol, connection: Some(id) };
    let mut writer = Writer { stream: writer, writes, begun: Bytes::new() };
    let limit = shared.config.write_timeout;
    let cause = tokio::select! {
        biased;
        cause = signalled(&close, &too_slow) => cause,
        cause = read_all(&mut reader, flow, wait, shared) => cause,
        cause = writer.write_all(limit) => cause,
    };
    if cause == CloseCause::Closed {
        let _ = timeout(limit, writer.finish()).await;
    }
    cause
}

async fn read_all<R: AsyncRead + Unpin>(
    reader: &mut R,
    flow: Flow,
    wait: Duration,
    shared: &Shared,
) -> CloseCause {
    let mut wait = wait;
    loop {
        let bytes = match timeout(wait, read(reader)).await {
            Ok(Ok(bytes)) if bytes.is_empty() => return CloseCause::Peer,
            Ok(Ok(bytes)) => bytes,
            // A peer that just goes away without the closing alert of TLS.
            Ok(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => return CloseCause::Peer,
            Ok(Err(_)) => return CloseCause::Broken,
            Err(_) => return CloseCause::Idle,
        };
        wait = shared.config.idle_timeout;
        if shared.incoming.send(Incoming::Received { flow, bytes }).await.is_err() {
            return CloseCause::Closed;
        }
    }
}

/// Reads by way of the stack, so that an idle connection holds no buffer of ours.
async fn read<R: AsyncRead + Unpin>(reader: &mut R) -> io::Result<Bytes> {
    poll_fn(|context| {
        let mut space = [0; READ_BYTES];
        let mut buffer = ReadBuf::new(&mut space);
        ready!(Pin::new(&mut *reader).poll_read(context, &mut buffer))?;
        Poll::Ready(Ok(Bytes::copy_from_slice(buffer.filled())))
    })
    .await
}

/// Writes what is queued. It can be stopped at any moment and goes on where it stopped.
struct Writer<W> {
    stream: W,
    writes: mpsc::Receiver<Bytes>,
    /// What is left of the write that has begun.
    begun: Bytes,
}

impl<W: AsyncWrite + Unpin> Writer<W> {
    async fn write_all(&mut self, limit: Duration) -> CloseCause {
        loop {
            match timeout(limit, self.write()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return CloseCause::Broken,
                Err(_) => return CloseCause::Slow,
            }
            // The table keeps a sender for as long as the task runs, so the queue does not end by itself.
            match self.writes.recv().await {
                Some(bytes) => self.begun = bytes,
                None => return CloseCause::Closed,
            }
        }
    }

    /// Writes what is left, and says goodbye.
    async fn finish(&mut self) -> io::Result<()> {
        self.write().await?;
        while let Ok(bytes) = self.writes.try_recv() {
            self.begun = bytes;
            self.write().await?;
        }
        self.stream.shutdown().await
    }

    async fn write(&mut self) -> io::Result<()> {
        while !self.begun.is_empty() {
            let written = self.stream.write(&self.begun).await?;
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            drop(self.begun.split_to(written));
        }
        self.stream.flush().await
    }
}
