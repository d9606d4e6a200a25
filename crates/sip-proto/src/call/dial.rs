//! An outgoing call before anyone has answered.

use core::time::Duration;

use sip_message::{Response, StatusCode};

use super::early::EarlyMedia;
use super::farewell::send_bye;
use super::forks::{Forks, Invite, News};
use super::message;
use super::session::{Session, Start, Timing};
use super::session_timer::{SessionTimer, takes_update};
use crate::core::Core;
use crate::dialog::Identity;
use crate::event::{CallHandle, EndCause, Event, NewCall};
use crate::transaction::{ClientId, Outcome};

/// What the user was told, and how long the call may ring.
#[derive(Debug)]
pub(super) struct Dial {
    handle: CallHandle,
    pub(super) until: Duration,
    offer: bytes::Bytes,
    announced_trying: bool,
    announced: Vec<StatusCode>,
}

/// Where an outgoing call goes from here.
#[derive(Debug)]
pub(super) enum Next {
    Answered(Box<Session>),
    Ended(EndCause),
    Stay,
}

impl Dial {
    /// Rings every target.
    pub(super) fn start(handle: CallHandle, local_tag: &str, new: NewCall, core: &mut Core) -> (Self, Forks) {
        let identity = Identity {
            call_id: format!("{}{}", core.entropy.token(), core.entropy.token()),
            local: new.from.with_tag(local_tag),
            remote: new.to,
        };
        let dial = Self {
            handle,
            until: core.after(core.config.ring_limit),
            offer: new.offer.clone(),
            announced_trying: false,
            announced: Vec::new(),
        };
        let session = new.session_timer.unwrap_or(core.config.session).bounded();
        let invite = Invite { offer: new.offer, credentials: new.credentials, headers: new.headers };
        let forks = Forks::start(handle.0, identity, invite, (new.targets, session), core);
        (dial, forks)
    }

    /// Takes what the transaction of one fork tells.
    pub(super) fn handle(
        &mut self,
        forks: &mut Forks,
        fork: usize,
        told: (ClientId, Outcome),
        core: &mut Core,
    ) -> Next {
        let (id, outcome) = told;
        match forks.handle(fork, id, outcome, core) {
            News::Accepted(response) => self.answered(forks, fork, &response, core),
            News::Failed if forks.have_failed() || forks.have_global_failure() => {
                forks.decide();
                forks.cancel(None, core);
                Next::Ended(forks.best_failure())
            }
            News::Progress(status, media) => {
                self.announce(status, core);
                if let Some(EarlyMedia { remote, sdp }) = media {
                    core.emit(Event::EarlyMedia { handle: self.handle, target: fork, remote, sdp });
                }
                Next::Stay
            }
            News::Failed | News::Nothing => Next::Stay,
        }
    }

    /// Tells each status once, however often and from however many targets it comes.
    fn announce(&mut self, status: StatusCode, core: &mut Core) {
        if !self.announced_trying {
            self.announced_trying = true;
            core.emit(Event::Trying { handle: self.handle });
        }
        let tells = (180..=183).contains(&status.as_u16());
        if tells && !self.announced.contains(&status) {
            self.announced.push(status);
            core.emit(Event::Ringing { handle: self.handle, status });
        }
    }

    fn answered(&mut self, forks: &mut Forks, target: usize, response: &Response, core: &mut Core) -> Next {
        let wanted = forks.session_asked(target);
        let early = forks.early_answer(target, response);
        let Some(mut dialog) = forks.acknowledge(target, response, core) else { return Next::Stay };
        let invite = forks.decide();
        forks.cancel_losers(core);
        let Some(sdp) = message::sdp(&response.headers, &response.body).or(early) else {
            let credentials = invite.as_ref().and_then(|invite| invite.credentials.as_ref());
            send_bye(&mut dialog, Some("SIP;cause=488;text=\"No answer to the offer\""), credentials, core);
            return Next::Ended(EndCause::MissingAnswer);
        };
        let remote = Box::new(dialog.remote.clone());
        let session = Session::new(Start {
            handle: self.handle,
            dialog,
            local_sdp: self.offer.clone(),
            timing: Timing {
                timer: SessionTimer::of_response(&response.headers, wanted, core.now),
                wanted,
                peer_updates: takes_update(&response.headers),
                peer_times: response.headers.has("Session-Expires"),
            },
            credentials: invite.and_then(|invite| invite.credentials),
            owns_call_id: true,
        });
        core.emit(Event::Answered { handle: self.handle, sdp, remote, target });
        Next::Answered(Box::new(session))
    }
}

/// Takes what a fork tells after the call was decided: whoever accepts now is hung up on.
pub(super) fn handle_late(forks: &mut Forks, fork: usize, told: (ClientId, Outcome), core: &mut Core) {
    let (id, outcome) = told;
    if let News::Accepted(response) = forks.handle(fork, id, outcome, core)
        && let Some(mut dialog) = forks.acknowledge(fork, &response, core)
    {
        send_bye(&mut dialog, None, None, core);
    }
}
