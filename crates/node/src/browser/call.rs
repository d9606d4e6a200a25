//! One call of a page: a far end for the call's leg.

use std::time::Duration;

use bytes::Bytes;
use call_engine::{EndCause, Refusal};
use phone_wire::{EndReason, Target, TransferStatus};
use rtc_proto::sdp::SrtpPolicy;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use super::connection::{Connection, Near, Unconnected, look_at};
use crate::calls::Calls;
use crate::context::Context;
use crate::far_end::{FarEnd, FarEndCommand, FarEndEvent, FarEndEvents, ReferProgress};
use crate::inputs::inputs;
use crate::referral::{Referral, ReferralStatus};
use crate::sip::{CallingPhone, IncomingCall, IncomingCaller};

/// How often the leg is told that the call goes on; several times in the time after which it would give up.
const KEEP_ALIVE: Duration = Duration::from_secs(5);

/// What the page wants.
#[derive(Debug)]
pub(super) enum Wish {
    Accept(String),
    HangUp,
    Offer(String),
    Hold(bool),
    Transfer(Target),
}

/// What a page is told of its call, and what is to be remembered of it.
#[derive(Debug)]
pub(super) enum News {
    /// The answer to what the page has offered last.
    Answer(String),
    /// Somebody has answered.
    Connected,
    /// It is over: the last of it.
    Ended(EndReason),
    /// The page holds the call, or not any more.
    Held(bool),
    /// An offer cannot be used; the text says why.
    Refused(String),
    /// Whoever is called hears it ring.
    Ringing,
    /// How it goes that the call is handed over.
    Transfer(TransferStatus),
}

/// The call as its page knows it.
pub(super) struct PageCall {
    pub(super) context: Context,
    pub(super) wishes: mpsc::Receiver<Wish>,
    /// Tells the page; one that is gone needs no news.
    pub(super) news: Box<dyn Fn(News) + Send + Sync>,
}

/// The call as its leg knows it.
pub(super) struct FarSide {
    pub(super) events: FarEndEvents,
    pub(super) commands: mpsc::UnboundedReceiver<FarEndCommand>,
}

/// How a call is over: what the page is told, and its leg.
struct End(EndReason, EndCause);

impl End {
    /// The page has hung up.
    const BY_PAGE: Self = Self(EndReason::HungUp, EndCause::HungUp);
    /// The page is gone.
    const LOST: Self = Self(EndReason::MediaLost, EndCause::MediaLost);
    /// Something is wrong here.
    const FAILED: Self = Self(EndReason::Failed, EndCause::MediaFailed);
}

impl PageCall {
    /// Rings, and talks once the page takes the call.
    pub(super) async fn ring(mut self, mut far: FarSide, offer: Bytes) {
        let end = self.rung(&mut far, &offer).await;
        self.over(&far.events, end);
    }

    /// Calls somebody.
    pub(super) async fn dial(self, calls: Calls, address: String, to: Target, offer: String) {
        let inputs = inputs();
        let events = FarEndEvents::to_call(inputs.0.clone());
        // The calls go with the closure: a page must not keep all of them alive.
        self.call(offer, events, move |phone| {
            let own_domain = address.split_once('@').map(|(_, domain)| domain.to_owned());
            calls.take(IncomingCall {
                caller: IncomingCaller::User(address),
                dialled: to.name,
                domain: to.domain.or(own_domain).unwrap_or_default(),
                subject: None,
                phone,
                inputs,
            });
        })
        .await;
    }

    /// Calls whoever takes it.
    pub(super) async fn call(
        mut self,
        offer: String,
        events: FarEndEvents,
        take: impl FnOnce(CallingPhone) + Send,
    ) {
        let (far_end, commands) = FarEnd::new();
        let mut far = FarSide { events, commands };
        let mut near = match self.near(&offer).await {
            Ok(near) => near,
            Err(why) => {
                self.refuse(why);
                return self.over(&far.events, End::FAILED);
            }
        };
        take(CallingPhone {
            far_end,
            offer: Some(near.offer()),
            source: self.context.browsers.own_ip(),
            is_trunk: false,
            srtp: Some(SrtpPolicy::Off),
            events: far.events.clone(),
        });
        let end = self.dialled(&mut far, near, offer).await;
        self.over(&far.events, end);
    }

    async fn near(&self, offer: &str) -> Result<Near, Unconnected> {
        let codec = look_at(&self.context, offer)?;
        Near::open(&self.context, codec).await
    }

    fn tell(&self, news: News) {
        (self.news)(news);
    }

    fn refuse(&self, why: Unconnected) {
        self.tell(News::Refused(match why {
            Unconnected::Offer(message) => message,
            Unconnected::Here => "the server cannot connect the call".to_owned(),
        }));
    }

    fn over(&self, events: &FarEndEvents, End(reason, cause): End) {
        self.tell(News::Ended(reason));
        events.report(FarEndEvent::Ended(cause));
    }

    async fn rung(&mut self, far: &mut FarSide, offer: &[u8]) -> End {
        if !far.events.report(FarEndEvent::Ringing) {
            return End(EndReason::Cancelled, EndCause::LocalHangUp);
        }
        loop {
            tokio::select! {
                wish = self.wishes.recv() => match wish {
                    Some(Wish::Accept(page)) => match Connection::accept(&self.context, offer, &page).await {
                        Ok((connection, sdp, answer)) => {
                            self.tell(News::Connected);
                            self.tell(News::Answer(answer));
                            let answered = FarEndEvent::Answered { sdp, source: None };
                            return self.talk(far, connection, Some(answered)).await;
                        }
                        Err(Unconnected::Here) => return End::FAILED,
                        Err(why) => self.refuse(why),
                    },
                    Some(Wish::HangUp) => return End(EndReason::Declined, EndCause::Declined),
                    Some(Wish::Offer(_) | Wish::Hold(_) | Wish::Transfer(_)) => {}
                    None => return End(EndReason::Failed, EndCause::Unreachable),
                },
                command = far.commands.recv() => match command {
                    Some(FarEndCommand::Lose) => {
                        return End(EndReason::AnsweredElsewhere, EndCause::AnsweredElsewhere);
                    }
                    Some(FarEndCommand::HangUp) | None => {
                        return End(EndReason::Cancelled, EndCause::LocalHangUp);
                    }
                    Some(
                        FarEndCommand::Answer(_)
                        | FarEndCommand::AnswerOffer(_)
                        | FarEndCommand::Refer(_)
                        | FarEndCommand::Referral(_)
                        | FarEndCommand::Reject(_)
                        | FarEndCommand::Ring,
                    ) => {}
                },
            }
        }
    }

    async fn dialled(&mut self, far: &mut FarSide, near: Near, mut page: String) -> End {
        loop {
            tokio::select! {
                wish = self.wishes.recv() => match wish {
                    Some(Wish::HangUp) | None => return End(EndReason::Cancelled, EndCause::HungUp),
                    // A page that was loaded anew has another peer connection. It is answered once somebody answers.
                    Some(Wish::Offer(offer)) => match near.suits(&self.context, &offer) {
                        Ok(()) => page = offer,
                        Err(why) => self.refuse(why),
                    },
                    Some(Wish::Accept(_) | Wish::Hold(_) | Wish::Transfer(_)) => {}
                },
                command = far.commands.recv() => match command {
                    Some(FarEndCommand::Ring) => {
                        self.tell(News::Ringing);
                    }
                    Some(FarEndCommand::Answer(sdp)) => {
                        let connected = near.complete(&self.context, &sdp);
                        let connected =
                            connected.and_then(|()| Connection::answered(&self.context, near, &page));
                        return match connected {
                            Ok((connection, answer)) => {
                                self.tell(News::Connected);
                                self.tell(News::Answer(answer));
                                let confirmed = FarEndEvent::Confirmed { sdp: None };
                                self.talk(far, connection, Some(confirmed)).await
                            }
                            Err(why) => {
                                self.refuse(why);
                                End::FAILED
                            }
                        };
                    }
                    Some(FarEndCommand::Reject(why)) => return End(reason(why), EndCause::LocalHangUp),
                    Some(FarEndCommand::HangUp | FarEndCommand::Lose) | None => {
                        return End(EndReason::Unreachable, EndCause::LocalHangUp);
                    }
                    Some(
                        FarEndCommand::AnswerOffer(_) | FarEndCommand::Refer(_) | FarEndCommand::Referral(_),
                    ) => {}
                },
            }
        }
    }

    /// Until either side ends it.
    async fn talk(
        &mut self,
        far: &mut FarSide,
        mut connection: Connection,
        first: Option<FarEndEvent>,
    ) -> End {
        let is_heard = first.is_none_or(|event| far.events.report(event));
        let end = if is_heard { self.talking(far, &mut connection).await } else { End::FAILED };
        connection.close().await;
        end
    }

    async fn talking(&mut self, far: &mut FarSide, connection: &mut Connection) -> End {
        let mut away_until: Option<Instant> = None;
        let mut ticks = interval(KEEP_ALIVE);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let patience = async {
                match away_until {
                    Some(until) => sleep_until(until).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                wish = self.wishes.recv() => {
                    let Some(wish) = wish else { return End::LOST };
                    if let Some(end) = self.wished(wish, far, connection).await {
                        return end;
                    }
                    if connection.is_up() {
                        away_until = None;
                    }
                }
                command = far.commands.recv() => {
                    if let Some(end) = self.commanded(command, far, connection) {
                        return end;
                    }
                }
                () = connection.lost() => away_until = Some(Instant::now() + self.context.browsers.patience()),
                _ = ticks.tick() => connection.keep_alive(),
                () = patience => return End::LOST,
            }
        }
    }

    async fn wished(&mut self, wish: Wish, far: &FarSide, connection: &mut Connection) -> Option<End> {
        match wish {
            Wish::HangUp => return Some(End::BY_PAGE),
            Wish::Offer(offer) | Wish::Accept(offer) => match connection.offered(&offer).await {
                Ok(answer) => self.tell(News::Answer(answer)),
                Err(why) => self.refuse(why),
            },
            Wish::Hold(is_held) => {
                let sdp = Some(connection.hold(is_held));
                if far.events.report(FarEndEvent::Offered { sdp }) {
                    self.tell(News::Held(is_held));
                }
            }
            Wish::Transfer(Target { name, domain }) => {
                let domain = domain.unwrap_or_default();
                if !far.events.report(FarEndEvent::Referred(Referral::Call { name, domain })) {
                    self.tell(News::Transfer(TransferStatus::Failed));
                }
            }
        }
        None
    }

    fn commanded(
        &self,
        command: Option<FarEndCommand>,
        far: &FarSide,
        connection: &Connection,
    ) -> Option<End> {
        match command {
            Some(FarEndCommand::Lose) => {
                return Some(End(EndReason::AnsweredElsewhere, EndCause::AnsweredElsewhere));
            }
            Some(FarEndCommand::HangUp | FarEndCommand::Reject(_)) | None => {
                return Some(End(EndReason::HungUp, EndCause::LocalHangUp));
            }
            Some(FarEndCommand::AnswerOffer(Some(sdp))) => connection.completed(&sdp),
            Some(FarEndCommand::Refer(_)) => {
                far.events.report(FarEndEvent::ReferProgress(ReferProgress::Refused));
            }
            Some(FarEndCommand::Referral(status)) => self.tell(News::Transfer(match status {
                ReferralStatus::Accepted => TransferStatus::Accepted,
                ReferralStatus::Ringing => TransferStatus::Ringing,
                ReferralStatus::Done => TransferStatus::Done,
                ReferralStatus::Failed(_) | ReferralStatus::Refused(_) => TransferStatus::Failed,
            })),
            Some(FarEndCommand::Answer(_) | FarEndCommand::AnswerOffer(None) | FarEndCommand::Ring) => {}
        }
        None
    }
}

/// Why nobody took a page's call.
const fn reason(why: Refusal) -> EndReason {
    match why {
        Refusal::Busy | Refusal::CallerAtLimit => EndReason::Busy,
        Refusal::Declined => EndReason::Declined,
        Refusal::Forbidden => EndReason::Forbidden,
        Refusal::NotAnswered => EndReason::NoAnswer,
        Refusal::NotFound => EndReason::NotFound,
        Refusal::Occupied | Refusal::Unavailable => EndReason::Unreachable,
    }
}
