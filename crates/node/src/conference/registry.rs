use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use call_engine::Conference;
use media_plane::{MixerConfig, MixerId, PlaneError};
use model::{OnlineMeeting, TenantId};
use tokio::sync::oneshot;

use super::bell::Bell;
use super::pages::Pages;
use super::{ConferenceTask, ConferenceTaskInput};
use crate::context::Context;
use crate::ids::RandomIds;
use crate::inputs::{Inputs, inputs};

/// The conferences of a node: each a task, those of meetings found by their meeting.
#[derive(Clone, Default)]
pub(crate) struct Conferences {
    live: Arc<Mutex<Live>>,
}

#[derive(Default)]
struct Live {
    started: u64,
    all: BTreeMap<u64, Inputs<ConferenceTaskInput>>,
    meetings: BTreeMap<MeetingKey, ConferenceDoor>,
}

/// Tenant and thread.
type MeetingKey = (TenantId, String);

/// How a conference is reached.
#[derive(Clone)]
pub(crate) struct ConferenceDoor {
    pub(crate) inputs: Inputs<ConferenceTaskInput>,
    pub(crate) mixer: MixerId,
}

/// A conference's entry; it goes when the conference is over.
pub(crate) struct Place {
    conferences: Conferences,
    number: u64,
    meeting: Option<MeetingKey>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut live = self.conferences.lock();
        live.all.remove(&self.number);
        if let Some(key) = &self.meeting {
            live.meetings.remove(key);
        }
    }
}

impl Conferences {
    /// A new group call, on the media thread of a leg that is to be in it where there is one.
    pub(crate) fn group(
        &self,
        context: &Context,
        near: Option<media_plane::LegId>,
    ) -> Result<ConferenceDoor, PlaneError> {
        let engine = Conference::group(context.config.conference.clone());
        Ok(self.start(&mut self.lock(), prepare(context, engine, near)?, None))
    }

    /// What goes on in a meeting, begun where nobody is in it yet: then on the media thread of a leg that is to be in it
    /// where there is one.
    pub(crate) fn meeting(
        &self,
        context: &Context,
        meeting: &OnlineMeeting,
        near: Option<media_plane::LegId>,
    ) -> Result<ConferenceDoor, PlaneError> {
        let key = key_of(meeting);
        let mut live = self.lock();
        if let Some(door) = live.meetings.get(&key) {
            // Whoever joins brings the settings that it was let in with: another server may have changed them.
            let _ = door.inputs.end(ConferenceTaskInput::MeetingChanged(Box::new(meeting.clone())));
            return Ok(door.clone());
        }
        let engine = Conference::meeting(context.config.conference.clone(), meeting.clone());
        Ok(self.start(&mut live, prepare(context, engine, near)?, Some(key)))
    }

    /// Tells whoever is in a meeting that its settings changed.
    pub(crate) fn meeting_changed(&self, meeting: OnlineMeeting) {
        if let Some(door) = self.lock().meetings.get(&key_of(&meeting)) {
            // A conference that is over begins with the new settings.
            let _ = door.inputs.end(ConferenceTaskInput::MeetingChanged(Box::new(meeting)));
        }
    }

    /// The meetings that somebody is in.
    pub(crate) fn meetings(&self) -> Vec<(TenantId, String)> {
        self.lock().meetings.keys().cloned().collect()
    }

    /// How many are in a meeting.
    pub(crate) async fn count_in(&self, tenant: &TenantId, thread: &str) -> Option<usize> {
        let key = (tenant.clone(), thread.to_owned());
        let inputs = self.lock().meetings.get(&key)?.inputs.clone();
        let (reply, counted) = oneshot::channel();
        inputs.ask(ConferenceTaskInput::Count(reply)).ok()?;
        counted.await.ok()
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.lock().all.len()
    }

    /// Ends all of them; those who are in them are hung up on.
    pub(crate) fn close(&self) {
        for inputs in self.lock().all.values() {
            // One that is over is closed already.
            let _ = inputs.end(ConferenceTaskInput::Close);
        }
    }

    fn start(
        &self,
        live: &mut Live,
        (task, door): (ConferenceTask, ConferenceDoor),
        meeting: Option<MeetingKey>,
    ) -> ConferenceDoor {
        live.started += 1;
        live.all.insert(live.started, door.inputs.clone());
        if let Some(key) = meeting.clone() {
            live.meetings.insert(key, door.clone());
        }
        tokio::spawn(task.run(Place { conferences: self.clone(), number: live.started, meeting }));
        door
    }

    fn lock(&self) -> MutexGuard<'_, Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key_of(meeting: &OnlineMeeting) -> MeetingKey {
    (meeting.tenant.clone(), meeting.thread_id.clone())
}

/// Members of a mixer that are nobody: what announces people.
const BELLS: usize = 1;

/// A conference's task, and the way to it.
fn prepare(
    context: &Context,
    engine: Conference,
    near: Option<media_plane::LegId>,
) -> Result<(ConferenceTask, ConferenceDoor), PlaneError> {
    let (own, queue) = inputs();
    let max_members = context.config.conference.max_participants + BELLS;
    let config = MixerConfig { max_members, ..MixerConfig::default() };
    let mixer = context.media.open_mixer(config, near, own.clone())?;
    let door = ConferenceDoor { inputs: own.clone(), mixer: mixer.id() };
    let task = ConferenceTask {
        engine,
        context: context.clone(),
        inputs: queue,
        own,
        mixer,
        bell: Bell::default(),
        calls: BTreeMap::new(),
        legs: BTreeMap::new(),
        pages: Pages::default(),
        ids: RandomIds,
        releasing: None,
        referring: BTreeMap::new(),
        keys: BTreeMap::new(),
        kept: Vec::new(),
        has_moved: false,
    };
    Ok((task, door))
}
