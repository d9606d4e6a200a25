//! The session timer of RFC 4028: who refreshes, how often, and when the far end counts as gone.
//!
//! ```text
//!            we refresh                          they refresh
//!   +--> [ waits for half ]               +--> [ waits for the end ]
//!   |        | half the interval          |        |          |
//!   |        v                            |  their refresh    | interval less a third,
//!   |   [ refreshing ] -- no 2xx --+      +--------'          | at most 32 s, without one
//!   |        | 2xx                 v                          v
//!   +--------'            the end: hang up            the end: hang up
//! ```

use core::time::Duration;

use sip_message::{HeaderError, Headers, Method, Refresher, SessionExpires};

use crate::config::SessionTimer as Wanted;

/// The option tag of RFC 4028.
pub(crate) const OPTION: &str = "timer";

/// The smallest interval that RFC 4028, 5 allows, and what an absent Min-SE means.
const MIN_SECONDS: u32 = 90;

/// The session timer of one established call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SessionTimer {
    pub(crate) interval: Duration,
    /// When this side refreshes; `None` while the far side does or while a refresh is under way.
    pub(crate) refresh_at: Option<Duration>,
    pub(crate) expires_at: Duration,
    pub(crate) we_refresh: bool,
}

impl SessionTimer {
    /// Starts, or starts over, at a 2xx that confirmed the interval.
    pub(crate) fn start(interval: Duration, we_refresh: bool, now: Duration) -> Self {
        let slack = Duration::from_secs(32).min(interval / 3);
        Self {
            interval,
            refresh_at: we_refresh.then(|| now.saturating_add(interval / 2)),
            expires_at: now.saturating_add(interval.saturating_sub(slack)),
            we_refresh,
        }
    }

    /// The next moment at which something is due.
    pub(crate) fn deadline(&self) -> Duration {
        self.refresh_at.map_or(self.expires_at, |at| at.min(self.expires_at))
    }

    /// What the 2xx to our INVITE or UPDATE makes of the timer (RFC 4028, 7.2).
    ///
    /// A far end without session timers does not answer for an interval; this side then refreshes
    /// for its own sake, as it wants to learn of a far end that is gone without a BYE.
    pub(crate) fn of_response(headers: &Headers, wanted: Wanted, now: Duration) -> Self {
        match headers.session_expires() {
            Ok(Some(SessionExpires { delta_seconds, refresher })) => {
                let seconds = delta_seconds.max(MIN_SECONDS);
                let we_refresh = refresher != Some(Refresher::Uas);
                Self::start(Duration::from_secs(seconds.into()), we_refresh, now)
            }
            Ok(None) | Err(_) => Self::start(wanted.interval, true, now),
        }
    }
}

/// What a 2xx to the far end's INVITE or UPDATE says about the session timer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Agreed {
    pub(crate) interval: Duration,
    pub(crate) refresher: Refresher,
    /// The far end knows session timers, so the 2xx may require them.
    pub(crate) peer_knows: bool,
}

/// Why a request's session timer cannot be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    Malformed,
    /// 422 with this Min-SE.
    TooSmall(u32),
}

impl From<HeaderError> for Refused {
    fn from(_: HeaderError) -> Self {
        Self::Malformed
    }
}

impl Agreed {
    /// What the user agent server makes of a request (RFC 4028, 9 and table 2).
    pub(crate) fn of_request(headers: &Headers, wanted: Wanted) -> Result<Self, Refused> {
        let knows = |option: &&str| option.eq_ignore_ascii_case(OPTION);
        let peer_knows = headers.supported().iter().any(knows) || headers.require().iter().any(knows);
        let asked = headers.session_expires()?;
        let floor = u32::try_from(wanted.min.as_secs()).unwrap_or(u32::MAX).max(MIN_SECONDS);
        let least = headers.min_se()?.unwrap_or(MIN_SECONDS).max(floor);
        let ours = u32::try_from(wanted.interval.as_secs()).unwrap_or(u32::MAX);
        let seconds = match asked {
            Some(asked) if asked.delta_seconds < floor && peer_knows => return Err(Refused::TooSmall(floor)),
            Some(asked) => asked.delta_seconds.min(ours).max(least),
            None => ours.max(least),
        };
        let refresher = match asked.and_then(|asked| asked.refresher) {
            Some(refresher) if peer_knows => refresher,
            None if peer_knows => Refresher::Uac,
            Some(_) | None => Refresher::Uas,
        };
        Ok(Self { interval: Duration::from_secs(seconds.into()), refresher, peer_knows })
    }

    /// Writes the headers of the 2xx.
    pub(crate) fn write(&self, headers: &mut Headers) {
        let delta_seconds = u32::try_from(self.interval.as_secs()).unwrap_or(u32::MAX);
        headers.push("Session-Expires", SessionExpires { delta_seconds, refresher: Some(self.refresher) });
        // Only a far end that refreshes has to know how (RFC 4028, 9).
        if self.refresher == Refresher::Uac {
            headers.push("Require", OPTION);
        }
    }

    pub(crate) fn timer(&self, now: Duration) -> SessionTimer {
        SessionTimer::start(self.interval, self.refresher == Refresher::Uas, now)
    }
}

/// Writes the headers of our own INVITE or UPDATE.
pub(crate) fn write_request(headers: &mut Headers, wanted: Wanted, refresher: Option<Refresher>) {
    let delta_seconds = u32::try_from(wanted.interval.as_secs()).unwrap_or(u32::MAX);
    headers.push("Session-Expires", SessionExpires { delta_seconds, refresher });
    let min = u32::try_from(wanted.min.as_secs()).unwrap_or(u32::MAX).max(MIN_SECONDS);
    headers.push("Min-SE", min);
}

/// What to ask for after a 422: at least the Min-SE of the far end (RFC 4028, 7.3).
pub(crate) fn raised(headers: &Headers, wanted: Wanted) -> Option<Wanted> {
    let min = Duration::from_secs(headers.min_se().ok()??.into());
    (min > wanted.interval || min > wanted.min)
        .then(|| Wanted { interval: wanted.interval.max(min), min: wanted.min.max(min) })
}

/// Whether a far end takes an UPDATE.
pub(crate) fn takes_update(headers: &Headers) -> bool {
    headers.allow().contains(&Method::Update)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WANTED: Wanted = Wanted { interval: Duration::from_secs(1800), min: Duration::from_secs(90) };

    type Fields<'a> = &'a [(&'a str, &'a str)];

    fn headers(fields: Fields<'_>) -> Headers {
        let mut headers = Headers::new();
        for (name, value) in fields {
            headers.push(name, *value);
        }
        headers
    }

    #[test]
    fn the_server_side_follows_table_2() {
        let knows = ("Supported", "100rel, timer");
        let table: [(Fields<'_>, u64, Refresher); 7] = [
            (&[], 1800, Refresher::Uas),
            (&[("Session-Expires", "600")], 600, Refresher::Uas),
            (&[("Session-Expires", "600;refresher=uac")], 600, Refresher::Uas),
            (&[knows], 1800, Refresher::Uac),
            (&[knows, ("Session-Expires", "600;refresher=uas")], 600, Refresher::Uas),
            (&[knows, ("Session-Expires", "600;refresher=uac")], 600, Refresher::Uac),
            (&[knows, ("Session-Expires", "9000"), ("Min-SE", "3600")], 3600, Refresher::Uac),
        ];
        for (fields, seconds, refresher) in table {
            let agreed = Agreed::of_request(&headers(fields), WANTED).unwrap();
            assert_eq!((agreed.interval.as_secs(), agreed.refresher), (seconds, refresher), "{fields:?}");
        }
    }

    #[test]
    fn an_interval_below_ours_is_refused_only_when_the_peer_can_raise_it() {
        let small = ("Session-Expires", "60");
        let refused = Agreed::of_request(&headers(&[small, ("Supported", "timer")]), WANTED);
        assert_eq!(refused, Err(Refused::TooSmall(90)));
        let raised = Agreed::of_request(&headers(&[small]), WANTED).unwrap();
        assert_eq!(raised.interval.as_secs(), 90);
    }

    #[test]
    fn the_client_side_refreshes_unless_told_otherwise() {
        let now = Duration::from_secs(1000);
        let table: [(Fields<'_>, bool, u64); 4] = [
            (&[], true, 1800),
            (&[("Session-Expires", "120")], true, 120),
            (&[("Session-Expires", "120;refresher=uac")], true, 120),
            (&[("Session-Expires", "120;refresher=uas")], false, 120),
        ];
        for (fields, we_refresh, seconds) in table {
            let timer = SessionTimer::of_response(&headers(fields), WANTED, now);
            assert_eq!((timer.we_refresh, timer.interval.as_secs()), (we_refresh, seconds), "{fields:?}");
        }
    }

    #[test]
    fn a_refresh_comes_at_half_and_the_end_a_third_before_the_end() {
        let timer = SessionTimer::start(Duration::from_secs(90), true, Duration::ZERO);
        assert_eq!(timer.deadline(), Duration::from_secs(45));
        let timer = SessionTimer::start(Duration::from_secs(90), false, Duration::ZERO);
        assert_eq!(timer.deadline(), Duration::from_secs(60));
        let timer = SessionTimer::start(Duration::from_secs(1800), false, Duration::ZERO);
        assert_eq!(timer.deadline(), Duration::from_secs(1768));
    }

    #[test]
    fn a_422_raises_the_interval_once() {
        let again = raised(&headers(&[("Min-SE", "3600")]), WANTED).unwrap();
        assert_eq!((again.interval.as_secs(), again.min.as_secs()), (3600, 3600));
        assert_eq!(raised(&headers(&[("Min-SE", "3600")]), again), None);
        assert_eq!(raised(&headers(&[]), WANTED), None);
    }
}
