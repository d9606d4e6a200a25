use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use crate::table::{Opener, Slot, signalled};
use crate::transports::Shared;
use crate::{CloseCause, Flow, Incoming, Protocol};

/// One read; larger than nearly all messages, small enough for a stack.
const READ_BYTES: usize = 16 * 1024;

/// How long to wait where the process is out of files, so that the loop does not spin. Arbitrary.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Accepts connections until the drain begins.
pub(crate) async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        let accepted = tokio::select! {
            () = shared.draining.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, remote)) => admit(stream, remote, &shared),
            Err(error) => {
                tracing::warn!(%error, "failed to accept a connection");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn admit(stream: TcpStream, remote: SocketAddr, shared: &Arc<Shared>) {
    let Some(slot) = shared.table.insert(remote, Opener::Peer, &shared.draining) else {
        tracing::debug!("closed a connection past a limit");
        return;
    };
    let shared = Arc::clone(shared);
    let tasks = shared.tasks.clone();
    tasks.spawn(async move {
        let ends = (slot.id, slot.remote);
        let wait = shared.config.first_bytes_timeout.min(shared.config.idle_timeout);
        let cause = serve(stream, slot, wait, &shared).await;
        finish(ends, cause, &shared).await;
    });
}

/// Opens the connection of `slot`, then serves it like an accepted one.
pub(crate) async fn open(slot: Slot, shared: Arc<Shared>) {
    let ends = (slot.id, slot.remote);
    let connecting = timeout(shared.config.connect_timeout, TcpStream::connect(slot.remote));
    let connected = tokio::select! {
        cause = signalled(&slot.close, &slot.too_slow) => Err(cause),
        connected = connecting => match connected {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(_)) | Err(_) => Err(CloseCause::ConnectFailed),
        },
    };
    let cause = match connected {
        Ok(stream) => serve(stream, slot, shared.config.idle_timeout, &shared).await,
        Err(cause) => cause,
    };
    finish(ends, cause, &shared).await;
}

async fn finish((id, remote): (crate::ConnectionId, SocketAddr), cause: CloseCause, shared: &Shared) {
    shared.table.remove(id);
    let closed = Incoming::Closed { connection: id, remote, cause };
    // Nobody is told once nobody listens any more.
    let _ = shared.incoming.send(closed).await;
}

/// Moves bytes until there is a cause to end. The first ones may take the peer as long as `wait`.
async fn serve(stream: TcpStream, slot: Slot, wait: Duration, shared: &Shared) -> CloseCause {
    let Ok(local) = stream.local_addr() else { return CloseCause::Broken };
    let _ = stream.set_nodelay(true);
    let Slot { id, remote, writes, too_slow, close } = slot;
    let flow = Flow { local, remote, protocol: Protocol::Tcp, connection: Some(id) };
    let mut writer = Writer { stream: &stream, writes, begun: Bytes::new() };
    let limit = shared.config.write_timeout;
    let cause = tokio::select! {
        biased;
        cause = signalled(&close, &too_slow) => cause,
        cause = read_all(&stream, flow, wait, shared) => cause,
        cause = writer.write_all(limit) => cause,
    };
    if cause == CloseCause::Closed {
        let _ = timeout(limit, writer.flush()).await;
    }
    cause
}

async fn read_all(stream: &TcpStream, flow: Flow, wait: Duration, shared: &Shared) -> CloseCause {
    let mut wait = wait;
    loop {
        match timeout(wait, stream.readable()).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return CloseCause::Broken,
            Err(_) => return CloseCause::Idle,
        }
        let bytes = match try_read(stream) {
            Ok(bytes) if bytes.is_empty() => return CloseCause::Peer,
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
            Err(_) => return CloseCause::Broken,
        };
        wait = shared.config.idle_timeout;
        if shared.incoming.send(Incoming::Received { flow, bytes }).await.is_err() {
            return CloseCause::Closed;
        }
    }
}

/// Reads by way of the stack, so that an idle connection holds no buffer.
fn try_read(stream: &TcpStream) -> io::Result<Bytes> {
    let mut buffer = [0; READ_BYTES];
    let length = stream.try_read(&mut buffer)?;
    Ok(Bytes::copy_from_slice(buffer.get(..length).unwrap_or_default()))
}

/// Writes what is queued. It can be stopped at any moment and goes on where it stopped.
struct Writer<'a> {
    stream: &'a TcpStream,
    writes: mpsc::Receiver<Bytes>,
    /// What is left of the write that has begun.
    begun: Bytes,
}

impl Writer<'_> {
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

    async fn flush(&mut self) -> io::Result<()> {
        self.write().await?;
        while let Ok(bytes) = self.writes.try_recv() {
            self.begun = bytes;
            self.write().await?;
        }
        Ok(())
    }

    async fn write(&mut self) -> io::Result<()> {
        while !self.begun.is_empty() {
            self.stream.writable().await?;
            match self.stream.try_write(&self.begun) {
                Ok(written) => drop(self.begun.split_to(written)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
