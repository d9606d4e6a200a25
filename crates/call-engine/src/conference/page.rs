//! People who see the conversation at the page of a browser: what they ask for, and what they are told.

use std::sync::Arc;

use model::{IdSource, MeetingOption, MeetingRole, Outcome, ParticipantId, RosterParticipant, Timestamp};

use super::member::{Member, State};
use super::{Conference, ConferenceEffect, Kind};
use crate::Rejection;

/// Switches of a meeting (`onlineMeeting`) for those who do not present.
pub(super) const CAMERAS: &str = "allowAttendeeToEnableCamera";
pub(super) const MICROPHONES: &str = "allowAttendeeToEnableMic";

/// What somebody asks for at a page. Whoever leaves hangs up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PersonRequest {
    /// Let someone in from the lobby; `None` is everyone who waits.
    Admit(Option<ParticipantId>),
    /// Show one's camera, or do not any more.
    Camera(bool),
    /// Raise a hand, or lower it.
    Hand(bool),
    /// Mute someone.
    Mute(ParticipantId),
    /// Mute oneself, or take that back, and what others did, too.
    MuteSelf(bool),
    /// Send someone away, from the lobby, too.
    Remove(ParticipantId),
    /// Share one's screen in the place of any other, or do not any more.
    Screen(bool),
}

/// What somebody is told at a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PersonEvent {
    /// What was asked for cannot be.
    Denied(Rejection),
    /// The person is in no longer, for a reason of this side; the last event. The end of its leg follows.
    Ended(Outcome),
    /// Who is there: everybody, whenever something of it has changed.
    Roster(Arc<[Seen]>),
    /// Somebody else speaks most, or nobody.
    Speaker(Option<ParticipantId>),
    /// Where the person is.
    State(PersonState),
}

/// Where somebody is who has a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PersonState {
    /// It talks.
    In,
    /// It waits to be let in.
    InLobby,
    /// It is taken aside, to music.
    OnHold,
}

/// Someone, as pages show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The same that applications are shown.
    pub participant: RosterParticipant,
    /// Whether a hand is raised; those that were raised earlier have smaller numbers.
    pub hand: Option<u64>,
}

/// A member's page, and what it knows.
#[derive(Clone, Debug, Default)]
pub(super) struct Page {
    pub(super) is_filmed: bool,
    hand: Option<u64>,
    told_state: Option<PersonState>,
    told_speaker: Option<ParticipantId>,
    told_roster: Arc<[Seen]>,
    /// Camera and screen, as [`ConferenceEffect::ShowPictures`] was performed last.
    shown: (bool, bool),
}

impl Conference {
    pub(super) fn person_asks(
        &mut self,
        id: ParticipantId,
        request: PersonRequest,
        now: Timestamp,
        ids: &mut dyn IdSource,
    ) {
        let Some(member) = self.members.get(&id).filter(|member| member.page.is_some()) else { return };
        let answered = match request {
            // Whoever waits may make up its mind.
            PersonRequest::MuteSelf(is_muted) => self.person_mutes(id, is_muted, now),
            _ if !member.is_present() => Err(Rejection::NotEstablished),
            PersonRequest::Admit(who) => self.admit(id, who, now).map(drop),
            PersonRequest::Camera(is_on) => self.film(id, is_on, now),
            PersonRequest::Hand(is_raised) => self.raise(id, is_raised, now),
            PersonRequest::Mute(who) => self.mute(id, who, now).map(drop),
            PersonRequest::Remove(who) => self.remove(id, who, now).map(drop),
            PersonRequest::Screen(true) => self.person_shares(id, now, ids),
            PersonRequest::Screen(false) => {
                self.stop_sharing(id, now);
                Ok(())
            }
        };
        if let Err(rejection) = answered {
            self.tell_person(id, PersonEvent::Denied(rejection));
        }
    }

    fn person_mutes(&mut self, id: ParticipantId, is_muted: bool, now: Timestamp) -> Result<(), Rejection> {
        if !is_muted {
            self.ensure_allowed(id, MICROPHONES)?;
        }
        self.mute_itself(id, is_muted, now).map(drop)
    }

    fn film(&mut self, id: ParticipantId, is_on: bool, now: Timestamp) -> Result<(), Rejection> {
        if is_on {
            self.ensure_allowed(id, CAMERAS)?;
        }
        self.set_filmed(id, is_on, now);
        Ok(())
    }

    pub(super) fn stop_filming(&mut self, id: ParticipantId, now: Timestamp) {
        self.set_filmed(id, false, now);
    }

    fn set_filmed(&mut self, id: ParticipantId, is_filmed: bool, now: Timestamp) {
        if let Some(page) = self.page_mut(id).filter(|page| page.is_filmed != is_filmed) {
            page.is_filmed = is_filmed;
            self.touch(id, now);
        }
    }

    /// Applications are not told of hands: the API has no word for them.
    fn raise(&mut self, id: ParticipantId, is_raised: bool, now: Timestamp) -> Result<(), Rejection> {
        self.hands += 1;
        let number = self.hands;
        if let Some(page) = self.page_mut(id).filter(|page| page.hand.is_some() != is_raised) {
            page.hand = is_raised.then_some(number);
            self.rosters_change(now);
        }
        Ok(())
    }

    fn person_shares(
        &mut self,
        id: ParticipantId,
        now: Timestamp,
        ids: &mut dyn IdSource,
    ) -> Result<(), Rejection> {
        self.ensure_presenter(id)?;
        if !matches!(self.members.get(&id).map(|member| &member.state), Some(State::In)) {
            return Err(Rejection::NotEstablished);
        }
        self.share(id, now, ids);
        Ok(())
    }

    /// Whether a switch of the meeting lets someone do this who does not present.
    fn ensure_allowed(&self, id: ParticipantId, switch: &str) -> Result<(), Rejection> {
        if self.may_present(id) || !self.is_switched_off(switch) {
            Ok(())
        } else {
            Err(Rejection::NotPresenter)
        }
    }

    pub(super) fn is_switched_off(&self, switch: &str) -> bool {
        let Kind::Meeting(meeting) = &self.kind else { return false };
        meeting.options.get(switch) == Some(&MeetingOption::Switch(false))
    }

    /// Whether someone with that role comes in muted.
    pub(super) fn comes_muted(&self, role: Option<MeetingRole>) -> bool {
        role.is_some_and(|role| !role.can_present()) && self.silences_attendees
    }

    fn page_mut(&mut self, id: ParticipantId) -> Option<&mut Page> {
        self.members.get_mut(&id)?.page.as_mut()
    }

    pub(super) fn tell_person(&mut self, participant: ParticipantId, event: PersonEvent) {
        self.act(ConferenceEffect::TellPerson { participant, event });
    }

    /// Tells pages what they do not know yet of their own state, of the speaker, and what of them may be shown.
    pub(super) fn tell_pages(&mut self) {
        let speaker = self.speaker().map(|(id, _)| id);
        let sharing = self.sharer();
        for (id, member) in &mut self.members {
            let state = member.state_of_person();
            let Some(page) = &mut member.page else { continue };
            let participant = *id;
            let is_in = state == Some(PersonState::In);
            let shown = (is_in && page.is_filmed, is_in && sharing == Some(participant));
            if page.shown != shown {
                page.shown = shown;
                let (camera, screen) = shown;
                self.effects.push_back(ConferenceEffect::ShowPictures { participant, camera, screen });
            }
            if let Some(state) = state.filter(|state| page.told_state != Some(*state)) {
                page.told_state = Some(state);
                let event = PersonEvent::State(state);
                self.effects.push_back(ConferenceEffect::TellPerson { participant, event });
            }
            let is_outside = matches!(state, None | Some(PersonState::InLobby));
            if !is_outside && page.told_speaker != speaker {
                page.told_speaker = speaker;
                let event = PersonEvent::Speaker(speaker);
                self.effects.push_back(ConferenceEffect::TellPerson { participant, event });
            }
        }
    }

    /// Shows pages who is there. All who are inside share one list: in a large meeting as many lists as pages would be too much.
    pub(super) fn show_rosters_to_pages(&mut self) {
        let pages = self.members.iter().filter(|(_, member)| member.page.is_some() && member.is_listed());
        let pages: Vec<(ParticipantId, bool)> =
            pages.map(|(id, member)| (*id, member.is_present())).collect();
        let mut inside: Option<Arc<[Seen]>> = None;
        for (id, is_inside) in pages {
            let seen = match &inside {
                Some(inside) if is_inside => Arc::clone(inside),
                Some(_) | None => self.seen_by(id).into_iter().map(|it| self.with_hand(it)).collect(),
            };
            let Some(page) = self.page_mut(id) else { continue };
            // Whoever was shown the same already goes on with that.
            let is_new = page.told_roster != seen;
            if is_new {
                page.told_roster = Arc::clone(&seen);
            }
            if is_inside && inside.is_none() {
                inside = Some(Arc::clone(&page.told_roster));
            }
            if is_new {
                self.tell_person(id, PersonEvent::Roster(seen));
            }
        }
    }

    fn with_hand(&self, participant: RosterParticipant) -> Seen {
        let page = self.members.get(&participant.id).and_then(|member| member.page.as_ref());
        Seen { hand: page.and_then(|page| page.hand), participant }
    }
}

impl Member {
    const fn state_of_person(&self) -> Option<PersonState> {
        match self.state {
            State::In => Some(PersonState::In),
            State::InLobby { .. } => Some(PersonState::InLobby),
            State::OnHold => Some(PersonState::OnHold),
            State::Invited(_) | State::Leaving | State::Shown | State::Waiting => None,
        }
    }
}
