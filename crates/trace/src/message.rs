use std::borrow::Cow;
use std::fmt::Write as _;

use model::Timestamp;

/// Octets of a message that are kept. Few are longer, and what makes them so is seldom of interest.
const MAX_OCTETS: usize = 8 * 1024;

/// Octets of a header that a message is found by. Longer ones are nobody's whom this server talks to.
const MAX_KEY_OCTETS: usize = 256;

/// What stands in the place of a secret.
const REDACTED: &str = "(redacted)";

/// Which way a message went, as this server sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// It came.
    Received,
    /// It went out.
    Sent,
}

/// A SIP message without its secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Counts the call's messages from 1.
    pub sequence: u64,
    /// When it went or came.
    pub at: Timestamp,
    /// Which way.
    pub direction: Direction,
    /// The other end: `udp:192.0.2.7:5060`.
    pub peer: Box<str>,
    /// Counts the SIP calls of the call from 1.
    pub dialog: u32,
    /// What all messages of a SIP call have in common.
    pub call_id: Box<str>,
    /// The number and method of its request, as in `CSeq`.
    pub cseq: Box<str>,
    /// All of it, but for keys and credentials.
    pub text: Box<str>,
    /// Whether it was longer than what is kept.
    pub is_cut: bool,
}

impl Message {
    /// The first line.
    pub fn start_line(&self) -> &str {
        self.text.lines().next().unwrap_or_default()
    }

    /// The status of a response; `None` for a request.
    pub fn status(&self) -> Option<u16> {
        self.start_line().strip_prefix("SIP/2.0 ")?.split(' ').next()?.parse().ok()
    }

    /// The method of the request that it is, or answers.
    pub fn method(&self) -> &str {
        self.cseq.split_ascii_whitespace().nth(1).unwrap_or_default()
    }

    pub(crate) fn octets(&self) -> usize {
        size_of::<Self>() + self.peer.len() + self.call_id.len() + self.cseq.len() + self.text.len()
    }
}

/// A message as it passes by, before anybody knows whether it is of interest.
#[derive(Clone, Copy, Debug)]
pub struct Sighting<'a> {
    octets: &'a [u8],
    call_id: &'a str,
    cseq: &'a str,
}

impl<'a> Sighting<'a> {
    /// Looks at a message; `None` where it does not say what it is of.
    ///
    /// Costs a walk over the header: what is hostile here is at most dropped, as only what the endpoint takes has an effect.
    pub fn of(octets: &'a [u8]) -> Option<Self> {
        let (mut call_id, mut cseq) = (None, None);
        for line in header(octets) {
            let Some((name, value)) = split(line) else { continue };
            if name.eq_ignore_ascii_case(b"call-id") || name.eq_ignore_ascii_case(b"i") {
                call_id = key(value);
            } else if name.eq_ignore_ascii_case(b"cseq") {
                cseq = key(value);
            }
            if let (Some(call_id), Some(cseq)) = (call_id, cseq) {
                return Some(Self { octets, call_id, cseq });
            }
        }
        None
    }

    /// What all messages of a SIP call have in common.
    pub const fn call_id(&self) -> &'a str {
        self.call_id
    }

    /// The method of the request that it is, or answers.
    pub fn method(&self) -> &'a str {
        self.cseq.split_ascii_whitespace().nth(1).unwrap_or_default()
    }

    /// The message as it is kept; its place in a call is to be filled in.
    pub fn keep(&self, at: Timestamp, direction: Direction, peer: &str) -> Message {
        let is_cut = self.octets.len() > MAX_OCTETS;
        let octets = self.octets.get(..MAX_OCTETS).unwrap_or(self.octets);
        let text = redacted(&String::from_utf8_lossy(octets));
        Message {
            sequence: 0,
            at,
            direction,
            peer: peer.into(),
            dialog: 0,
            call_id: self.call_id.into(),
            cseq: self.cseq.into(),
            text: text.into(),
            is_cut,
        }
    }
}

/// The lines up to the first empty one.
fn header(octets: &[u8]) -> impl Iterator<Item = &[u8]> {
    let lines = octets.split(|octet| *octet == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    lines.take_while(|line| !line.is_empty())
}

fn split(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = line.iter().position(|octet| *octet == b':')?;
    let (name, value) = line.split_at(colon);
    Some((name.trim_ascii(), value.get(1..)?.trim_ascii()))
}

fn key(value: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(value).ok()?;
    (!text.is_empty() && text.len() <= MAX_KEY_OCTETS).then_some(text)
}

/// A message without what opens something: credentials (RFC 3261, 22), keys of sound (RFC 4568, 9.1) and of connectivity
/// checks (RFC 8839, 5.4).
fn redacted(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut is_credential = false;
    for line in text.split_inclusive(['\r', '\n']) {
        let (content, end) = line.find(['\r', '\n']).map_or((line, ""), |at| line.split_at(at));
        if content.is_empty() {
            out.push_str(end);
            continue;
        }
        // A header goes on in lines that begin with a blank (RFC 3261, 7.3.1).
        let goes_on = content.starts_with([' ', '\t']);
        is_credential = if goes_on { is_credential } else { is_credentials(content) };
        let shown = match (is_credential, goes_on) {
            (true, true) => Cow::Borrowed(" "),
            (true, false) => {
                let name = content.split(':').next().unwrap_or_default();
                Cow::Owned(format!("{name}: {REDACTED}"))
            }
            (false, _) => without_key(content),
        };
        let _ = write!(out, "{shown}{end}");
    }
    out
}

fn is_credentials(line: &str) -> bool {
    let name = line.split(':').next().unwrap_or_default().trim_end();
    ["authentication-info", "authorization", "proxy-authentication-info", "proxy-authorization"]
        .iter()
        .any(|known| name.eq_ignore_ascii_case(known))
}

fn without_key(line: &str) -> Cow<'_, str> {
    let starts =
        |prefix: &str| line.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
    if starts("a=crypto:") {
        // The tag and the suite stay.
        let shown = line.split(' ').take(2).collect::<Vec<_>>().join(" ");
        return Cow::Owned(format!("{shown} {REDACTED}"));
    }
    let prefixes = ["a=ice-pwd:", "a=key-mgmt:", "k="];
    match prefixes.into_iter().find(|prefix| starts(prefix)) {
        Some(prefix) => Cow::Owned(format!("{prefix}{REDACTED}")),
        None => Cow::Borrowed(line),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INVITE: &str = "INVITE sip:john@192.0.2.7 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1\r\n\
        i: abc@192.0.2.1\r\nCSeq:  2  INVITE\r\nAuthorization: Digest username=\"john\",\r\n response=\"0123\"\r\n\
        Content-Type: application/sdp\r\n\r\nv=0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:SECRETKEY|2^20\r\n\
        a=ice-pwd:SECRETPWD\r\na=sendrecv\r\n";

    fn kept(text: &str) -> Message {
        let sighting = Sighting::of(text.as_bytes()).unwrap();
        sighting.keep(Timestamp::from_millis(5), Direction::Sent, "udp:192.0.2.7:5060")
    }

    #[test]
    fn keys_behind_a_bare_return_and_what_servers_prove_are_not_kept() {
        let text = "SIP/2.0 200 OK\r\nCall-ID: a\r\nCSeq: 1 INVITE\r\nAuthentication-Info: nextnonce=\"N0NCE\",\r\n \
            rspauth=\"PR00F\"\r\n\r\nv=0\ra=ice-pwd:SECRETPWD\ra=sendrecv\r\n";
        let shown = kept(text).text;
        for secret in ["N0NCE", "PR00F", "SECRETPWD"] {
            assert!(!shown.contains(secret), "{shown}");
        }
        assert!(shown.contains("a=sendrecv") && shown.contains("v=0"), "{shown}");
    }

    #[test]
    fn a_message_is_found_by_its_call_also_in_the_short_form() {
        let sighting = Sighting::of(INVITE.as_bytes()).unwrap();
        assert_eq!((sighting.call_id(), sighting.method()), ("abc@192.0.2.1", "INVITE"));
        for nothing in
            ["", "\r\n\r\n", "INVITE sip:a SIP/2.0\r\nCSeq: 1 INVITE\r\n\r\nCall-ID: body", "Call-ID: x"]
        {
            assert!(Sighting::of(nothing.as_bytes()).is_none(), "{nothing}");
        }
        let long = format!("A\r\nCall-ID: {}\r\nCSeq: 1 BYE\r\n\r\n", "x".repeat(MAX_KEY_OCTETS + 1));
        assert!(Sighting::of(long.as_bytes()).is_none());
    }

    #[test]
    fn keys_and_credentials_are_not_kept() {
        let message = kept(INVITE);
        for secret in ["0123", "SECRETKEY", "SECRETPWD", "username"] {
            assert!(!message.text.contains(secret), "{}", message.text);
        }
        assert!(message.text.contains("Authorization: (redacted)\r\n"));
        assert!(message.text.contains("a=crypto:1 AES_CM_128_HMAC_SHA1_80 (redacted)\r\n"));
        assert!(message.text.ends_with("a=ice-pwd:(redacted)\r\na=sendrecv\r\n"));
        assert_eq!((message.status(), message.method()), (None, "INVITE"));
        assert_eq!(message.start_line(), "INVITE sip:john@192.0.2.7 SIP/2.0");
    }

    #[test]
    fn a_response_has_a_status_and_the_method_of_its_request() {
        let message = kept("SIP/2.0 180 Ringing\r\nCall-ID: a\r\nCSeq: 1 INVITE\r\n\r\n");
        assert_eq!((message.status(), message.method(), message.is_cut), (Some(180), "INVITE", false));
    }

    #[test]
    fn what_is_too_long_is_cut_and_what_is_no_text_is_kept_as_well_as_can_be() {
        let head = "A\r\nCall-ID: a\r\nCSeq: 1 BYE\r\n\r\n";
        let long = kept(&format!("{head}{}", "\u{f6}".repeat(MAX_OCTETS)));
        assert!(long.is_cut && long.text.len() <= MAX_OCTETS + 3);
        let odd = [head.as_bytes(), &[0xff, 0xfe]].concat();
        let odd = Sighting::of(&odd).unwrap().keep(Timestamp::default(), Direction::Received, "udp:a");
        assert!(odd.text.ends_with("\u{fffd}\u{fffd}"));
    }
}
