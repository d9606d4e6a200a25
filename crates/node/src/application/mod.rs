//! The end of a call where the application's own program hears and speaks.
//!
//! Whatever that program is connected by, in a call it is one media leg that is in a mixer with the others: of a mixer of
//! two in a call between two, else of the conference's. What it is connected by may change during the call, and then the
//! leg does.

mod audio;
mod counts;
mod doors;
mod packets;
mod socket;
mod sources;
mod stack;

use std::sync::Arc;
use std::time::Duration;

use app_media::{Blob, Event, Format, Person, Ticket, read_blob};
use media_plane::{MixerId, PlaneError, StreamConfig};
use model::{AppId, CallId, ParticipantId, RosterParticipant, TenantId, Tone};
use tokio::task::AbortHandle;

pub use self::counts::ApplicationStats;
pub use self::doors::{ApplicationConfig, MediaPass, SocketDialling, Sockets};
pub(crate) use self::doors::{Applications, secret};
use self::socket::SocketStack;
pub(crate) use self::sources::Sources;
use self::stack::{Answered, Carrier};
use crate::calls::CallsError;
use crate::context::Context;
use crate::inputs::Inputs;
use crate::media::{Job, MediaPort};
use crate::task::CallInput;

/// The application's own program, as a call is connected with it.
pub(crate) struct Application {
    context: Context,
    owner: Whose,
    calls: Inputs<CallInput>,
    /// Where its leg can be a member.
    mixer: MixerId,
    pub(crate) media: Arc<MediaPort>,
    pub(crate) sources: Sources,
    stack: Stack,
    /// What carries packets of the stack, until it is begun.
    carrier: Option<Carrier>,
    /// Counts the means by which it was connected, so that news of former ones are known as such.
    number: u64,
    /// Ends the call unless the application comes.
    patience: Option<Patience>,
    keys: u64,
    /// What ends its session of WHIP.
    whip: Option<Ticket>,
}

/// Whose call it is.
#[derive(Clone, Debug)]
pub(crate) struct Whose {
    pub(crate) app: AppId,
    pub(crate) tenant: TenantId,
    pub(crate) call: CallId,
}

/// What it is connected by.
enum Stack {
    /// A WebSocket, or several one after the other.
    Socket(SocketStack),
    /// Packets to an address of its own.
    Rtp(Box<rtc_proto::sdp::Negotiator>),
    /// Nothing yet; whoever is connected to it hears what the stream says: noise.
    Waiting(#[expect(dead_code, reason = "the stream lives as long as this")] media_plane::StreamPort),
    /// WebRTC.
    WebRtc(webrtc::Handle),
}

/// A timer that ends with whom it waits for.
struct Patience(AbortHandle);

impl Drop for Patience {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// An application that was not there when it should have been.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Absence {
    number: u64,
    is_final: bool,
}

/// What [`Application::open`] made, beside the application: what the response says.
pub(crate) struct Opened {
    pub(crate) application: Application,
    pub(crate) blob: String,
}

/// Sources whose sound is told apart at once; a further one is not. Arbitrary: twice what may be heard in a mix, and a
/// bound for memory.
const MAX_SOURCES: usize = 32;

impl Application {
    /// Connects an application as its blob asks, as far as that can be done at once.
    ///
    /// # Errors
    ///
    /// What is wrong with the blob, or that there is no room.
    pub(crate) fn open(
        context: &Context,
        owner: Whose,
        calls: &Inputs<CallInput>,
        mixer: MixerId,
        blob: Option<&str>,
    ) -> Result<Opened, CallsError> {
        let read = read_blob(blob).map_err(|error| CallsError::BadBlob(error.to_string()))?;
        let sources = Sources::default();
        let parts = Parts { context: context.clone(), owner, calls: calls.clone(), mixer, sources };
        match read {
            Blob::Absent => parts.invite(Format::default()),
            Blob::WebSocket(asked) => match asked.url {
                None => parts.invite(asked.format),
                Some(url) => {
                    let sockets = &context.applications.sockets;
                    let checked = sockets.check(&url);
                    checked.map_err(|why| CallsError::BadBlob(format!("url: {why}")))?;
                    let blob = app_media::accepted_blob(asked.format);
                    let media = parts.open_virtual()?;
                    let stack = parts.socket(&media, asked.format, Some(url))?;
                    Ok(Opened {
                        application: parts.into_application(media, Stack::Socket(stack), None),
                        blob,
                    })
                }
            },
            Blob::Offer(offer) => {
                let Answered { media, stack, sdp, carrier } = stack::answer(&parts, offer)?;
                Ok(Opened { application: parts.into_application(media, stack, carrier), blob: sdp })
            }
        }
    }

    /// Begins to carry sound, and to wait for the application: the call exists now.
    pub(crate) fn begin(&mut self) {
        if let Some(carrier) = self.carrier.take() {
            carrier.begin(self.number);
        }
        match &mut self.stack {
            Stack::Socket(socket) => socket.begin(self.number),
            Stack::Waiting(_) => self.wait_for(self.context.applications.config.attach_within),
            Stack::Rtp(_) | Stack::WebRtc(_) => {}
        }
    }

    /// Takes a socket that the application has dialled.
    pub(crate) fn attach(
        &mut self,
        format: Format,
        socket: app_media::Socket,
    ) -> Result<Option<Arc<MediaPort>>, CallsError> {
        let resume_url = self.context.applications.resume_url(&self.owner.app, self.owner.call);
        let mut moved = None;
        if !matches!(self.stack, Stack::Socket(_)) {
            let parts = self.parts();
            let media = match &self.stack {
                Stack::Waiting(_) => Arc::clone(&self.media),
                Stack::Rtp(_) | Stack::Socket(_) | Stack::WebRtc(_) => {
                    let media = Arc::new(parts.open_virtual()?);
                    moved = Some(Arc::clone(&media));
                    media
                }
            };
            let mut stack = parts.socket(&media, format, None)?;
            stack.begin(self.number + 1);
            self.replace(media, Stack::Socket(stack));
        }
        if let Stack::Socket(stack) = &self.stack {
            stack.attach(socket, resume_url);
        }
        Ok(moved)
    }

    /// Follows a later offer of the application; says what leg has taken the place of its former one, if one has.
    pub(crate) async fn offered(
        &mut self,
        offer: &str,
    ) -> Result<(String, Option<Arc<MediaPort>>), CallsError> {
        if let Some(sdp) = stack::follow(self, offer).await? {
            self.context.applications.counts.offer_answered();
            return Ok((sdp, None));
        }
        let Answered { media, stack, sdp, carrier } = stack::answer(&self.parts(), offer)?;
        let media = Arc::new(media);
        self.replace(Arc::clone(&media), stack);
        if let Some(carrier) = carrier {
            carrier.begin(self.number);
        }
        Ok((sdp, Some(media)))
    }

    /// Makes the secret that ends the session of WHIP that has just begun.
    pub(crate) fn begin_whip(&mut self) -> Option<String> {
        let ticket = secret()?;
        let text = ticket.text();
        self.whip = Some(ticket);
        Some(text)
    }

    /// Ends a session of WHIP; the application may come back. False where it is not that session.
    pub(crate) async fn end_whip(&mut self, session: &str) -> bool {
        let is_it = self.whip.take_if(|ticket| ticket.is(session)).is_some();
        if is_it {
            if let Stack::WebRtc(handle) = &self.stack {
                handle.close().await;
            }
            self.wait_for(self.context.applications.config.reattach_within);
        }
        is_it
    }

    /// Whether the call is to end since the application is gone.
    pub(crate) fn is_lost(&mut self, absence: Absence) -> bool {
        if absence.number != self.number {
            return false;
        }
        if !absence.is_final {
            self.wait_for(self.context.applications.config.reattach_within);
            return false;
        }
        self.context.applications.counts.abandoned();
        true
    }

    /// Tells of a key that somebody pressed.
    pub(crate) fn hear_key(&mut self, tone: Tone, participant: Option<ParticipantId>) {
        match &self.stack {
            Stack::Socket(socket) => socket.tell(Event::Tone { tone, participant }),
            Stack::Rtp(_) | Stack::WebRtc(_) => {
                self.keys += 1;
                if let Err(error) = self.media.send_tones(Job(self.keys), &[tone], 0) {
                    tracing::debug!(%error, "a key was not passed on to an application");
                }
            }
            Stack::Waiting(_) => {}
        }
    }

    /// Tells who can be heard.
    pub(crate) fn show_roster(&self, own: ParticipantId, roster: &[RosterParticipant]) {
        if let Stack::Socket(socket) = &self.stack {
            socket.tell(Event::Roster(people(own, roster)));
        }
    }

    /// Tells who speaks most.
    pub(crate) fn show_speaker(&self, speaker: Option<ParticipantId>) {
        if let Stack::Socket(socket) = &self.stack {
            socket.tell(Event::DominantSpeaker(speaker));
        }
    }

    /// Whether it is told of rosters and speakers.
    pub(crate) const fn is_on_socket(&self) -> bool {
        matches!(self.stack, Stack::Socket(_))
    }

    /// Its leg is to be a member elsewhere from here on.
    pub(crate) const fn moved_to(&mut self, mixer: MixerId) {
        self.mixer = mixer;
    }

    fn parts(&self) -> Parts {
        Parts {
            context: self.context.clone(),
            owner: self.owner.clone(),
            calls: self.calls.clone(),
            mixer: self.mixer,
            sources: self.sources.clone(),
        }
    }

    fn replace(&mut self, media: Arc<MediaPort>, stack: Stack) {
        self.number += 1;
        (self.media, self.stack, self.patience, self.whip) = (media, stack, None, None);
    }

    /// Ends the call unless the application comes within that time.
    fn wait_for(&mut self, patience: Duration) {
        let (calls, number) = (self.calls.downgrade(), self.number);
        let waiting = tokio::spawn(async move {
            tokio::time::sleep(patience).await;
            if let Some(calls) = calls.upgrade() {
                // A call that is over waits for nobody.
                let _ = calls.end(CallInput::ApplicationAbsent(Absence { number, is_final: true }));
            }
        });
        self.patience = Some(Patience(waiting.abort_handle()));
    }
}

impl Drop for Application {
    fn drop(&mut self) {
        self.context.applications.revoke(self.owner.call);
    }
}

/// What an application's connection is made of.
struct Parts {
    context: Context,
    owner: Whose,
    calls: Inputs<CallInput>,
    mixer: MixerId,
    sources: Sources,
}

impl Parts {
    /// Waits for the application to dial in.
    fn invite(self, format: Format) -> Result<Opened, CallsError> {
        let Whose { app, call, .. } = &self.owner;
        let blob = self.context.applications.invitation(app, *call, format);
        let blob = blob.ok_or(CallsError::MediaUnavailable)?;
        let media = self.open_virtual()?;
        let stream = media.open_stream(stream_config(format)).map_err(unavailable)?;
        stream.comfort().set(true);
        Ok(Opened { application: self.into_application(media, Stack::Waiting(stream), None), blob })
    }

    fn open_virtual(&self) -> Result<MediaPort, CallsError> {
        self.context.media.open_for_application(self.mixer, self.calls.clone()).map_err(unavailable)
    }

    fn socket(
        &self,
        media: &MediaPort,
        format: Format,
        dialled: Option<url::Url>,
    ) -> Result<SocketStack, CallsError> {
        let stream = media.open_stream(stream_config(format)).map_err(unavailable)?;
        SocketStack::new(self, format, stream, dialled).map_err(|error| {
            tracing::error!(%error, "failed to watch a stream of audio");
            CallsError::MediaUnavailable
        })
    }

    fn into_application(self, media: MediaPort, stack: Stack, carrier: Option<Carrier>) -> Application {
        let Self { context, owner, calls, mixer, sources } = self;
        Application {
            context,
            owner,
            calls,
            mixer,
            media: Arc::new(media),
            sources,
            stack,
            carrier,
            number: 1,
            patience: None,
            keys: 0,
            whip: None,
        }
    }
}

fn stream_config(format: Format) -> StreamConfig {
    StreamConfig {
        has_mix: format.channels.has_mix(),
        has_unmixed: format.channels.has_participants(),
        max_sources: MAX_SOURCES,
    }
}

fn unavailable(error: PlaneError) -> CallsError {
    tracing::error!(%error, "failed to open media for an application");
    CallsError::MediaUnavailable
}

/// Those in a roster who can be heard by the application.
fn people(own: ParticipantId, roster: &[RosterParticipant]) -> Vec<Person> {
    let others = roster.iter().filter(|participant| participant.id != own && !participant.is_in_lobby);
    let person = |participant: &RosterParticipant| {
        let audio =
            participant.media_streams.iter().find(|stream| stream.media_type == model::Modality::Audio)?;
        Some(Person { participant: participant.id, source_id: audio.source_id })
    };
    others.filter_map(person).collect()
}
