use std::time::Duration;

/// When a notification is tried again, and how long one try may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Waits after failed tries while the call lives; the last one repeats for as long as it does.
    pub live: Vec<Duration>,
    /// Waits after failed tries once the call is over; past the last one the notification is given up.
    pub over: Vec<Duration>,
    /// Time-out of a try while the call lives.
    pub live_timeout: Duration,
    /// Time-out of a try once the call is over.
    pub over_timeout: Duration,
    /// Redirects that are followed before the next wait.
    pub max_redirects: u32,
}

impl Default for Schedule {
    /// The promised schedule; the number of redirects is arbitrary.
    fn default() -> Self {
        Self {
            live: [250, 500, 1000, 2000, 4000, 8000].map(Duration::from_millis).to_vec(),
            over: [5, 60, 5 * 60, 30 * 60, 2 * 60 * 60].map(Duration::from_secs).to_vec(),
            live_timeout: Duration::from_secs(5),
            over_timeout: Duration::from_secs(15),
            max_redirects: 5,
        }
    }
}

/// How one notification has fared.
///
/// Failures from before the call's end do not count against the tries after it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tries {
    live: usize,
    over: usize,
}

impl Tries {
    /// Counts a failure: how long to wait, or `None` to give up.
    pub(super) fn failed(&mut self, schedule: &Schedule, is_over: bool) -> Option<Duration> {
        let (count, waits) =
            if is_over { (&mut self.over, &schedule.over) } else { (&mut self.live, &schedule.live) };
        let wait = waits.get(*count).copied();
        *count = count.saturating_add(1);
        if is_over { wait } else { wait.or_else(|| waits.last().copied()) }
    }
}

#[cfg(test)]
mod tests {
    use super::{Schedule, Tries};

    fn waits(is_over: bool, count: usize) -> Vec<Option<f32>> {
        let (mut tries, schedule) = (Tries::default(), Schedule::default());
        (0..count).map(|_| tries.failed(&schedule, is_over).map(|wait| wait.as_secs_f32())).collect()
    }

    #[test]
    fn a_live_call_is_tried_for_as_long_as_it_lives() {
        assert_eq!(waits(false, 8), [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0].map(Some));
    }

    #[test]
    fn a_call_that_is_over_is_tried_five_times_more() {
        assert_eq!(waits(true, 6), [Some(5.0), Some(60.0), Some(300.0), Some(1800.0), Some(7200.0), None]);
    }
}
