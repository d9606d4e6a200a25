use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use model::UserId;
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

/// Octets of a token: nobody guesses that.
const TOKEN_OCTETS: usize = 32;

/// Sessions in all, some 200 bytes each.
const MAX_SESSIONS: usize = 100_000;

/// Who is signed in, in memory only: after a restart everybody signs in anew.
///
/// Tokens are kept as hashes: whoever reads this memory, or a dump of it, cannot use them.
#[derive(Debug)]
pub struct WebSessions {
    lifetime: Duration,
    /// Sessions of one user; the oldest makes room for a new one.
    per_user: usize,
    kept: Mutex<BTreeMap<[u8; TOKEN_OCTETS], Session>>,
    sockets: Arc<AtomicUsize>,
}

/// A session.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) user: UserId,
    /// When it is over, on the clock that never jumps.
    pub(crate) until: Duration,
    /// Cancelled once it is over before that.
    pub(crate) ended: CancellationToken,
}

/// A socket, for as long as it is counted.
#[derive(Debug)]
pub(crate) struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl WebSessions {
    /// Sessions that end after so long, so many of one user.
    pub fn new(lifetime: Duration, per_user: usize) -> Self {
        Self { lifetime, per_user, kept: Mutex::default(), sockets: Arc::default() }
    }

    /// How many sessions there are, some of which may be over by time.
    pub fn count(&self) -> usize {
        self.kept().len()
    }

    /// How many sockets are open.
    pub fn sockets(&self) -> usize {
        self.sockets.load(Ordering::Relaxed)
    }

    pub(crate) const fn lifetime(&self) -> Duration {
        self.lifetime
    }

    /// Begins a session: its token; nothing where there are too many, or the system has no randomness.
    pub(crate) fn begin(&self, user: UserId, now: Duration) -> Option<String> {
        let mut token = [0; TOKEN_OCTETS];
        getrandom::fill(&mut token).ok()?;
        let mut kept = self.kept();
        kept.retain(|_, session| session.until > now);
        let own = kept.iter().filter(|(_, session)| session.user == user);
        let own: Vec<_> = own.map(|(key, session)| (session.until, *key)).collect();
        if own.len() >= self.per_user
            && let Some((_, oldest)) = own.iter().min()
            && let Some(session) = kept.remove(oldest)
        {
            session.ended.cancel();
        }
        if kept.len() >= MAX_SESSIONS {
            return None;
        }
        let session = Session { user, until: now + self.lifetime, ended: CancellationToken::new() };
        kept.insert(hash(&token), session);
        Some(URL_SAFE_NO_PAD.encode(token))
    }

    /// The session of a token.
    pub(crate) fn find(&self, token: &str, now: Duration) -> Option<Session> {
        let key = key(token)?;
        self.kept().get(&key).filter(|session| session.until > now).cloned()
    }

    /// Ends the session of a token, and closes its sockets.
    pub(crate) fn end(&self, token: &str) {
        if let Some(session) = key(token).and_then(|key| self.kept().remove(&key)) {
            session.ended.cancel();
        }
    }

    pub(crate) fn count_socket(&self) -> Counted {
        self.sockets.fetch_add(1, Ordering::Relaxed);
        Counted(Arc::clone(&self.sockets))
    }

    fn kept(&self) -> MutexGuard<'_, BTreeMap<[u8; TOKEN_OCTETS], Session>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn hash(token: &[u8]) -> [u8; TOKEN_OCTETS] {
    Sha256::digest(token).into()
}

fn key(token: &str) -> Option<[u8; TOKEN_OCTETS]> {
    let octets = URL_SAFE_NO_PAD.decode(token).ok()?;
    (octets.len() == TOKEN_OCTETS).then(|| hash(&octets))
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Duration = Duration::from_secs(100);
    const LIFETIME: Duration = Duration::from_secs(60);
    const MAX_OF_USER: usize = 16;

    fn user(name: &str) -> UserId {
        UserId::from(name)
    }

    #[test]
    fn a_session_is_found_by_its_token_until_it_ends() {
        let sessions = WebSessions::new(LIFETIME, MAX_OF_USER);
        let (first, second) =
            (sessions.begin(user("john"), START).unwrap(), sessions.begin(user("john"), START).unwrap());
        assert_ne!(first, second);
        assert_eq!(first.len(), 43);
        let found = sessions.find(&first, START).unwrap();
        assert_eq!(found.user, user("john"));
        sessions.end(&first);
        assert!(found.ended.is_cancelled() && sessions.find(&first, START).is_none());
        assert!(sessions.find(&second, START + LIFETIME - Duration::from_millis(1)).is_some());
        assert!(sessions.find(&second, START + LIFETIME).is_none(), "it is over by time");
    }

    #[test]
    fn what_is_no_token_finds_nothing() {
        let sessions = WebSessions::new(LIFETIME, MAX_OF_USER);
        let token = sessions.begin(user("john"), START).unwrap();
        for wrong in ["", "x", &token[..42], &format!("{token}A"), &"A".repeat(43)] {
            assert!(sessions.find(wrong, START).is_none(), "{wrong}");
        }
    }

    #[test]
    fn one_users_sessions_are_bounded_and_the_oldest_goes() {
        let sessions = WebSessions::new(LIFETIME, MAX_OF_USER);
        let at = |number: usize| START + Duration::from_millis(number as u64);
        let tokens: Vec<_> =
            (0..MAX_OF_USER).map(|number| sessions.begin(user("john"), at(number)).unwrap()).collect();
        let first = sessions.find(&tokens[0], at(20)).unwrap();
        let other = sessions.begin(user("jane"), at(20)).unwrap();
        let newest = sessions.begin(user("john"), at(20)).unwrap();
        assert!(first.ended.is_cancelled() && sessions.find(&tokens[0], at(20)).is_none());
        for token in tokens[1..].iter().chain([&other, &newest]) {
            assert!(sessions.find(token, at(20)).is_some());
        }
        assert_eq!(sessions.count(), MAX_OF_USER + 1);
    }

    #[test]
    fn sessions_that_are_over_make_room() {
        let sessions = WebSessions::new(LIFETIME, MAX_OF_USER);
        for _ in 0..MAX_OF_USER {
            sessions.begin(user("john"), START).unwrap();
        }
        sessions.begin(user("jane"), START + LIFETIME).unwrap();
        assert_eq!(sessions.count(), 1);
    }

    #[test]
    fn a_socket_counts_for_as_long_as_it_is_there() {
        let sessions = WebSessions::new(LIFETIME, MAX_OF_USER);
        let counted = sessions.count_socket();
        assert_eq!(sessions.sockets(), 1);
        drop(counted);
        assert_eq!(sessions.sockets(), 0);
    }
}
