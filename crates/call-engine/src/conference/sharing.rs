//! The one screen that a conversation may share, and what applications are told of it.

use model::{CallId, ChangeType, ContentSharingSessionId, IdSource, ParticipantId, Timestamp};

use super::{Conference, ConferenceEvent};

/// A screen that is shared.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sharing {
    session: ContentSharingSessionId,
    by: ParticipantId,
    /// Whether a picture of it has come.
    has_picture: bool,
}

impl Conference {
    /// Who shares.
    pub(super) fn sharer(&self) -> Option<ParticipantId> {
        self.sharing.map(|sharing| sharing.by)
    }

    /// Has someone share in the place of any other, whose session goes on.
    pub(super) fn share(&mut self, id: ParticipantId, now: Timestamp, ids: &mut dyn IdSource) {
        let (change, session) = match &mut self.sharing {
            Some(sharing) if sharing.by == id => return,
            Some(sharing) => {
                let before = std::mem::replace(&mut sharing.by, id);
                let session = sharing.session;
                self.touch(before, now);
                (ChangeType::Updated, session)
            }
            None => {
                let session = ContentSharingSessionId::next(ids);
                self.sharing = Some(Sharing { session, by: id, has_picture: false });
                (ChangeType::Created, session)
            }
        };
        self.touch(id, now);
        self.tell_of_sharing(change, session);
    }

    /// Ends what someone shares, if it does.
    pub(super) fn stop_sharing(&mut self, id: ParticipantId, now: Timestamp) {
        if let Some(sharing) = self.sharing.take_if(|sharing| sharing.by == id) {
            self.touch(id, now);
            self.tell_of_sharing(ChangeType::Deleted, sharing.session);
        }
    }

    /// The first picture of a session has come: there is something to be seen.
    pub(super) fn screen_shown(&mut self, id: ParticipantId) {
        let Some(sharing) = self.sharing.as_mut().filter(|it| it.by == id && !it.has_picture) else { return };
        sharing.has_picture = true;
        let session = sharing.session;
        self.tell_of_sharing(ChangeType::Updated, session);
    }

    /// Lets a call know what is shared as it comes in.
    pub(super) fn joined(&mut self, call: CallId) {
        self.tell(call, ConferenceEvent::Joined);
        if let Some(Sharing { session, .. }) = self.sharing {
            self.tell(call, ConferenceEvent::ContentSharing { change: ChangeType::Created, session });
        }
    }

    fn tell_of_sharing(&mut self, change: ChangeType, session: ContentSharingSessionId) {
        let calls: Vec<_> = self.present_apps().map(|(_, call)| call).collect();
        for call in calls {
            self.tell(call, ConferenceEvent::ContentSharing { change, session });
        }
    }
}
