//! SRTP and SRTCP (RFC 3711) with the AES-GCM suites (RFC 7714), in place and without allocation.
//!
//! [`Outbound`] protects what one end sends, [`Inbound`] opens what it receives. Packets stay in the caller's
//! buffer; protection needs [`MAX_OVERHEAD`] octets of room behind the packet.

mod cipher;
mod replay;
mod suite;

use thiserror::Error;

use self::cipher::{Behind, Cipher, Kind, Position};
use self::replay::ReplayWindow;
pub use self::suite::{MAX_MASTER_LEN, MasterKey, Suite};
use crate::rtp;

/// Octets that protection adds at most: tag and RTCP index.
pub const MAX_OVERHEAD: usize = 16 + 4;

/// Sources that one far end may use with one key at a time: its stream, and those of transfers behind it.
const MAX_SOURCES: usize = 8;

/// Fixed part of an RTCP packet that stays readable.
const RTCP_HEADER_LEN: usize = 8;

/// The E flag of the SRTCP index word (RFC 3711, 3.4).
const ENCRYPTED: u32 = 0x8000_0000;

/// Indices that one master key may protect in RTCP (RFC 3711, 9.2).
const MAX_RTCP_INDEX: u32 = 0x7fff_ffff;

/// Packets that one master key may protect in RTP: 48 bits of index.
const MAX_RTP_INDEX: u64 = (1 << 48) - 1;

/// Why a packet was not protected or not opened.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum SrtpError {
    /// The tag does not match: another key, or a forged packet.
    #[error("authentication failed")]
    Authentication,
    /// The cryptographic library refused; does not happen with keys of the right length.
    #[error("cipher failed")]
    Crypto,
    /// The key has protected as many packets as it may.
    #[error("key is used up")]
    KeyExhausted,
    /// The packet is not long enough to hold header, tag and index, or not RTP at all.
    #[error("malformed packet")]
    Malformed,
    /// The packet was seen before, or is too old to tell.
    #[error("replayed packet")]
    Replay,
    /// The buffer has no room for the tag.
    #[error("buffer is too small")]
    Room,
}

/// Protects the packets of one source.
#[derive(Debug)]
pub struct Outbound {
    suite: Suite,
    rtp: Cipher,
    rtcp: Cipher,
    highest: Option<u64>,
    rtcp_index: u32,
}

impl Outbound {
    /// Derives the session keys.
    ///
    /// # Errors
    ///
    /// Returns [`SrtpError::Crypto`] where the library refuses the keys.
    pub fn new(master: &MasterKey) -> Result<Self, SrtpError> {
        let rtp = Cipher::new(master, Kind::Rtp)?;
        let rtcp = Cipher::new(master, Kind::Rtcp)?;
        Ok(Self { suite: master.suite(), rtp, rtcp, highest: None, rtcp_index: 0 })
    }

    /// Encrypts the RTP packet in `buffer[..len]` and returns its new length.
    ///
    /// Sequence numbers must not go back by more than 32,767 from one packet to the next, nor repeat.
    ///
    /// # Errors
    ///
    /// Returns [`SrtpError::Room`], [`SrtpError::Malformed`], or [`SrtpError::Replay`] where the index was
    /// used.
    pub fn protect_rtp(&mut self, buffer: &mut [u8], len: usize) -> Result<usize, SrtpError> {
        let packet = buffer.get(..len).ok_or(SrtpError::Malformed)?;
        let (start, ssrc, sequence) = read_rtp_header(packet)?;
        let index = guess_index(self.highest, sequence).ok_or(SrtpError::Replay)?;
        if self.highest.is_some_and(|highest| index <= highest) {
            return Err(SrtpError::Replay);
        }
        if index > MAX_RTP_INDEX {
            return Err(SrtpError::KeyExhausted);
        }
        let end = len + self.suite.rtp_tag_len();
        let (packet, room) = buffer.get_mut(..end).ok_or(SrtpError::Room)?.split_at_mut(len);
        let (header, body) = packet.split_at_mut(start);
        let tag = self.rtp.seal(Position { ssrc, index }, header, body, &rollover(index))?;
        room.copy_from_slice(tag.as_slice());
        self.highest = Some(index);
        Ok(end)
    }

    /// Encrypts the RTCP compound packet in `buffer[..len]` and returns its new length.
    ///
    /// # Errors
    ///
    /// Returns [`SrtpError::Room`], [`SrtpError::Malformed`] or [`SrtpError::KeyExhausted`].
    pub fn protect_rtcp(&mut self, buffer: &mut [u8], len: usize) -> Result<usize, SrtpError> {
        let packet = buffer.get(..len).ok_or(SrtpError::Malformed)?;
        let ssrc = read_rtcp_ssrc(packet)?;
        if self.rtcp_index >= MAX_RTCP_INDEX {
            return Err(SrtpError::KeyExhausted);
        }
        let index = self.rtcp_index + 1;
        let word = (ENCRYPTED | index).to_be_bytes();
        let end = len + self.suite.rtcp_tag_len() + word.len();
        let (packet, room) = buffer.get_mut(..end).ok_or(SrtpError::Room)?.split_at_mut(len);
        let (header, body) = packet.split_at_mut(RTCP_HEADER_LEN);
        let at = Position { ssrc, index: index.into() };
        if self.suite.aead().is_some() {
            let tag = self.rtcp.seal(at, &rtcp_aad(header, word), body, &[])?;
            let (tag_room, word_room) = room.split_at_mut(tag.as_slice().len());
            tag_room.copy_from_slice(tag.as_slice());
            word_room.copy_from_slice(&word);
        } else {
            let tag = self.rtcp.seal(at, header, body, &word)?;
            let (word_room, tag_room) = room.split_at_mut(word.len());
            word_room.copy_from_slice(&word);
            tag_room.copy_from_slice(tag.as_slice());
        }
        self.rtcp_index = index;
        Ok(end)
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Source {
    ssrc: u32,
    rtp: ReplayWindow,
    rtcp: ReplayWindow,
    last_used: u64,
}

/// Opens the packets of one far end, of a few sources.
#[derive(Debug)]
pub struct Inbound {
    suite: Suite,
    rtp: Cipher,
    rtcp: Cipher,
    mki_len: usize,
    sources: [Option<Source>; MAX_SOURCES],
    uses: u64,
}

impl Inbound {
    /// Derives the session keys.
    ///
    /// # Errors
    ///
    /// Returns [`SrtpError::Crypto`] where the library refuses the keys.
    pub fn new(master: &MasterKey) -> Result<Self, SrtpError> {
        let rtp = Cipher::new(master, Kind::Rtp)?;
        let rtcp = Cipher::new(master, Kind::Rtcp)?;
        let mki_len = master.mki_len().into();
        Ok(Self { suite: master.suite(), rtp, rtcp, mki_len, sources: [None; MAX_SOURCES], uses: 0 })
    }

    /// Verifies and decrypts an RTP packet in place and returns its length without the tag.
    ///
    /// # Errors
    ///
    /// Returns [`SrtpError`]; the buffer is worthless then and no state has changed.
    pub fn unprotect_rtp(&mut self, packet: &mut [u8]) -> Result<usize, SrtpError> {
        let (start, ssrc, sequence) = read_rtp_header(packet)?;
        let packet = self.without_mki(packet, self.suite.rtp_tag_len())?;
        let len = packet.len().checked_sub(self.suite.rtp_tag_len()).ok_or(SrtpError::Malformed)?;
        if len < start {
            return Err(SrtpError::Malformed);
        }
        let mut source = self.source(ssrc);
        let index = guess_index(source.rtp.highest(), sequence).ok_or(SrtpError::Replay)?;
        if index > MAX_RTP_INDEX || !source.rtp.admits(index) {
            return Err(SrtpError::Replay);
        }
        let (packet, tag) = packet.split_at_mut(len);
        let (header, body) = packet.split_at_mut(start);
        let behind = Behind { tag, trailer: &rollover(index) };
        self.rtp.open(Position { ssrc, index }, header, body, behind)?;
        source.rtp.record(index);
        self.keep(source);
        Ok(len)
    }

    /// Verifies and decrypts an RTCP compound packet in place and returns its length without index and tag.
    ///
    /// # Errors
    ///
    /// Returns [`SrtpError`]; the buffer is worthless then and no state has changed.
    pub fn unprotect_rtcp(&mut self, packet: &mut [u8]) -> Result<usize, SrtpError> {
        let ssrc = read_rtcp_ssrc(packet)?;
        let tag_len = self.suite.rtcp_tag_len();
        let packet = self.without_mki(packet, tag_len)?;
        let len = packet.len().checked_sub(tag_len + 4).ok_or(SrtpError::Malformed)?;
        if len < RTCP_HEADER_LEN {
            return Err(SrtpError::Malformed);
        }
        let (packet, behind) = packet.split_at_mut(len);
        let (header, body) = packet.split_at_mut(RTCP_HEADER_LEN);
        let is_aead = self.suite.aead().is_some();
        let (first, second) = behind.split_at(if is_aead { tag_len } else { 4 });
        let (tag, word) = if is_aead { (first, second) } else { (second, first) };
        let word: [u8; 4] = word.try_into().map_err(|_| SrtpError::Malformed)?;
        let index_word = u32::from_be_bytes(word);
        // Unencrypted SRTCP exists only by agreement (RFC 4568, 6.3.2), and we never agree.
        if index_word & ENCRYPTED == 0 {
            return Err(SrtpError::Malformed);
        }
        let index = u64::from(index_word & !ENCRYPTED);
        let mut source = self.source(ssrc);
        if !source.rtcp.admits(index) {
            return Err(SrtpError::Replay);
        }
        let at = Position { ssrc, index };
        if is_aead {
            self.rtcp.open(at, &rtcp_aad(header, word), body, Behind { tag, trailer: &[] })?;
        } else {
            self.rtcp.open(at, header, body, Behind { tag, trailer: &word })?;
        }
        source.rtcp.record(index);
        self.keep(source);
        Ok(len)
    }

    /// Cuts out the key identifier: in front of the HMAC tag (RFC 3711, 3.1), or last (RFC 7714, 8.2 and
    /// 9.2).
    fn without_mki<'a>(&self, packet: &'a mut [u8], tag_len: usize) -> Result<&'a mut [u8], SrtpError> {
        let len = packet.len().checked_sub(self.mki_len).ok_or(SrtpError::Malformed)?;
        if self.mki_len > 0 && self.suite.aead().is_none() {
            let to = len.checked_sub(tag_len).ok_or(SrtpError::Malformed)?;
            packet.copy_within(to + self.mki_len.., to);
        }
        Ok(&mut packet[..len])
    }

    fn source(&self, ssrc: u32) -> Source {
        let known = self.sources.iter().flatten().find(|source| source.ssrc == ssrc);
        known.copied().unwrap_or(Source { ssrc, ..Source::default() })
    }

    /// Stores the state of an authenticated packet's source, in place of the one unused for longest if need
    /// be.
    fn keep(&mut self, mut source: Source) {
        self.uses = self.uses.wrapping_add(1);
        source.last_used = self.uses;
        let slot = self.sources.iter().position(|slot| slot.is_some_and(|kept| kept.ssrc == source.ssrc));
        let slot = slot.or_else(|| self.sources.iter().position(Option::is_none)).unwrap_or_else(|| {
            let oldest =
                self.sources.iter().enumerate().min_by_key(|(_, slot)| slot.map(|kept| kept.last_used));
            oldest.map_or(0, |(at, _)| at)
        });
        if let Some(slot) = self.sources.get_mut(slot) {
            *slot = Some(source);
        }
    }
}

fn read_rtp_header(packet: &[u8]) -> Result<(usize, u32, u16), SrtpError> {
    let start = rtp::header_len(packet).map_err(|_| SrtpError::Malformed)?;
    let head = packet.first_chunk::<{ rtp::FIXED_HEADER_LEN }>().ok_or(SrtpError::Malformed)?;
    let ssrc = u32::from_be_bytes([head[8], head[9], head[10], head[11]]);
    Ok((start, ssrc, u16::from_be_bytes([head[2], head[3]])))
}

fn read_rtcp_ssrc(packet: &[u8]) -> Result<u32, SrtpError> {
    let head = packet.first_chunk::<RTCP_HEADER_LEN>().ok_or(SrtpError::Malformed)?;
    if head[0] >> 6 != 2 {
        return Err(SrtpError::Malformed);
    }
    Ok(u32::from_be_bytes([head[4], head[5], head[6], head[7]]))
}

/// Header and index word: what GCM authenticates beside the encrypted part of RTCP (RFC 7714, 9.2).
fn rtcp_aad(header: &[u8], word: [u8; 4]) -> [u8; RTCP_HEADER_LEN + 4] {
    let mut aad = [0; RTCP_HEADER_LEN + 4];
    for (into, from) in aad.iter_mut().zip(header.iter().chain(&word)) {
        *into = *from;
    }
    aad
}

fn rollover(index: u64) -> [u8; 4] {
    let [_, _, a, b, c, d, _, _] = index.to_be_bytes();
    [a, b, c, d]
}

/// The index nearest to the highest so far that ends in `sequence` (RFC 3711, 3.3.1); `None` before the
/// stream's start.
fn guess_index(highest: Option<u64>, sequence: u16) -> Option<u64> {
    let Some(highest) = highest else { return Some(sequence.into()) };
    let step = i64::from(sequence.wrapping_sub((highest & 0xffff) as u16).cast_signed());
    highest.checked_add_signed(step)
}

#[cfg(test)]
mod tests;
