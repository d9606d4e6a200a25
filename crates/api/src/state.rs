use std::sync::Arc;

use crate::Api;
use crate::console::Streams;
use crate::online_meetings::GuessLimit;
use crate::rate_limit::RateLimit;
use crate::web::{Guesses, LookUps};

/// What handlers share.
pub(crate) type AppState = Arc<Shared>;

pub(crate) struct Shared {
    pub(crate) api: Api,
    pub(crate) rate: RateLimit,
    pub(crate) guesses: GuessLimit,
    pub(crate) web_guesses: Guesses,
    pub(crate) web_look_ups: LookUps,
    pub(crate) streams: Arc<Streams>,
}

impl Shared {
    pub(crate) fn new(api: Api) -> Self {
        let rate = RateLimit::new(api.settings.app_limits.requests_per_second);
        let (guesses, web_guesses, web_look_ups, streams) = Default::default();
        Self { api, rate, guesses, web_guesses, web_look_ups, streams }
    }
}
