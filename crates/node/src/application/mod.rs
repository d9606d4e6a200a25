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
use std::sync::atomic::{AtomicBool, Ordering};
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
    /// Whether anybody is there to hear it.
    is_connected: Arc<AtomicBool>,
    /// What sockets carry.
    format: Format,
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
    /// Whether it was waited for.
    pub(crate) is_final: bool,
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
        let parts = Parts {
            context: context.clone(),
            owner,
            calls: calls.clone(),
            mixer,
            sources: Sources::default(),
            is_connected: Arc::default(),
            format: Format::default(),
        };
        match read {
            Blob::Absent => parts.invite(),
            Blob::WebSocket(asked) => match asked.url {
                None => Parts { format: asked.format, ..parts }.invite(),
                Some(url) => {
                    let sockets = &context.applications.sockets;
                    let checked = sockets.check(&url);
                    checked.map_err(|why| CallsError::BadBlob(format!("url: {why}")))?;
                    let blob = app_media::accepted_blob(asked.format);
                    let parts = Parts { format: asked.format, ..parts };
                    let media = parts.open_virtual()?;
                    let stack = parts.socket(&media, Some(url))?;
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
        let Whose { app, call, .. } = &self.owner;
        let resume_url = self.context.applications.resume_url(app, *call, format);
        let mut moved = None;
        if !matches!(self.stack, Stack::Socket(_)) || self.format != format {
            let parts = Parts { format, ..self.parts() };
            let media = match &self.stack {
                Stack::Socket(_) | Stack::Waiting(_) => Arc::clone(&self.media),
                Stack::Rtp(_) | Stack::WebRtc(_) => {
                    let media = Arc::new(parts.open_virtual()?);
                    moved = Some(Arc::clone(&media));
                    media
                }
            };
            let mut stack = parts.socket(&media, None)?;
            stack.begin(self.number + 1);
            self.format = format;
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

    /// Fresh addresses to dial in at.
    pub(crate) fn invitation(&self) -> Result<String, CallsError> {
        let Whose { app, call, .. } = &self.owner;
        let invitation = self.context.applications.invitation(app, *call, self.format);
        invitation.ok_or(CallsError::MediaUnavailable)
    }

    /// Whether that is its session of WHIP, which is over then.
    pub(crate) fn takes_end_of_whip(&mut self, session: &str) -> bool {
        self.whip.take_if(|ticket| ticket.is(session)).is_some()
    }

    /// Somebody is there to hear it.
    pub(crate) fn connected(&self) {
        self.is_connected.store(true, Ordering::Relaxed);
    }

    /// Whether news of its absence are of what it is connected by now.
    pub(crate) const fn is_current(&self, absence: Absence) -> bool {
        absence.number == self.number
    }

    /// Waits for it to come back by whatever means, for as long as it may take, and lets the others hear noise; says what
    /// leg has taken the place of its former one.
    pub(crate) fn go_away(&mut self) -> Option<Arc<MediaPort>> {
        let waiting = self.parts().waiting();
        let media = waiting.ok().map(|(media, stream)| {
            let media = Arc::new(media);
            self.replace(Arc::clone(&media), Stack::Waiting(stream));
            media
        });
        self.wait_for(self.context.applications.config.reattach_within);
        media
    }

    /// It did not come.
    pub(crate) fn abandoned(&self) {
        self.context.applications.counts.abandoned();
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
            is_connected: Arc::clone(&self.is_connected),
            format: self.format,
        }
    }

    fn replace(&mut self, media: Arc<MediaPort>, stack: Stack) {
        if let Stack::Socket(old) = &self.stack {
            old.replaced();
        }
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
    is_connected: Arc<AtomicBool>,
    format: Format,
}

impl Parts {
    /// Waits for the application to dial in.
    fn invite(self) -> Result<Opened, CallsError> {
        let (media, stream) = self.waiting()?;
        let application = self.into_application(media, Stack::Waiting(stream), None);
        let blob = application.invitation()?;
        Ok(Opened { application, blob })
    }

    /// A leg by which nobody is connected yet: it says noise.
    fn waiting(&self) -> Result<(MediaPort, media_plane::StreamPort), CallsError> {
        let media = self.open_virtual()?;
        let stream = media.open_stream(StreamConfig::default()).map_err(unavailable)?;
        stream.comfort().set(true);
        Ok((media, stream))
    }

    fn open_virtual(&self) -> Result<MediaPort, CallsError> {
        self.context.media.open_for_application(self.mixer, self.calls.clone()).map_err(unavailable)
    }

    fn socket(&self, media: &MediaPort, dialled: Option<url::Url>) -> Result<SocketStack, CallsError> {
        let stream = media.open_stream(stream_config(self.format)).map_err(unavailable)?;
        SocketStack::new(self, self.format, stream, dialled).map_err(|error| {
            tracing::error!(%error, "failed to watch a stream of audio");
            CallsError::MediaUnavailable
        })
    }

    fn into_application(self, media: MediaPort, stack: Stack, carrier: Option<Carrier>) -> Application {
        let Self { context, owner, calls, mixer, sources, is_connected, format } = self;
        Application {
            context,
            owner,
            calls,
            mixer,
            media: Arc::new(media),
            sources,
            is_connected,
            format,
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
