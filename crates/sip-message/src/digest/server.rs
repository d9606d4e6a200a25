//! The server's side: nonces without state, and a bounded window against replay.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::{Algorithm, Challenge, Credentials, DigestError, Ha1, Question, hex, same_secret};
use crate::{Request, Uri};

/// Nonces whose counts are remembered. 64 Ki are more telephones than one node serves, and take about 4 MB.
const REMEMBERED_NONCES: usize = 64 * 1024;

/// How far counts may arrive out of order: the bits of one word, and more requests than a telephone has under way.
const WINDOW: u32 = 64;

/// Octets of the authentication code in a nonce: 128 bits cannot be guessed, and keep the nonce short.
const MAC_OCTETS: usize = 16;

/// Why a request is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The credentials are malformed: answer 400.
    #[error("malformed credentials")]
    Malformed,
    /// There are no credentials for this realm: challenge.
    #[error("no credentials")]
    Missing,
    /// The nonce count was used before: challenge.
    #[error("replayed credentials")]
    Replayed,
    /// The nonce has expired or was not made for the sender's address: challenge with `stale=true`.
    #[error("expired or foreign nonce")]
    Stale,
    /// User or password is wrong: challenge or answer 403.
    #[error("wrong credentials")]
    Wrong,
}

/// Challenges and verifies for one realm. Nonces carry their time and an authentication code, so a challenge costs
/// no memory; only nonces that were used with the right password are remembered, and their number is bounded.
///
/// The code covers the address that a challenge went to. A sender with a false address never sees a nonce that is
/// good for it, so whatever passes [`Self::check`] may be held against its address.
pub struct Authenticator {
    realm: String,
    key: Hmac<Sha256>,
    lifetime: Duration,
    windows: BTreeMap<NonceId, Window>,
    /// Nonces up to this one count as expired, because windows up to here were forgotten.
    forgotten: Option<NonceId>,
}

impl Authenticator {
    /// An authenticator whose nonces live that long. The secret must be random and the same on every node that
    /// may see an answer.
    pub fn new(realm: &str, secret: &[u8; 32], lifetime: Duration) -> Self {
        // HMAC pads a key with zeros to the block size of the hash, 64 octets.
        let mut block = [0; 64];
        for (octet, given) in block.iter_mut().zip(secret) {
            *octet = *given;
        }
        Self {
            realm: realm.to_owned(),
            key: Hmac::new(&block.into()),
            lifetime,
            windows: BTreeMap::new(),
            forgotten: None,
        }
    }

    /// The realm.
    pub fn realm(&self) -> &str {
        &self.realm
    }

    /// One challenge for each algorithm, the preferred first, that only `asker` can answer. `now` is the time since
    /// the epoch.
    pub fn challenges(
        &self,
        asker: IpAddr,
        now: Duration,
        random: [u8; 8],
        is_stale: bool,
    ) -> [Challenge; 2] {
        let nonce = self.nonce(NonceId { seconds: now.as_secs(), random }, asker);
        [Algorithm::Sha256, Algorithm::Md5].map(|algorithm| Challenge {
            realm: self.realm.clone(),
            nonce: nonce.clone(),
            opaque: None,
            algorithm,
            is_stale,
            offers_auth: true,
        })
    }

    /// The credentials for this realm in a request's header fields of that name.
    ///
    /// # Errors
    /// [`Refusal::Missing`] without any, also when the scheme or algorithm is unknown; [`Refusal::Malformed`].
    pub fn credentials(&self, request: &Request, name: &str) -> Result<Credentials, Refusal> {
        for value in request.headers.get_all(name) {
            match value.parse::<Credentials>() {
                Ok(credentials) if credentials.realm == self.realm => return Ok(credentials),
                Ok(_) | Err(DigestError::OtherScheme | DigestError::Unsupported) => {}
                Err(DigestError::Malformed) => return Err(Refusal::Malformed),
            }
        }
        Err(Refusal::Missing)
    }

    /// Whether the credentials answer a challenge that went to `sender`, in time and for this request, whatever their
    /// password is worth. Changes nothing. `now` is the time since the epoch.
    ///
    /// # Errors
    /// [`Refusal::Malformed`], also for credentials without `qop`, since they can be replayed; [`Refusal::Stale`].
    pub fn check<'a>(
        &self,
        credentials: &'a Credentials,
        request: &'a Request,
        sender: IpAddr,
        now: Duration,
    ) -> Result<Claim<'a>, Refusal> {
        let (count, cnonce) = credentials.count.as_ref().ok_or(Refusal::Malformed)?;
        if *count == 0 || !same_target(&credentials.uri, &request.uri) {
            return Err(Refusal::Malformed);
        }
        let nonce = self.check_nonce(&credentials.nonce, sender, now)?;
        Ok(Claim { credentials, request, nonce, count: (*count, cnonce), now })
    }

    /// Whether a claim proves the secret, and is the first one with its nonce count. The secret is `None` for an
    /// unknown user, which takes the same time as a wrong password.
    ///
    /// # Errors
    /// [`Refusal::Wrong`] or, with the right password, [`Refusal::Replayed`].
    pub fn verify(&mut self, claim: &Claim<'_>, ha1: Option<&Ha1>) -> Result<(), Refusal> {
        let known = ha1.filter(|ha1| ha1.algorithm() == claim.credentials.algorithm);
        let expected = self.expected(claim, known);
        let is_right = same_secret(&expected, &claim.credentials.response);
        if !is_right || known.is_none() {
            return Err(Refusal::Wrong);
        }
        self.take_count(claim.nonce, claim.count.0, claim.now)
    }

    fn expected(&self, claim: &Claim<'_>, ha1: Option<&Ha1>) -> String {
        let credentials = claim.credentials;
        let unknown;
        let ha1 = match ha1 {
            Some(ha1) => ha1,
            None => {
                unknown = Ha1::new(credentials.algorithm, "", &self.realm, "");
                &unknown
            }
        };
        ha1.response(&Question {
            method: claim.request.method.as_str(),
            uri: &credentials.uri,
            nonce: &credentials.nonce,
            count: Some(claim.count),
        })
    }

    fn nonce(&self, id: NonceId, asker: IpAddr) -> String {
        let asker = match asker {
            IpAddr::V4(v4) => v4.to_ipv6_mapped(),
            IpAddr::V6(v6) => v6,
        };
        let mut mac = self.key.clone();
        mac.update(&id.seconds.to_be_bytes());
        mac.update(&id.random);
        mac.update(&asker.octets());
        let code = mac.finalize().into_bytes();
        let code = code.get(..MAC_OCTETS).unwrap_or_default();
        hex(&[id.seconds.to_be_bytes().as_slice(), &id.random, code].concat())
    }

    fn check_nonce(&self, nonce: &str, sender: IpAddr, now: Duration) -> Result<NonceId, Refusal> {
        let id = NonceId::parse(nonce).ok_or(Refusal::Stale)?;
        let is_ours = same_secret(&self.nonce(id, sender), nonce);
        let expires = id.seconds.saturating_add(self.lifetime.as_secs());
        let is_forgotten = self.forgotten.is_some_and(|forgotten| id <= forgotten);
        if !is_ours || now.as_secs() > expires || is_forgotten {
            return Err(Refusal::Stale);
        }
        Ok(id)
    }

    fn take_count(&mut self, nonce: NonceId, count: u32, now: Duration) -> Result<(), Refusal> {
        let oldest = now.as_secs().saturating_sub(self.lifetime.as_secs());
        while let Some(entry) = self.windows.first_entry()
            && entry.key().seconds < oldest
        {
            entry.remove();
        }
        if !self.windows.entry(nonce).or_default().take(count) {
            return Err(Refusal::Replayed);
        }
        if self.windows.len() > REMEMBERED_NONCES {
            self.forgotten = self.windows.pop_first().map(|(nonce, _)| nonce);
        }
        Ok(())
    }
}

/// A proxy on the way may change parameters of the Request-URI, but not what it names (RFC 3261, 22.4).
fn same_target(claimed: &str, uri: &Uri) -> bool {
    claimed.parse::<Uri>().is_ok_and(|claimed| claimed.bare().equivalent(&uri.bare()))
}

/// Credentials with a fresh nonce of the authenticator's own, whose password is still to be judged.
#[derive(Clone, Copy, Debug)]
pub struct Claim<'a> {
    credentials: &'a Credentials,
    request: &'a Request,
    nonce: NonceId,
    count: (u32, &'a str),
    now: Duration,
}

impl Claim<'_> {
    /// The credentials.
    pub fn credentials(&self) -> &Credentials {
        self.credentials
    }
}

/// What makes a nonce unique; ordered by age.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct NonceId {
    seconds: u64,
    random: [u8; 8],
}

impl NonceId {
    fn parse(nonce: &str) -> Option<Self> {
        let word = |from: usize| u64::from_str_radix(nonce.get(from..from + 16)?, 16).ok();
        Some(Self { seconds: word(0)?, random: word(16)?.to_be_bytes() })
    }
}

/// The counts that were used with one nonce.
#[derive(Default)]
struct Window {
    highest: u32,
    /// Bit n stands for `highest - n`.
    used: u64,
}

impl Window {
    /// Uses a count; says whether it was new. Counts that are too old to know count as used.
    fn take(&mut self, count: u32) -> bool {
        if count > self.highest {
            let shift = count - self.highest;
            self.used = self.used.checked_shl(shift).unwrap_or(0) | 1;
            self.highest = count;
            return true;
        }
        let age = self.highest - count;
        if age >= WINDOW || self.used >> age & 1 == 1 {
            return false;
        }
        self.used |= 1 << age;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Method;
    use crate::digest::Answer;

    const NOW: Duration = Duration::from_secs(1_800_000_000);
    const LIFETIME: Duration = Duration::from_secs(300);
    const PHONE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    fn server() -> Authenticator {
        Authenticator::new("example.com", &[7; 32], LIFETIME)
    }

    fn request() -> Request {
        Request::new(Method::Register, "sip:example.com".parse().unwrap())
    }

    fn ha1(algorithm: Algorithm) -> Ha1 {
        Ha1::new(algorithm, "john", "example.com", "secret")
    }

    fn answer(challenge: &Challenge, count: u32) -> Credentials {
        let request = request();
        let ha1 = ha1(challenge.algorithm);
        let answer = Answer {
            username: "john",
            ha1: &ha1,
            method: &request.method,
            uri: &request.uri,
            cnonce: "c",
            count,
        };
        challenge.answer(&answer).unwrap()
    }

    /// Both steps of a server that hears from the phone.
    fn judge(
        server: &mut Authenticator,
        credentials: &Credentials,
        ha1: Option<&Ha1>,
        request: &Request,
    ) -> Result<(), Refusal> {
        let claim = server.check(credentials, request, PHONE, NOW)?;
        server.verify(&claim, ha1)
    }

    #[test]
    fn a_right_answer_is_accepted_for_both_algorithms_over_the_wire() {
        let mut server = server();

        for challenge in server.challenges(PHONE, NOW, [1; 8], false) {
            let mut response = crate::Response::new(crate::StatusCode::UNAUTHORIZED);
            response.headers.push("WWW-Authenticate", challenge.to_string());
            let read = Challenge::strongest(&response.headers, "WWW-Authenticate").unwrap();
            assert_eq!(read, challenge);
            let count = if challenge.algorithm == Algorithm::Md5 { 1 } else { 2 };
            let mut repeated = request();
            repeated.headers.push("Authorization", answer(&read, count).to_string());

            let credentials = server.credentials(&repeated, "Authorization").unwrap();
            let secret = ha1(credentials.algorithm);

            assert_eq!(judge(&mut server, &credentials, Some(&secret), &repeated), Ok(()));
        }
    }

    #[test]
    fn the_stronger_challenge_is_preferred_wherever_it_stands() {
        let [strong, weak] = server().challenges(PHONE, NOW, [1; 8], false);
        let mut headers = crate::Headers::new();
        headers.push("WWW-Authenticate", "Bearer realm=\"x\"");
        headers.push("WWW-Authenticate", weak.to_string());
        headers.push("WWW-Authenticate", strong.to_string());

        assert_eq!(Challenge::strongest(&headers, "WWW-Authenticate"), Some(strong));
    }

    #[test]
    fn wrong_passwords_unknown_users_and_other_requests_are_refused() {
        let mut server = server();
        let [challenge, _] = server.challenges(PHONE, NOW, [1; 8], false);
        let credentials = answer(&challenge, 1);
        let other = Ha1::new(Algorithm::Sha256, "john", "example.com", "other");
        let mut bye = request();
        bye.method = Method::Bye;
        let elsewhere = Request::new(Method::Register, "sip:example.org".parse().unwrap());
        let right = ha1(Algorithm::Sha256);

        let mut verify = |ha1, request: &Request| judge(&mut server, &credentials, ha1, request);

        assert_eq!(verify(Some(&other), &request()), Err(Refusal::Wrong));
        assert_eq!(verify(None, &request()), Err(Refusal::Wrong));
        assert_eq!(verify(Some(&right), &bye), Err(Refusal::Wrong));
        assert_eq!(verify(Some(&right), &elsewhere), Err(Refusal::Malformed));
    }

    #[test]
    fn a_nonce_that_is_expired_or_foreign_or_of_another_address_is_stale_whatever_the_password() {
        let server = server();
        let [challenge, _] = server.challenges(PHONE, NOW, [1; 8], false);
        let credentials = answer(&challenge, 1);
        let made_up = Credentials { nonce: "junk".to_owned(), ..credentials.clone() };
        let later = NOW + LIFETIME + Duration::from_secs(1);
        let restarted = Authenticator::new("example.com", &[8; 32], LIFETIME);
        let (request, neighbour) = (request(), IpAddr::from([192, 0, 2, 2]));

        let stale = |server: &Authenticator, credentials, sender, now| {
            matches!(server.check(credentials, &request, sender, now), Err(Refusal::Stale))
        };

        assert!(!stale(&server, &credentials, PHONE, NOW));
        assert!(stale(&server, &credentials, PHONE, later));
        assert!(stale(&server, &credentials, neighbour, NOW));
        assert!(stale(&server, &made_up, PHONE, NOW));
        assert!(stale(&restarted, &credentials, PHONE, NOW));
        let [again, _] = server.challenges(PHONE, later, [2; 8], true);
        assert!(again.to_string().ends_with("stale=true"));
    }

    #[test]
    fn an_address_is_the_same_in_either_notation() {
        let server = server();
        let [challenge, _] = server.challenges(PHONE, NOW, [1; 8], false);
        let mapped = "::ffff:192.0.2.1".parse().unwrap();

        assert!(server.check(&answer(&challenge, 1), &request(), mapped, NOW).is_ok());
    }

    #[test]
    fn a_count_is_accepted_once_in_any_order_within_the_window() {
        let mut server = server();
        let [challenge, _] = server.challenges(PHONE, NOW, [1; 8], false);
        let secret = ha1(Algorithm::Sha256);
        let mut verify = |count| judge(&mut server, &answer(&challenge, count), Some(&secret), &request());

        assert_eq!(verify(2), Ok(()));
        assert_eq!(verify(1), Ok(()));
        assert_eq!(verify(1), Err(Refusal::Replayed));
        assert_eq!(verify(100), Ok(()));
        assert_eq!(verify(37), Ok(()));
        assert_eq!(verify(36), Err(Refusal::Replayed));
    }

    #[test]
    fn forgetting_a_window_expires_its_nonce() {
        let mut server = server();
        let ids = (0..=REMEMBERED_NONCES as u64)
            .map(|at| NonceId { seconds: NOW.as_secs(), random: at.to_be_bytes() });

        for id in ids {
            assert_eq!(server.take_count(id, 1, NOW), Ok(()));
        }

        assert_eq!(server.windows.len(), REMEMBERED_NONCES);
        let first = server.challenges(PHONE, NOW, [0; 8], false)[0].nonce.clone();
        assert_eq!(server.check_nonce(&first, PHONE, NOW), Err(Refusal::Stale));
        let late = NOW + LIFETIME * 2;
        let id = NonceId { seconds: late.as_secs(), random: [0; 8] };
        assert_eq!(server.take_count(id, 1, late), Ok(()));
        assert_eq!(server.windows.len(), 1);
    }

    #[test]
    fn credentials_without_qop_or_of_another_scheme_do_not_pass() {
        let mut server = server();
        let [mut challenge, _] = server.challenges(PHONE, NOW, [1; 8], false);
        challenge.offers_auth = false;
        let old = answer(&challenge, 1);
        let secret = ha1(Algorithm::Sha256);
        let mut unknown = request();
        unknown.headers.push("Authorization", "NoOneKnowsThisScheme opaque-data=here");

        assert_eq!(judge(&mut server, &old, Some(&secret), &request()), Err(Refusal::Malformed));
        assert_eq!(server.credentials(&unknown, "Authorization"), Err(Refusal::Missing));
    }
}
