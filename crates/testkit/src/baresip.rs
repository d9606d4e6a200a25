use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

use media_engine::analysis::{amplitude_at, sine};
use media_engine::wav_file;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::dev::User;
use crate::dir::TempDir;
use crate::log::Log;
use crate::ports;
use crate::process::{Process, require_program};
use crate::server::Server;
use crate::sound::melody;
use crate::wait::{eventually, within};

/// Whether a phone takes its calls by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answering {
    /// It answers at once.
    Automatic,
    /// It rings until it is told what to do.
    Manual,
}

/// How a phone is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Phone {
    /// Whether it takes its calls by itself.
    pub answering: Answering,
    /// The one codec that it has.
    pub codec: PhoneCodec,
    /// Whether it encrypts where the other side can: SRTP, keyed by SDES.
    pub is_encrypted: bool,
    /// Whether it writes every SIP message that it sends and gets to its log.
    pub is_traced: bool,
    /// The pitch of the tone that it says instead of its melody, in hertz.
    pub tone_hz: Option<u32>,
    /// How its signalling travels.
    pub transport: PhoneTransport,
}

impl Phone {
    /// Answers at once, with PCMU in the clear, over UDP.
    pub const AUTOMATIC: Self = Self {
        answering: Answering::Automatic,
        codec: PhoneCodec::Pcmu,
        is_encrypted: false,
        is_traced: false,
        tone_hz: None,
        transport: PhoneTransport::Udp,
    };
    /// Rings until it is told what to do, with PCMU in the clear, over UDP.
    pub const MANUAL: Self = Self { answering: Answering::Manual, ..Self::AUTOMATIC };
}

/// How the signalling of a phone travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PhoneTransport {
    /// Over a connection, which the phone opens to register.
    Tcp,
    /// In datagrams.
    Udp,
}

/// A codec of a phone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PhoneCodec {
    /// Wide band in 64 kbit/s.
    G722,
    /// Full band.
    Opus,
    /// G.711, A-law.
    Pcma,
    /// G.711, mu-law.
    Pcmu,
}

impl PhoneCodec {
    /// As baresip writes it, its module, and the rate and channels of the sound that it wants.
    const fn parts(self) -> (&'static str, &'static str, u32, u32) {
        match self {
            Self::G722 => ("G722/16000/1", "g722.so", 16_000, 1),
            Self::Opus => ("opus/48000/2", "opus.so", 48_000, 2),
            Self::Pcma => ("PCMA/8000/1", "g711.so", 8_000, 1),
            Self::Pcmu => ("PCMU/8000/1", "g711.so", 8_000, 1),
        }
    }
}

/// A `baresip` softphone without a sound card: it says a melody, and keeps what it hears.
#[derive(Debug)]
pub struct Baresip {
    process: Process,
    control: TcpStream,
    unread: Vec<u8>,
    events: Vec<Value>,
    dir: TempDir,
    rate_hz: u32,
}

/// The rate of the files of a phone with G.711.
const DUMPED_RATE: u32 = 8_000;
/// Octets before the sound of such a file, which says how long it is only once it is complete.
const WAV_HEADER: usize = 44;
/// How much of a tone is listened to: a third of a second.
const HEARD_SAMPLES: usize = 2_640;
/// How loud it has to be: a fifth of what a phone says.
const HEARD_AMPLITUDE: f64 = 1_200.0;

/// Says what; another number is another melody.
const SPOKEN_SEED: u32 = 20;
/// Loudness of a tone: three together do not clip.
const TONE_AMPLITUDE: f64 = 6_000.0;
/// A minute, longer than any call of a test.
const SPOKEN_MILLIS: u32 = 60_000;

impl Baresip {
    /// What it says, from the start of each call, at any rate.
    pub fn spoken(rate_hz: u32) -> Vec<i16> {
        melody(SPOKEN_SEED, SPOKEN_MILLIS, rate_hz)
    }

    /// Starts a phone and waits until it is registered as `user`, with digest. It takes three of the test's addresses:
    /// SIP at `address`, SIP over TLS at the port above, control at the next.
    ///
    /// # Panics
    ///
    /// Panics where `baresip` is not installed, or cannot register.
    pub async fn register(server: &Server, user: User, address: SocketAddr, phone: Phone) -> Self {
        require_program("baresip");
        let dir = TempDir::new("baresip");
        let control = SocketAddr::new(address.ip(), address.port() + 2);
        write_settings(&dir, server, user, (address, control), phone);
        let mut command = Command::new("baresip");
        command.arg("-f").arg(dir.path()).arg("-4");
        if phone.is_traced {
            command.arg("-s");
        }
        let mut process = Process::start("baresip", &mut command, Log::new());
        let stream = eventually("baresip takes commands", async || {
            assert!(process.is_running(), "baresip ended at once:\n{}", process.log.tail());
            let stream = TcpStream::connect(control).await.ok();
            (stream.is_some(), stream)
        });
        let control = stream.await.expect("a connection was found");
        let phone = Self {
            process,
            control,
            unread: Vec::new(),
            events: Vec::new(),
            dir,
            rate_hz: phone.codec.parts().2,
        };
        // It may have registered before the connection was there; its log says so too.
        phone.expect_log("200 OK").await;
        phone
    }

    /// Waits for an event of this type after those already waited for, such as `CALL_INCOMING`, `CALL_ESTABLISHED` or
    /// `CALL_CLOSED`.
    ///
    /// # Panics
    ///
    /// Panics with the events so far where it does not come.
    pub async fn expect(&mut self, event: &str) -> Value {
        let shown = format!("baresip's event {event}");
        within(&shown, async {
            loop {
                if let Some(at) = self.events.iter().position(|found| found["type"] == event) {
                    return self.events.drain(..=at).next_back().expect("the event that was found");
                }
                let message = self.message().await;
                if message["event"] == true {
                    self.events.push(message);
                }
            }
        })
        .await
    }

    /// Gives a command and waits until it is done.
    ///
    /// # Panics
    ///
    /// Panics with what the phone says where it refuses.
    pub async fn command(&mut self, command: &str, params: &str) {
        let text = json!({"command": command, "params": params, "token": command}).to_string();
        let framed = format!("{}:{text},", text.len());
        self.control.write_all(framed.as_bytes()).await.expect("baresip closed its control connection");
        within(&format!("baresip's answer to {command}"), async {
            loop {
                let message = self.message().await;
                if message["event"] == true {
                    self.events.push(message);
                } else if message["token"] == command {
                    assert_eq!(message["ok"], true, "baresip refused {command} {params}: {message}");
                    return;
                }
            }
        })
        .await;
    }

    /// Presses keys, one after the other.
    pub async fn press(&mut self, keys: &str) {
        for key in keys.chars() {
            self.command("sndcode", &key.to_string()).await;
        }
    }

    /// Ends the program as if its plug were pulled.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// The files of what it heard (`dec`) or said (`enc`), oldest first. Complete once the call is over.
    pub fn dumps(&self, direction: &str) -> Vec<PathBuf> {
        let files = std::fs::read_dir(self.dir.path()).into_iter().flatten().flatten();
        let ending = format!("-{direction}.wav");
        let mut found: Vec<_> =
            files.map(|file| file.path()).filter(|path| path.to_string_lossy().ends_with(&ending)).collect();
        found.sort();
        found
    }

    /// Waits until the latest of what it hears in its latest call is a tone of this pitch.
    ///
    /// # Panics
    ///
    /// Panics where it is not, or with a codec of another rate than 8 kHz.
    pub async fn hears(&self, hz: u32) {
        assert_eq!(self.rate_hz, DUMPED_RATE, "the rate of the phone's sound");
        eventually(&format!("the phone hears {hz} Hz"), async || {
            let file = self.dumps("dec").last().and_then(|path| std::fs::read(path).ok()).unwrap_or_default();
            let sound = file.get(WAV_HEADER..).unwrap_or_default();
            let samples: Vec<i16> =
                sound.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect();
            let latest = samples.len().checked_sub(HEARD_SAMPLES).and_then(|from| samples.get(from..));
            let loudness = latest.map_or(0.0, |latest| amplitude_at(latest, f64::from(hz), DUMPED_RATE));
            (loudness > HEARD_AMPLITUDE, ())
        })
        .await;
    }

    /// Waits for words in its log, from its start.
    ///
    /// # Panics
    ///
    /// Panics with the log where they do not come.
    pub async fn expect_log(&self, words: &str) {
        let log = self.process.log.clone();
        let found = tokio::time::timeout(crate::DEADLINE, log.wait_for(0, |line| line.contains(words))).await;
        assert!(found.is_ok(), "baresip does not write '{words}':\n{}", log.tail());
    }

    /// The last lines of its log.
    pub fn log_tail(&self) -> String {
        self.process.log.tail()
    }

    /// The next netstring.
    async fn message(&mut self) -> Value {
        loop {
            if let Some(message) = self.take_netstring() {
                return message;
            }
            let mut buffer = [0; 4096];
            let read = self.control.read(&mut buffer).await.unwrap_or(0);
            assert!(read > 0, "baresip closed its control connection:\n{}", self.process.log.tail());
            self.unread.extend(buffer.iter().take(read));
        }
    }

    fn take_netstring(&mut self) -> Option<Value> {
        let colon = self.unread.iter().position(|byte| *byte == b':')?;
        let length: usize = std::str::from_utf8(self.unread.get(..colon)?).ok()?.trim().parse().ok()?;
        let text = self.unread.get(colon + 1..colon + 1 + length)?.to_vec();
        self.unread.get(colon + 1 + length)?;
        self.unread.drain(..colon + 2 + length);
        let parsed = serde_json::from_slice(&text);
        Some(parsed.unwrap_or_else(|error| panic!("baresip says no JSON: {error}")))
    }
}

fn write_settings(
    dir: &TempDir,
    server: &Server,
    user: User,
    (sip, control): (SocketAddr, SocketAddr),
    phone: Phone,
) {
    let path = dir.path().display();
    let (codec, codec_module, rate_hz, channels) = phone.codec.parts();
    let spoken = match phone.tone_hz {
        Some(hz) => sine(f64::from(hz), rate_hz, TONE_AMPLITUDE, (rate_hz * SPOKEN_MILLIS / 1000) as usize),
        None => Baresip::spoken(rate_hz),
    };
    dir.write("spoken.wav", spoken_file(spoken, rate_hz, channels));
    let rtp = rtp_ports(sip.port());
    let mut config = String::new();
    for (key, value) in [
        ("sip_listen", sip.to_string()),
        // A module that is not loaded: no player, and yet what comes is decoded.
        ("audio_player", "aubridge,x".to_owned()),
        ("audio_source", format!("aufile,{path}/spoken.wav")),
        ("audio_srate", rate_hz.to_string()),
        ("audio_channels", channels.to_string()),
        ("rtp_ports", rtp),
        ("net_interface", sip.ip().to_string()),
        ("module_path", "/usr/lib/baresip/modules".to_owned()),
        ("module", codec_module.to_owned()),
        ("module", "srtp.so".to_owned()),
        ("module", "aufile.so".to_owned()),
        ("module", "sndfile.so".to_owned()),
        ("snd_path", path.to_string()),
        ("module_tmp", "uuid.so".to_owned()),
        ("module_tmp", "account.so".to_owned()),
        ("module_app", "menu.so".to_owned()),
        ("module_app", "ctrl_tcp.so".to_owned()),
        ("ctrl_tcp_listen", control.to_string()),
    ] {
        writeln!(config, "{key} {value}").expect("a string takes all text");
    }
    dir.write("config", config);
    dir.write("contacts", "");
    dir.write("accounts", account(server, user, phone, codec));
}

fn account(server: &Server, user: User, phone: Phone, codec: &str) -> String {
    let mode = match phone.answering {
        Answering::Automatic => "auto",
        Answering::Manual => "manual",
    };
    let encryption = if phone.is_encrypted { ";mediaenc=srtp" } else { "" };
    let transport = match phone.transport {
        PhoneTransport::Tcp => "tcp",
        PhoneTransport::Udp => "udp",
    };
    let (name, domain, password, proxy) = (user.sip_name, User::DOMAIN, User::PASSWORD, server.sip());
    format!(
        "<sip:{name}@{domain};transport={transport}>;auth_user={name};auth_pass={password};\
         outbound=\"sip:{proxy};transport={transport}\";regint=60;answermode={mode};audio_codecs={codec}{encryption}\n"
    )
}

/// A range for one phone, away from the server's, that no other phone of these tests uses at the same time.
fn rtp_ports(sip_port: u16) -> String {
    let block = (sip_port - ports::FIRST) / ports::STEP;
    let first = 40_000 + block * 40;
    format!("{first}-{}", first + 39)
}

/// What the phone says as a WAV file; in stereo the same on both sides.
fn spoken_file(sound: Vec<i16>, rate_hz: u32, channels: u32) -> Vec<u8> {
    if channels == 1 {
        return wav_file(rate_hz, &sound);
    }
    let both: Vec<i16> = sound.into_iter().flat_map(|sample| [sample, sample]).collect();
    let mut file = wav_file(rate_hz, &both);
    // Channels, octets in a second, octets of a block: where the header of a mono file says otherwise.
    file.splice(22..24, [2, 0]);
    file.splice(28..32, (rate_hz * 4).to_le_bytes());
    file.splice(32..34, [4, 0]);
    file
}
