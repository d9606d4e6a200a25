//! Descriptions, written: our answer, and the offer as str0m is told of it.

use rtc_proto::sdp::Direction;
use webrtc::parts::{Lines, Local};

use crate::offer::{Numbers, Offer, VideoLine};

/// What answers ask for of every video line (RFC 4585, RFC 5104).
const FEEDBACK: [&str; 4] = ["transport-cc", "ccm fir", "nack", "nack pli"];

/// The sources of what we send on a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sources {
    pub(crate) packets: u32,
    pub(crate) rtx: Option<u32>,
}

/// The offer in our own words: the video lines alone, without candidates, with nothing that was not looked at. So no parser
/// behind ours ever sees what the page wrote.
pub(crate) fn canonical(offer: &Offer) -> String {
    let mut lines = Lines::default();
    lines.beginning(1, 1);
    let mids: Vec<&str> = offer.lines.iter().map(|line| line.mid.as_str()).collect();
    lines.add(format_args!("a=group:BUNDLE {}", mids.join(" ")));
    for line in &offer.lines {
        lines.add(format_args!("m=video 9 UDP/TLS/RTP/SAVPF {}", formats(&offer.numbers)));
        lines.add(format_args!("c=IN IP4 0.0.0.0"));
        lines.add(format_args!("a=mid:{}", line.mid));
        // Theirs is ours, turned round.
        let direction = match line.direction {
            Direction::RecvOnly => "sendonly",
            Direction::SendOnly => "recvonly",
            Direction::SendRecv => "sendrecv",
            Direction::Inactive => "inactive",
        };
        lines.add(format_args!("a={direction}"));
        lines.add(format_args!("a=rtcp-mux"));
        lines.far_end(&offer.transport);
        codec(&mut lines, &offer.numbers);
        simulcast(&mut lines, line, "send");
    }
    lines.finish()
}

/// Writes the answer: every line in its place (RFC 3264, 6). `sources` are those of the video lines, in their order.
pub(crate) fn answer(offer: &Offer, local: &Local<'_>, sources: &[Option<Sources>]) -> String {
    let mut lines = Lines::default();
    lines.session(local, offer.lines.iter().map(|line| line.mid.as_str()));
    for (at, place) in offer.places.iter().enumerate() {
        let Some(number) = offer.lines.iter().position(|line| line.place == at) else {
            lines.unused(place, false, local);
            continue;
        };
        let Some(line) = offer.lines.get(number) else { continue };
        lines.used(place, &formats(&offer.numbers), line.direction, local);
        lines.add(format_args!("a=rtcp-rsize"));
        codec(&mut lines, &offer.numbers);
        simulcast(&mut lines, line, "recv");
        let sources = sources.get(number).copied().flatten().filter(|_| line.direction.sends());
        if let Some(Sources { packets, rtx }) = sources {
            // A stream of its own for each line, for what is on one has nothing to do with the others.
            let name = local.session_id;
            lines.add(format_args!("a=msid:{name}-{} {}", line.mid, line.mid));
            if let Some(rtx) = rtx {
                lines.add(format_args!("a=ssrc-group:FID {packets} {rtx}"));
            }
            for ssrc in [Some(packets), rtx].into_iter().flatten() {
                lines.add(format_args!("a=ssrc:{ssrc} cname:{name}"));
            }
        }
    }
    lines.finish()
}

fn formats(numbers: &Numbers) -> String {
    let rtx = numbers.rtx.map(|rtx| format!(" {rtx}")).unwrap_or_default();
    format!("{}{rtx}", numbers.vp8)
}

fn codec(lines: &mut Lines, numbers: &Numbers) {
    for (extension, number) in &numbers.extensions {
        lines.add(format_args!("a=extmap:{number} {}", extension.uri()));
    }
    let vp8 = numbers.vp8;
    lines.add(format_args!("a=rtpmap:{vp8} VP8/90000"));
    for feedback in FEEDBACK {
        lines.add(format_args!("a=rtcp-fb:{vp8} {feedback}"));
    }
    if let Some(rtx) = numbers.rtx {
        lines.add(format_args!("a=rtpmap:{rtx} rtx/90000"));
        lines.add(format_args!("a=fmtp:{rtx} apt={vp8}"));
    }
}

fn simulcast(lines: &mut Lines, line: &VideoLine, direction: &str) {
    if line.rids.is_empty() || !line.direction.receives() {
        return;
    }
    for rid in &line.rids {
        lines.add(format_args!("a=rid:{rid} {direction}"));
    }
    lines.add(format_args!("a=simulcast:{direction} {}", line.rids.join(";")));
}
