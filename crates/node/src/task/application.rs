//! A call whose application's own program hears and speaks.

use std::collections::BTreeMap;
use std::sync::Arc;

use call_engine::{ConferenceEvent, Input, LegEvent, Rejection};
use media_plane::{LegId, MixerId, PlaneError};
use model::{CallId, CallState, Destination, MediaConfig, ParticipantId, RosterParticipant, Tone};
use trace::Lane;

use super::link::{Link, open_door};
use super::{CallInput, CallTask};
use crate::application::{Absence, Application, Opened, Sources, Whose};
use crate::calls::{CallsError, WhipAnswer};
use crate::conference::{ConferenceDoor, ConferenceTaskInput};
use crate::context::Context;
use crate::inputs::Inputs;
use crate::media::{MediaPort, MixerPort, PortEvent};

/// The application's own program, and where it meets the others.
pub(super) struct HostedMedia {
    pub(super) application: Application,
    /// The mixer of a call between two.
    bridge: Option<MixerPort>,
    /// The conference that it will join.
    reserved: Option<Reserved>,
}

/// A conference that waits for a call to join it. One that waits for nobody else is over if this is dropped.
struct Reserved {
    door: Option<ConferenceDoor>,
    call: CallId,
}

impl Drop for Reserved {
    fn drop(&mut self) {
        if let Some(door) = &self.door {
            // One that is over waits for nobody.
            let _ = door.inputs.end(ConferenceTaskInput::Leave { call: self.call });
        }
    }
}

impl HostedMedia {
    /// Connects the application of a new call, where its own program hears and speaks, and replaces its blob by what it is
    /// told; `None` where the server plays and records.
    ///
    /// A call that came in leads nowhere but to its caller.
    pub(super) fn open(
        context: &Context,
        owner: Whose,
        (destination, media): (Option<&Destination>, &mut MediaConfig),
        calls: &Inputs<CallInput>,
    ) -> Result<Option<Self>, CallsError> {
        let MediaConfig::AppHosted { blob, .. } = media else { return Ok(None) };
        let failed = |error: PlaneError| {
            tracing::error!(%error, "failed to open a mixer for an application");
            CallsError::MediaUnavailable
        };
        let (bridge, reserved) = match destination {
            None | Some(Destination::Person(_)) => (Some(context.media.open_bridge().map_err(failed)?), None),
            Some(destination @ (Destination::Group(_) | Destination::Meeting(_))) => {
                let door = open_door(context, destination, None).map_err(failed)?;
                (None, Some(Reserved { door: Some(door), call: owner.call }))
            }
        };
        let of_conference =
            reserved.as_ref().and_then(|reserved| reserved.door.as_ref()).map(|door| door.mixer);
        let mixer =
            bridge.as_ref().map(MixerPort::id).or(of_conference).ok_or(CallsError::MediaUnavailable)?;
        let opened = Application::open(context, owner, calls, mixer, blob.as_deref())?;
        let Opened { application, blob: told } = opened;
        *blob = Some(told);
        if let Some(bridge) = &bridge {
            bridge.join(application.media.leg());
        }
        Ok(Some(Self { application, bridge, reserved }))
    }

    pub(super) fn leg(&self) -> LegId {
        self.application.media.leg()
    }

    /// The conference that was kept open for it, once.
    pub(super) fn take_door(&mut self) -> Option<ConferenceDoor> {
        self.reserved.take().and_then(|mut reserved| reserved.door.take())
    }

    /// What a conference is told of it that it joins.
    pub(super) fn joining(&mut self, mixer: MixerId) -> Sources {
        self.application.moved_to(mixer);
        self.application.sources.clone()
    }

    /// Opens the leg of the callee in a call between two.
    pub(super) fn open_for_callee(
        &self,
        context: &Context,
        call: Inputs<CallInput>,
        callee: ParticipantId,
    ) -> Result<MediaPort, PlaneError> {
        let bridge = self.bridge.as_ref().ok_or(PlaneError::NoMixer)?;
        let media = context.media.open_for_call_at(bridge.id(), call)?;
        bridge.join(media.leg());
        self.application.sources.set(Arc::new(BTreeMap::from([(media.leg(), callee)])));
        Ok(media)
    }
}

impl HostedMedia {
    /// Takes a leg in that was elsewhere, in the place of the callee's.
    pub(super) fn take_callee(&self, media: &MediaPort, callee: ParticipantId) -> Result<(), PlaneError> {
        let bridge = self.bridge.as_ref().ok_or(PlaneError::NoMixer)?;
        media.bring_to(bridge.id())?;
        bridge.join(media.leg());
        self.application.sources.set(Arc::new(BTreeMap::from([(media.leg(), callee)])));
        Ok(())
    }
}

impl CallTask {
    /// Takes a socket that the application has dialled.
    pub(super) fn attach(
        &mut self,
        format: app_media::Format,
        socket: app_media::Socket,
    ) -> Result<(), CallsError> {
        let moved = self.hosted()?.application.attach(format, socket)?;
        self.note(Lane::Application, "connected", Some("a WebSocket"));
        self.moved(moved);
        self.show_both();
        self.show_roster();
        Ok(())
    }

    /// Follows an offer of the application's media stack.
    pub(super) async fn offered(&mut self, sdp: &str) -> Result<String, CallsError> {
        let (answer, moved) = self.hosted()?.application.offered(sdp).await?;
        self.note(Lane::Application, "connected", Some("an offer"));
        self.moved(moved);
        Ok(answer)
    }

    pub(super) async fn whip(&mut self, ticket: &str, sdp: &str) -> Result<WhipAnswer, CallsError> {
        let call = self.engine.record().id;
        // Another offer with the same token may have come first.
        if !self.context.applications.knows(call, ticket) {
            return Err(CallsError::NotFound);
        }
        let sdp = self.offered(sdp).await?;
        // It was good a moment ago, and nobody else takes it.
        let _ = self.context.applications.redeem(call, ticket);
        let session = self.hosted()?.application.begin_whip().ok_or(CallsError::MediaUnavailable)?;
        Ok(WhipAnswer { sdp, session })
    }

    pub(super) fn end_whip(&mut self, session: &str) -> Result<(), CallsError> {
        if !self.hosted()?.application.takes_end_of_whip(session) {
            return Err(CallsError::NotFound);
        }
        self.application_away();
        Ok(())
    }

    pub(super) fn invitation(&mut self) -> Result<String, CallsError> {
        self.hosted()?.application.invitation()
    }

    pub(super) fn application_absent(&mut self, absence: Absence) {
        let Some(hosted) = self.application.as_ref().filter(|hosted| hosted.application.is_current(absence))
        else {
            return;
        };
        self.note(Lane::Application, "absent", None);
        if absence.is_final {
            hosted.application.abandoned();
            self.feed(Input::ApplicationMediaLost);
        } else {
            self.application_away();
        }
    }

    /// Waits for the application to come back.
    fn application_away(&mut self) {
        let moved = self.application.as_mut().and_then(|hosted| hosted.application.go_away());
        self.moved(moved);
    }

    pub(super) fn application_media(&mut self, leg: LegId, event: PortEvent) {
        if self.application.as_ref().is_none_or(|hosted| hosted.leg() != leg) {
            // Of a leg that another one has taken the place of.
            return;
        }
        match (event, &self.link) {
            (PortEvent::Lost, _) => self.application_away(),
            // Keys of the application's stack are for the callee, whose packets are others.
            (PortEvent::Tone(tone), Link::Leg(leg)) => {
                let job = self.jobs.next();
                if let Err(error) = leg.media.send_tones(job, &[tone], 0) {
                    tracing::debug!(%error, "a key of an application was not passed on");
                }
            }
            // Nobody waits for the end of the keys that the application is sent.
            (PortEvent::JobDone { .. } | PortEvent::Tone(_), _) => {}
        }
    }

    /// Takes in a key of the callee in a call between two.
    pub(super) fn key_of_callee(&mut self, tone: Tone) {
        let callee = self.callee_participant;
        if let Some(hosted) = &mut self.application {
            hosted.application.hear_key(tone, Some(callee));
        }
        self.feed(Input::Leg(LegEvent::Tone(tone)));
    }

    /// Tells the application's own program what the conference told of.
    pub(super) fn show_application(&mut self, event: &ConferenceEvent) {
        let Some(hosted) = &mut self.application else { return };
        match event {
            ConferenceEvent::Dominant(speaker) => {
                hosted.application.show_speaker(speaker.map(|(participant, _)| participant));
            }
            ConferenceEvent::Joined => {
                hosted.application.connected();
                self.show_roster();
            }
            ConferenceEvent::Roster(_) => self.show_roster(),
            ConferenceEvent::Tone(tone) => hosted.application.hear_key(*tone, None),
            ConferenceEvent::Answered { .. }
            | ConferenceEvent::ContentSharing { .. }
            | ConferenceEvent::Ended(_)
            | ConferenceEvent::OperationEnded { .. }
            | ConferenceEvent::TransfereeGone => {}
        }
    }

    /// Tells the application's own program who is in a call between two.
    pub(super) fn show_both(&self) {
        if let Some(hosted) = self.application.as_ref().filter(|_| self.is_established()) {
            hosted.application.connected();
        }
        if let (Some(hosted), Link::Leg(_)) = (&self.application, &self.link) {
            hosted.application.show_roster(self.engine.record().my_participant, &self.both());
        }
    }

    /// Tells it who is in the conference, once that has said so.
    fn show_roster(&self) {
        let is_wanted = self.application.as_ref().is_some_and(|hosted| hosted.application.is_on_socket());
        let Some(asked) = is_wanted.then(|| self.ask_roster()).flatten() else { return };
        let own = self.own.downgrade();
        tokio::spawn(async move {
            if let (Ok(roster), Some(own)) = (asked.await, own.upgrade()) {
                // A call that is over shows nothing; one that is held up shows the next.
                let _ = own.tell(CallInput::ApplicationRoster(roster));
            }
        });
    }

    pub(super) fn application_roster(&self, roster: &[RosterParticipant]) {
        if let Some(hosted) = &self.application {
            hosted.application.show_roster(self.engine.record().my_participant, roster);
        }
    }

    fn is_established(&self) -> bool {
        self.engine.record().state == CallState::Established
    }

    fn hosted(&mut self) -> Result<&mut HostedMedia, CallsError> {
        self.application.as_mut().ok_or_else(|| Rejection::NeedsAppHostedMedia.into())
    }

    /// Brings the leg that took the place of the application's former one to where that was.
    fn moved(&self, media: Option<Arc<MediaPort>>) {
        let Some(media) = media else { return };
        match &self.link {
            Link::Member(_) => self.replace_media(media.leg()),
            Link::Calling(_) | Link::Leg(_) | Link::None => {
                let bridge = self.application.as_ref().and_then(|hosted| hosted.bridge.as_ref());
                if let Some(bridge) = bridge {
                    bridge.join(media.leg());
                }
            }
        }
    }
}
