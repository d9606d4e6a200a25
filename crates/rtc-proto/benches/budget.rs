//! Instructions that protection of a packet and the answer to an offer may take.

#![expect(missing_docs, reason = "the macros make items that are public and have none")]

use gungraun::{
    Callgrind, EventKind, LibraryBenchmarkConfig, library_benchmark, library_benchmark_group, main,
};
use rtc_proto::Codec::{G722, Opus, Pcma, Pcmu};
use rtc_proto::rtp;
use rtc_proto::sdp::{Direction, LocalKeys, LocalMedia, Negotiator, SrtpPolicy};
use rtc_proto::srtp::{Inbound, MAX_MASTER_LEN, MAX_OVERHEAD, MasterKey, Outbound, Suite};

/// 20 ms of G.711.
const PAYLOAD: usize = 160;
const PACKET: usize = rtp::FIXED_HEADER_LEN + PAYLOAD;

/// Two codecs, tones and keys, as softphones offer them.
const OFFER: &str = "\
v=0\r
o=- 1 1 IN IP4 198.51.100.7\r
s=-\r
c=IN IP4 198.51.100.7\r
t=0 0\r
m=audio 20010 RTP/SAVP 96 0 101\r
a=rtpmap:96 opus/48000/2\r
a=fmtp:96 stereo=1;sprop-stereo=1;useinbandfec=1\r
a=rtpmap:0 PCMU/8000\r
a=rtpmap:101 telephone-event/8000\r
a=fmtp:101 0-15\r
a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz\r
a=rtcp:20011\r
a=sendrecv\r
a=ptime:20\r
";

/// What was measured (Debian 12, rustc 1.95), and a tenth on top: more than compilers and small fixes move it by.
fn budget(measured: u64) -> LibraryBenchmarkConfig {
    let limit = measured + measured / 10;
    let mut config = LibraryBenchmarkConfig::default();
    config.tool(Callgrind::with_args(["--cache-sim=no"]).hard_limits([(EventKind::Ir, limit)]));
    config
}

/// Both ends of a protected stream that has begun.
struct Stream {
    outbound: Outbound,
    inbound: Inbound,
    sequence: u16,
    buffer: [u8; PACKET + MAX_OVERHEAD],
}

impl Stream {
    fn begun(suite: Suite) -> Box<Self> {
        let octets: Vec<u8> = (0..suite.master_len()).map(|at| at as u8).collect();
        let master = MasterKey::new(suite, &octets).expect("the key has the suite's length");
        let mut stream = Box::new(Self {
            outbound: Outbound::new(&master).expect("the library takes the key"),
            inbound: Inbound::new(&master).expect("the library takes the key"),
            sequence: 0,
            buffer: [0; PACKET + MAX_OVERHEAD],
        });
        stream.pass();
        stream
    }

    /// Protects a packet and opens it again.
    fn pass(&mut self) -> usize {
        self.sequence += 1;
        let sequence = self.sequence;
        let header = rtp::Header { marker: false, payload_type: 0, sequence, timestamp: 160, ssrc: 0xcafe };
        header.write(&mut self.buffer).expect("the header fits");
        let len = self.outbound.protect_rtp(&mut self.buffer, PACKET).expect("the packet is protected");
        self.inbound.unprotect_rtp(&mut self.buffer[..len]).expect("the packet is opened")
    }
}

fn negotiator() -> Negotiator {
    let local = LocalMedia {
        rtp: ([192, 0, 2, 1], 30_000).into(),
        rtcp: ([192, 0, 2, 1], 30_001).into(),
        codecs: vec![Opus, G722, Pcmu, Pcma],
        has_telephone_event: true,
        srtp: SrtpPolicy::Optional,
        direction: Direction::SendRecv,
        session_id: 4711,
    };
    Negotiator::new(local, LocalKeys::new(std::array::from_fn(|at| [at as u8; MAX_MASTER_LEN])))
}

#[library_benchmark]
#[bench::hmac_sha1_80(args = (Stream::begun(Suite::AesCm128HmacSha1_80)), config = budget(12_702))]
#[bench::aes_256_gcm(args = (Stream::begun(Suite::AeadAes256Gcm)), config = budget(3_259))]
fn protect_and_open(mut stream: Box<Stream>) -> Box<Stream> {
    assert_eq!(stream.pass(), PACKET);
    stream
}

#[library_benchmark(config = budget(127_123))]
#[bench::softphone(negotiator())]
fn answer_offer(mut negotiator: Negotiator) -> (Negotiator, String) {
    let (_, answer) = negotiator.answer(OFFER).expect("the offer is answered");
    (negotiator, answer)
}

library_benchmark_group!(name = media, benchmarks = [protect_and_open, answer_offer]);
main!(library_benchmark_groups = media);
