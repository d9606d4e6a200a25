//! Whom a phone calls, and as whom.

use call_engine::Refusal;
use model::{
    Application, Identity, IdentitySet, IncomingContext, IndexedDirectory, InvitationParticipant, Modality,
    NewIncomingCall, Participant, ParticipantId, User,
};

use crate::ids::RandomIds;
use crate::sip::IncomingCall;

/// What an application is told of a phone's call to it.
///
/// # Errors
///
/// Why the caller is refused.
pub(crate) fn new_call(
    directory: &IndexedDirectory,
    incoming: &IncomingCall,
) -> Result<NewIncomingCall, Refusal> {
    // Whoever was in the directory when the phone called may be gone.
    let caller = directory.user_by_sip_name(&incoming.caller).ok_or(Refusal::Forbidden)?;
    let application = called(directory, &incoming.dialled, caller).ok_or(Refusal::NotFound)?;
    let webhook = application.webhook.clone().filter(|_| application.is_calling_enabled);
    let callback_uri = webhook.ok_or(Refusal::Unavailable)?;
    let user = Identity::of(caller.id.as_str()).named(caller.name.as_str());
    let source = Participant {
        identity: IdentitySet { user: Some(user), ..IdentitySet::default() },
        ..Participant::default()
    };
    let shown = Identity::of(application.id.as_str()).named(application.name.as_str());
    let target = InvitationParticipant {
        identity: IdentitySet::application(shown),
        ..InvitationParticipant::default()
    };
    Ok(NewIncomingCall {
        app: application.id.clone(),
        tenant: caller.tenant.clone(),
        callback_uri,
        chain: None,
        caller: caller.id.clone(),
        source,
        target,
        subject: incoming.subject.clone(),
        requested_modalities: vec![Modality::Audio],
        context: IncomingContext {
            source_participant: ParticipantId::next(&mut RandomIds),
            on_behalf_of: None,
            transferor: None,
        },
        routes: Vec::new(),
    })
}

/// The application that is dialled: by its id, or by the id of an account that it has in the caller's tenant.
fn called<'a>(directory: &'a IndexedDirectory, dialled: &str, caller: &User) -> Option<&'a Application> {
    let dialled = dialled.to_lowercase();
    let instance = directory
        .instances
        .values()
        .find(|instance| instance.tenant == caller.tenant && instance.id.eq_ignore_ascii_case(&dialled));
    let id = instance.map_or_else(|| dialled.as_str().into(), |instance| instance.app.clone());
    let application = directory.applications.get(&id)?;
    // An application that the tenant has not let in does not exist there.
    let tenant = directory.tenants.get(&caller.tenant)?;
    tenant.grants.contains_key(&id).then_some(application)
}
