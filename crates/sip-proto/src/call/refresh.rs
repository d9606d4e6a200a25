//! How this side refreshes a session: by UPDATE where the far end takes it, else by re-INVITE. An offer of
//! this side is a re-INVITE, too, and refreshes what it changes.

use core::time::Duration;

use bytes::Bytes;
use sip_message::{Method, Refresher, Response, StatusCode};

use super::message;
use super::offer::Waiting;
use super::session::Session;
use super::session_timer::{self, SessionTimer};
use crate::auth;
use crate::core::Core;
use crate::event::{EndCause, Event};
use crate::transaction::{ClientId, Failure, Outcome, Owner};

/// How often one refresh may be sent again for a challenge, a longer interval, or the other method.
const MAX_ATTEMPTS: u8 = 4;

/// How long a refresh waits for another negotiation to end.
const POSTPONED: Duration = Duration::from_secs(2);

/// The request that is under way.
#[derive(Debug)]
pub(super) struct Refresh {
    pub(super) id: ClientId,
    pub(super) method: Method,
    cseq: u32,
    attempts: u8,
    asked: Asked,
}

/// What a refresh asks for, each time that it is sent.
#[derive(Debug, Default)]
struct Asked {
    authorization: Vec<(&'static str, String)>,
    /// The change of the session, where it is more than a refresh.
    offer: Option<Bytes>,
    /// When the next refresh was due, which stays so if an offer is refused.
    due: Option<Duration>,
}

impl Session {
    /// Sends a refresh, or puts it off while something else is negotiated.
    pub(super) fn start_refresh(&mut self, core: &mut Core) {
        if self.is_negotiating() {
            self.timing.timer.refresh_at = Some(core.after(POSTPONED));
            return;
        }
        self.send_refresh(0, Asked::default(), core);
    }

    /// Sends an offer of this side.
    pub(super) fn send_offer(&mut self, sdp: Bytes, core: &mut Core) {
        let due = self.timing.timer.refresh_at;
        self.send_refresh(0, Asked { offer: Some(sdp), due, ..Asked::default() }, core);
    }

    /// Whether an offer of this side is under way.
    pub(super) fn is_offering(&self) -> bool {
        self.refresh.as_ref().is_some_and(|refresh| refresh.asked.offer.is_some())
    }

    fn send_refresh(&mut self, attempts: u8, asked: Asked, core: &mut Core) {
        let updates = self.timing.peer_updates && asked.offer.is_none();
        let method = if updates { Method::Update } else { Method::Invite };
        let (mut request, cseq) = self.dialog.request(method.clone());
        request.headers.push("Contact", self.dialog.contact());
        message::put_abilities(&mut request.headers);
        let timer =
            crate::config::SessionTimer { interval: self.timing.timer.interval, ..self.timing.wanted };
        session_timer::write_request(&mut request.headers, timer, Some(Refresher::Uac));
        for (name, value) in &asked.authorization {
            request.headers.push(name, value.as_str());
        }
        if method == Method::Invite {
            let sdp = asked.offer.as_ref().unwrap_or(&self.local_sdp).clone();
            message::put_sdp(&mut request.headers, &mut request.body, sdp);
        }
        let id = core.send_request(self.dialog.flow, request, Owner::Session { call: self.handle.0 });
        self.timing.timer.refresh_at = None;
        self.refresh = Some(Refresh { id, method, cseq, attempts: attempts + 1, asked });
    }

    /// Takes what the transaction of a refresh tells. Gives the cause when the call ends by it.
    pub(super) fn handle_refresh(
        &mut self,
        id: ClientId,
        outcome: Outcome,
        core: &mut Core,
    ) -> Option<EndCause> {
        let response = match outcome {
            Outcome::Failed(failure) => {
                self.refresh.take_if(|refresh| refresh.id == id)?;
                return Some(self.give_up(failure, core));
            }
            Outcome::Response(response) => response,
        };
        if response.status.is_provisional() {
            return None;
        }
        let Some(refresh) = self.refresh.take_if(|refresh| refresh.id == id) else {
            self.acknowledge_again(&response, core);
            return None;
        };
        match response.status {
            status if status.is_success() => return self.refreshed(refresh, &response, core),
            // The far end has lost the dialog (RFC 3261, 12.2.1.2).
            StatusCode::CALL_DOES_NOT_EXIST | StatusCode::REQUEST_TIMEOUT => {
                return Some(self.give_up(Failure::Timeout, core));
            }
            _ => self.refused(refresh, &response, core),
        }
        None
    }

    fn give_up(&mut self, failure: Failure, core: &mut Core) -> EndCause {
        self.bye(None, core);
        match failure {
            Failure::Timeout => EndCause::SessionExpired,
            Failure::Transport => EndCause::TransportFailed,
        }
    }

    fn refreshed(&mut self, refresh: Refresh, response: &Response, core: &mut Core) -> Option<EndCause> {
        self.dialog.refresh_target(&response.headers);
        self.timing.peer_times = response.headers.has("Session-Expires");
        self.timing.timer = SessionTimer::of_response(&response.headers, self.timing.wanted, core.now);
        let mut sdp = None;
        if refresh.method == Method::Invite {
            let mut ack = self.dialog.ack(refresh.cseq);
            for (name, value) in &refresh.asked.authorization {
                ack.headers.push(name, value.as_str());
            }
            let bytes = core.send_ack(self.dialog.flow, ack);
            self.refresh_ack = Some((refresh.cseq, bytes));
            sdp = message::sdp(&response.headers, &response.body);
        }
        let handle = self.handle;
        match (refresh.asked.offer, sdp) {
            (None, sdp) => core.emit(Event::SessionRefreshed { handle, sdp }),
            (Some(offer), Some(sdp)) => {
                self.local_sdp = offer;
                core.emit(Event::OfferAnswered { handle, sdp });
            }
            (Some(_), None) => {
                self.bye(Some("SIP;cause=488;text=\"No answer to the offer\""), core);
                return Some(EndCause::MissingAnswer);
            }
        }
        None
    }

    /// Absorbs a repeated 2xx to a re-INVITE of this side.
    fn acknowledge_again(&mut self, response: &Response, core: &mut Core) {
        let cseq = response.headers.cseq().ok().map(|cseq| cseq.seq);
        if let Some((of, ack)) = &self.refresh_ack
            && Some(*of) == cseq
            && response.status.is_success()
        {
            core.transmit(self.dialog.flow, ack.clone());
        }
    }

    fn refused(&mut self, refresh: Refresh, response: &Response, core: &mut Core) {
        let Refresh { method, attempts, mut asked, .. } = refresh;
        let again = attempts < MAX_ATTEMPTS
            && match response.status {
                StatusCode::UNAUTHORIZED | StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
                    self.credentials.as_ref().is_some_and(|credentials| {
                        let uri = self.dialog.ack(0).uri;
                        let request = auth::Challenged { method: &method, uri: &uri };
                        auth::answer(
                            response,
                            request,
                            credentials,
                            &mut asked.authorization,
                            &mut core.entropy,
                        )
                    })
                }
                StatusCode::SESSION_INTERVAL_TOO_SMALL => self.raise(response),
                StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED => {
                    method == Method::Update && std::mem::take(&mut self.timing.peer_updates)
                }
                _ => false,
            };
        if again {
            self.send_refresh(attempts, asked, core);
        } else if let Some(sdp) = asked.offer {
            self.timing.timer.refresh_at = asked.due;
            self.offer_refused(sdp, response.status, core);
        } else if response.status == StatusCode::REQUEST_PENDING {
            let wait = self.glare_wait(core);
            self.timing.timer.refresh_at = Some(core.after(wait));
        } else if self.timing.peer_times {
            self.timing.timer.refresh_at = Some(core.after((self.timing.timer.interval / 10).max(POSTPONED)));
        } else {
            // Any answer proves the far end alive, which is all that this side's own timer asks.
            self.timing.timer = SessionTimer::start(self.timing.timer.interval, true, core.now);
        }
    }

    /// Two offers that met are made again after a while; any other refusal is the far end's last word.
    fn offer_refused(&mut self, sdp: Bytes, status: StatusCode, core: &mut Core) {
        if status == StatusCode::REQUEST_PENDING {
            let wait = self.glare_wait(core);
            self.waiting = Some(Waiting { sdp, not_before: core.after(wait) });
        } else {
            core.emit(Event::OfferRefused { handle: self.handle, status });
        }
    }

    fn raise(&mut self, response: &Response) -> bool {
        let asked =
            crate::config::SessionTimer { interval: self.timing.timer.interval, ..self.timing.wanted };
        let Some(raised) = session_timer::raised(&response.headers, asked) else { return false };
        self.timing.wanted.min = raised.min;
        self.timing.timer.interval = raised.interval;
        true
    }

    /// The owner of the Call-ID waits longer, so that the two do not meet again (RFC 3261, 14.1).
    fn glare_wait(&self, core: &mut Core) -> Duration {
        if self.owns_call_id {
            Duration::from_millis(2100) + core.entropy.up_to(Duration::from_millis(1900))
        } else {
            core.entropy.up_to(Duration::from_secs(2))
        }
    }
}
