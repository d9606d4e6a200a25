//! A phone hands its conversation over to somebody else (RFC 3515, RFC 5589): to someone whom it names and who is called
//! in its place, or to the one with whom it talks on another leg (RFC 3891).

use std::sync::Arc;

use call_engine::{EndCause, Refusal};
use model::{Participant, Person, UserId};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use crate::context::Context;
use crate::far_end::{FarEndEvent, FarEndEvents};
use crate::incoming::{self, info_of};
use crate::leg::{Caller, Dialling, Leg};
use crate::media::MediaPort;
use crate::ringing::Party;

/// What a phone asks for.
#[derive(Clone, Debug)]
pub(crate) enum Referral {
    /// Somebody is to be called in its place: the parts before and after the `@`.
    Call { name: String, domain: String },
    /// The one whom it talks to on another leg, which reports here, is to take its place.
    Join(FarEndEvents),
}

/// How it goes, for the phone.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ReferralStatus {
    /// It is not done.
    Refused(Refusal),
    /// It is being done.
    Accepted,
    /// Whoever is called hears it ring.
    Ringing,
    /// Its place is taken.
    Done,
    /// It could not be done.
    Failed(EndCause),
}

/// Takes the one who was talked to by the phone that hands over. Dropping it says that there is none.
pub(crate) type Handover = mpsc::UnboundedSender<Box<Party>>;

/// Asks for the one whom a phone talks to on a leg that reports to `other`; `false` where nobody listens there.
pub(crate) fn counterpart(
    other: &FarEndEvents,
    given: impl FnOnce(Option<Box<Party>>) + Send + 'static,
) -> bool {
    let (handover, mut received) = mpsc::unbounded_channel();
    if !other.report(FarEndEvent::GiveOther(handover)) {
        return false;
    }
    tokio::spawn(async move { given(received.recv().await) });
    true
}

/// The user behind a person as conversations show it, who may have written the id in another case.
pub(crate) fn user_of(context: &Context, info: &Participant) -> Option<UserId> {
    let id = UserId::from(info.identity.user.as_ref()?.id.as_deref()?);
    context.directory.load().user_by_id(&id).map(|user| user.id.clone())
}

/// Who is called in a phone's place, over the same media leg: what it plays and records goes on, and whoever hears it.
pub(crate) struct Successor {
    pub(crate) leg: Leg,
    pub(crate) user: UserId,
    pub(crate) info: Participant,
    pub(crate) is_held: bool,
    /// Why the phone is gone that hands over, which need not wait for the end of that (RFC 5589, 6.1).
    pub(crate) left_by: Option<EndCause>,
    /// Ends the ringing.
    _limit: AbortOnDropHandle<()>,
}

/// Who hands over to whom.
pub(crate) struct Succession<'a> {
    pub(crate) transferor: &'a UserId,
    /// Whom it names.
    pub(crate) to: (&'a str, &'a str),
    /// Who is shown as the caller.
    pub(crate) caller: &'a Caller,
    pub(crate) subject: Option<&'a str>,
    /// What a scripted endpoint names its file after.
    pub(crate) label: String,
}

impl Successor {
    /// Calls the one that a phone names.
    ///
    /// # Errors
    ///
    /// Why that cannot be.
    pub(crate) async fn call(
        context: &Context,
        succession: Succession<'_>,
        media: Arc<MediaPort>,
        events: FarEndEvents,
    ) -> Result<Self, EndCause> {
        let directory = context.directory.load_full();
        let transferor = directory.user_by_id(succession.transferor).ok_or(EndCause::NotFound)?;
        let user = incoming::person(&directory, succession.to, transferor).ok_or(EndCause::NotFound)?;
        let dialling = Dialling {
            caller: succession.caller,
            tenant: &transferor.tenant,
            callee: &Person::User(user.id.clone()),
            payer: None,
            line: None,
            subject: succession.subject,
            label: succession.label,
        };
        let leg = Leg::start(context, dialling, media, events.clone()).await?;
        let longest = context.config.call.transfer_timeout;
        let limit = tokio::spawn(async move {
            tokio::time::sleep(longest).await;
            events.give_up();
        });
        let (user, info) = (user.id.clone(), info_of(&directory, &user.id));
        Ok(Self { leg, user, info, is_held: false, left_by: None, _limit: AbortOnDropHandle::new(limit) })
    }

    /// Takes what its far end reports: whether it answers, or why not, once that is known.
    pub(crate) fn far_end(&mut self, event: FarEndEvent) -> Option<Result<(), EndCause>> {
        self.leg.called(event, &mut self.is_held)
    }
}
