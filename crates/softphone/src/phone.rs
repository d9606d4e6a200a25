//! The shell: one telephone from its registration to the end of its call.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use media_plane::PlaneError;
use rtc_proto::sdp::Direction;
use sip_message::{NameAddr, StatusCode, Uri};
use sip_proto::{
    CallHandle, Credentials, EndCause, Event, Incoming, IncomingPolicy, NewCall, NewRegistration, Refer,
    RegistrationFailure, RegistrationHandle, Target, Transport,
};
use tokio::time::sleep_until;
use tokio_util::sync::CancellationToken;
use transport::BindError;

use crate::media::{Ears, HeardSound, Media, MediaNews, Ready};
use crate::plan::Plan;
use crate::report::{FailureKind, Moment, Report};
use crate::script::{Effect, End, Input, Script, TransferNews};
use crate::wire::Wire;

/// A telephone that is to make or take one call.
#[derive(Debug)]
pub struct Setup {
    /// Where the server takes SIP.
    pub server: SocketAddr,
    /// How messages travel there.
    pub transport: Transport,
    /// Who it is: the address of record.
    pub aor: NameAddr,
    /// Answers challenges of the server.
    pub credentials: Option<Credentials>,
    /// Whether it registers first, and takes that back at the end.
    pub registers: bool,
    /// Where its call comes from.
    pub place: Place,
    /// What it does in the call.
    pub plan: Plan,
    /// Keeps what it hears.
    pub heard: HeardSound,
}

/// Where a call comes from.
#[derive(Clone, Debug)]
pub enum Place {
    /// It calls.
    Dial(Uri),
    /// It waits for so long until the server sends it a call, and answers that.
    Wait(Duration),
}

/// Why a telephone did not come to be.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// No port for SIP.
    #[error("failed to open a port for SIP")]
    Bind(#[source] BindError),
    /// The media did not start.
    #[error("failed to set up media")]
    Media(#[from] PlaneError),
    /// No way leads to the server.
    #[error("failed to find the way to the server")]
    Network(#[source] std::io::Error),
    /// The system has no randomness for keys.
    #[error("the system gives no random numbers")]
    NoRandomness,
    /// The media threads cannot be listened to.
    #[error("failed to listen to the media threads")]
    Watch(#[from] std::io::Error),
}

/// How long the server may take to register the telephone: the time of a SIP transaction passes first.
const REGISTRATION_LENGTH: Duration = Duration::from_secs(300);

/// How long good-byes are waited for: a few retransmissions of one that is lost.
const GOODBYE_LIMIT: Duration = Duration::from_secs(2);

/// Frames that are listened to before anything else is looked after: a fifth of a second.
const FRAMES_AT_ONCE: usize = 10;

/// Makes or takes one call, and returns once it is over and the server knows.
///
/// `told` hears of every moment as it happens. `stop` ends it early.
///
/// # Errors
///
/// [`SetupError`] where the telephone cannot exist on this machine; everything that happens to its call is in the report.
pub async fn run(
    setup: Setup,
    stop: CancellationToken,
    told: impl FnMut(&Moment) + Send,
) -> Result<Report, SetupError> {
    let incoming = match setup.place {
        // It has its one call.
        Place::Dial(_) => IncomingPolicy::Refuse(StatusCode::BUSY_HERE),
        Place::Wait(_) => IncomingPolicy::Offer,
    };
    let wire = Wire::open(setup.server, setup.transport, incoming).await?;
    let (media, ears) = Media::open(wire.flow().local.ip(), setup.heard.clone())?;
    let script = Script::new(setup.plan.clone(), wire.now());
    let mut phone = Phone {
        setup,
        wire,
        media,
        ears,
        script,
        told,
        call: None,
        registration: None,
        until: None,
        says_goodbye: false,
        offers_again: None,
    };
    phone.begin();
    phone.talk(&stop).await;
    let report = phone.script.report();
    phone.leave().await;
    Ok(report)
}

struct Phone<F> {
    setup: Setup,
    wire: Wire,
    media: Media,
    ears: Ears,
    script: Script,
    told: F,
    call: Option<CallHandle>,
    registration: Option<RegistrationHandle>,
    /// Until when somebody has to call.
    until: Option<Duration>,
    /// Whether the far end was told that this side hangs up.
    says_goodbye: bool,
    /// What is offered again once the far end's own offer, which came first, is answered.
    offers_again: Option<bool>,
}

impl<F: FnMut(&Moment) + Send> Phone<F> {
    fn begin(&mut self) {
        if self.setup.registers {
            self.register();
        } else {
            self.take_place();
        }
    }

    /// Lives until the call is over.
    async fn talk(&mut self, stop: &CancellationToken) {
        let mut is_stopped = false;
        loop {
            self.settle();
            if self.script.is_over() {
                return;
            }
            let deadlines = [self.wire.endpoint.poll_timeout(), self.script.poll_timeout(), self.until];
            // Without a deadline the timer is far away rather than absent, so that one form of the loop serves.
            let far_away = self.wire.now() + Duration::from_secs(3600);
            let due = deadlines.into_iter().flatten().fold(far_away, Duration::min);
            let due = self.wire.instant(due);
            tokio::select! {
                incoming = self.wire.receive() => match incoming {
                    Some(incoming) => self.wire.handle(incoming),
                    None => self.fail(FailureKind::Broken, "the sockets are gone"),
                },
                ready = self.ears.ready() => match ready {
                    Ok(ready) => self.hear(&ready),
                    Err(error) => self.fail(FailureKind::Broken, &format!("the media is gone: {error}")),
                },
                () = sleep_until(due) => self.handle_timeout(),
                () = stop.cancelled(), if !is_stopped => {
                    is_stopped = true;
                    self.input(Input::Interrupted);
                }
            }
        }
    }

    /// Does all that the last input led to.
    fn settle(&mut self) {
        loop {
            if let Some(event) = self.wire.poll() {
                self.event(event);
            } else if let Some(effect) = self.script.poll_effect() {
                self.perform(effect);
            } else {
                return;
            }
        }
    }

    fn handle_timeout(&mut self) {
        let now = self.wire.now();
        self.wire.endpoint.handle_timeout(now);
        self.script.handle_timeout(now);
        if self.until.take_if(|until| *until <= now).is_some() {
            self.fail(FailureKind::NobodyCalled, "nobody called in time");
        }
    }

    fn input(&mut self, input: Input<'_>) {
        let now = self.wire.now();
        self.script.handle(input, now);
    }

    fn tell(&mut self, text: impl Into<String>) {
        let now = self.wire.now();
        self.script.tell(text, now);
    }

    fn fail(&mut self, kind: FailureKind, why: &str) {
        self.input(Input::Ended(End::Failed(kind, why.to_owned())));
    }

    fn register(&mut self) {
        let server = self.wire.flow().remote;
        let host = self.setup.aor.uri.host().cloned().unwrap_or_else(|| server.ip().into());
        let new = NewRegistration {
            registrar: Uri::sip("", host),
            flow: self.wire.flow(),
            aor: self.setup.aor.clone(),
            contact: None,
            credentials: self.setup.credentials.clone(),
            expires: REGISTRATION_LENGTH,
        };
        let now = self.wire.now();
        match self.wire.endpoint.register(new, now) {
            Ok(registration) => self.registration = Some(registration),
            Err(error) => self.fail(FailureKind::Broken, &error.to_string()),
        }
    }

    /// Calls, or begins to wait for a call.
    fn take_place(&mut self) {
        match self.setup.place.clone() {
            Place::Dial(to) => self.dial(to),
            Place::Wait(limit) => {
                self.until = Some(self.wire.now() + limit);
                let here = self.wire.flow().local;
                self.tell(format!("waits for a call at {here}"));
            }
        }
    }

    fn dial(&mut self, to: Uri) {
        self.tell(format!("calls {to}"));
        let new = NewCall {
            targets: vec![Target { uri: to.clone(), flow: self.wire.flow() }],
            from: self.setup.aor.clone(),
            to: NameAddr::new(to),
            offer: Bytes::from(self.media.negotiator.offer()),
            session_timer: None,
            credentials: self.setup.credentials.clone(),
            headers: Vec::new(),
        };
        let now = self.wire.now();
        match self.wire.endpoint.call(new, now) {
            Ok(call) => self.call = Some(call),
            Err(error) => self.fail(FailureKind::Broken, &error.to_string()),
        }
    }

    fn event(&mut self, event: Event) {
        if event.handle().is_some_and(|handle| self.call.is_some_and(|call| call != handle)) {
            self.stray(&event);
            return;
        }
        match event {
            Event::Answered { sdp, .. } => self.connect(&sdp, true),
            Event::Confirmed { sdp, .. } => self.confirmed(sdp.as_deref()),
            Event::Ended { cause, .. } => {
                self.call = None;
                self.input(Input::Ended(end_of(cause)));
            }
            Event::Incoming(incoming) => self.incoming(&incoming),
            Event::OfferAnswered { sdp, .. } => {
                let changed = self.complete(&sdp).map(|_is_heard| ());
                self.input(Input::SessionChanged(changed));
            }
            Event::OfferReceived { handle, sdp } => self.offered(handle, sdp.as_deref()),
            Event::OfferRefused { status: StatusCode::REQUEST_PENDING, .. } => {
                self.offers_again = Some(self.media.negotiator.local().direction == Direction::SendOnly);
            }
            Event::OfferRefused { status, .. } => {
                self.input(Input::SessionChanged(Err(format!("it refuses ({status})"))));
            }
            Event::ReferAccepted { .. } => self.input(Input::Transfer(TransferNews::Accepted)),
            Event::ReferEnded { status, .. } => {
                let status = status.map(StatusCode::as_u16);
                self.input(Input::Transfer(TransferNews::Ended(status)));
            }
            Event::ReferProgress { status, .. } => self.tell(format!("the transfer is under way ({status})")),
            Event::ReferRefused { status, .. } => {
                self.input(Input::Transfer(TransferNews::Refused(status.as_u16())));
            }
            Event::Referred(referred) => {
                self.tell(format!("the far end asks for a call to {}, which is declined", referred.refer_to));
                let now = self.wire.now();
                // The call may just have ended.
                let _ = self.wire.endpoint.refuse_refer(referred.handle, StatusCode::DECLINE, now);
            }
            Event::Ringing { status, .. } => self.tell(format!("it rings ({status})")),
            Event::RegistrationAccepted { .. } => self.registered(),
            Event::RegistrationFailed { cause, .. } => self.not_registered(cause),
            Event::EarlyMedia { .. }
            | Event::OfferWithdrawn { .. }
            | Event::Pong { .. }
            | Event::Registered { .. }
            | Event::RegistrationEnded { .. }
            | Event::SessionRefreshed { .. }
            | Event::Trying { .. }
            | Event::Unregistered { .. } => {}
        }
    }

    /// Another call than the one that this telephone is for.
    fn stray(&mut self, event: &Event) {
        if let Event::Incoming(incoming) = event {
            let now = self.wire.now();
            let _ = self.wire.endpoint.reject(incoming.handle, StatusCode::BUSY_HERE, None, now);
        }
    }

    fn registered(&mut self) {
        if self.call.is_none() && self.until.is_none() && !self.script.is_over() {
            let aor = self.setup.aor.uri.clone();
            self.tell(format!("registered as {aor}"));
            self.take_place();
        }
    }

    fn not_registered(&mut self, cause: RegistrationFailure) {
        self.registration = None;
        let (kind, why) = match cause {
            RegistrationFailure::Refused { status, .. } if matches!(status.as_u16(), 401 | 403 | 407) => (
                FailureKind::Registration,
                format!(
                    "the server does not let this user register ({status}): the password is wrong, or the user unknown"
                ),
            ),
            RegistrationFailure::Refused { status, reason, .. } => {
                (FailureKind::Registration, format!("the server refuses to register: {reason} ({status})"))
            }
            RegistrationFailure::Timeout => {
                (FailureKind::Unreachable, "the server does not answer".to_owned())
            }
            RegistrationFailure::TransportFailed => {
                (FailureKind::Unreachable, "the server cannot be reached".to_owned())
            }
        };
        if self.script.is_answered() {
            // The call goes on without; whoever calls now does not find this telephone.
            self.tell(why);
        } else {
            self.fail(kind, &why);
            // Its call may ring over there.
            self.hang_up();
        }
    }

    /// Takes a call, if it comes from the server.
    fn incoming(&mut self, incoming: &Incoming) {
        let now = self.wire.now();
        let is_of_server = incoming.flow.remote.ip() == self.setup.server.ip();
        if !is_of_server || self.until.take().is_none() {
            let status = if is_of_server { StatusCode::BUSY_HERE } else { StatusCode::FORBIDDEN };
            let _ = self.wire.endpoint.reject(incoming.handle, status, None, now);
            return;
        }
        self.call = Some(incoming.handle);
        let name = incoming.from.display.clone().unwrap_or_else(|| incoming.from.uri.to_string());
        self.tell(format!("{name} calls"));
        let answer = match &incoming.offer {
            None => Ok(self.media.negotiator.offer()),
            Some(offer) => self.answer(offer),
        };
        let answered = match answer {
            Ok(answer) => self.wire.endpoint.answer(incoming.handle, Bytes::from(answer), now).is_ok(),
            Err(_) => false,
        };
        if !answered {
            let status = StatusCode::NOT_ACCEPTABLE_HERE;
            let _ = self.wire.endpoint.reject(incoming.handle, status, None, now);
            self.fail(FailureKind::Broken, "the caller offers no sound that this telephone understands");
        }
    }

    /// The caller acknowledged this side's answer, or a later one.
    fn confirmed(&mut self, sdp: Option<&[u8]>) {
        match (self.script.is_answered(), sdp) {
            (false, None) => self.input(Input::Answered),
            (false, Some(sdp)) => self.connect(sdp, true),
            (true, Some(sdp)) => self.connect(sdp, false),
            (true, None) => {}
        }
    }

    /// Connects the sound as the far end's answer says.
    fn connect(&mut self, sdp: &[u8], begins: bool) {
        match self.complete(sdp) {
            Ok(_is_heard) if begins => self.input(Input::Answered),
            Ok(_is_heard) => {}
            Err(why) => {
                self.hang_up();
                self.fail(FailureKind::Broken, &why);
            }
        }
    }

    fn complete(&mut self, sdp: &[u8]) -> Result<bool, String> {
        let answer = std::str::from_utf8(sdp).map_err(|_| "its answer is not text".to_owned())?;
        let negotiated = self.media.negotiator.complete(answer);
        let negotiated = negotiated.map_err(|error| format!("its answer is of no use: {error}"))?;
        self.media.configure(&negotiated).map_err(|error| format!("failed to connect the sound: {error}"))
    }

    /// Answers an offer of the far end; whether it holds this side is told.
    fn answer(&mut self, offer: &[u8]) -> Result<String, ()> {
        let offer = std::str::from_utf8(offer).map_err(drop)?;
        let (negotiated, answer) = self.media.negotiator.answer(offer).map_err(drop)?;
        let is_heard = self.media.configure(&negotiated).map_err(drop)?;
        if !is_heard {
            self.tell("the far end holds the call");
        }
        Ok(answer)
    }

    fn offered(&mut self, call: CallHandle, sdp: Option<&[u8]>) {
        let answer = match sdp {
            None => Ok(self.media.negotiator.offer()),
            Some(offer) => self.answer(offer),
        };
        let answer = answer.map(Bytes::from).map_err(|()| StatusCode::NOT_ACCEPTABLE_HERE);
        let now = self.wire.now();
        // The call may just have ended.
        let _ = self.wire.endpoint.answer_offer(call, answer, now);
        if let Some(is_held) = self.offers_again.take() {
            self.hold(is_held);
        }
    }

    fn hear(&mut self, ready: &Ready) {
        match ready {
            Ready::Events => {
                while let Some(news) = self.ears.next_news() {
                    match news {
                        MediaNews::Key(key) if self.script.is_answered() => self.input(Input::Key(key)),
                        MediaNews::Key(_) => {}
                        MediaNews::Lost => self.tell("no sound has come for a while"),
                        MediaNews::Played { job, is_done } => self.input(Input::Played { job, is_done }),
                    }
                }
            }
            Ready::Frames => {
                // A few at a time: to compare them may take longer than they last, and there is more to do.
                for _ in 0..FRAMES_AT_ONCE {
                    let Some(frame) = self.ears.next_frame() else { break };
                    if self.script.is_answered() {
                        self.media.keep(&frame);
                        self.input(Input::Heard(&frame));
                    }
                }
            }
        }
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::HangUp => self.hang_up(),
            Effect::Hold(is_held) => self.hold(is_held),
            Effect::Press { job, keys } => {
                let pressed = self.media.press(job, &keys);
                self.sounded(job, pressed);
            }
            Effect::Say { job, sound } => {
                let said = self.media.say(job, &sound);
                self.sounded(job, said);
            }
            Effect::Told(moment) => (self.told)(&moment),
            Effect::Tone { job, hz, length } => {
                let played = self.media.tone(job, hz, length);
                self.sounded(job, played);
            }
            Effect::Transfer(to) => self.transfer(to),
        }
    }

    fn sounded(&mut self, job: u64, begun: Result<(), PlaneError>) {
        if let Err(error) = begun {
            self.tell(format!("failed to begin: {error}"));
            self.input(Input::Played { job, is_done: false });
        }
    }

    /// Hangs up, and tells the script, unless the endpoint does.
    fn hang_up(&mut self) {
        let now = self.wire.now();
        let hung_up = self.call.is_some_and(|call| self.wire.endpoint.hang_up(call, None, now).is_ok());
        self.says_goodbye |= hung_up;
        if !hung_up {
            self.input(Input::Ended(End::ThisSide));
        }
    }

    fn hold(&mut self, is_held: bool) {
        let direction = if is_held { Direction::SendOnly } else { Direction::SendRecv };
        self.media.negotiator.set_direction(direction);
        let offer = Bytes::from(self.media.negotiator.offer());
        let now = self.wire.now();
        let Some(call) = self.call else { return };
        if let Err(error) = self.wire.endpoint.offer(call, offer, now) {
            self.input(Input::SessionChanged(Err(error.to_string())));
        }
    }

    fn transfer(&mut self, to: Uri) {
        let refer = Refer { to, replaces: None, referred_by: None };
        let now = self.wire.now();
        let Some(call) = self.call else { return };
        if let Err(error) = self.wire.endpoint.refer(call, refer, now) {
            self.tell(format!("failed to ask for the transfer: {error}"));
            self.input(Input::Transfer(TransferNews::Ended(None)));
        }
    }

    /// Takes the registration back, and waits until the server knows that all is over.
    async fn leave(mut self) {
        let until = self.wire.instant(self.wire.now() + GOODBYE_LIMIT);
        let now = self.wire.now();
        let leaves = self
            .registration
            .take()
            .is_some_and(|registration| self.wire.endpoint.unregister(registration, now).is_ok());
        let mut is_over = !leaves && !self.says_goodbye;
        loop {
            while let Some(event) = self.wire.poll() {
                is_over |= matches!(event, Event::RegistrationEnded { .. });
            }
            if is_over {
                break;
            }
            let due =
                self.wire.endpoint.poll_timeout().map_or(until, |due| self.wire.instant(due).min(until));
            tokio::select! {
                incoming = self.wire.receive() => match incoming {
                    Some(incoming) => {
                        self.wire.handle(incoming);
                        // Without a registration, what comes now is the answer to the good-bye.
                        is_over |= !leaves;
                    }
                    None => break,
                },
                () = sleep_until(due) => {
                    let now = self.wire.now();
                    self.wire.endpoint.handle_timeout(now);
                    is_over |= self.wire.instant(now) >= until;
                }
            }
        }
        // What the script says last, it may have said at its very end.
        while let Some(effect) = self.script.poll_effect() {
            if let Effect::Told(moment) = effect {
                (self.told)(&moment);
            }
        }
        self.wire.close().await;
        self.media.close().await;
    }
}

/// A call's end as the script sees it.
fn end_of(cause: EndCause) -> End {
    let failed = |kind, why: &str| End::Failed(kind, why.to_owned());
    match cause {
        EndCause::AnsweredElsewhere | EndCause::Cancelled | EndCause::RemoteBye { .. } => End::FarEnd,
        EndCause::LocalHangUp => End::ThisSide,
        EndCause::MissingAnswer => {
            failed(FailureKind::Broken, "the far end's answer holds no session description")
        }
        EndCause::NoAck => failed(FailureKind::Unreachable, "the caller did not acknowledge the answer"),
        EndCause::Rejected { status, reason, .. } => End::Refused { status: status.as_u16(), reason },
        EndCause::SessionExpired => failed(FailureKind::Unreachable, "the far end is gone"),
        EndCause::Timeout => failed(FailureKind::Unreachable, "no answer in time"),
        EndCause::TransportFailed => failed(FailureKind::Unreachable, "the server cannot be reached"),
    }
}
