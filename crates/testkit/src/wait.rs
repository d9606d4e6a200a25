use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval, timeout};

/// How long anything may take that a test waits for. Many times what it takes, for machines that are busy with other
/// tests at the same time.
pub const DEADLINE: Duration = Duration::from_secs(45);

/// Waits for something that has to happen before [`DEADLINE`].
///
/// # Panics
///
/// Panics after the deadline and names what did not happen.
pub async fn within<F: Future>(what: &str, waiting: F) -> F::Output {
    match timeout(DEADLINE, waiting).await {
        Ok(done) => done,
        Err(_elapsed) => panic!("not within {DEADLINE:?}: {what}"),
    }
}

/// Looks again and again until something has become true that nobody tells of, such as how many files a process has
/// open.
///
/// # Panics
///
/// Panics after [`DEADLINE`] with the last thing seen.
pub async fn eventually<S: std::fmt::Debug>(what: &str, mut look: impl AsyncFnMut() -> (bool, S)) -> S {
    let mut looks = interval(Duration::from_millis(20));
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last = None;
    let found = timeout(DEADLINE, async {
        loop {
            looks.tick().await;
            let (is_so, seen) = look().await;
            if is_so {
                return seen;
            }
            last = Some(seen);
        }
    });
    match found.await {
        Ok(seen) => seen,
        Err(_elapsed) => panic!("not within {DEADLINE:?}: {what}; last seen: {last:?}"),
    }
}
