//! Whom a phone calls, and as whom.

use call_engine::Refusal;
use model::{
    AppId, Application, ApplicationInstance, Call, CallKind, CallRoute, Callee, Identity, IdentitySet,
    IncomingContext, IndexedDirectory, InvitationParticipant, Modality, NewIncomingCall, Participant,
    ParticipantId, Person, PhoneNumber, RedirectTarget, TenantId, User, UserId,
};

use crate::dial_in::Visitor;
use crate::direct::Parties;
use crate::ids::RandomIds;
use crate::sip::{IncomingCall, IncomingCaller, TrunkCallee, TrunkCaller};

/// Whom a phone calls.
pub(crate) enum Dialled {
    /// An application, which is told this.
    Application(Box<NewIncomingCall>),
    /// The meetings of its tenant.
    DialIn(Box<Visitor>),
    /// A person.
    Person(Parties),
}

/// Who calls.
struct Calling<'a> {
    person: Person,
    /// The same, as it is shown.
    info: Participant,
    /// In which tenant.
    tenant: &'a TenantId,
    /// What the call is about.
    subject: Option<String>,
}

impl Calling<'_> {
    /// The same for whoever lets people in to meetings.
    fn visitor(self) -> Visitor {
        Visitor { tenant: self.tenant.clone(), person: self.person, info: self.info }
    }
}

/// Finds whom a phone calls.
///
/// # Errors
///
/// Why the caller is refused.
pub(crate) fn dialled(directory: &IndexedDirectory, incoming: &IncomingCall) -> Result<Dialled, Refusal> {
    let caller = match &incoming.caller {
        IncomingCaller::Trunk(caller) => return dialled_over_trunk(directory, caller, incoming),
        IncomingCaller::User(caller) => caller,
    };
    // Whoever was in the directory when the phone called may be gone.
    let caller = directory.user_by_sip_name(caller).ok_or(Refusal::Forbidden)?;
    let calling = Calling {
        person: Person::User(caller.id.clone()),
        info: info_of(directory, &caller.id),
        tenant: &caller.tenant,
        subject: incoming.subject.clone(),
    };
    let number = number_of(&incoming.dialled);
    if let Some(instance) = instance(directory, &incoming.dialled, number, calling.tenant) {
        return of_instance(directory, instance, calling);
    }
    if let Some(application) = called(directory, &incoming.dialled, calling.tenant) {
        let shown = Identity::of(application.id.as_str()).named(application.name.as_str());
        let target = InvitationParticipant {
            identity: IdentitySet::application(shown),
            ..InvitationParticipant::default()
        };
        return new_call(application, target, calling);
    }
    if is_dial_in(directory, number, calling.tenant) {
        return Ok(Dialled::DialIn(Box::new(calling.visitor())));
    }
    let callee = match number {
        Some(number) => Person::Phone(number),
        None => {
            let user = person(directory, (&incoming.dialled, &incoming.domain), caller);
            Person::User(user.ok_or(Refusal::NotFound)?.id.clone())
        }
    };
    let (caller, tenant) = (caller.id.clone(), caller.tenant.clone());
    Ok(Dialled::Person(Parties { caller, callee, tenant }))
}

/// Finds whom somebody in the phone network calls.
fn dialled_over_trunk(
    directory: &IndexedDirectory,
    caller: &TrunkCaller,
    incoming: &IncomingCall,
) -> Result<Dialled, Refusal> {
    let person = caller.number.map_or(Person::Withheld, Person::Phone);
    let mut info = info_of_person(directory, &person);
    if let (Some(phone), Some(name)) = (&mut info.identity.phone, &caller.name) {
        phone.display_name = Some(name.clone());
    }
    let calling = Calling { person, info, tenant: &caller.tenant, subject: incoming.subject.clone() };
    match &caller.to {
        TrunkCallee::DialIn => Ok(Dialled::DialIn(Box::new(calling.visitor()))),
        TrunkCallee::Instance(id) => {
            let instance = directory.instances.get(id).ok_or(Refusal::NotFound)?;
            of_instance(directory, instance, calling)
        }
    }
}

/// The application instance that is dialled in a tenant: by its id, or by one of its numbers.
fn instance<'a>(
    directory: &'a IndexedDirectory,
    dialled: &str,
    number: Option<PhoneNumber>,
    tenant: &TenantId,
) -> Option<&'a ApplicationInstance> {
    let by_number = number.and_then(|number| directory.instance_by_number(&number));
    let by_id = || directory.instances.values().find(|instance| instance.id.eq_ignore_ascii_case(dialled));
    by_number.or_else(by_id).filter(|instance| instance.tenant == *tenant)
}

/// A call to an application instance: its application is told which one.
fn of_instance(
    directory: &IndexedDirectory,
    instance: &ApplicationInstance,
    calling: Calling<'_>,
) -> Result<Dialled, Refusal> {
    let application = let_in(directory, &instance.app, calling.tenant).ok_or(Refusal::NotFound)?;
    let shown = Identity {
        tenant_id: Some(instance.tenant.as_str().to_owned()),
        ..Identity::of(instance.id.as_str()).named(application.name.as_str())
    };
    let target = InvitationParticipant {
        identity: IdentitySet { application_instance: Some(shown), ..IdentitySet::default() },
        endpoint_type: Some("default".to_owned()),
        ..InvitationParticipant::default()
    };
    new_call(application, target, calling)
}

/// Whether a number for dialling in to meetings of the tenant is dialled.
fn is_dial_in(directory: &IndexedDirectory, number: Option<PhoneNumber>, tenant: &TenantId) -> bool {
    let whose = number.and_then(|number| directory.dial_in_tenant(&number));
    whose.is_some_and(|whose| whose.id == *tenant)
}

/// The number that is dialled, with or without the plus.
fn number_of(dialled: &str) -> Option<PhoneNumber> {
    PhoneNumber::parse(dialled).or_else(|_| PhoneNumber::parse(&format!("+{dialled}"))).ok()
}

/// The person of the caller's tenant that is meant: by address, by the name in it where that is nobody else's, or by id.
pub(crate) fn person<'a>(
    directory: &'a IndexedDirectory,
    (name, domain): (&str, &str),
    caller: &User,
) -> Option<&'a User> {
    let by_address = directory.user_by_sip_name(&format!("{name}@{domain}"));
    let found = by_address
        .or_else(|| directory.user_by_sip_name(name))
        .or_else(|| directory.user_by_id(&UserId::from(name)));
    found.filter(|user| user.tenant == caller.tenant)
}

/// A person as conversations show it.
pub(crate) fn info_of(directory: &IndexedDirectory, user: &UserId) -> Participant {
    let display_name = directory.users.get(user).map(|known| known.name.clone());
    let identity = Identity { display_name, ..Identity::of(user.as_str()) };
    Participant {
        identity: IdentitySet { user: Some(identity), ..IdentitySet::default() },
        ..Participant::default()
    }
}

/// The same for whoever it is.
pub(crate) fn info_of_person(directory: &IndexedDirectory, person: &Person) -> Participant {
    let phone = match person {
        Person::Phone(number) => Identity::of(number.as_str()),
        Person::User(user) => return info_of(directory, user),
        Person::Withheld => Identity::of("anonymous").named("Anonymous"),
    };
    Participant {
        identity: IdentitySet { phone: Some(phone), ..IdentitySet::default() },
        ..Participant::default()
    }
}

/// What an application is told of a call to it.
fn new_call(
    application: &Application,
    target: InvitationParticipant,
    calling: Calling<'_>,
) -> Result<Dialled, Refusal> {
    Ok(Dialled::Application(Box::new(NewIncomingCall {
        app: application.id.clone(),
        tenant: calling.tenant.clone(),
        callback_uri: webhook_of(application)?,
        chain: None,
        caller: calling.person,
        source: calling.info,
        target,
        subject: calling.subject,
        requested_modalities: vec![Modality::Audio],
        context: IncomingContext {
            source_participant: ParticipantId::next(&mut RandomIds),
            on_behalf_of: None,
            transferor: None,
        },
        routes: Vec::new(),
    })))
}

/// What another application is told of a call that is sent on to it.
///
/// # Errors
///
/// Why it cannot be called.
pub(crate) fn sent_on(
    directory: &IndexedDirectory,
    record: &Call,
    target: &RedirectTarget,
) -> Result<NewIncomingCall, Refusal> {
    let (Some(incoming), CallKind::PeerToPeer { person }) = (&record.incoming, &record.kind) else {
        return Err(Refusal::Unavailable);
    };
    let app = match &target.callee {
        Callee::Application(app) => Some(app.clone()),
        Callee::ApplicationInstance(instance) => {
            let known = directory.instances.get(instance);
            known.filter(|known| known.tenant == record.tenant).map(|known| known.app.clone())
        }
        Callee::Phone(_) | Callee::User(_) => None,
    };
    let application = app.and_then(|app| let_in(directory, &app, &record.tenant)).ok_or(Refusal::NotFound)?;
    let mut routes = incoming.routes.clone();
    if let Some(original) = record.targets.first() {
        let (original, redirected_to) = (original.identity.clone(), target.target.identity.clone());
        routes.push(CallRoute { original, redirected_to });
    }
    Ok(NewIncomingCall {
        app: application.id.clone(),
        tenant: record.tenant.clone(),
        callback_uri: webhook_of(application)?,
        chain: Some(record.chain),
        caller: person.clone(),
        source: record.source.clone(),
        target: target.target.clone(),
        subject: record.subject.clone(),
        requested_modalities: record.requested_modalities.clone(),
        context: incoming.context.clone(),
        routes,
    })
}

/// Where an application is told of calls that come in.
fn webhook_of(application: &Application) -> Result<String, Refusal> {
    let webhook = application.webhook.clone().filter(|_| application.is_calling_enabled);
    webhook.ok_or(Refusal::Unavailable)
}

/// The application that is dialled: by its id or alias.
fn called<'a>(directory: &'a IndexedDirectory, dialled: &str, tenant: &TenantId) -> Option<&'a Application> {
    let_in(directory, &directory.application_by_sip_name(dialled)?.id, tenant)
}

/// An application that the tenant has not let in does not exist there.
fn let_in<'a>(directory: &'a IndexedDirectory, id: &AppId, tenant: &TenantId) -> Option<&'a Application> {
    let tenant = directory.tenants.get(tenant)?;
    directory.applications.get(id).filter(|_| tenant.grants.contains_key(id))
}
