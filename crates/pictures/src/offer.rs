//! A page's offer of pictures, read and bounded.

use rtc_proto::sdp::Direction;
use webrtc::parts::{Description, Line, Place, Transport};

use crate::{Kind, MAX_TILES, OfferError};

/// Layers of a simulcast that are taken; browsers make up to three.
pub(crate) const MAX_LAYERS: usize = 3;

/// Lines for the page's own pictures, before those for pictures of others.
const OWN_LINES: usize = 2;

/// The longest names that fit into an extension of a header of RTP as str0m keeps them.
const MAX_MID: usize = 16;
const MAX_RID: usize = 8;

/// An offer of which every video line can be used.
#[derive(Clone, Debug)]
pub(crate) struct Offer {
    pub(crate) places: Vec<Place>,
    pub(crate) transport: Transport,
    pub(crate) numbers: Numbers,
    pub(crate) lines: Vec<VideoLine>,
}

/// Numbers that hold for all lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Numbers {
    pub(crate) vp8: u8,
    /// Of packets that are sent again (RFC 4588).
    pub(crate) rtx: Option<u8>,
    /// In the order of [`Extension::ALL`].
    pub(crate) extensions: Vec<(Extension, u8)>,
}

/// A video line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct VideoLine {
    /// Which place of the offer it is.
    pub(crate) place: usize,
    pub(crate) mid: String,
    pub(crate) role: Role,
    /// From our point of view.
    pub(crate) direction: Direction,
    /// The layers of its simulcast, in the offer's order, which is from small to large; none where it has no simulcast.
    pub(crate) rids: Vec<String>,
}

/// What a video line is for: its place among the others says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// The page's own picture.
    Own(Kind),
    /// A picture of somebody else.
    Others,
}

/// Extensions of headers that are of use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extension {
    AbsoluteSendTime,
    Mid,
    Orientation,
    RepairedStreamId,
    StreamId,
    TransportSequence,
}

impl Extension {
    const ALL: [Self; 6] = [
        Self::AbsoluteSendTime,
        Self::Mid,
        Self::Orientation,
        Self::RepairedStreamId,
        Self::StreamId,
        Self::TransportSequence,
    ];

    pub(crate) const fn uri(self) -> &'static str {
        match self {
            Self::AbsoluteSendTime => "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
            Self::Mid => "urn:ietf:params:rtp-hdrext:sdes:mid",
            Self::Orientation => "urn:3gpp:video-orientation",
            Self::RepairedStreamId => "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id",
            Self::StreamId => "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id",
            Self::TransportSequence => {
                "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
            }
        }
    }
}

impl Offer {
    /// Reads a first or a later offer.
    pub(crate) fn read(text: &str) -> Result<Self, OfferError> {
        let description = Description::read(text)?;
        let mut offer: Option<Self> = None;
        let mut count = 0;
        for (place, line) in description.lines().enumerate() {
            if description.places().get(place).is_none_or(|place| place.media != "video") {
                continue;
            }
            // One that is disabled keeps its role all the same.
            let role = match count {
                0 => Role::Own(Kind::Camera),
                1 => Role::Own(Kind::Screen),
                _ => Role::Others,
            };
            count += 1;
            if !line.is_live("video") {
                continue;
            }
            if count > OWN_LINES + MAX_TILES {
                return Err(OfferError::TooManyLines);
            }
            match &mut offer {
                None => offer = Some(Self::first(description.places(), place, line, role)?),
                Some(offer) => offer.add(place, line, role)?,
            }
        }
        offer.ok_or(OfferError::NoVideo)
    }

    fn first(places: &[Place], place: usize, line: Line<'_>, role: Role) -> Result<Self, OfferError> {
        let mut offer = Self {
            places: places.to_vec(),
            transport: line.transport()?,
            numbers: Numbers::read(line)?,
            lines: Vec::new(),
        };
        if !offer.numbers.has(Extension::Mid) {
            return Err(OfferError::NoMidExtension);
        }
        offer.add(place, line, role)?;
        Ok(offer)
    }

    fn add(&mut self, place: usize, line: Line<'_>, role: Role) -> Result<(), OfferError> {
        if !line.has("rtcp-mux") {
            return Err(webrtc::OfferError::NoMux.into());
        }
        let group = |place: usize| self.places.get(place).and_then(|place| place.group);
        if self
            .lines
            .first()
            .is_some_and(|first| group(place).is_none() || group(first.place) != group(place))
        {
            return Err(OfferError::NotBundled);
        }
        let mid = self.places.get(place).and_then(|place| place.mid.clone());
        let mid = mid.filter(|mid| is_name(mid, MAX_MID)).ok_or(OfferError::Mid)?;
        if self.lines.iter().any(|line| line.mid == mid) {
            return Err(OfferError::Mid);
        }
        self.numbers.take(&Numbers::read(line)?)?;
        let theirs = line.direction();
        let (direction, rids) = match role {
            Role::Own(_) if theirs.receives() => (Direction::RecvOnly, self.rids(line)),
            Role::Own(_) => (Direction::Inactive, self.rids(line)),
            Role::Others if theirs.sends() => (Direction::SendOnly, Vec::new()),
            Role::Others => (Direction::Inactive, Vec::new()),
        };
        self.lines.push(VideoLine { place, mid, role, direction, rids });
        Ok(())
    }

    /// The layers of a line's simulcast (RFC 8853, 5.1): of alternatives the first, whether paused or not.
    fn rids(&self, line: Line<'_>) -> Vec<String> {
        if !self.numbers.has(Extension::StreamId) {
            return Vec::new();
        }
        let declared = |name: &str| {
            line.values("rid").any(|rid| {
                let mut words = rid.split_ascii_whitespace();
                words.next() == Some(name) && words.next() == Some("send")
            })
        };
        let mut rids: Vec<String> = Vec::new();
        let mut words = line.values("simulcast").next().unwrap_or_default().split_ascii_whitespace();
        while let (Some(direction), Some(streams)) = (words.next(), words.next()) {
            if direction != "send" {
                continue;
            }
            for stream in streams.split(';') {
                let name = stream.split(',').next().unwrap_or_default().trim_start_matches('~');
                let is_new = is_name(name, MAX_RID) && !rids.iter().any(|rid| rid == name);
                if is_new && declared(name) && rids.len() < MAX_LAYERS {
                    rids.push(name.to_owned());
                }
            }
        }
        rids
    }

    /// Whether this later offer is of the same lines as an earlier one, as far as that had them.
    pub(crate) fn continues(&self, earlier: &Self) -> Result<(), OfferError> {
        if self.numbers != earlier.numbers {
            return Err(OfferError::Changed("the payload types or extensions"));
        }
        let is_same = |(now, before): (&VideoLine, &VideoLine)| {
            (now.place, &now.mid, now.role, &now.rids)
                == (before.place, &before.mid, before.role, &before.rids)
        };
        let is_whole = self.lines.len() >= earlier.lines.len();
        if !is_whole || !self.lines.iter().zip(&earlier.lines).all(is_same) {
            return Err(OfferError::Changed("the video lines"));
        }
        Ok(())
    }
}

impl Numbers {
    fn read(line: Line<'_>) -> Result<Self, OfferError> {
        let map = |payload_type| line.mapped("rtpmap", payload_type).map(str::trim);
        let is_vp8 = |map: &str| map.eq_ignore_ascii_case("VP8/90000");
        let vp8 = line
            .payload_types()
            .find(|payload_type| map(*payload_type).is_some_and(is_vp8))
            .ok_or(OfferError::NoVp8)?;
        let rtx = line.payload_types().find(|payload_type| {
            let is_rtx = map(*payload_type).is_some_and(|map| map.eq_ignore_ascii_case("rtx/90000"));
            is_rtx && line.mapped("fmtp", *payload_type).is_some_and(|fmtp| repairs(fmtp) == Some(vp8))
        });
        let mut extensions: Vec<(Extension, u8)> = Vec::new();
        for extension in Extension::ALL {
            let number = line.values("extmap").find_map(|value| number_of(value, extension.uri()));
            if let Some(number) = number
                && !extensions.iter().any(|(_, other)| *other == number)
            {
                extensions.push((extension, number));
            }
        }
        Ok(Self { vp8, rtx, extensions })
    }

    fn has(&self, extension: Extension) -> bool {
        self.extensions.iter().any(|(known, _)| *known == extension)
    }

    /// Takes another line's numbers, too.
    fn take(&mut self, other: &Self) -> Result<(), OfferError> {
        if (self.vp8, self.rtx) != (other.vp8, other.rtx) {
            return Err(OfferError::Numbers("VP8"));
        }
        for (extension, number) in &other.extensions {
            let same = self.extensions.iter().find(|(known, taken)| known == extension || taken == number);
            match same {
                Some(same) if *same == (*extension, *number) => {}
                Some(_) => return Err(OfferError::Numbers("extensions of headers")),
                None => self.extensions.push((*extension, *number)),
            }
        }
        Ok(())
    }
}

/// `apt=96;...`: the payload type whose packets are sent again (RFC 4588, 8.6).
fn repairs(fmtp: &str) -> Option<u8> {
    fmtp.split(';').find_map(|parameter| parameter.trim().strip_prefix("apt=")?.trim().parse().ok())
}

/// `4 urn:...` or `4/sendrecv urn:...` (RFC 8285, 8). Numbers from 15 on do not fit into short headers.
fn number_of(extmap: &str, uri: &str) -> Option<u8> {
    let mut words = extmap.split_ascii_whitespace();
    let number = words.next()?.split('/').next()?.parse().ok()?;
    (words.next() == Some(uri) && matches!(number, 1..=14)).then_some(number)
}

/// A name that can be repeated anywhere.
fn is_name(name: &str, most: usize) -> bool {
    let is_char = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_');
    !name.is_empty() && name.len() <= most && name.bytes().all(is_char)
}
