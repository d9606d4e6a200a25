//! A call of a phone to a person: it rings wherever that person is, and the two talk.

use call_engine::{EndCause, RedirectEvent, Refusal};
use model::{ParticipantId, Person, TenantId, UserId};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::conference::Person as Member;
use crate::context::Context;
use crate::far_end::{FarEnd, FarEndEvent, FarEndEvents, FarEndReport};
use crate::ids::RandomIds;
use crate::incoming::{info_of, info_of_person};
use crate::inputs::{InputQueue, inputs};
use crate::leg::Caller;
use crate::ringing::{Ringing, Whom};
use crate::sip::IncomingCall;

/// Who calls whom.
pub(crate) struct Parties {
    pub(crate) caller: UserId,
    pub(crate) callee: Person,
    pub(crate) tenant: TenantId,
}

/// What happens until the two talk.
enum Input {
    Caller(FarEndReport),
    Callee(FarEndReport),
}

/// Calls the person, and connects the phone that calls once somebody answers. `place` is dropped when the two have done.
pub(crate) async fn connect(
    context: Context,
    parties: Parties,
    incoming: IncomingCall,
    (place, draining): (impl Send + 'static, CancellationToken),
) {
    let (own, mut queue) = inputs();
    let far_end = incoming.phone.far_end.clone();
    incoming.phone.events.move_to(own.clone(), Input::Caller);
    let callee_events = FarEndEvents::to(own, Input::Callee);
    let subject = incoming.subject.as_deref();
    let answered = tokio::select! {
        answered = ring(&context, (&parties, subject), &mut queue, &far_end, callee_events) => answered,
        () = draining.cancelled() => Err(Some(Refusal::Unavailable)),
        () = sleep_until(Instant::now() + context.config.call.ringing_timeout) => {
            Err(Some(Refusal::NotAnswered))
        }
    };
    match answered {
        Ok(ringing) => {
            ringing.keep(Box::new(place));
            let info = info_of(&context.directory.load(), &parties.caller);
            let participant = ParticipantId::next(&mut RandomIds);
            ringing.connect_phone(0, incoming.phone, Member { participant, info, is_held: false });
        }
        Err(Some(why)) => far_end.reject(why),
        // The caller has gone.
        Err(None) => {}
    }
}

/// Rings until somebody answers; else says what the caller is told, or nothing where it has gone.
async fn ring(
    context: &Context,
    (parties, subject): (&Parties, Option<&str>),
    queue: &mut InputQueue<Input>,
    phone: &FarEnd,
    events: FarEndEvents,
) -> Result<Ringing, Option<Refusal>> {
    let failed = |cause: EndCause| Some(Refusal::from(cause));
    let mut ringing = Ringing::open(context, None).map_err(|error| {
        tracing::error!(%error, "failed to open a conversation");
        Some(Refusal::Unavailable)
    })?;
    let whom = Whom {
        callee: &parties.callee,
        payer: None,
        info: info_of_person(&context.directory.load(), &parties.callee),
        caller: &Caller::Person(Person::User(parties.caller.clone())),
        tenant: &parties.tenant,
        subject,
        events,
    };
    ringing.call(0, whom).await.map_err(failed)?;
    loop {
        match queue.next().await {
            Some(Input::Callee(FarEndReport { event: FarEndEvent::Ringing, .. })) => phone.ring(),
            Some(Input::Callee(FarEndReport { event, .. })) => match ringing.far_end(0, event) {
                Some(RedirectEvent::Answered) => return Ok(ringing),
                Some(RedirectEvent::Failed(cause)) => return Err(failed(cause)),
                None => {}
            },
            Some(Input::Caller(FarEndReport { event: FarEndEvent::Ended(_), .. })) | None => {
                return Err(None);
            }
            Some(Input::Caller(_)) => {}
        }
    }
}
