use crate::{Invitee, ParticipantId, UserId};

/// What an application asks for when it hands someone over to another one (`transfer`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// Who takes the transferee. Where it names a call to replace, that is the application's own call with the target,
    /// whose place the transferee takes: a consultative transfer.
    pub target: Invitee,
    /// Who is handed over; needed, and read, only out of a call of several.
    pub transferee: Option<Transferee>,
}

impl Transfer {
    /// Whether the application has a call with the target already.
    pub const fn is_consultative(&self) -> bool {
        self.target.target.replaces_call_id.is_some()
    }
}

/// Who is handed over out of a call of several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transferee {
    /// The one with this id in the roster.
    Participant(ParticipantId),
    /// The one who is this user.
    User(UserId),
}
