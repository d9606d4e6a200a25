use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use model::AppId;

/// Holds each application to a rate of requests (the generic cell rate algorithm), a second's worth of them at once.
///
/// Only applications of the directory come here, which bounds the map.
#[derive(Debug)]
pub(crate) struct RateLimit {
    interval: Duration,
    /// When the next request of each would be due at an even pace, on the clock that never jumps.
    due: Mutex<BTreeMap<AppId, Duration>>,
}

/// How far ahead of an even pace an application may be.
const BURST: Duration = Duration::from_secs(1);

impl RateLimit {
    pub(crate) fn new(requests_per_second: u32) -> Self {
        Self { interval: BURST / requests_per_second.max(1), due: Mutex::default() }
    }

    /// Counts a request.
    ///
    /// # Errors
    ///
    /// How long to wait, where there were too many.
    pub(crate) fn admit(&self, app: &AppId, elapsed: Duration) -> Result<(), Duration> {
        let mut all = self.due.lock().unwrap_or_else(PoisonError::into_inner);
        let due = all.get(app).copied().unwrap_or_default().max(elapsed);
        let ahead = (due + self.interval).saturating_sub(elapsed);
        if ahead > BURST {
            return Err(ahead.saturating_sub(BURST));
        }
        all.insert(app.clone(), due + self.interval);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use model::AppId;

    use super::RateLimit;

    #[test]
    fn a_seconds_worth_is_admitted_at_once_and_then_at_the_even_pace() {
        let (limit, app) = (RateLimit::new(10), AppId::from("bot"));
        let start = Duration::from_secs(100);
        let admitted = (0..20).filter(|_| limit.admit(&app, start).is_ok()).count();
        assert_eq!(admitted, 10);
        assert_eq!(limit.admit(&app, start), Err(Duration::from_millis(100)));
        assert!(limit.admit(&app, start + Duration::from_millis(100)).is_ok());
        assert!(limit.admit(&app, start + Duration::from_millis(100)).is_err());
    }

    #[test]
    fn applications_do_not_share_their_rate() {
        let limit = RateLimit::new(1);
        assert!(limit.admit(&AppId::from("one"), Duration::ZERO).is_ok());
        assert!(limit.admit(&AppId::from("two"), Duration::ZERO).is_ok());
        assert!(limit.admit(&AppId::from("one"), Duration::ZERO).is_err());
    }
}
