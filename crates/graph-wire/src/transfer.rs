//! The body of `transfer`.

use model::{InvitationParticipant, Invitee, Participant, ParticipantId, Transfer, Transferee, UserId};

use crate::action::parse_parameters;
use crate::create_call::read_invitee;
use crate::invalid_request::Path;
use crate::wire::{Fields, Member, Wire};
use crate::{InvalidRequest, Limits};

/// The body of `transfer`, found valid.
///
/// `clientContext`, which documented requests send and no type declares, is ignored: there is no operation to show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransferCall {
    /// A user or a phone number, and the call that is replaced where the transfer is consultative.
    pub target: Invitee,
    /// Who is handed over, where the body says so.
    pub transferee: Option<Transferee>,
}

impl TransferCall {
    /// Reads a body.
    ///
    /// # Errors
    ///
    /// [`InvalidRequest`] with the place of the first thing that is wrong.
    pub fn decode(body: &[u8], _: &Limits) -> Result<Self, InvalidRequest> {
        let value = parse_parameters(body)?;
        let root = Fields::any(&value, &Path::Root)?;
        let target = root.required("transferTarget")?;
        let target = read_invitee(target, &Path::Member(&Path::Root, "transferTarget"))?;
        let transferee = root.value("transferee");
        let transferee = transferee
            .map(|value| read_transferee(&Fields::of(value, &TRANSFEREE, &["participantInfo"])?))
            .transpose()?;
        Ok(Self { target, transferee })
    }

    /// Turns the request into what the server does.
    pub fn into_transfer(self) -> Transfer {
        Transfer { target: self.target, transferee: self.transferee }
    }

    pub(crate) fn parameters() -> Vec<Member> {
        vec![
            Member::new("transferTarget", InvitationParticipant::shape()),
            Member::nullable("transferee", Participant::shape()),
        ]
    }
}

const TRANSFEREE: Path<'static> = Path::Member(&Path::Root, "transferee");

/// Who is handed over: the id out of the roster says it, and without one the user does.
fn read_transferee(fields: &Fields<'_>) -> Result<Transferee, InvalidRequest> {
    let identity: Option<model::IdentitySet> = fields.optional("identity")?;
    if let Some(text) = fields.optional::<String>("participantId")? {
        let id = ParticipantId::parse(&text);
        return id
            .map(Transferee::Participant)
            .ok_or_else(|| fields.expected("participantId", "the id of a participant"));
    }
    let user = identity.and_then(|identity| identity.user).and_then(|user| user.id);
    let user = user.filter(|id| !id.is_empty());
    user.map(|id| Transferee::User(UserId::new(id)))
        .ok_or_else(|| fields.expected("participantId", "a value, or identity.user.id beside it"))
}
