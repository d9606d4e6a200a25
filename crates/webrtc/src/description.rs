//! What a far end describes, read and bounded.
//!
//! Candidates are not read at all: an ICE-lite agent sends no checks (RFC 8445, 2.5), so where the far end says that it is
//! does not matter, and no name in it is ever resolved.

use rtc_proto::sdp::Direction;
use sdp_types::{Attribute, Media, Session};

use crate::OfferError;

/// Octets of an offer; those of browsers with many streams stay below 32 KiB.
pub const MAX_OFFER_OCTETS: usize = 64 * 1024;

/// Lines of an offer, candidates among them; a browser with camera, screen and sound writes about 300.
const MAX_LINES: usize = 2_048;

/// Media lines of an offer.
const MAX_PLACES: usize = 32;

/// Formats of a line: there are 128 payload types.
const MAX_FORMATS: usize = 128;

/// Characters of a name that is echoed: `a=mid`, media, profile.
const MAX_NAME: usize = 256;

/// A description of a far end, within bounds. What is in it is yet to be judged.
#[derive(Clone, Debug)]
pub struct Description {
    session: Session,
    places: Vec<Place>,
}

/// A media line, as far as an answer repeats it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// `audio`, `video` and so on.
    pub media: String,
    /// `UDP/TLS/RTP/SAVPF` and so on.
    pub profile: String,
    /// The formats, with spaces between them.
    pub formats: String,
    /// `a=mid`.
    pub mid: Option<String>,
    /// The values of `a=rtpmap`.
    pub maps: Vec<String>,
    /// The group that it belongs to (RFC 8843).
    pub group: Option<usize>,
}

/// Who begins the DTLS handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setup {
    /// The far end leaves it to us; then it is the far end, which alone can check the path.
    ActPass,
    /// The far end.
    Active,
    /// We.
    Passive,
}

/// How the far end is reached and known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transport {
    /// Its username fragment of ICE.
    pub ufrag: String,
    /// Its password of ICE.
    pub password: String,
    /// SHA-256 of its certificate.
    pub fingerprint: [u8; 32],
    /// Who begins.
    pub setup: Setup,
}

/// One media line of a [`Description`].
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    session: &'a Session,
    media: &'a Media,
}

impl Description {
    /// Reads a first or a later offer.
    ///
    /// # Errors
    ///
    /// [`OfferError::TooLarge`], [`OfferError::Syntax`], [`OfferError::IceLite`].
    pub fn read(text: &str) -> Result<Self, OfferError> {
        let lines = text.bytes().filter(|octet| *octet == b'\n').count();
        if text.len() > MAX_OFFER_OCTETS || lines > MAX_LINES {
            return Err(OfferError::TooLarge);
        }
        let session = Session::parse(text.as_bytes()).map_err(|_| OfferError::Syntax)?;
        if session.medias.len() > MAX_PLACES {
            return Err(OfferError::TooLarge);
        }
        let places =
            session.medias.iter().map(|media| read_place(&session, media)).collect::<Result<Vec<_>, _>>()?;
        if session.has_attribute("ice-lite") {
            return Err(OfferError::IceLite);
        }
        Ok(Self { session, places })
    }

    /// The media lines, as an answer repeats them.
    pub fn places(&self) -> &[Place] {
        &self.places
    }

    /// The media lines, in the same order.
    pub fn lines(&self) -> impl Iterator<Item = Line<'_>> {
        self.session.medias.iter().map(|media| Line { session: &self.session, media })
    }
}

impl<'a> Line<'a> {
    /// Whether it is of this kind, over DTLS-SRTP and not disabled. A line of port 0 is disabled, unless it only waits for its
    /// group (RFC 8843, 6).
    pub fn is_live(self, kind: &str) -> bool {
        let profile = self.media.proto.to_ascii_uppercase();
        let is_rtp = ["UDP/TLS/RTP/SAVPF", "UDP/TLS/RTP/SAVP"].contains(&profile.as_str());
        self.media.media == kind
            && is_rtp
            && (self.media.port != 0 || self.media.has_attribute("bundle-only"))
    }

    /// Whether the line has an attribute.
    pub fn has(self, name: &str) -> bool {
        self.media.has_attribute(name)
    }

    /// The values of an attribute of the line.
    pub fn values(self, name: &'a str) -> impl Iterator<Item = &'a str> {
        values(&self.media.attributes, name)
    }

    /// The values of an attribute of the line, then those of the session part.
    pub fn values_of_both(self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.values(name).chain(values(&self.session.attributes, name))
    }

    /// The text behind the payload type in the first `rtpmap` or `fmtp` for it.
    pub fn mapped(self, name: &'a str, payload_type: u8) -> Option<&'a str> {
        self.values(name).find_map(|value| {
            let (number, rest) = value.split_once(' ')?;
            (number.parse() == Ok(payload_type)).then_some(rest)
        })
    }

    /// The payload types of the line that can be used, in its order. Of the 128, those from 64 on are taken for reports
    /// where both share a port (RFC 5761, 4).
    pub fn payload_types(self) -> impl Iterator<Item = u8> {
        let numbers = self.media.fmt.split_ascii_whitespace().filter_map(|number| number.parse().ok());
        numbers.filter(|number| matches!(number, 0..=63 | 96..=127))
    }

    /// The line's direction, turned round: from our point of view.
    pub fn direction(self) -> Direction {
        direction(&self.media.attributes)
            .or_else(|| direction(&self.session.attributes))
            .unwrap_or(Direction::SendRecv)
    }

    /// How the far end is reached by this line, or by the group of which it is.
    ///
    /// # Errors
    ///
    /// [`OfferError::NoIce`], [`OfferError::NoFingerprint`], [`OfferError::Setup`].
    pub fn transport(self) -> Result<Transport, OfferError> {
        let group = group_of(self.session, self.media).map(|(_, mids)| mids);
        // A line that is only there for its group leaves it to the group's first line to say how it is reached.
        let first = self.session.medias.iter().find(|other| {
            let mid = values(&other.attributes, "mid").next();
            mid.is_some() && mid == group.as_ref().and_then(|mids| mids.first().copied())
        });
        let levels: Vec<&[Attribute]> = [Some(&self.media.attributes), Some(&self.session.attributes)]
            .into_iter()
            .chain([first.map(|first| &first.attributes)])
            .flatten()
            .map(Vec::as_slice)
            .collect();
        let value = |name| levels.iter().find_map(|level| values(level, name).next());
        // RFC 8839, 5.4.
        let ufrag = value("ice-ufrag").filter(|text| is_ice(text, 4)).ok_or(OfferError::NoIce)?;
        let password = value("ice-pwd").filter(|text| is_ice(text, 22)).ok_or(OfferError::NoIce)?;
        let fingerprint = levels
            .iter()
            .find_map(|level| values(level, "fingerprint").find_map(read_fingerprint))
            .ok_or(OfferError::NoFingerprint)?;
        let setup = match value("setup") {
            None | Some("actpass") => Setup::ActPass,
            Some("active") => Setup::Active,
            Some("passive") => Setup::Passive,
            Some(_) => return Err(OfferError::Setup),
        };
        Ok(Transport { ufrag: ufrag.to_owned(), password: password.to_owned(), fingerprint, setup })
    }
}

fn read_place(session: &Session, media: &Media) -> Result<Place, OfferError> {
    if media.fmt.split_ascii_whitespace().count() > MAX_FORMATS {
        return Err(OfferError::TooLarge);
    }
    let mid = values(&media.attributes, "mid").next().map(str::to_owned);
    let is_named = is_token(&media.media) && is_token(&media.proto) && mid.as_deref().is_none_or(is_token);
    if !is_named || !is_text(&media.fmt) {
        return Err(OfferError::Syntax);
    }
    let maps = values(&media.attributes, "rtpmap").filter(|map| is_text(map)).take(MAX_FORMATS);
    Ok(Place {
        media: media.media.clone(),
        profile: media.proto.clone(),
        formats: media.fmt.clone(),
        mid,
        maps: maps.map(str::to_owned).collect(),
        group: group_of(session, media).map(|(number, _)| number),
    })
}

fn is_text(line: &str) -> bool {
    line.bytes().all(|octet| matches!(octet, b' '..=b'~'))
}

/// What is echoed must not be able to begin another line.
fn is_token(name: &str) -> bool {
    !name.is_empty() && name.len() <= MAX_NAME && name.bytes().all(|octet| octet.is_ascii_graphic())
}

/// The group that the line belongs to: its number, and the identifiers of all its lines.
fn group_of<'a>(session: &'a Session, media: &Media) -> Option<(usize, Vec<&'a str>)> {
    let mid = values(&media.attributes, "mid").next()?;
    values(&session.attributes, "group").take(MAX_PLACES).enumerate().find_map(|(number, group)| {
        let mut words = group.split_ascii_whitespace();
        let mids: Vec<&str> =
            if words.next() == Some("BUNDLE") { words.take(MAX_PLACES).collect() } else { Vec::new() };
        mids.contains(&mid).then_some((number, mids))
    })
}

fn is_ice(text: &str, least: usize) -> bool {
    // Some stacks write base64url beside the `+` and `/` of the grammar.
    let is_char = |octet: u8| octet.is_ascii_alphanumeric() || b"+/-_=".contains(&octet);
    (least..=256).contains(&text.len()) && text.bytes().all(is_char)
}

/// `sha-256 4A:AD:...` (RFC 8122, 5).
fn read_fingerprint(value: &str) -> Option<[u8; 32]> {
    let (hash, digits) = value.trim().split_once(' ')?;
    if !hash.eq_ignore_ascii_case("sha-256") {
        return None;
    }
    let mut octets = [0; 32];
    let mut pairs = digits.trim().split(':');
    for octet in &mut octets {
        let pair = pairs.next().filter(|pair| pair.len() == 2)?;
        *octet = u8::from_str_radix(pair, 16).ok()?;
    }
    pairs.next().is_none().then_some(octets)
}

fn direction(attributes: &[Attribute]) -> Option<Direction> {
    attributes.iter().find_map(|attribute| match attribute.attribute.as_str() {
        "inactive" => Some(Direction::Inactive),
        "recvonly" => Some(Direction::SendOnly),
        "sendonly" => Some(Direction::RecvOnly),
        "sendrecv" => Some(Direction::SendRecv),
        _ => None,
    })
}

fn values<'a>(attributes: &'a [Attribute], name: &'a str) -> impl Iterator<Item = &'a str> {
    let named = attributes.iter().filter(move |attribute| attribute.attribute == name);
    named.filter_map(|attribute| attribute.value.as_deref())
}
