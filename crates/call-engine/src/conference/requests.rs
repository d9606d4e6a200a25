use model::{
    AudioRoutingGroup, CallId, IdSource, Identity, IdentitySet, Invitee, MediaPrompt, MeetingRole,
    OperationId, Outcome, Participant, ParticipantId, RecordingInfo, RecordingStatus, ScreenSharingRole,
    Timestamp,
};

use super::member::{Member, Side, Standing, State};
use super::{
    Conference, ConferenceAnswer, ConferenceEffect, ConferenceEvent, ConferenceRequest, Hold, Inviting, Kind,
    Sound,
};
use crate::{CommandId, JobResult, Rejection};

/// What an application's call asks.
pub(super) struct Question {
    pub(super) call: CallId,
    pub(super) command: CommandId,
    pub(super) operation: OperationId,
    pub(super) request: ConferenceRequest,
}

/// Who asks, and what the end of its operation is told for.
#[derive(Clone, Copy)]
struct Asking {
    call: CallId,
    member: ParticipantId,
    operation: OperationId,
}

/// The answer to a question, and whether its operation is over with it.
pub(super) type Answered = Result<(ConferenceAnswer, Progress), Rejection>;

/// Whether something follows an answer.
pub(super) enum Progress {
    /// The end of the operation does, now.
    Ends,
    /// The end of the operation does, later.
    Runs,
    /// Nothing does.
    Settled,
}

const SETTLED: Answered = Ok((ConferenceAnswer::Done, Progress::Settled));

impl Conference {
    /// Answers what an application asks, and does it.
    pub(super) fn ask(&mut self, question: Question, now: Timestamp, ids: &mut dyn IdSource) {
        let Question { call, command, operation, request } = question;
        let Some((id, member)) = self.app(call) else { return };
        let answered = if member.is_present() {
            self.carry_out(Asking { call, member: id, operation }, request, now, ids)
        } else {
            Err(Rejection::NotEstablished)
        };
        let ends = matches!(answered, Ok((_, Progress::Ends)));
        let answer = answered.map(|(answer, _)| answer);
        self.tell(call, ConferenceEvent::Answered { command, answer });
        if ends {
            self.tell(call, ConferenceEvent::OperationEnded { operation, result: JobResult::Done });
        }
    }

    fn carry_out(
        &mut self,
        asking: Asking,
        request: ConferenceRequest,
        now: Timestamp,
        ids: &mut dyn IdSource,
    ) -> Answered {
        let member = asking.member;
        match request {
            ConferenceRequest::AddLargeGalleryView => self.add_gallery(now, ids),
            ConferenceRequest::Admit(who) => self.admit(member, who, now),
            ConferenceRequest::ChangeScreenSharingRole(role) => {
                match role {
                    ScreenSharingRole::Sharer => self.share(member, now, ids),
                    ScreenSharingRole::Viewer => self.stop_sharing(member, now),
                }
                SETTLED
            }
            ConferenceRequest::CreateGroup(group) => self.create_group(asking, group, ids),
            ConferenceRequest::DeleteGroup(id) => {
                let sources = self.groups.get(&id).map(|group| group.sources.clone());
                self.ensure_may_route(member, &sources.unwrap_or_default())?;
                self.change_groups(|groups, _| groups.delete(&id))?;
                SETTLED
            }
            ConferenceRequest::Invite(invitees) => self.invite_all(asking, invitees, now, ids),
            ConferenceRequest::Mute(participant) => self.mute(member, participant, now),
            ConferenceRequest::MuteAll(participants) => self.mute_all(member, &participants, now),
            ConferenceRequest::MuteSelf => self.mute_itself(member, true, now),
            ConferenceRequest::Remove(participant) => self.remove(member, participant, now),
            ConferenceRequest::RemoveFromLobby(participant) => {
                self.in_lobby(participant)?;
                self.remove(member, participant, now)
            }
            ConferenceRequest::StartHoldMusic { participant, prompt } => {
                self.take_aside(asking, participant, prompt, now)
            }
            ConferenceRequest::StopHoldMusic(participant) => {
                self.ensure_presenter(member)?;
                let held = self.members.get(&participant).ok_or(Rejection::ParticipantNotFound)?;
                if !matches!(held.state, State::OnHold) {
                    return Err(Rejection::NotOnHold);
                }
                self.take_back(participant, JobResult::Failed(Outcome::OperationCancelled), now);
                Ok((ConferenceAnswer::Done, Progress::Ends))
            }
            ConferenceRequest::Transfer(transferee) => self.transferee(member, &transferee),
            ConferenceRequest::UnmuteSelf => self.mute_itself(member, false, now),
            ConferenceRequest::UpdateGroup(group) => {
                let known = self.groups.get(&group.id).ok_or(Rejection::GroupNotFound)?;
                let sources = [known.sources.as_slice(), &group.sources].concat();
                self.ensure_may_route(member, &sources)?;
                let kept = group.clone();
                self.change_groups(|groups, is_member| groups.update(group, is_member))?;
                Ok((ConferenceAnswer::Group(kept), Progress::Settled))
            }
            ConferenceRequest::UpdateRecordingStatus(status) => self.show_recording(member, status, now),
        }
    }

    fn change(&mut self, id: ParticipantId, now: Timestamp, change: impl FnOnce(&mut Member)) -> Answered {
        change(self.members.get_mut(&id).ok_or(Rejection::ParticipantNotFound)?);
        self.touch(id, now);
        SETTLED
    }

    /// Someone who talks, or is taken aside.
    fn present(&self, id: ParticipantId) -> Result<&Member, Rejection> {
        self.members.get(&id).filter(|member| member.is_present()).ok_or(Rejection::ParticipantNotFound)
    }

    fn in_lobby(&self, id: ParticipantId) -> Result<&Member, Rejection> {
        let waits = |member: &&Member| matches!(member.state, State::InLobby { .. });
        self.members.get(&id).filter(waits).ok_or(Rejection::ParticipantNotFound)
    }

    pub(super) fn ensure_presenter(&self, asking: ParticipantId) -> Result<(), Rejection> {
        if self.may_present(asking) { Ok(()) } else { Err(Rejection::NotPresenter) }
    }

    /// Whoever presents decides who hears whom; others decide by whom they themselves are heard.
    fn ensure_may_route(&self, asking: ParticipantId, sources: &[ParticipantId]) -> Result<(), Rejection> {
        if sources.iter().all(|source| *source == asking) { Ok(()) } else { self.ensure_presenter(asking) }
    }

    fn add_gallery(&mut self, now: Timestamp, ids: &mut dyn IdSource) -> Answered {
        let ends = Ok((ConferenceAnswer::Done, Progress::Ends));
        if self.members.values().any(|member| matches!(member.state, State::Shown)) {
            return ends;
        }
        let id = ParticipantId::next(ids);
        let application = Identity {
            application_type: Some("LargeGallery-V2".to_owned()),
            ..Identity::of(id.to_string()).named("Large gallery")
        };
        let info = Participant { identity: IdentitySet::application(application), ..Participant::default() };
        let member = self.member(Side::Gallery, info, State::Shown, Standing::Picture);
        self.add(id, member, now);
        ends
    }

    pub(super) fn admit(
        &mut self,
        asking: ParticipantId,
        who: Option<ParticipantId>,
        now: Timestamp,
    ) -> Answered {
        self.ensure_presenter(asking)?;
        if let Kind::Meeting(meeting) = &self.kind
            && meeting.is_admitting_left_to_organizers
            && !self.is_organizer(asking)
        {
            return Err(Rejection::NotPresenter);
        }
        match who {
            Some(id) => {
                self.in_lobby(id)?;
                if !self.has_room_for(1) {
                    return Err(Rejection::TooManyParticipants);
                }
                self.let_in(id, now);
            }
            None => self.admit_all(now),
        }
        SETTLED
    }

    fn is_organizer(&self, id: ParticipantId) -> bool {
        let role = self.members.get(&id).and_then(|member| member.role);
        matches!(role, Some(MeetingRole::Organizer | MeetingRole::Coorganizer))
    }

    pub(super) fn admit_all(&mut self, now: Timestamp) {
        let waiting = self.members.iter().filter(|(_, member)| matches!(member.state, State::InLobby { .. }));
        let waiting: Vec<ParticipantId> = waiting.map(|(id, _)| *id).collect();
        for id in waiting {
            if self.has_room_for(1) {
                self.let_in(id, now);
            }
        }
    }

    pub(super) fn let_in(&mut self, id: ParticipantId, now: Timestamp) {
        let Some(member) = self.members.get_mut(&id) else { return };
        member.state = State::In;
        let call = member.app().map(|app| app.call);
        self.act(ConferenceEffect::StopSound(id));
        self.connect(id);
        if let Some(call) = call {
            self.joined(call);
        }
        self.welcome(id);
        self.touch(id, now);
    }

    fn create_group(
        &mut self,
        Asking { call, member, .. }: Asking,
        mut group: AudioRoutingGroup,
        ids: &mut dyn IdSource,
    ) -> Answered {
        self.ensure_may_route(member, &group.sources)?;
        if group.id.is_empty() {
            group.id = ids.next_guid().to_string();
        }
        let (kept, most) = (group.clone(), self.config.max_groups);
        self.change_groups(|groups, is_member| groups.create(group, call, is_member, most))?;
        Ok((ConferenceAnswer::Group(kept), Progress::Settled))
    }

    fn change_groups(
        &mut self,
        change: impl FnOnce(&mut super::Groups, &dyn Fn(ParticipantId) -> bool) -> Result<(), Rejection>,
    ) -> Result<(), Rejection> {
        let before = self.routes();
        let members = &self.members;
        let is_member = |id| members.get(&id).is_some_and(Member::is_present);
        change(&mut self.groups, &is_member)?;
        self.show_routes(&before);
        Ok(())
    }

    fn invite_all(
        &mut self,
        Asking { call, operation, .. }: Asking,
        mut invitees: Vec<Invitee>,
        now: Timestamp,
        ids: &mut dyn IdSource,
    ) -> Answered {
        // Where a call is to be replaced, only the first is read (page of participants/invite).
        if invitees.first().is_some_and(|first| first.target.replaces_call_id.is_some()) {
            invitees.truncate(1);
        }
        if !self.has_room_for(invitees.len()) {
            return Err(Rejection::TooManyParticipants);
        }
        let inviting = Inviting { call, open: invitees.len(), joined: 0, failure: Outcome::NotAnswered };
        self.inviting.insert(operation, inviting);
        for invitee in invitees {
            self.invite(invitee, (call, Some(operation)), now, ids);
        }
        Ok((ConferenceAnswer::Done, Progress::Runs))
    }

    pub(super) fn mute(
        &mut self,
        asking: ParticipantId,
        participant: ParticipantId,
        now: Timestamp,
    ) -> Answered {
        self.present(participant)?;
        if asking != participant {
            self.ensure_presenter(asking)?;
        }
        self.set_muted(participant, now, |member| member.is_muted_by_server = true);
        SETTLED
    }

    fn mute_all(&mut self, asking: ParticipantId, named: &[ParticipantId], now: Timestamp) -> Answered {
        self.ensure_presenter(asking)?;
        for id in named {
            self.present(*id)?;
        }
        let is_meant = |id: &ParticipantId| if named.is_empty() { *id != asking } else { named.contains(id) };
        let present = self.members.iter().filter(|(id, member)| member.is_present() && is_meant(id));
        let meant: Vec<ParticipantId> = present.map(|(id, _)| *id).collect();
        for id in meant {
            self.set_muted(id, now, |member| member.is_muted_by_server = true);
        }
        SETTLED
    }

    /// Unmuting takes back what others did too: nobody is kept from speaking for ever.
    pub(super) fn mute_itself(&mut self, asking: ParticipantId, is_muted: bool, now: Timestamp) -> Answered {
        self.set_muted(asking, now, |member| {
            member.is_muted_by_itself = is_muted;
            member.is_muted_by_server &= is_muted;
        });
        SETTLED
    }

    pub(super) fn set_muted(&mut self, id: ParticipantId, now: Timestamp, change: impl FnOnce(&mut Member)) {
        let Some(member) = self.members.get_mut(&id) else { return };
        let before = (member.is_muted_by_itself, member.is_muted_by_server);
        let was_muted = member.is_muted();
        change(member);
        let is_muted = member.is_muted();
        if before == (member.is_muted_by_itself, member.is_muted_by_server) {
            return;
        }
        // Nobody outside hears whoever waits there, nor needs to know.
        if matches!(member.state, State::InLobby { .. }) {
            return;
        }
        if was_muted != is_muted && matches!(member.state, State::In) {
            self.act(ConferenceEffect::SetMuted { participant: id, is_muted });
        }
        self.touch(id, now);
    }

    pub(super) fn remove(
        &mut self,
        asking: ParticipantId,
        participant: ParticipantId,
        now: Timestamp,
    ) -> Answered {
        let member = self.members.get(&participant).ok_or(Rejection::ParticipantNotFound)?;
        if matches!(member.state, State::Leaving) {
            return Err(Rejection::ParticipantNotFound);
        }
        if asking != participant {
            self.ensure_presenter(asking)?;
        }
        self.send_away(participant, Outcome::RemovedByParticipant, now);
        SETTLED
    }

    fn take_aside(
        &mut self,
        Asking { call, member, operation }: Asking,
        participant: ParticipantId,
        prompt: Option<MediaPrompt>,
        now: Timestamp,
    ) -> Answered {
        self.present(participant)?;
        self.ensure_presenter(member)?;
        if self.hold.is_some() {
            return Err(Rejection::HoldBusy);
        }
        self.hold = Some(Hold { participant, by: call, operation, is_starting: true });
        if let Some(member) = self.members.get_mut(&participant) {
            member.state = State::OnHold;
        }
        self.act(ConferenceEffect::Disconnect(participant));
        self.stop_sharing(participant, now);
        let sound = Sound::Hold { by: call, operation, prompt };
        self.act(ConferenceEffect::StartSound { participant, sound });
        self.touch(participant, now);
        Ok((ConferenceAnswer::Done, Progress::Runs))
    }

    fn show_recording(&mut self, asking: ParticipantId, status: RecordingStatus, now: Timestamp) -> Answered {
        let initiator = self.members.get(&asking).map(|member| member.info.identity.clone());
        self.change(asking, now, |member| member.recording = Some(RecordingInfo { status, initiator }))
    }
}
