//! Instructions that reading and writing a message may take.

#![expect(missing_docs, reason = "the macros make items that are public and have none")]

use bytes::Bytes;
use gungraun::{
    Callgrind, EventKind, LibraryBenchmarkConfig, library_benchmark, library_benchmark_group, main,
};
use sip_message::{Limits, Message, parse_datagram};

/// As a softphone sends it: 15 header fields and a description of audio.
const INVITE: &str = "\
INVITE sip:john@contoso.example SIP/2.0\r
Via: SIP/2.0/UDP 192.0.2.7:5060;branch=z9hG4bK8ab2f10c55e7d3b9;rport\r
Max-Forwards: 70\r
From: \"Bot\" <sip:bot@contoso.example>;tag=5f0c9b1de2a7\r
To: <sip:john@contoso.example>\r
Call-ID: 7f3c2a9be1d04c5d@192.0.2.7\r
CSeq: 4711 INVITE\r
Contact: <sip:bot@192.0.2.7:5060;transport=udp>\r
Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE, INFO, REFER, NOTIFY\r
Supported: replaces, timer, outbound, path\r
Session-Expires: 1800;refresher=uac\r
Min-SE: 90\r
User-Agent: Softphone 4.2 (Linux)\r
Accept: application/sdp\r
Content-Type: application/sdp\r
Content-Length: 245\r
\r
v=0\r
o=- 3870912345 3870912345 IN IP4 192.0.2.7\r
s=-\r
c=IN IP4 192.0.2.7\r
t=0 0\r
m=audio 20010 RTP/AVP 96 9 0 8 101\r
a=rtpmap:96 opus/48000/2\r
a=fmtp:96 useinbandfec=1\r
a=rtpmap:101 telephone-event/8000\r
a=fmtp:101 0-15\r
a=ptime:20\r
a=sendrecv\r
";

/// What answers it, through one proxy.
const OK: &str = "\
SIP/2.0 200 OK\r
Via: SIP/2.0/UDP 192.0.2.7:5060;branch=z9hG4bK8ab2f10c55e7d3b9;rport=5060;received=192.0.2.7\r
Record-Route: <sip:192.0.2.1;lr>\r
From: \"Bot\" <sip:bot@contoso.example>;tag=5f0c9b1de2a7\r
To: <sip:john@contoso.example>;tag=c1d7e0a94b32\r
Call-ID: 7f3c2a9be1d04c5d@192.0.2.7\r
CSeq: 4711 INVITE\r
Contact: <sip:john@198.51.100.7:5060>\r
Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE\r
Supported: replaces, timer\r
Session-Expires: 1800;refresher=uac\r
Content-Type: application/sdp\r
Content-Length: 132\r
\r
v=0\r
o=- 1 1 IN IP4 198.51.100.7\r
s=-\r
c=IN IP4 198.51.100.7\r
t=0 0\r
m=audio 7078 RTP/AVP 0 101\r
a=rtpmap:101 telephone-event/8000\r
";

/// What was measured (Debian 12, rustc 1.95), and a tenth on top: more than compilers and small fixes move it by.
fn budget(measured: u64) -> LibraryBenchmarkConfig {
    let limit = measured + measured / 10;
    let mut config = LibraryBenchmarkConfig::default();
    config.tool(Callgrind::with_args(["--cache-sim=no"]).hard_limits([(EventKind::Ir, limit)]));
    config
}

fn read(datagram: &Bytes) -> Message {
    parse_datagram(datagram, &Limits::default()).expect("the message is well-formed")
}

/// A datagram, after one like it: what is found out about the processor once is found out before.
fn received(text: &'static str) -> Bytes {
    let datagram = Bytes::from_static(text.as_bytes());
    read(&datagram);
    datagram
}

fn parsed(text: &'static str) -> Message {
    let message = read(&received(text));
    message.to_bytes();
    message
}

#[library_benchmark(config = budget(48_687))]
#[bench::typical(received(INVITE))]
fn parse_invite(datagram: Bytes) -> Message {
    read(&datagram)
}

#[library_benchmark(config = budget(47_383))]
#[bench::typical(received(OK))]
fn parse_200(datagram: Bytes) -> Message {
    read(&datagram)
}

#[library_benchmark(config = budget(3_869))]
#[bench::typical(parsed(OK))]
fn write_200(message: Message) -> Bytes {
    message.to_bytes()
}

library_benchmark_group!(name = messages, benchmarks = [parse_invite, parse_200, write_200]);
main!(library_benchmark_groups = messages);
