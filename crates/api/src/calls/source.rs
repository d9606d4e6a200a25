use model::{Directory, Identity, Participant};

use crate::caller::Caller;

/// Whether the application may call in the name of `source`.
///
/// It may speak for itself and for its own application instances, with their numbers; never for a person, and for a
/// guest only where it joins a meeting. Slots that hold no id name nobody.
pub(crate) fn may_speak_for(
    directory: &Directory,
    caller: &Caller,
    source: &Participant,
    is_join: bool,
) -> bool {
    let identity = &source.identity;
    let id = |slot: &Option<Identity>| slot.as_ref().and_then(|identity| identity.id.clone());
    let is_own_instance = |is_meant: &dyn Fn(&model::ApplicationInstance) -> bool| {
        directory.instances.values().any(|instance| {
            instance.app == *caller.app() && instance.tenant == caller.principal.tenant && is_meant(instance)
        })
    };
    let speaks_for_app =
        id(&identity.application).is_none_or(|id| id.eq_ignore_ascii_case(caller.app().as_str()));
    let speaks_for_instance = id(&identity.application_instance)
        .is_none_or(|id| is_own_instance(&|instance| instance.id.eq_ignore_ascii_case(&id)));
    let speaks_for_number = id(&identity.phone).is_none_or(|number| {
        number.parse().is_ok_and(|number| is_own_instance(&|instance| instance.numbers.contains(&number)))
    });
    let speaks_for_person = identity.user.is_none() && (identity.guest.is_none() || is_join);
    speaks_for_app && speaks_for_instance && speaks_for_number && speaks_for_person
}
