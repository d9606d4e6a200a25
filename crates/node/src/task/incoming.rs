//! A call that came in, until its caller is connected.

use std::sync::Arc;

use call_engine::{EndCause, Input, LegEvent, Refusal};
use media_plane::PlaneError;
use model::{Answer, CallId, CallState, NewIncomingCall, Owner};

use super::application::HostedMedia;
use super::jobs::{Jobs, prefetch};
use super::link::Link;
use super::{CallInput, CallTask, Entry};
use crate::application::Whose;
use crate::calls::CallsError;
use crate::context::Context;
use crate::ids::RandomIds;
use crate::inputs::{InputQueue, Inputs};
use crate::leg::Leg;
use crate::media::MediaPort;
use crate::sip::CallingPhone;

impl CallTask {
    /// Takes a call that a phone makes; nothing is kept or promised before [`CallTask::run`].
    pub(crate) fn incoming(
        new: NewIncomingCall,
        context: Context,
        phone: CallingPhone,
        (own, inputs): (Inputs<CallInput>, InputQueue<CallInput>),
    ) -> (Self, Entry) {
        let mut ids = RandomIds;
        let id = CallId::next(&mut ids);
        let trace = context.recorder.begin(id);
        phone.events.dialog().give_to(&trace);
        let (config, leg, now) = (context.config.call.clone(), context.next_leg(), context.clock.now());
        let callee_participant = new.context.source_participant;
        let engine = call_engine::Call::incoming((id, new), leg, config, now, &mut ids);
        let record = engine.record();
        let owner = Owner { app: record.app.clone(), tenant: record.tenant.clone() };
        let entry = Entry { id, owner, inputs: own.clone() };
        let task = Self {
            engine,
            context,
            inputs,
            own,
            ids,
            created: None,
            is_counted: false,
            link: Link::Calling(Box::new(phone)),
            application: None,
            callee_participant,
            jobs: Jobs::new(None),
            line: None,
            moving: super::moving::Moving::default(),
            replies: std::collections::BTreeMap::new(),
            commands: 0,
            was_established: false,
            recordings: Vec::new(),
            trace,
        };
        (task, entry)
    }

    /// Connects the application with a call that it is about to answer, where its own program hears and speaks.
    ///
    /// # Errors
    ///
    /// Why that cannot be; the call rings on.
    pub(super) fn prepare_answer(&mut self, answer: &mut Answer) -> Result<(), CallsError> {
        let record = self.engine.record();
        if record.state != CallState::Incoming {
            // The engine says what is wrong with that.
            return Ok(());
        }
        let owner = Whose { app: record.app.clone(), tenant: record.tenant.clone(), call: record.id };
        let place = (None, &mut answer.media_config);
        self.application = HostedMedia::open(&self.context, owner, place, &self.own)?;
        self.jobs.keep(prefetch(&self.context, &record.app, &answer.media_config));
        Ok(())
    }

    /// Lets the caller hear that it rings.
    pub(super) fn ring_leg(&self) {
        if let Link::Calling(phone) = &self.link {
            phone.far_end.ring();
        }
    }

    pub(super) fn reject_leg(&mut self, why: Refusal) {
        if let Link::Calling(phone) = &self.link {
            phone.far_end.reject(why);
        }
        self.link = Link::None;
    }

    /// Answers the caller with the media that the application asked for.
    pub(super) fn answer_leg(&mut self) {
        let Link::Calling(phone) = std::mem::take(&mut self.link) else { return };
        let far_end = phone.far_end.clone();
        let opened = self.open_for_other().map_err(|error| {
            tracing::error!(%error, "failed to open a media leg");
            EndCause::Internal
        });
        match opened.and_then(|media| Leg::answer(&self.context, *phone, Arc::new(media))) {
            Ok((leg, acceptance)) => {
                self.link = Link::Leg(Box::new(leg));
                acceptance.send();
                if let Some(hosted) = &mut self.application {
                    hosted.application.begin();
                }
            }
            Err(cause) => {
                far_end.reject(Refusal::Unavailable);
                self.feed(Input::Leg(LegEvent::Ended(cause)));
            }
        }
    }

    /// Opens the leg of the other party in a call between two.
    pub(super) fn open_for_other(&self) -> Result<MediaPort, PlaneError> {
        match &self.application {
            None => self.context.media.open_for_call(self.own.clone()),
            Some(hosted) => hosted.open_for_callee(&self.context, self.own.clone(), self.callee_participant),
        }
    }
}
