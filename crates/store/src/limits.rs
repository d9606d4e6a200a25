/// Rows of one kind in a transaction.
///
/// One input of a call ends at most its running and waiting operations (a prompt queue of some tens), each with one
/// notification; eight times that is room, and still a short transaction.
pub const MAX_TRANSACTION_ROWS: usize = 256;

/// Bytes of one stored value.
///
/// A request body is at most 1 MiB by default, and a call shows what came in it with names of our own around it.
pub const MAX_DOCUMENT_BYTES: usize = 4 * 1024 * 1024;

/// Rows of one answer; a reader asks again for the rest. Arbitrary, some megabytes with usual documents.
pub const MAX_READ_ROWS: usize = 1_000;

/// Attempts kept for one notification: the first half of them and the latest ones.
///
/// A live call is retried every 8 s for as long as it lives; what is worth reading is how it began and how it goes.
pub const MAX_ATTEMPTS_KEPT: usize = 128;

/// Attempts kept of those that somebody asked for beside the schedule, the latest ones. Arbitrary: people press a button.
pub const MAX_RESENDS_KEPT: usize = 16;

/// Calls that one purge deletes, so that commits wait a few milliseconds and not for a day's calls.
pub const MAX_PURGED_CALLS: usize = 200;

/// Changes of one application to the directory. Arbitrary: far above a directory file that people write.
pub const MAX_DIRECTORY_CHANGES: usize = 100_000;

/// Meetings that one purge deletes; arbitrary, for the same reason.
pub const MAX_PURGED_MEETINGS: usize = 200;
