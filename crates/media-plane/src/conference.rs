//! Mixers and their members: the part of the plane's handle that group calls use.

use media_engine::{Audience, DEFAULT_TALKERS, MAX_TALKERS, SampleRate, Seat};

use crate::command::Command;
use crate::leg::{Leg, Transport};
use crate::mixer::Mixer;
use crate::{LegId, LegPort, MediaPlane, MixerId, PlaneError, clock};

/// The rate of all that virtual legs hear and say: that of recordings.
pub(crate) const HOSTED_RATE: SampleRate = SampleRate::Hz16000;

/// What a mixer is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MixerConfig {
    /// Legs that may be in it at once, at most 65,535.
    pub max_members: usize,
    /// Members that are heard at once, 1 to [`media_engine::MAX_TALKERS`], beside the prompts of virtual legs.
    pub max_talkers: usize,
}

impl Default for MixerConfig {
    fn default() -> Self {
        Self { max_members: 1_000, max_talkers: DEFAULT_TALKERS }
    }
}

/// How a leg takes part in a mixer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemberConfig {
    /// Whether nobody hears it.
    pub is_muted: bool,
    /// Who hears it, and whom it hears.
    pub route: Route,
}

/// Who hears a leg, and whom it hears.
///
/// A leg with an audience is heard by exactly that. One without is heard by everybody in the default group, if it is in
/// it itself. A leg outside the default group hears only those that name it in their audience. Nobody hears itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Whether it is one of those that hear each other unless told otherwise.
    pub is_in_default_group: bool,
    /// Those who hear it, and nobody else; they need not be members yet.
    pub audience: Option<Vec<LegId>>,
}

impl Default for Route {
    fn default() -> Self {
        Self { is_in_default_group: true, audience: None }
    }
}

impl MediaPlane {
    /// Opens a mixer on the least loaded thread, or on the thread of `near`, so that this leg can be a member.
    ///
    /// A mixer costs nothing while no member speaks or hears; see [`Self::join`].
    ///
    /// # Errors
    ///
    /// Returns [`PlaneError::NoLeg`] where `near` is closed, [`PlaneError::Setting`] for numbers out of range,
    /// [`PlaneError::TooManyMixers`] or [`PlaneError::Busy`].
    pub fn open_mixer(&self, config: MixerConfig, near: Option<LegId>) -> Result<MixerId, PlaneError> {
        if !(1..=usize::from(u16::MAX)).contains(&config.max_members) {
            return Err(PlaneError::Setting("members of a mixer must be 1 to 65535"));
        }
        if !(1..=MAX_TALKERS).contains(&config.max_talkers) {
            return Err(PlaneError::Setting("too few or too many talkers"));
        }
        let id = self.registry().open_mixer(config.max_members, near)?;
        let pushed = self.push(id.thread(), Command::OpenMixer(Box::new(Mixer::new(id, config))));
        if pushed.is_err() {
            let _ = self.registry().close_mixer(id);
        }
        pushed.map(|()| id)
    }

    /// Closes a mixer; its members go on outside of any.
    ///
    /// # Errors
    ///
    /// Returns [`PlaneError::NoMixer`] where it was closed before; never [`PlaneError::Busy`].
    pub fn close_mixer(&self, mixer: MixerId) -> Result<(), PlaneError> {
        self.registry().close_mixer(mixer)?;
        self.push(mixer.thread(), Command::CloseMixer(mixer))
    }

    /// Opens a leg as [`Self::open_leg`] does, on the thread of a mixer, so that it can be a member.
    ///
    /// # Errors
    ///
    /// Returns [`PlaneError::NoMixer`], or what [`Self::open_leg`] does.
    pub fn open_leg_at(&self, mixer: MixerId) -> Result<LegPort, PlaneError> {
        let leg = self.registry().reserve_at(mixer)?;
        self.open(leg)
    }

    /// Opens a leg without sockets on the thread of a mixer, for a bot whose media is hosted here.
    ///
    /// As a member its prompts and tones are heard by the others, whoever talks; its recordings and captures are of
    /// what it hears, which is all but itself; keys that any other member presses end its recordings. Play, record,
    /// capture, stop and close work as for other legs, at 16 kHz. Outside of a mixer its jobs end at once,
    /// cancelled. It cannot be configured and sends no keys.
    ///
    /// # Errors
    ///
    /// Returns [`PlaneError::NoMixer`], [`PlaneError::TooManyLegs`] or [`PlaneError::Busy`].
    pub fn open_virtual_leg(&self, mixer: MixerId) -> Result<LegId, PlaneError> {
        let leg = self.registry().reserve_at(mixer)?;
        let made = self.registry().virtual_leg(leg);
        let hosted = || Command::Open(Box::new(Leg::new(leg, Transport::Hosted)));
        let opened = made.and_then(|()| self.push(leg.thread(), hosted()));
        if opened.is_err() {
            self.registry().release(leg, None, clock::monotonic());
        }
        opened.map(|()| leg)
    }

    /// Puts a leg into a mixer: it is heard by the others and hears them, less than 20 ms later than without.
    ///
    /// It may join before it is configured. A leg that is in another mixer of the same thread moves. While a leg plays
    /// a prompt or a tone of its own, its far end hears that instead of the others.
    ///
    /// # Errors
    ///
    /// Returns [`PlaneError::NoLeg`], [`PlaneError::NoMixer`], [`PlaneError::OtherThread`] where the leg is not on
    /// the mixer's thread (see [`Self::bring`]), [`PlaneError::TooManyMembers`] or [`PlaneError::Busy`].
    pub fn join(&self, leg: LegId, mixer: MixerId, config: MemberConfig) -> Result<(), PlaneError> {
        let joined = self.registry().join(leg, mixer)?;
        let seat = Seat::new(leg.as_u64(), joined.rate, audience(config.route), config.is_muted);
        let pushed = self.push(leg.thread(), Command::Join(leg, mixer, Box::new(seat)));
        if pushed.is_err() {
            self.registry().unjoin(leg, joined.before);
        }
        pushed
    }

    /// Takes a leg out of its mixer; nothing happens where it is in none.
    ///
    /// # Errors
    ///
    /// Returns [`PlaneError::NoLeg`] or [`PlaneError::Busy`].
    pub fn leave(&self, leg: LegId) -> Result<(), PlaneError> {
        let Some(mixer) = self.registry().leave(leg)? else { return Ok(()) };
        let pushed = self.push(leg.thread(), Command::Leave(leg));
        if pushed.is_err() {
            self.registry().unjoin(leg, Some(mixer));
        }
        pushed
    }

    /// Says whether nobody hears a member; lasts until it leaves.
    ///
    /// # Errors
    ///
    /// Returns [`PlaneError::NoLeg`], [`PlaneError::NoMixer`] where it is in none, or [`PlaneError::Busy`].
    pub fn set_muted(&self, leg: LegId, is_muted: bool) -> Result<(), PlaneError> {
        self.registry().mixer_of(leg)?;
        self.push(leg.thread(), Command::Mute(leg, is_muted))
    }

    /// Says who hears a member and whom it hears; lasts until it leaves.
    ///
    /// # Errors
    ///
    /// Returns [`PlaneError::NoLeg`], [`PlaneError::NoMixer`] where it is in none, or [`PlaneError::Busy`].
    pub fn set_route(&self, leg: LegId, route: Route) -> Result<(), PlaneError> {
        self.registry().mixer_of(leg)?;
        self.push(leg.thread(), Command::Route(leg, Box::new(audience(route))))
    }
}

fn audience(route: Route) -> Audience {
    let names = route.audience.map(|legs| legs.into_iter().map(LegId::as_u64).collect());
    Audience::new(route.is_in_default_group, names)
}
