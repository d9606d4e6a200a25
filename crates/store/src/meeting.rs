use model::{MeetingId, OnlineMeeting, TenantId, Timestamp, UserId};

use crate::Reply;

/// Meetings.
///
/// Within a tenant the id, the thread, the join id and the teleconference id of a meeting are its own, and so is the
/// pair of organizer and external id. What a directory file names is changed together with the directory:
/// [`crate::DirectoryChange::PutMeeting`].
pub trait MeetingStore: Send + Sync {
    /// Keeps a new meeting, durably, unless its organizer has one of the same external id: then that one is found.
    ///
    /// Looking and keeping are one step: of two that ask at the same time with one external id, one makes the meeting
    /// and both get it.
    ///
    /// # Errors
    ///
    /// [`crate::StoreError::Taken`] where another meeting has one of its ids; nothing has changed then. Make others, and
    /// try again.
    fn create_meeting(&self, meeting: OnlineMeeting, quota: MeetingQuota) -> Reply<'_, MeetingCreation>;

    /// Replaces a meeting, durably, where it is still as it was: at the revision before that of `meeting`.
    ///
    /// Resolves to whether it did. If not, the meeting has changed or is gone: read it, and decide again.
    ///
    /// # Errors
    ///
    /// [`crate::StoreError::Taken`] where another meeting has one of its ids; nothing has changed then.
    fn change_meeting(&self, meeting: OnlineMeeting) -> Reply<'_, bool>;

    /// Removes a meeting, durably; resolves to whether it was there.
    fn delete_meeting(&self, tenant: TenantId, id: MeetingId) -> Reply<'_, bool>;

    /// A meeting of a tenant.
    fn meeting(&self, tenant: TenantId, key: MeetingKey) -> Reply<'_, Option<OnlineMeeting>>;

    /// The meetings that a directory file made, of all tenants, by tenant and id.
    fn meetings_from_file(&self) -> Reply<'_, Vec<OnlineMeeting>>;

    /// The meetings of all tenants, in the order in which they were last written, the latest first, from the one behind
    /// `after`. `limit` is held to [`crate::MAX_READ_ROWS`].
    ///
    /// # Errors
    ///
    /// [`crate::StoreError::Invalid`] where `after` is not kept.
    fn meetings(&self, after: Option<(TenantId, MeetingId)>, limit: usize) -> Reply<'_, Vec<OnlineMeeting>>;

    /// Deletes meetings that ended before `before`, but for those that a directory file made, and forgets how many were
    /// made in months before `month`.
    ///
    /// Deletes at most [`crate::MAX_PURGED_MEETINGS`] and resolves to their number: call again while it is that many.
    fn purge_meetings(&self, before: Timestamp, month: Month) -> Reply<'_, usize>;
}

/// What finds a meeting within its tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MeetingKey {
    /// The client's own key, beside the organizer.
    External {
        /// Who called the meeting.
        organizer: UserId,
        /// The key.
        external_id: String,
    },
    /// Its id.
    Id(MeetingId),
    /// The digits that join it.
    JoinMeetingId(String),
    /// The thread of its chat.
    Thread(String),
    /// The number for video systems.
    VideoTeleconferenceId(String),
}

/// How many meetings one person may have made for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MeetingQuota {
    /// The month that counts.
    pub month: Month,
    /// The most in a month, those included that were deleted since.
    pub most: u32,
}

/// A calendar month, counted from the beginning of our era; UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Month(pub i64);

impl Month {
    /// The month that a moment is in.
    pub fn of(moment: Timestamp) -> Self {
        let date = moment.to_utc();
        Self(i64::from(date.year()) * 12 + i64::from(u8::from(date.month())) - 1)
    }
}

/// What became of a new meeting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MeetingCreation {
    /// It is kept.
    Created,
    /// One of the same external id was there; the new one was not needed.
    Found(Box<OnlineMeeting>),
    /// As many as may be were made for the organizer in this month.
    OverQuota,
}

#[cfg(test)]
mod tests {
    use model::Timestamp;

    use super::Month;

    #[test]
    fn months_follow_each_other_over_the_turn_of_the_year() {
        // 2026-12-31T23:59:59.999Z and the millisecond after it.
        let last = Timestamp::from_millis(1_798_761_599_999);
        let first = Timestamp::from_millis(1_798_761_600_000);
        assert_eq!(Month::of(last).0 + 1, Month::of(first).0);
        assert_eq!(Month::of(first), Month(2027 * 12));
    }
}
