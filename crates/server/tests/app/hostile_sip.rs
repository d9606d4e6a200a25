//! What comes to the SIP and RTP ports and is no call.

use std::time::Duration;

use media_engine::analysis::share_heard;
use media_engine::wav_file;
use serde_json::json;
use sip_message::Message;
use testkit::{Baresip, FileServer, Options, Phone, SipSocket, User, melody, sound_of};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

use crate::support::{Stage, prompts};

#[expect(
    dead_code,
    reason = "the messages count here; what becomes of each is a test of sip-message and sip-proto"
)]
#[path = "../../../sip-message/tests/torture/table.rs"]
mod torture;

/// A request that a living server answers.
const OPTIONS: &str = "OPTIONS sip:contoso.example SIP/2.0\r\n\
    Via: SIP/2.0/UDP 127.0.0.1:5999;branch=z9hG4bK-alive;rport\r\nMax-Forwards: 70\r\n\
    From: <sip:test@contoso.example>;tag=t\r\nTo: <sip:contoso.example>\r\nCall-ID: alive\r\nCSeq: 1 OPTIONS\r\n\
    Content-Length: 0\r\n\r\n";

/// Datagrams that are no SIP, each wrong in another way.
fn garbage() -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> = vec![
        Vec::new(),
        vec![0],
        b"\r\n\r\n".to_vec(),
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        vec![0xff; 1_500],
        vec![b'a'; 60_000],
        format!("INVITE sip:john@contoso.example SIP/2.0\r\n{}\r\n", "X: y\r\n".repeat(9_000)).into_bytes(),
        format!("INVITE sip:{} SIP/2.0\r\n\r\n", "a".repeat(50_000)).into_bytes(),
        OPTIONS.replace("Content-Length: 0", "Content-Length: 4294967296").into_bytes(),
        OPTIONS.replace("CSeq: 1 ", "CSeq: 99999999999999 ").into_bytes(),
        OPTIONS.replace("branch=z9hG4bK-alive", &"branch=z9hG4bK;".repeat(2_000)).into_bytes(),
        OPTIONS.get(..OPTIONS.len() / 2).unwrap_or_default().as_bytes().to_vec(),
    ];
    // Numbers of a quick generator: the same ones in every run.
    let mut state = 1_u32;
    for length in (0..200).map(|n| n * 7) {
        all.push(
            (0..length)
                .map(|_| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    state.to_be_bytes()[0]
                })
                .collect(),
        );
    }
    all
}

async fn assert_alive(stage: &Stage) {
    let socket = SipSocket::bind(stage.server.peer_address(4), stage.server.sip()).await;
    socket.send(OPTIONS.as_bytes()).await;
    loop {
        if let Message::Response(response) = socket.receive().await
            && response.headers.get("Call-ID") == Some("alive")
        {
            assert_eq!(response.status.as_u16(), 200);
            break;
        }
    }
    drop(socket);
    let mut phone =
        Baresip::register(&stage.server, User::JOHN, stage.server.peer_address(0), Phone::AUTOMATIC).await;
    let call = stage.established(User::JOHN).await;
    phone.expect("CALL_ESTABLISHED").await;
    stage.end(&call).await;
}

#[tokio::test]
async fn datagrams_that_are_no_sip_do_no_harm() {
    let stage = Stage::new().await;
    let socket = SipSocket::bind(stage.server.peer_address(5), stage.server.sip()).await;
    for datagram in garbage() {
        socket.send(&datagram).await;
    }
    assert_alive(&stage).await;
}

#[tokio::test]
async fn the_torture_messages_over_udp_do_no_harm() {
    let stage = Stage::new().await;
    let socket = SipSocket::bind(stage.server.peer_address(5), stage.server.sip()).await;
    for case in torture::CASES {
        socket.send(case.octets).await;
    }
    assert_alive(&stage).await;
}

#[tokio::test]
async fn the_torture_messages_and_garbage_over_tcp_do_no_harm() {
    let stage = Stage::new().await;
    let octets = torture::CASES.iter().map(|case| case.octets.to_vec());
    for message in octets.chain(garbage()) {
        let mut stream = TcpStream::connect(stage.server.sip()).await.expect("the server listens");
        // It may close the connection before it has read all.
        let _ = stream.write_all(&message).await;
        let _ = stream.shutdown().await;
        let mut answers = Vec::new();
        let _ = testkit::within("the end of the connection", stream.read_to_end(&mut answers)).await;
    }
    // A connection that says nothing and one that never ends a message keep nobody else waiting.
    let idle = TcpStream::connect(stage.server.sip()).await.expect("the server listens");
    let mut endless = TcpStream::connect(stage.server.sip()).await.expect("the server listens");
    endless.write_all(b"INVITE sip:john@contoso.example SIP/2.0\r\nX: ").await.expect("it is read");
    assert_alive(&stage).await;
    drop((idle, endless));
}

#[tokio::test]
async fn nobody_can_dial_in_or_register_without_a_password() {
    let stage = Stage::new().await;
    let socket = SipSocket::bind(stage.server.peer_address(5), stage.server.sip()).await;
    let request = |method: &str, uri: &str, extra: &str| {
        let text = OPTIONS.replace("OPTIONS sip:contoso.example", &format!("{method} {uri}"));
        let text = text.replace("1 OPTIONS", &format!("1 {method}")).replace("alive", &format!("x-{method}"));
        text.replace("Content-Length: 0", &format!("{extra}Content-Length: 0"))
    };
    let final_status = async |message: String| {
        socket.send(message.as_bytes()).await;
        loop {
            if let Message::Response(response) = socket.receive().await
                && response.status.as_u16() >= 200
            {
                return response.status.as_u16();
            }
        }
    };

    let contact = "Contact: <sip:eve@127.0.0.1:5999>\r\n";
    let register = request("REGISTER", "sip:contoso.example", contact).replace("To: <sip:", "To: <sip:john@");
    assert_eq!(final_status(register).await, 401);
    let invite = request("INVITE", "sip:+4412345@contoso.example", contact);
    let status = final_status(invite).await;
    assert!((400..700).contains(&status), "an INVITE from nobody was answered {status}");
    let bye = request("BYE", "sip:john@contoso.example", "")
        .replace("To: <sip:contoso.example>", "To: <sip:x@y>;tag=z");
    assert_eq!(final_status(bye).await, 481);
}

#[tokio::test]
async fn rtp_from_strangers_is_not_heard() {
    // Ports that no other test sends to or listens on.
    let stage = Stage::with(Options::new().with("media.ports", "61000-61019")).await;
    let mut phone =
        Baresip::register(&stage.server, User::JOHN, stage.server.peer_address(0), Phone::AUTOMATIC).await;
    let call = stage.established(User::JOHN).await;
    phone.expect("CALL_ESTABLISHED").await;
    let body = json!({"maxRecordDurationInSeconds": 3, "playBeep": false});
    let operation = stage.bot.start(&call, "recordResponse", &body).await;

    let end = tokio::select! {
        end = stage.webhook.expect_operation(&call, &operation) => end,
        () = speak_to(61_000..61_020) => unreachable!("a stranger speaks for ever"),
    };
    assert_eq!(end.result(), Some((200, 8515)), "{}", end.body);
    let path = end.data()["recordingLocation"].as_str().expect("a location").to_owned();
    let path = path.strip_prefix(&stage.server.base_url()).expect("on this server");
    let token = end.data()["recordingAccessToken"].as_str().expect("a token");
    let recording = testkit::Bot::with_token(&stage.server, token).get(path).await.expect(200);
    let recording = sound_of(&recording.body);
    let said = Baresip::spoken(recording.rate_hz);
    let said = said.get(..12 * recording.rate_hz as usize).expect("a minute is said");
    // Without the first half second, in which the phone's sound begins. A busy machine lets packets come late, so that
    // milliseconds are left out or repeated; noise of a stranger would leave nothing that is alike.
    let heard = recording.samples.get(recording.rate_hz as usize / 2..).expect("three seconds are recorded");
    let share = share_heard(heard, said, recording.rate_hz);
    assert!(share > 0.8, "only {share:.2} of the recording is what the phone said");
    stage.end(&call).await;
}

/// Sends noise to ports: to each two packets in a row every 40 ms, which is what a change of source looks like.
async fn speak_to(ports: std::ops::Range<u16>) {
    let stranger = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
    let mut clock = tokio::time::interval(Duration::from_millis(40));
    for pair in 0.. {
        clock.tick().await;
        for (port, number) in ports.clone().flat_map(|port| [(port, 2 * pair), (port, 2 * pair + 1)]) {
            // A full system buffer drops the rest, which is as well.
            let _ = stranger.try_send_to(&packet(number), ([127, 0, 0, 1], port).into());
        }
    }
}

/// Loud PCMU noise, or a datagram that is hardly RTP.
fn packet(number: u16) -> Vec<u8> {
    if number.is_multiple_of(15) {
        return vec![0x80; usize::from(number % 13)];
    }
    let mut packet = vec![0x80, 0];
    packet.extend(number.to_be_bytes());
    packet.extend((u32::from(number) * 160).to_be_bytes());
    packet.extend([0xde, 0xad, 0xbe, 0xef]);
    packet.extend((0..160_u8).map(|n| n.wrapping_mul(97)));
    packet
}

#[tokio::test]
async fn a_prompt_of_any_octets_does_no_harm() {
    let stage = Stage::new().await;
    let whole = wav_file(16_000, &melody(9, 200, 16_000));
    // Each octet of the header turned over, one after the other.
    let broken = (0..44).map(|at| {
        let mut file = whole.clone();
        file[at] ^= 0xff;
        (&*Box::leak(format!("/{at}.wav").into_boxed_str()), file)
    });
    let files = FileServer::start(broken).await;
    let call = stage.established(User::USER1).await;

    for at in 0..44 {
        let operation =
            stage.bot.start(&call, "playPrompt", &prompts(&[&files.url(&format!("/{at}.wav"))])).await;
        let end = stage.webhook.expect_operation(&call, &operation).await;
        assert!([Some((200, 0)), Some((400, 8535))].contains(&end.result()), "octet {at}: {}", end.body);
    }
    stage.end(&call).await;
}
