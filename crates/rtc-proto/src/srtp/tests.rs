use super::cipher::{SessionKeys, derive};
use super::*;
use proptest::prelude::*;
use rtc_srtp::context::Context;
use rtc_srtp::option::{srtcp_replay_protection, srtp_replay_protection};
use rtc_srtp::protection_profile::ProtectionProfile;

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|digit| !digit.is_ascii_whitespace()).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn master(suite: Suite, seed: u8) -> MasterKey {
    let octets: Vec<u8> = (0..suite.master_len()).map(|at| (at as u8).wrapping_mul(7) ^ seed).collect();
    MasterKey::new(suite, &octets).unwrap()
}

fn oracle(master: &MasterKey) -> Context {
    let profile = match master.suite() {
        Suite::AeadAes256Gcm => ProtectionProfile::AeadAes256Gcm,
        Suite::AeadAes128Gcm => ProtectionProfile::AeadAes128Gcm,
        Suite::AesCm128HmacSha1_80 => ProtectionProfile::Aes128CmHmacSha1_80,
        Suite::AesCm128HmacSha1_32 => ProtectionProfile::Aes128CmHmacSha1_32,
    };
    let provider = rtc_srtp::crypto::providers::AwsLcRsProvider::new();
    let (rtp, rtcp) = (srtp_replay_protection(64), srtcp_replay_protection(64));
    let crypto = rtc_srtp::crypto::RTCCryptoProvider::crypto(&provider);
    Context::new(master.key(), master.salt(), profile, Some(rtp), Some(rtcp), crypto).unwrap()
}

fn rtp_packet(sequence: u16, payload: &[u8]) -> Vec<u8> {
    let header = rtp::Header { marker: false, payload_type: 0, sequence, timestamp: 160, ssrc: 0xcafe };
    let mut packet = vec![0; rtp::FIXED_HEADER_LEN];
    header.write(&mut packet).unwrap();
    packet.extend(payload);
    packet
}

fn rtcp_packet() -> Vec<u8> {
    hex("80c90001 0000cafe 81ca0002 0000cafe 01026162 00000000")[..20].to_vec()
}

fn with_room(packet: &[u8]) -> Vec<u8> {
    let mut buffer = packet.to_vec();
    buffer.resize(packet.len() + MAX_OVERHEAD, 0);
    buffer
}

fn protected_rtp(out: &mut Outbound, packet: &[u8]) -> Vec<u8> {
    let mut buffer = with_room(packet);
    let len = out.protect_rtp(&mut buffer, packet.len()).unwrap();
    buffer.truncate(len);
    buffer
}

fn protected_rtcp(out: &mut Outbound, packet: &[u8]) -> Vec<u8> {
    let mut buffer = with_room(packet);
    let len = out.protect_rtcp(&mut buffer, packet.len()).unwrap();
    buffer.truncate(len);
    buffer
}

/// RFC 3711, appendix B.2.
#[test]
fn counter_mode_gives_the_keystream_of_the_standard() {
    let keys = SessionKeys {
        key: &hex("2B7E151628AED2A6ABF7158809CF4F3C"),
        auth: &[0; 20],
        salt: &hex("F0F1F2F3F4F5F6F7F8F9FAFBFCFD"),
    };
    let cipher = Cipher::from_session_keys(Suite::AesCm128HmacSha1_80, Kind::Rtp, &keys).unwrap();
    let mut stream = vec![0u8; 65_282 * 16];

    cipher.seal(Position { ssrc: 0, index: 0 }, &[], &mut stream, &[]).unwrap();

    let block = |at: usize| stream[at * 16..at * 16 + 16].to_vec();
    assert_eq!(block(0), hex("E03EAD0935C95E80E166B16DD92B4EB4"));
    assert_eq!(block(1), hex("D23513162B02D0F72A43A2FE4A5F97AB"));
    assert_eq!(block(2), hex("41E95B3BB0A2E8DD477901E4FCA894C0"));
    assert_eq!(block(0xfeff), hex("EC8CDF7398607CB0F2D21675EA9EA1E4"));
    assert_eq!(block(0xff00), hex("362B7C3C6773516318A077D7FC5073AE"));
    assert_eq!(block(0xff01), hex("6A2CC3787889374FBEB4C81B17BA6C44"));
}

/// RFC 3711, appendix B.3.
#[test]
fn key_derivation_gives_the_keys_of_the_standard() {
    let key_and_salt = hex("E1F97A0D3E018BE0D64FA32C06DE4139 0EC675AD498AFEEBB6960B3AABE6");
    let master = MasterKey::new(Suite::AesCm128HmacSha1_80, &key_and_salt).unwrap();
    let (mut key, mut auth, mut salt) = ([0; 16], [0; 20], [0; 14]);

    derive(&master, 0, &mut key).unwrap();
    derive(&master, 1, &mut auth).unwrap();
    derive(&master, 2, &mut salt).unwrap();

    assert_eq!(key.to_vec(), hex("C61E7A93744F39EE10734AFE3FF7A087"));
    assert_eq!(auth.to_vec(), hex("CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4"));
    assert_eq!(salt.to_vec(), hex("30CBBC08863D8C85D49DB34A9AE1"));
}

fn gcm(suite: Suite, kind: Kind) -> Cipher {
    let key: Vec<u8> = (0..suite.key_len() as u8).collect();
    let mut salt = hex("517569642070726f2071756f");
    salt.extend([0, 0]);
    Cipher::from_session_keys(suite, kind, &SessionKeys { key: &key, auth: &[], salt: &salt }).unwrap()
}

/// RFC 7714, 16.1.1 and 16.2.1.
#[test]
fn gcm_gives_the_rtp_packets_of_the_standard() {
    let packet = hex(
        "8040f17b8041f8d35501a0b2 47616c6c696120657374206f6d6e69732064697669736120696e207061727465732074726573",
    );
    let expected = [
        (
            Suite::AeadAes128Gcm,
            "f24de3a3fb34de6cacba861c9d7e4bcabe633bd50d294e6f42a5f47a51c7d19b36de3adf8833899d7f27beb16a9152cf765ee4390cce",
        ),
        (
            Suite::AeadAes256Gcm,
            "32b1de78a822fe12ef9f78fa332e33aab18012389a58e2f3b50b2a0276ffae0f1ba63799b87b7aa3db36dfffd6b0f9bb7878d7a76c13",
        ),
    ];
    for (suite, sealed) in expected {
        let (header, body) = packet.split_at(12);
        let mut body = body.to_vec();
        let at = Position { ssrc: 0x5501_a0b2, index: 0xf17b };

        let tag = gcm(suite, Kind::Rtp).seal(at, header, &mut body, &[]).unwrap();

        body.extend(tag.as_slice());
        assert_eq!(body, hex(sealed), "{}", suite.name());
    }
}

/// RFC 7714, 17.1.
#[test]
fn gcm_gives_the_rtcp_packet_of_the_standard() {
    let packet = hex(
        "81c8000d4d617273 4e5450314e545032525450200000042a0000e9304c756e61deadbeefdeadbeefdeadbeefdeadbeefdeadbeef",
    );
    let mut out = Outbound::new(&master(Suite::AeadAes128Gcm, 0)).unwrap();
    out.rtcp = gcm(Suite::AeadAes128Gcm, Kind::Rtcp);
    out.rtcp_index = 0x5d3;

    let sealed = protected_rtcp(&mut out, &packet);

    assert_eq!(
        sealed,
        hex("81c8000d4d61727363e94885dcdab67ca727d7662f6b7e997ff5c0f76c06f32dc676a5f1730d6fda\
             4ce09b4686303ded0bb9275bc84aa45896cf4d2fc5abf87245d9eade800005d4")
    );
}

#[test]
fn both_implementations_make_the_same_packets_and_read_each_other() {
    for suite in Suite::ALL {
        let master = master(suite, 0x5a);
        let (mut ours, mut theirs) = (Outbound::new(&master).unwrap(), oracle(&master));
        let (mut inbound, mut reader) = (Inbound::new(&master).unwrap(), oracle(&master));
        for sequence in [65_000u16, 65_534, 65_535, 0, 1, 2] {
            let packet = rtp_packet(sequence, &[sequence as u8; 160]);
            let mut sealed = protected_rtp(&mut ours, &packet);
            assert_eq!(sealed, theirs.encrypt_rtp(&packet).unwrap(), "{} {sequence}", suite.name());
            assert_eq!(reader.decrypt_rtp(&sealed).unwrap(), packet);
            let len = inbound.unprotect_rtp(&mut sealed).unwrap();
            assert_eq!(sealed[..len], packet);
        }
        for _ in 0..3 {
            let mut sealed = protected_rtcp(&mut ours, &rtcp_packet());
            assert_eq!(reader.decrypt_rtcp(&sealed).unwrap(), rtcp_packet());
            let len = inbound.unprotect_rtcp(&mut sealed).unwrap();
            assert_eq!(sealed[..len], rtcp_packet());
        }
        let mut theirs_sealed = oracle(&master).encrypt_rtcp(&rtcp_packet()).unwrap().to_vec();
        let len = Inbound::new(&master).unwrap().unprotect_rtcp(&mut theirs_sealed).unwrap();
        assert_eq!(theirs_sealed[..len], rtcp_packet());
    }
}

#[test]
fn a_packet_is_opened_once() {
    for suite in Suite::ALL {
        let master = master(suite, 1);
        let (mut out, mut inbound) = (Outbound::new(&master).unwrap(), Inbound::new(&master).unwrap());
        let rtp = protected_rtp(&mut out, &rtp_packet(7, b"hello"));
        let rtcp = protected_rtcp(&mut out, &rtcp_packet());

        assert!(inbound.unprotect_rtp(&mut rtp.clone()).is_ok());
        assert!(inbound.unprotect_rtcp(&mut rtcp.clone()).is_ok());

        assert_eq!(inbound.unprotect_rtp(&mut rtp.clone()), Err(SrtpError::Replay));
        assert_eq!(inbound.unprotect_rtcp(&mut rtcp.clone()), Err(SrtpError::Replay));
    }
}

#[test]
fn a_changed_or_foreign_packet_is_refused_and_changes_nothing() {
    for suite in Suite::ALL {
        let mut out = Outbound::new(&master(suite, 1)).unwrap();
        let mut inbound = Inbound::new(&master(suite, 1)).unwrap();
        let mut foreign = Inbound::new(&master(suite, 2)).unwrap();
        let rtp = protected_rtp(&mut out, &rtp_packet(7, b"hello"));
        let rtcp = protected_rtcp(&mut out, &rtcp_packet());

        for at in 12..rtp.len() {
            let mut changed = rtp.clone();
            changed[at] ^= 1;
            assert_eq!(inbound.unprotect_rtp(&mut changed), Err(SrtpError::Authentication));
        }
        assert_eq!(foreign.unprotect_rtp(&mut rtp.clone()), Err(SrtpError::Authentication));
        assert_eq!(foreign.unprotect_rtcp(&mut rtcp.clone()), Err(SrtpError::Authentication));
        assert!(inbound.unprotect_rtp(&mut rtp.clone()).is_ok());
    }
}

#[test]
fn loss_and_reordering_around_the_rollover_are_followed() {
    let master = master(Suite::AesCm128HmacSha1_80, 3);
    let mut out = Outbound::new(&master).unwrap();
    let mut inbound = Inbound::new(&master).unwrap();
    let mut sealed: Vec<Vec<u8>> = Vec::new();
    for sequence in [65_530u16, 65_535, 0, 1, 40, 30_000, 60_000, 20_000] {
        sealed.push(protected_rtp(&mut out, &rtp_packet(sequence, b"audio")));
    }

    for at in [0, 2, 1, 4, 3, 5, 6, 7] {
        assert!(inbound.unprotect_rtp(&mut sealed[at].clone()).is_ok(), "packet {at}");
    }
}

#[test]
fn a_used_sequence_number_is_not_protected_again() {
    let mut out = Outbound::new(&master(Suite::AeadAes128Gcm, 3)).unwrap();
    let packet = rtp_packet(7, b"audio");
    protected_rtp(&mut out, &packet);

    assert_eq!(out.protect_rtp(&mut with_room(&packet), packet.len()), Err(SrtpError::Replay));
}

#[test]
fn a_buffer_without_room_is_refused() {
    let mut out = Outbound::new(&master(Suite::AeadAes128Gcm, 3)).unwrap();
    let mut packet = rtp_packet(7, b"audio");
    let len = packet.len();

    assert_eq!(out.protect_rtp(&mut packet, len), Err(SrtpError::Room));
    assert_eq!(out.protect_rtp(&mut packet, len + 1), Err(SrtpError::Malformed));
}

#[test]
fn a_key_identifier_is_cut_out() {
    for suite in Suite::ALL {
        let mut out = Outbound::new(&master(suite, 3)).unwrap();
        let mut inbound = Inbound::new(&master(suite, 3).with_mki_len(2)).unwrap();
        let mut rtp = protected_rtp(&mut out, &rtp_packet(7, b"audio"));
        let mut rtcp = protected_rtcp(&mut out, &rtcp_packet());
        let from_end = |tag_len| if suite.aead().is_some() { 0 } else { tag_len };
        let (at, rtcp_at) =
            (rtp.len() - from_end(suite.rtp_tag_len()), rtcp.len() - from_end(suite.rtcp_tag_len()));
        rtp.splice(at..at, [1, 2]);
        rtcp.splice(rtcp_at..rtcp_at, [1, 2]);

        let len = inbound.unprotect_rtp(&mut rtp).unwrap();
        assert_eq!(rtp[..len], rtp_packet(7, b"audio"));
        let len = inbound.unprotect_rtcp(&mut rtcp).unwrap();
        assert_eq!(rtcp[..len], rtcp_packet());
    }
}

#[test]
fn keys_are_not_printed() {
    let master = master(Suite::AesCm128HmacSha1_80, 3);
    assert_eq!(format!("{master:?}"), "MasterKey(AES_CM_128_HMAC_SHA1_80, ..)");
}

proptest! {
    #[test]
    fn no_packet_makes_the_opener_panic(
        suite in 0usize..4, first in 0x80u8..=0xbf, rest in proptest::collection::vec(any::<u8>(), 0..80)
    ) {
        let mut inbound = Inbound::new(&master(Suite::ALL[suite], 9)).unwrap();
        let mut packet: Vec<u8> = std::iter::once(first).chain(rest).collect();
        prop_assert!(inbound.unprotect_rtp(&mut packet.clone()).is_err());
        prop_assert!(inbound.unprotect_rtcp(&mut packet).is_err());
    }
}
