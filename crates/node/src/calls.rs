use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use call_engine::{Command, Refusal, Rejection, Reply};
use model::{
    AppId, AudioRoutingGroup, Call, CallId, NewCall, NewIncomingCall, OnlineMeeting, Operation, OperationId,
    Owner, ParticipantId, RosterParticipant, UserId,
};
use store::StoreError;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::application::MediaPass;
use crate::console::AskedSound;
use crate::context::Context;
use crate::dial_in::{self, Visitor};
use crate::direct::{self, Parties};
use crate::incoming::{self, Dialled};
use crate::inputs::{InputQueue, Inputs, Refused};
use crate::live::{Live, LiveCalls};
use crate::observer::CallLimit;
use crate::sip::{CallingPhone, IncomingCall};
use crate::task::{self, CallInput};

/// Every call of this node: the door through which all changes go.
///
/// Cheap to clone. A call is a task; this finds it, hands the request over and waits for the answer, which comes only
/// once what it promises is durable.
#[derive(Clone)]
pub struct Calls {
    shared: Arc<Shared>,
}

pub(crate) struct Shared {
    context: Context,
    live: Mutex<LiveCalls>,
    tasks: TaskTracker,
    draining: CancellationToken,
}

/// Why a request about a call was not met.
#[derive(Debug, thiserror::Error)]
pub enum CallsError {
    /// The server is shutting down.
    #[error("the server is shutting down")]
    Draining,
    /// No such call is alive, or it is another application's.
    #[error("the call does not exist")]
    NotFound,
    /// The call is the same application's, but in another tenant.
    #[error("the call belongs to another tenant")]
    OtherTenant,
    /// The call refuses.
    #[error("the call refused the request")]
    Rejected(#[from] Rejection),
    /// As many calls as the settings allow are alive.
    #[error("too many calls are alive")]
    TooManyCalls,
    /// What was asked could not be made durable.
    #[error("the request could not be stored")]
    Unavailable(#[from] StoreError),
    /// The call has more requests waiting than it takes.
    #[error("the call has too many requests waiting")]
    Busy,
    /// What the application says of its own media is not understood; the text says where and why.
    #[error("mediaConfig.blob: {0}")]
    BadBlob(String),
    /// Nothing that the application's media stack offers can be used; the text says why.
    #[error("the offer cannot be used: {0}")]
    UnusableOffer(String),
    /// The phone network may not be called like this.
    #[error("the phone network may not be called: {0}")]
    Denied(trunk::Denied),
    /// There is no room for the application's media.
    #[error("no media could be opened")]
    MediaUnavailable,
}

/// The answer to an offer by WHIP (RFC 9725).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WhipAnswer {
    /// The answer.
    pub sdp: String,
    /// The secret that ends the session.
    pub session: String,
}

impl Calls {
    pub(crate) fn new(context: Context) -> Self {
        let shared = Shared {
            context,
            live: Mutex::default(),
            tasks: TaskTracker::new(),
            draining: CancellationToken::new(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Creates a call and starts to call its callee; returns the call once it is durable.
    ///
    /// # Errors
    ///
    /// [`CallsError::Unavailable`] where it could not be stored: nobody is called then. [`CallsError::BadBlob`],
    /// [`CallsError::UnusableOffer`] or [`CallsError::MediaUnavailable`] where the application cannot be connected as it
    /// asks.
    pub async fn create(&self, new: NewCall) -> Result<Call, CallsError> {
        if self.shared.draining.is_cancelled() {
            return Err(CallsError::Draining);
        }
        let (answer, created) = oneshot::channel();
        let is_full = |_limit| CallsError::TooManyCalls;
        self.shared.live().ensure_room(&self.shared.context.config).map_err(is_full)?;
        // Connecting an application's own media takes milliseconds, for which other calls need not wait.
        let (task, entry) = task::CallTask::create(new, self.shared.context.clone(), answer)?;
        {
            let mut live = self.shared.live();
            live.ensure_room(&self.shared.context.config).map_err(is_full)?;
            live.insert(entry.id, Live { owner: entry.owner, caller: None, inputs: entry.inputs });
            let guard = Registered { shared: Arc::clone(&self.shared), id: entry.id };
            self.shared.tasks.spawn(task.run(guard, self.shared.draining.clone()));
        }
        created.await.map_err(|_ended| CallsError::NotFound)?.map_err(CallsError::Unavailable)
    }

    /// Takes a call that a phone makes, to an application or a person; one that nobody takes is refused.
    pub(crate) fn take(&self, incoming: IncomingCall) {
        let far_end = incoming.phone.far_end.clone();
        if let Err(why) = self.try_take(incoming) {
            far_end.reject(why);
        }
    }

    fn try_take(&self, incoming: IncomingCall) -> Result<(), Refusal> {
        if self.shared.draining.is_cancelled() {
            return Err(Refusal::Unavailable);
        }
        match incoming::dialled(&self.shared.context.directory.load(), &incoming)? {
            Dialled::Application(new) => {
                self.shared.begin_incoming(*new, incoming.phone, incoming.inputs, Origin::Dialled).map(drop)
            }
            Dialled::DialIn(visitor) => {
                incoming.phone.events.dialog().give_to_nobody();
                self.attend(*visitor, incoming.phone)
            }
            Dialled::Person(parties) => {
                incoming.phone.events.dialog().give_to_nobody();
                self.connect(parties, incoming)
            }
        }
    }

    /// Lets a caller find its way to a meeting.
    fn attend(&self, visitor: Visitor, phone: CallingPhone) -> Result<(), Refusal> {
        let shared = &self.shared;
        let place = DirectPlace::take(shared, visitor.person.user())?;
        let (context, draining) = (shared.context.clone(), shared.draining.clone());
        shared.tasks.spawn(dial_in::attend(context, visitor, phone, (place, draining)));
        Ok(())
    }

    /// Lets the phone of one person call another one.
    fn connect(&self, parties: Parties, incoming: IncomingCall) -> Result<(), Refusal> {
        let shared = &self.shared;
        let place = DirectPlace::take(shared, Some(&parties.caller))?;
        let (context, draining) = (shared.context.clone(), shared.draining.clone());
        shared.tasks.spawn(async move {
            direct::connect(context, parties, incoming, (place, draining)).await;
        });
        Ok(())
    }

    /// What all calls share.
    pub(crate) fn context(&self) -> &Context {
        &self.shared.context
    }

    /// A live call as it is.
    ///
    /// # Errors
    ///
    /// [`CallsError::NotFound`] where it is over, unknown or another application's; [`CallsError::OtherTenant`] where
    /// the application made it in another tenant.
    pub async fn call(&self, owner: &Owner, id: CallId) -> Result<Call, CallsError> {
        self.ask(owner, id, CallInput::Show).await.map(|call| *call)
    }

    /// The operations of a live call, oldest first.
    ///
    /// # Errors
    ///
    /// As [`Calls::call`].
    pub async fn operations(&self, owner: &Owner, id: CallId) -> Result<Vec<Operation>, CallsError> {
        self.ask(owner, id, CallInput::Operations).await
    }

    /// One operation of a live call.
    ///
    /// # Errors
    ///
    /// As [`Calls::call`]; also where the call has no such operation.
    pub async fn operation(
        &self,
        owner: &Owner,
        id: CallId,
        operation: OperationId,
    ) -> Result<Operation, CallsError> {
        let all = self.operations(owner, id).await?;
        all.into_iter().find(|known| known.id == operation).ok_or(CallsError::NotFound)
    }

    /// Hands a command to a live call.
    ///
    /// # Errors
    ///
    /// [`CallsError::Rejected`] with the call's reason, or as [`Calls::call`].
    pub async fn command(&self, owner: &Owner, id: CallId, command: Command) -> Result<Reply, CallsError> {
        let make = |reply| CallInput::Command { command: Box::new(command), reply };
        self.ask(owner, id, make).await?
    }

    /// Who is in a live call, as it may see them.
    ///
    /// # Errors
    ///
    /// As [`Calls::call`].
    pub async fn participants(
        &self,
        owner: &Owner,
        id: CallId,
    ) -> Result<Vec<RosterParticipant>, CallsError> {
        self.ask(owner, id, CallInput::Participants).await
    }

    /// The private routes of sound of the conference that a live call is in.
    ///
    /// # Errors
    ///
    /// As [`Calls::call`].
    pub async fn routing_groups(
        &self,
        owner: &Owner,
        id: CallId,
    ) -> Result<Vec<AudioRoutingGroup>, CallsError> {
        self.ask(owner, id, CallInput::Groups).await
    }

    /// Who speaks most in the conference that a live call is in, and the number of its sound.
    ///
    /// # Errors
    ///
    /// As [`Calls::call`].
    pub async fn dominant(
        &self,
        owner: &Owner,
        id: CallId,
    ) -> Result<Option<(ParticipantId, u32)>, CallsError> {
        self.ask(owner, id, CallInput::Dominant).await
    }

    /// Takes the one-time token that came with a socket of the application; it is not good any more after that.
    pub fn redeem(&self, call: CallId, ticket: &str) -> Option<MediaPass> {
        self.shared.context.applications.redeem(call, ticket)
    }

    /// Gives a call the socket that its application has dialled.
    ///
    /// # Errors
    ///
    /// [`CallsError::NotFound`] where the call is over meanwhile; [`CallsError::MediaUnavailable`].
    pub async fn attach(
        &self,
        pass: MediaPass,
        format: app_media::Format,
        socket: app_media::Socket,
    ) -> Result<(), CallsError> {
        let inputs = self.shared.live().get(pass.call).map(|call| call.inputs.clone());
        let socket = Box::new(socket);
        let make = |reply| CallInput::Socket { format, socket, reply };
        ask(&inputs.ok_or(CallsError::NotFound)?, make).await?
    }

    /// Connects a call with a media stack of its application by WHIP (RFC 9725). The one-time token is used up where the
    /// offer is answered.
    ///
    /// # Errors
    ///
    /// [`CallsError::NotFound`] where the token is not good; [`CallsError::UnusableOffer`],
    /// [`CallsError::MediaUnavailable`].
    pub async fn whip(&self, call: CallId, ticket: &str, sdp: String) -> Result<WhipAnswer, CallsError> {
        if !self.shared.context.applications.knows(call, ticket) {
            return Err(CallsError::NotFound);
        }
        let inputs = self.shared.live().get(call).map(|call| call.inputs.clone());
        let ticket = ticket.to_owned();
        let make = |reply| CallInput::Whip { ticket, sdp, reply };
        ask(&inputs.ok_or(CallsError::NotFound)?, make).await?
    }

    /// Ends a session of WHIP; the application may come back by any means, and the call waits for that.
    ///
    /// # Errors
    ///
    /// [`CallsError::NotFound`] where there is no such session.
    pub async fn end_whip(&self, call: CallId, session: &str) -> Result<(), CallsError> {
        let inputs = self.shared.live().get(call).map(|call| call.inputs.clone());
        let session = session.to_owned();
        let make = |reply| CallInput::EndWhip { session, reply };
        ask(&inputs.ok_or(CallsError::NotFound)?, make).await?
    }

    /// Follows a later offer of an application's media stack, or connects a call with another stack of it.
    ///
    /// # Errors
    ///
    /// As [`Calls::call`], and [`CallsError::UnusableOffer`], [`CallsError::MediaUnavailable`]; rejected where the server
    /// hosts the call's media.
    pub async fn reoffer(&self, owner: &Owner, call: CallId, sdp: String) -> Result<String, CallsError> {
        self.ask(owner, call, |reply| CallInput::Offer { sdp, reply }).await?
    }

    /// Fresh addresses for an application that lost its own.
    ///
    /// # Errors
    ///
    /// As [`Calls::call`]; rejected where the server hosts the call's media.
    pub async fn invitation(&self, owner: &Owner, call: CallId) -> Result<String, CallsError> {
        self.ask(owner, call, CallInput::Invitation).await?
    }

    /// Asks how the sound of those is who are in a live call, whosever that is.
    pub(crate) async fn sounds(&self, call: CallId) -> Option<Vec<AskedSound>> {
        let inputs = self.shared.live().get(call).map(|call| call.inputs.clone())?;
        ask(&inputs, CallInput::Sounds).await.ok()
    }

    /// Tells whoever is in a meeting that its settings changed.
    pub fn meeting_changed(&self, meeting: OnlineMeeting) {
        self.shared.context.conferences.meeting_changed(meeting);
    }

    /// Takes over what has changed in the directory for those who do not look into it each time.
    pub fn directory_changed(&self) {
        self.shared.context.trunks.directory_changed();
    }

    /// How many calls an application has alive.
    pub fn live_of(&self, app: &AppId) -> usize {
        self.shared.live().of_app(app)
    }

    /// How many calls are alive.
    pub fn live(&self) -> usize {
        self.shared.live().count()
    }

    /// Refuses new calls, hangs up the live ones and waits for their ends to be durable.
    pub async fn drain(&self) {
        self.shared.draining.cancel();
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
    }

    async fn ask<T>(
        &self,
        owner: &Owner,
        id: CallId,
        make: impl FnOnce(oneshot::Sender<T>) -> CallInput,
    ) -> Result<T, CallsError> {
        ask(&self.shared.find(owner, id)?, make).await
    }
}

async fn ask<T>(
    inputs: &Inputs<CallInput>,
    make: impl FnOnce(oneshot::Sender<T>) -> CallInput,
) -> Result<T, CallsError> {
    let (answer, answered) = oneshot::channel();
    inputs.ask(make(answer)).map_err(|refused| match refused {
        Refused::Ended => CallsError::NotFound,
        Refused::Full => CallsError::Busy,
    })?;
    answered.await.map_err(|_ended| CallsError::NotFound)
}

impl Shared {
    /// Begins the call of an application that a phone calls.
    fn begin_incoming(
        self: &Arc<Self>,
        new: NewIncomingCall,
        phone: CallingPhone,
        inputs: (Inputs<CallInput>, InputQueue<CallInput>),
        origin: Origin,
    ) -> Result<CallId, Refusal> {
        let mut live = self.live();
        let (room, caller) = match origin {
            Origin::Dialled => {
                let caller = new.caller.user().cloned();
                let room = caller.as_ref().map(|caller| live.ensure_room_of(caller, &self.context.config));
                (room.unwrap_or(Ok(())), caller)
            }
            Origin::SentOn => (Ok(()), None),
        };
        room.and_then(|()| live.ensure_room_at(&new.app, &self.context.config))
            .map_err(|limit| self.refusal(new.caller.user(), limit))?;
        let (task, entry) = task::CallTask::incoming(new, self.context.clone(), phone, inputs);
        live.insert(entry.id, Live { owner: entry.owner, caller, inputs: entry.inputs });
        let guard = Registered { shared: Arc::clone(self), id: entry.id };
        self.tasks.spawn(task.run(guard, self.draining.clone()));
        Ok(entry.id)
    }

    /// Tells of a phone's call for which there is no room, and what the phone is told.
    fn refusal(&self, caller: Option<&UserId>, limit: CallLimit) -> Refusal {
        self.context.observer.incoming_refused(limit);
        let setting = limit.setting();
        let caller = caller.map_or("", UserId::as_str);
        tracing::info!(
            user.id = caller,
            limit = setting,
            "refused a phone's call: there are as many as may be"
        );
        match limit {
            CallLimit::Application | CallLimit::Server => Refusal::Occupied,
            CallLimit::User => Refusal::CallerAtLimit,
        }
    }

    fn live(&self) -> MutexGuard<'_, LiveCalls> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, owner: &Owner, id: CallId) -> Result<Inputs<CallInput>, CallsError> {
        let live = self.live();
        let found = live.get(id).filter(|call| call.owner.app == owner.app);
        let found = found.ok_or(CallsError::NotFound)?;
        if found.owner.tenant == owner.tenant {
            Ok(found.inputs.clone())
        } else {
            Err(CallsError::OtherTenant)
        }
    }
}

/// A call's entry among the live ones; it goes when the task does, however that ends.
pub(crate) struct Registered {
    shared: Arc<Shared>,
    id: CallId,
}

impl Registered {
    /// Ends another call of the same owner, whose place this one has taken.
    pub(crate) fn end_replaced(&self, call: &str) {
        if let Some(inputs) = self.other(call) {
            // A call that is over is replaced already.
            let _ = inputs.end(CallInput::Replaced);
        }
    }

    /// Another live call of the same owner.
    pub(crate) fn other(&self, call: &str) -> Option<Inputs<CallInput>> {
        let other = CallId::parse(call)?;
        let owner = self.shared.live().get(self.id).map(|live| live.owner.clone())?;
        self.shared.find(&owner, other).ok()
    }

    /// Lets the call ring at another application.
    pub(crate) fn send_on(
        &self,
        new: NewIncomingCall,
        phone: CallingPhone,
        inputs: (Inputs<CallInput>, InputQueue<CallInput>),
    ) -> Result<CallId, Refusal> {
        if self.shared.draining.is_cancelled() {
            return Err(Refusal::Unavailable);
        }
        self.shared.begin_incoming(new, phone, inputs, Origin::SentOn)
    }

    /// Another call has this one's phone from here on, and counts for its user.
    pub(crate) fn give_caller_to(&self, other: CallId) {
        self.shared.live().move_caller(self.id, other);
    }
}

/// How a phone's call comes to an application.
#[derive(Clone, Copy)]
enum Origin {
    /// The phone dialled it.
    Dialled,
    /// Another application sent it on. The caller has no part in that: it counts for the one who has the phone.
    SentOn,
}

/// A call without an application, of one person to another or to a meeting, as it counts among the calls.
struct DirectPlace {
    shared: Arc<Shared>,
    /// The user whose phone made it.
    caller: Option<UserId>,
}

impl DirectPlace {
    fn take(shared: &Arc<Shared>, caller: Option<&UserId>) -> Result<Self, Refusal> {
        let (mut live, config) = (shared.live(), &shared.context.config);
        let room = caller.map_or(Ok(()), |caller| live.ensure_room_of(caller, config));
        let room = room.and_then(|()| live.ensure_room(config));
        room.map_err(|limit| shared.refusal(caller, limit))?;
        live.begin_direct(caller);
        Ok(Self { shared: Arc::clone(shared), caller: caller.cloned() })
    }
}

impl Drop for DirectPlace {
    fn drop(&mut self) {
        self.shared.live().end_direct(self.caller.as_ref());
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.shared.live().remove(self.id);
    }
}
