use super::*;
use rtc_proto::sdp::{Direction, OpusFormat};

const DEADLINE: Duration = Duration::from_secs(20);

fn terms(remote: &MediaPort) -> Negotiated {
    Negotiated {
        remote_rtp: remote.rtp(),
        remote_rtcp: remote.rtcp(),
        has_rtcp_mux: false,
        codec: rtc_proto::Codec::Pcmu,
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

async fn done(events: &mut mpsc::Receiver<PortEvent>) -> (Job, JobOutcome) {
    loop {
        let event = tokio::time::timeout(DEADLINE, events.recv()).await.unwrap().unwrap();
        if let PortEvent::JobDone { job, outcome } = event {
            return (job, outcome);
        }
    }
}

/// Two media threads, and a mixer on each.
fn two() -> (Media, [MixerPort; 2]) {
    let first_port = 36_000 + (std::process::id() % 200) as u16 * 40;
    let config = media_plane::Config {
        threads: 2,
        first_port,
        last_port: first_port + 39,
        ..media_plane::Config::default()
    };
    let media = Media::start(config).unwrap();
    let legs = [(); 2].map(|()| media.open_for_script().unwrap().0);
    let mixers = legs.map(|near| {
        let id = media.plane.open_mixer(MixerConfig::default(), Some(near.leg())).unwrap();
        MixerPort { media: media.clone(), id }
    });
    (media, mixers)
}

#[tokio::test]
async fn whoever_listens_to_a_leg_hears_of_it_under_both_names() {
    let (media, mixers) = two();
    let [(port, mut events), (far, _unheard)] = [(); 2].map(|()| media.open_for_script().unwrap());
    port.configure(&terms(&far)).unwrap();
    let (first, session) = (port.leg(), port.session_id());

    for number in 0..10 {
        let mixer = mixers.iter().find(|mixer| !port.leg().can_join(mixer.id())).unwrap();
        let before = port.leg();
        port.play_tone(Job(number), 400).unwrap();
        port.bring_to(mixer.id()).unwrap();
        assert!(port.leg() != before && port.leg().can_join(mixer.id()));
        let now = port.leg();
        port.bring_to(mixer.id()).unwrap();
        assert_eq!(port.leg(), now);
        mixer.join(port.leg());
        assert!(matches!(done(&mut events).await, (Job(job), JobOutcome::Cancelled) if job == number));
    }

    assert_eq!((port.session_id(), port.leg() != first), (session, true));
    port.play_tone(Job(99), 400).unwrap();
    port.stop(Job(99));
    assert!(matches!(done(&mut events).await, (Job(99), JobOutcome::Cancelled)));
    drop((port, far));
    tokio::time::timeout(DEADLINE, media.idle()).await.unwrap();
    assert_eq!(media.stats().legs, 0);
}

#[tokio::test]
async fn a_leg_that_cannot_be_brought_is_what_it_was() {
    let (media, [mixer, closed]) = two();
    let (port, mut events) = media.open_for_script().unwrap();
    let (far, _unheard) = media.open_for_script().unwrap();
    port.configure(&terms(&far)).unwrap();
    port.bring_to(mixer.id()).unwrap();
    let (before, gone) = (port.leg(), closed.id());
    drop(closed);

    assert!(matches!(port.bring_to(gone), Err(PlaneError::NoMixer)));

    assert_eq!(port.leg(), before);
    port.play_tone(Job(1), 400).unwrap();
    port.stop(Job(1));
    assert!(matches!(done(&mut events).await, (Job(1), JobOutcome::Cancelled)));
}
