//! One phase: threads are started, sound flows, what it took is read.

use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc as std_mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use app_media::Format;
use media_engine::Codec as EngineCodec;
use media_plane::{
    Config, LegPort, MediaPlane, MemberConfig, MixerConfig, MixerId, PlaneStats, StreamConfig, StreamPort,
};
use node::Clock;
use rtc_proto::Codec;
use rtc_proto::sdp::{Direction, Negotiated, OpusFormat};
use tokio::runtime::Builder;
use tokio::sync::{mpsc, oneshot};
use tokio::task::LocalSet;

use super::super::cores::Cores;
use super::board::{Board, Found, Orders};
use super::bots::Bots;
use super::peers::{Offer, Peer};
use super::phones::Sinks;
use super::sound::hum;
use super::threads::Used;
use super::{retry, serve};

/// How applications are connected.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Socket(Format),
    WebRtc,
}

/// What a phase found.
pub(super) struct Run {
    pub(super) duration: Duration,
    /// Processor time of the media thread, of the sessions' and of the load's.
    pub(super) media: Duration,
    pub(super) sessions: Duration,
    pub(super) load: Duration,
    pub(super) plane: PlaneStats,
    pub(super) found: Found,
}

/// Names of threads, by which their processor time is found. The media thread is the plane's.
const MEDIA: &str = "media-";
const SESSIONS: &str = "sessions";
const LOAD: &str = "load";

/// Jitter buffers learn in it how calm the network is; as long as what is measured where that is less.
const WARM_UP: Duration = Duration::from_secs(5);
/// How long after the last application has come they begin to echo.
const SETTLE: Duration = Duration::from_millis(500);
/// How often events of the media thread are taken.
const LOOK_PAUSE: Duration = Duration::from_millis(100);
/// Members of a mixer of two.
const MEMBERS: usize = 4;
/// Odd, and far from regular; any other number mixes as well.
const SHUFFLE: u32 = 0x9e37_79b1;
/// Offers on their way.
const OFFERS: usize = 16;

/// Where the load is reached.
struct Places {
    sinks: Vec<SocketAddr>,
    bots: SocketAddr,
}

/// A mixer and the phone in it.
struct Bridge {
    mixer: MixerId,
    phone: LegPort,
}

/// Measures so many calls.
pub(super) fn run(kind: Kind, count: usize, duration: Duration, cores: Cores) -> Result<Run> {
    let orders = Arc::<Orders>::default();
    let told = Arc::clone(&orders);
    let ((places, placed), (legs, legs_out)) = (std_mpsc::channel(), oneshot::channel());
    let (offers, offers_out) = mpsc::channel(OFFERS);
    let offers = matches!(kind, Kind::WebRtc).then_some(offers);
    let load = thread(LOAD, move || {
        cores.enter_load()?;
        block_on(load((count, told), places, legs_out, offers))
    })?;
    let Ok(Places { sinks, bots }) = placed.recv() else { return Err(failure(load, "the load")) };

    let (plane, mut events) = MediaPlane::start(Config {
        first_port: 10_000,
        last_port: 31_999,
        max_legs_per_thread: count * 2,
        pinned_cores: vec![cores.server],
        ..Config::default()
    })?;
    let bridges = bridges(&plane, count)?;
    // Once it has ended, its end says why.
    let _ = legs.send(bridges.iter().map(|bridge| bridge.phone.rtp).collect());
    let mixers = bridges.iter().map(|bridge| bridge.mixer).collect();
    let sessions = sessions(kind, (&plane, mixers), (bots, offers_out), cores)?;
    answer(&plane, &bridges, &sinks)?;

    let clock = Clock::start();
    let mut wait = |time: Duration| {
        let until = clock.elapsed() + time;
        while clock.elapsed() < until {
            while events.next().is_some() {}
            std::thread::park_timeout(LOOK_PAUSE.min(time));
        }
    };
    // What is late while hundreds of applications are dialled in a row would stay late for the whole call.
    wait(SETTLE);
    orders.echo();
    wait(WARM_UP.min(duration));
    let (before, plane_before, began) = (Used::now()?, plane.stats(), clock.elapsed());
    orders.begin();
    wait(duration);
    orders.pause();
    let (after, stats, duration) = (Used::now()?, plane.stats(), clock.elapsed().saturating_sub(began));
    // The last knocks are still on their way.
    wait(Duration::from_millis(500));
    orders.end();
    // The legs are closed, and so the sessions end.
    drop(plane);
    join(sessions, "the sessions")?;
    let found = join(load, "the load")?;
    Ok(Run {
        duration,
        media: after.since(&before, MEDIA),
        sessions: after.since(&before, SESSIONS),
        load: after.since(&before, LOAD),
        plane: stats.since(&plane_before),
        found,
    })
}

/// Starts the thread of sessions, and waits until each has its application.
fn sessions(
    kind: Kind,
    (plane, mixers): (&MediaPlane, Vec<MixerId>),
    (bots, offers): (SocketAddr, mpsc::Receiver<Offer>),
    cores: Cores,
) -> Result<JoinHandle<Result<()>>> {
    let (ready, is_ready) = std_mpsc::channel();
    let work: Pin<Box<dyn Future<Output = Result<()>> + Send>> = match kind {
        Kind::Socket(format) => {
            let streams = streams(plane, &mixers)?;
            Box::pin(async move {
                let serving = serve::sockets(streams, bots, format).await?;
                let _ = ready.send(());
                serving.end().await;
                Ok(())
            })
        }
        Kind::WebRtc => {
            let plane = plane.clone();
            Box::pin(async move {
                let serving = serve::webrtc(plane, mixers, offers).await?;
                let _ = ready.send(());
                serving.end().await;
                Ok(())
            })
        }
    };
    let thread = thread(SESSIONS, move || {
        cores.enter_server()?;
        block_on(work)
    })?;
    match is_ready.recv() {
        Ok(()) => Ok(thread),
        Err(_) => Err(failure(thread, "the sessions")),
    }
}

/// The phones and applications.
async fn load(
    (count, orders): (usize, Arc<Orders>),
    places: std_mpsc::Sender<Places>,
    legs: oneshot::Receiver<Vec<SocketAddr>>,
    offers: Option<mpsc::Sender<Offer>>,
) -> Result<Found> {
    let board = Rc::new(Board::new(count));
    let tasks = LocalSet::new();
    let talking = tasks.run_until(async {
        let (sinks, bots) = (Sinks::bind().await?, Bots::bind().await?);
        let placed = Places { sinks: sinks.addresses()?, bots: bots.address()? };
        places.send(placed).ok().context("nobody waits for the load")?;
        let legs = legs.await.context("there are no legs")?;
        sinks.listen(&legs, &board, &orders);
        bots.serve(Rc::clone(&board), Arc::clone(&orders));
        if let Some(offers) = offers {
            let payloads = Rc::new(hum(EngineCodec::Opus));
            for stream in 0..count {
                let peer = Peer::call(stream, &offers, (&board, &orders), &payloads).await?;
                let phase = Duration::from_millis(stream as u64 * 7 % 20);
                // One that fails shows as sound that is missing.
                tokio::task::spawn_local(peer.talk(phase));
            }
        }
        sinks.speak(&legs, &board, &orders).await;
        Ok::<_, anyhow::Error>(())
    });
    talking.await?;
    Ok(board.found.take())
}

/// Opens a mixer and a phone for each call.
fn bridges(plane: &MediaPlane, count: usize) -> Result<Vec<Bridge>> {
    let config = MixerConfig { max_members: MEMBERS, ..MixerConfig::default() };
    let open = |_| {
        let mixer = retry(|| plane.open_mixer(config, None))?;
        Ok(Bridge { mixer, phone: retry(|| plane.open_leg_at(mixer))? })
    };
    (0..count).map(open).collect()
}

/// Lets the phones answer, after their applications have come, and in another order, as people do.
fn answer(plane: &MediaPlane, bridges: &[Bridge], sinks: &[SocketAddr]) -> Result<()> {
    let mut phones: Vec<_> = bridges.iter().zip(sinks.iter().cycle()).collect();
    phones.sort_by_key(|(bridge, _)| u32::from(bridge.phone.rtp.port()).wrapping_mul(SHUFFLE));
    for (Bridge { mixer, phone }, sink) in phones {
        retry(|| plane.join(phone.leg, *mixer, MemberConfig::default()))?;
        retry(|| plane.configure(phone.leg, &terms(*sink)))?;
    }
    Ok(())
}

/// Opens the end of an application in each mixer.
fn streams(plane: &MediaPlane, mixers: &[MixerId]) -> Result<Vec<StreamPort>> {
    let open = |mixer: &MixerId| {
        let leg = retry(|| plane.open_virtual_leg(*mixer))?;
        let stream = retry(|| plane.open_stream(leg, StreamConfig::default()))?;
        retry(|| plane.join(leg, *mixer, MemberConfig::default()))?;
        Ok(stream)
    };
    mixers.iter().map(open).collect()
}

fn terms(phone: SocketAddr) -> Negotiated {
    Negotiated {
        remote_rtp: phone,
        remote_rtcp: phone,
        has_rtcp_mux: true,
        codec: Codec::Pcmu,
        payload_type: 0,
        receive_payload_type: 0,
        telephone_event: None,
        direction: Direction::SendRecv,
        srtp: None,
        ptime_ms: 20,
        opus: OpusFormat::default(),
        audio_level: None,
    }
}

fn thread<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<JoinHandle<Result<T>>> {
    std::thread::Builder::new().name(name.to_owned()).spawn(work).context("failed to start a thread")
}

fn block_on<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    Builder::new_current_thread().enable_all().build().context("failed to start a runtime")?.block_on(work)
}

fn join<T>(thread: JoinHandle<Result<T>>, what: &str) -> Result<T> {
    thread.join().map_err(|_| anyhow!("{what} panicked"))?.with_context(|| format!("{what} failed"))
}

/// Why a thread has ended before it should have.
fn failure<T>(thread: JoinHandle<Result<T>>, what: &str) -> anyhow::Error {
    join(thread, what).err().unwrap_or_else(|| anyhow!("{what} ended too early"))
}
