//! Whoever dials in to a meeting: a voice answers, asks for the meeting's id and passcode, and takes the caller there.
//!
//! What is said and which keys count is `attendant`'s to decide. From the moment in which the caller joins its leg is the
//! conference's, in the lobby and after it.

mod arrival;
mod lookup;
mod spoken;

use std::sync::Arc;

use attendant::{Dialogue, DialogueConfig, Effect, Input, SoundId};
use call_engine::{Refusal, Way};
use model::{OnlineMeeting, Participant, ParticipantId, TenantId};
use tokio::sync::mpsc;
use tokio::time::sleep_until;
use tokio_util::sync::CancellationToken;

use crate::conference::Person;
use crate::context::Context;
use crate::far_end::{FarEndEvent, FarEndReport};
use crate::ids::RandomIds;
use crate::inputs::{InputQueue, Inputs, inputs};
use crate::leg::Leg;
use crate::media::{self, Job, PortEvent};
use crate::referral::ReferralStatus;
use crate::ringing::Party;
use crate::sip::CallingPhone;

pub(crate) use self::arrival::Arrival;
pub(crate) use self::lookup::GuessLimit;
use self::lookup::{Found, Question};
pub(crate) use self::spoken::Spoken;

/// Who dials in, to the meetings of which tenant.
#[derive(Clone, Debug)]
pub(crate) struct Visitor {
    pub(crate) tenant: TenantId,
    /// A user of the tenant, whose phone has signed in, or somebody in the phone network.
    pub(crate) person: model::Person,
    /// The same, as rosters show it.
    pub(crate) info: Participant,
}

impl Visitor {
    /// Names the caller among those who guess; `None` where it withholds its number.
    fn guesses_as(&self) -> Option<String> {
        match &self.person {
            model::Person::Phone(number) => Some(number.as_str().to_owned()),
            model::Person::User(user) => Some(user.to_string()),
            model::Person::Withheld => None,
        }
    }
}

/// What is told to the one who attends a caller.
enum Told {
    FarEnd(FarEndReport),
    Looked(Found),
}

/// Answers the phone and attends the caller until it is in a meeting or gone. `place` is dropped when its leg is.
pub(crate) async fn attend(
    context: Context,
    visitor: Visitor,
    phone: CallingPhone,
    (place, draining): (impl Send + 'static, CancellationToken),
) {
    let far_end = phone.far_end.clone();
    let (own, told) = inputs();
    phone.events.move_to(own.clone(), Told::FarEnd);
    let answered = context.media.open_for_script().map_err(|error| {
        tracing::error!(%error, "failed to open a media leg");
    });
    let answered = answered.and_then(|(port, heard)| {
        let answered = Leg::answer(&context, phone, Arc::new(port));
        answered.map(|(leg, acceptance)| (leg, acceptance, heard)).map_err(drop)
    });
    let Ok((mut leg, acceptance, heard)) = answered else {
        return far_end.reject(Refusal::Unavailable);
    };
    leg.kept = Some(Box::new(place));
    acceptance.send();
    let is_held = leg.is_held;
    let attendance =
        Attendance { context, visitor, leg, is_held, own, told, heard, dialogue: None, meeting: None };
    tokio::select! {
        () = attendance.run() => {}
        // Dropping the leg hangs up.
        () = draining.cancelled() => {}
    }
}

/// A caller who is attended.
struct Attendance {
    context: Context,
    visitor: Visitor,
    leg: Leg,
    is_held: bool,
    /// For whoever reports to this.
    own: Inputs<Told>,
    told: InputQueue<Told>,
    heard: mpsc::Receiver<PortEvent>,
    /// Begins once the phone has acknowledged the answer.
    dialogue: Option<Dialogue>,
    /// The meeting that was found.
    meeting: Option<Box<OnlineMeeting>>,
}

/// Nobody is there any more, or nothing is to be done.
struct Over;

impl Attendance {
    async fn run(mut self) {
        loop {
            match self.perform() {
                Ok(true) => return self.join(),
                Ok(false) => {}
                Err(Over) => return,
            }
            let clock = self.context.clock;
            let deadline = self.dialogue.as_ref().and_then(Dialogue::poll_timeout);
            let wakes_at = clock.instant_of(deadline.unwrap_or(clock.now()));
            let done = tokio::select! {
                told = self.told.next() => told.ok_or(Over).and_then(|told| self.take(told)),
                heard = self.heard.recv() => heard.ok_or(Over).and_then(|event| self.hear(event)),
                () = sleep_until(wakes_at), if deadline.is_some() => {
                    let now = clock.now();
                    self.dialogue.iter_mut().for_each(|dialogue| dialogue.handle_timeout(now));
                    Ok(())
                }
            };
            if let Err(Over) = done {
                return;
            }
        }
    }

    /// Does everything that the last input led to; says whether the caller is to be taken to the meeting.
    fn perform(&mut self) -> Result<bool, Over> {
        while let Some(effect) = self.dialogue.as_mut().and_then(Dialogue::poll_effect) {
            match effect {
                // Dropping the leg does.
                Effect::HangUp => return Err(Over),
                Effect::Join => return Ok(true),
                Effect::LookUp { meeting, passcode } => self.look_up(meeting, passcode),
                Effect::Say { sound, sentences } => {
                    let said: Vec<_> =
                        sentences.into_iter().map(|it| self.context.sounds.spoken.get(it)).collect();
                    if let Err(error) = self.leg.media.play(Job(sound.0), &said) {
                        tracing::warn!(%error, "failed to speak to a caller");
                        self.feed(Input::SoundEnded(sound));
                    }
                }
                Effect::Stop(sound) => self.leg.media.stop(Job(sound.0)),
            }
        }
        Ok(false)
    }

    fn feed(&mut self, input: Input) {
        let now = self.context.clock.now();
        if let Some(dialogue) = &mut self.dialogue {
            dialogue.handle(input, now);
        }
    }

    fn look_up(&self, meeting: String, passcode: Option<String>) {
        let question = Question {
            tenant: self.visitor.tenant.clone(),
            caller: self.visitor.guesses_as(),
            meeting,
            passcode,
        };
        let (context, own) = (self.context.clone(), self.own.downgrade());
        tokio::spawn(async move {
            let found = question.look_up(&context).await;
            if let Some(own) = own.upgrade() {
                // A caller who has gone needs no answer.
                let _ = own.end(Told::Looked(found));
            }
        });
    }

    fn take(&mut self, told: Told) -> Result<(), Over> {
        match told {
            Told::FarEnd(report) => self.far_end(report.event),
            Told::Looked(found) => {
                self.meeting = found.meeting;
                self.feed(Input::Looked(found.looked));
                Ok(())
            }
        }
    }

    fn far_end(&mut self, event: FarEndEvent) -> Result<(), Over> {
        let changed = match event {
            FarEndEvent::Confirmed { sdp } => {
                let confirmed = self.leg.confirmed(sdp.as_deref());
                let now = self.context.clock.now();
                self.dialogue.get_or_insert_with(|| Dialogue::new(DialogueConfig::default(), now));
                confirmed
            }
            FarEndEvent::Completed { sdp } => self.leg.completed(&sdp),
            FarEndEvent::Offered { sdp } => Ok(self.leg.offered(sdp.as_deref()).unwrap_or(self.is_held)),
            // There is nobody yet to whom anybody could be handed over.
            FarEndEvent::Referred(_) => {
                self.leg.tell_of_referral(ReferralStatus::Refused(Refusal::Unavailable));
                return Ok(());
            }
            FarEndEvent::Pulled(phone) => {
                phone.far_end.reject(Refusal::Unavailable);
                return Ok(());
            }
            FarEndEvent::Answered { .. }
            | FarEndEvent::GiveOther(_)
            | FarEndEvent::ReferProgress(_)
            | FarEndEvent::Ringing => return Ok(()),
            FarEndEvent::Ended(_) => return Err(Over),
        };
        self.is_held = changed.map_err(|_cause| Over)?;
        Ok(())
    }

    fn hear(&mut self, event: PortEvent) -> Result<(), Over> {
        match event {
            PortEvent::JobDone { job: Job(number), .. } => self.feed(Input::SoundEnded(SoundId(number))),
            PortEvent::Lost => return Err(Over),
            PortEvent::Tone(tone) => self.feed(Input::Key(tone)),
        }
        Ok(())
    }

    /// Takes the caller to its meeting. What still comes here, no job among it, is of no use there.
    fn join(self) {
        let Self { context, visitor, leg, is_held, meeting, mut heard, .. } = self;
        heard.close();
        while let Ok(event) = heard.try_recv() {
            media::discard(event);
        }
        let Some(meeting) = meeting else { return };
        let participant = ParticipantId::next(&mut RandomIds);
        let (user, info) = (visitor.person.user().cloned(), visitor.info);
        let party = Party { leg, person: Person { participant, info, is_held } };
        Arrival { meeting, party, user, way: Way::DialledIn, page: None }.enter(&context);
    }
}
