//! Where users are reached: the registrar of RFC 3261, 10.3.

mod lockout;

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use sip_message::digest::{Algorithm, Authenticator, Claim, Refusal};
use sip_message::{Contacts, NameAddr, Response, StatusCode, Uri};

use self::lockout::Lockout;
use crate::config::Challenge;
use crate::core::Core;
use crate::event::{Binding, Event, UserCredentials, Users};
use crate::flow::{Flow, Transport};
use crate::inbound::Inbound;
use crate::transaction::ServerId;

/// The bindings of every user.
pub(crate) struct Registrar {
    users: Box<dyn Users>,
    authenticator: Authenticator,
    lockout: Lockout,
    records: BTreeMap<String, Record>,
    expiries: BTreeSet<(Duration, String)>,
    /// Who registered over which stream connection.
    connections: BTreeSet<(u64, String)>,
}

/// The bindings of one address of record. Never empty.
#[derive(Debug, Clone, Default)]
struct Record {
    bound: Vec<Bound>,
    scheduled: Option<Duration>,
}

#[derive(Debug, Clone)]
struct Bound {
    binding: Binding,
    call_id: String,
    cseq: u32,
}

/// One change that a REGISTER asks for.
struct Change {
    contact: Uri,
    /// Zero removes the binding.
    lifetime: Duration,
}

/// Why a REGISTER is refused after its sender is known.
struct Refused(StatusCode, Option<(&'static str, u32)>);

impl Registrar {
    pub(crate) fn new(users: Box<dyn Users>, core: &Core) -> Self {
        let rules = &core.config.registration;
        let secret = core.entropy.secret("nonce");
        Self {
            users,
            authenticator: Authenticator::new(&rules.realm, &secret, rules.nonce_lifetime),
            lockout: Lockout::default(),
            records: BTreeMap::new(),
            expiries: BTreeSet::new(),
            connections: BTreeSet::new(),
        }
    }

    /// Where a user is reached, the latest binding first.
    pub(crate) fn bindings(&self, aor: &str) -> Vec<Binding> {
        let bound = self.records.get(aor).map(|record| record.bound.as_slice()).unwrap_or_default();
        bound.iter().rev().map(|bound| bound.binding.clone()).collect()
    }

    /// How many users are reached somewhere.
    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }

    pub(crate) fn next_timeout(&self) -> Option<Duration> {
        self.expiries.first().map(|(at, _)| *at)
    }

    /// Ends the bindings whose time is over.
    pub(crate) fn handle_timeout(&mut self, core: &mut Core) {
        while let Some((_, aor)) = self.expiries.first().filter(|(at, _)| *at <= core.now).cloned() {
            let now = core.now;
            self.update(&aor, core, |bound| bound.retain(|bound| bound.binding.expires_at > now));
        }
    }

    /// Takes the end of a stream connection.
    ///
    /// A binding whose contact names the address that it came from is kept, to be reached by a new
    /// connection; any other one cannot be reached any more.
    pub(crate) fn handle_flow_closed(&mut self, flow: Flow, core: &mut Core) {
        let Some(connection) = flow.connection else { return };
        let range = (connection, String::new())..(connection.saturating_add(1), String::new());
        let aors: Vec<_> = self.connections.range(range).map(|(_, aor)| aor.clone()).collect();
        for aor in aors {
            self.connections.remove(&(connection, aor.clone()));
            self.update(&aor, core, |bound| {
                bound.retain_mut(|bound| {
                    let lost = bound.binding.flow.connection == Some(connection);
                    !lost || reopen(&mut bound.binding)
                });
            });
        }
    }

    /// Takes a REGISTER.
    pub(crate) fn handle(&mut self, inbound: &Inbound, core: &mut Core) {
        let Some((user, server)) = self.authenticated(inbound, None, core) else { return };
        let mut response = self.register(inbound, &user.aor, core);
        put_tag(&mut response, inbound, core);
        core.respond(server, response);
    }

    /// Finds out which user calls, and opens the transaction for `call`. `None` when the INVITE was
    /// refused or challenged.
    pub(crate) fn admit(
        &mut self,
        inbound: &Inbound,
        call: u64,
        core: &mut Core,
    ) -> Option<(String, ServerId)> {
        let Some(aor) = self.of_connection(inbound, core) else {
            return self.authenticated(inbound, Some(call), core).map(|(user, server)| (user.aor, server));
        };
        let server = core.open_server(inbound, Some(call));
        if server.is_none() {
            core.refuse_busy(inbound);
        }
        Some((aor, server?))
    }

    /// The user whom From names, if a phone of that user registered over this very connection.
    fn of_connection(&self, inbound: &Inbound, core: &Core) -> Option<String> {
        let connection = inbound.flow.connection?;
        let range = (connection, String::new())..(connection.saturating_add(1), String::new());
        let is_bound = |aor: &str| {
            let bound = self.records.get(aor).map(|record| record.bound.as_slice()).unwrap_or_default();
            bound.iter().any(|bound| bound.binding.flow == inbound.flow)
        };
        let mut aors = self.connections.range(range).map(|(_, aor)| aor);
        aors.find(|aor| is_own(&inbound.from, aor, core) && is_bound(aor)).cloned()
    }

    /// The user who shows to have sent a request, and its transaction, which is opened for `call`.
    /// `None` when it was refused or challenged.
    fn authenticated(
        &mut self,
        inbound: &Inbound,
        call: Option<u64>,
        core: &mut Core,
    ) -> Option<(UserCredentials, ServerId)> {
        let source = inbound.flow.remote.ip();
        if let Some(wait) = self.lockout.remaining(source, core.now) {
            let mut response = inbound.request.response(StatusCode::FORBIDDEN);
            response.headers.push("Retry-After", seconds(wait).max(1));
            core.reply(inbound, response);
            return None;
        }
        let request = &inbound.request;
        let read = self.authenticator.credentials(request, "Authorization");
        let claim = read
            .as_ref()
            .map_err(|refusal| *refusal)
            .and_then(|credentials| self.authenticator.check(credentials, request, source, core.now));
        let claim = match claim {
            Ok(claim) => claim,
            Err(refusal) => {
                let response = self.refusal(inbound, refusal, core);
                core.reply(inbound, response);
                return None;
            }
        };
        // From here on a repeat of the request must not be judged again: its nonce count is used.
        let Some(server) = core.open_server(inbound, call) else {
            core.refuse_busy(inbound);
            return None;
        };
        match self.authenticate(&claim) {
            Ok(user) => Some((user, server)),
            Err(refusal) => {
                let mut response = self.refusal(inbound, refusal, core);
                put_tag(&mut response, inbound, core);
                core.respond(server, response);
                None
            }
        }
    }

    /// The answer to a request that does not show who sent it.
    fn refusal(&mut self, inbound: &Inbound, refusal: Refusal, core: &mut Core) -> Response {
        match refusal {
            Refusal::Malformed => inbound.request.response(StatusCode::BAD_REQUEST),
            Refusal::Missing => self.challenge(inbound, false, core),
            Refusal::Replayed | Refusal::Stale => self.challenge(inbound, true, core),
            // Only a claim is judged so: its nonce shows that the sender's address is no false one.
            Refusal::Wrong => {
                self.lockout.note_failure(inbound.flow.remote.ip(), core);
                inbound.request.response(StatusCode::FORBIDDEN)
            }
        }
    }

    fn challenge(&self, inbound: &Inbound, is_stale: bool, core: &mut Core) -> Response {
        let mut response = inbound.request.response(StatusCode::UNAUTHORIZED);
        let random = core.entropy.next().to_be_bytes();
        let challenges = self.authenticator.challenges(inbound.flow.remote.ip(), core.now, random, is_stale);
        for wanted in &core.config.registration.challenges {
            let algorithm = match wanted {
                Challenge::Md5 => Algorithm::Md5,
                Challenge::Sha256 => Algorithm::Sha256,
            };
            for challenge in challenges.iter().filter(|challenge| challenge.algorithm == algorithm) {
                response.headers.push("WWW-Authenticate", challenge.to_string());
            }
        }
        response
    }

    fn authenticate(&mut self, claim: &Claim<'_>) -> Result<UserCredentials, Refusal> {
        let credentials = claim.credentials();
        let user = self.users.lookup(&credentials.username, &credentials.realm);
        let secret = user.as_ref().and_then(|user| match credentials.algorithm {
            Algorithm::Md5 => user.ha1_md5.as_ref(),
            Algorithm::Sha256 => user.ha1_sha256.as_ref(),
        });
        self.authenticator.verify(claim, secret)?;
        user.ok_or(Refusal::Wrong)
    }

    fn register(&mut self, inbound: &Inbound, aor: &str, core: &mut Core) -> Response {
        let refused = if is_own(&inbound.to, aor, core) {
            self.change(inbound, aor, core)
        } else {
            Err(Refused(StatusCode::FORBIDDEN, None))
        };
        match refused {
            Ok(()) => self.accepted(inbound, aor, core),
            Err(Refused(status, hint)) => {
                let mut response = inbound.request.response(status);
                if let Some((name, value)) = hint {
                    response.headers.push(name, value);
                }
                response
            }
        }
    }

    fn accepted(&self, inbound: &Inbound, aor: &str, core: &Core) -> Response {
        let mut response = inbound.request.response(StatusCode::OK);
        for binding in self.bindings(aor) {
            let mut contact = NameAddr::new(binding.contact);
            let left = seconds(binding.expires_at.saturating_sub(core.now));
            contact.params.set("expires", left.to_string());
            response.headers.push("Contact", &contact);
        }
        response
    }

    /// All changes of one request happen, or none (RFC 3261, 10.3, step 7).
    fn change(&mut self, inbound: &Inbound, aor: &str, core: &mut Core) -> Result<(), Refused> {
        let bad = |_| Refused(StatusCode::BAD_REQUEST, None);
        let headers = &inbound.request.headers;
        let expires = headers.expires().map_err(bad)?;
        let known = self.records.get(aor).map(|record| record.bound.as_slice()).unwrap_or_default();
        let changes = match headers.contacts().map_err(bad)? {
            Contacts::Star if expires == Some(0) => known
                .iter()
                .map(|bound| Change { contact: bound.binding.contact.clone(), lifetime: Duration::ZERO })
                .collect(),
            Contacts::Star => return Err(Refused(StatusCode::BAD_REQUEST, None)),
            Contacts::List(list) => changes(list, expires, core)?,
        };
        if changes.is_empty() {
            return Ok(());
        }
        let limits = core.config.limits;
        if changes.len() > limits.contacts {
            return Err(Refused(StatusCode::FORBIDDEN, None));
        }
        if known.is_empty() && self.records.len() >= limits.registrations {
            return Err(Refused(StatusCode::SERVICE_UNAVAILABLE, Some(("Retry-After", 60))));
        }
        let out_of_order = known.iter().any(|bound| {
            bound.call_id == inbound.call_id
                && bound.cseq >= inbound.cseq.seq
                && changes.iter().any(|change| change.contact.equivalent(&bound.binding.contact))
        });
        if out_of_order {
            return Err(Refused(StatusCode::SERVER_INTERNAL_ERROR, None));
        }
        let now = core.now;
        self.update(aor, core, |bound| apply(bound, changes, inbound, (now, limits.contacts)));
        if let Some(connection) = inbound.flow.connection
            && self.records.contains_key(aor)
        {
            self.connections.insert((connection, aor.to_owned()));
        }
        Ok(())
    }

    /// Changes the bindings of one user, tells of it, and brings the order of expiry up to date.
    fn update(&mut self, aor: &str, core: &mut Core, change: impl FnOnce(&mut Vec<Bound>)) {
        let mut record = self.records.remove(aor).unwrap_or_default();
        if let Some(at) = record.scheduled.take() {
            self.expiries.remove(&(at, aor.to_owned()));
        }
        let was_known = !record.bound.is_empty();
        change(&mut record.bound);
        if record.bound.is_empty() {
            if was_known {
                core.emit(Event::Unregistered { aor: aor.to_owned() });
            }
            return;
        }
        core.emit(Event::Registered { aor: aor.to_owned(), contacts: record.bound.len() });
        record.scheduled = record.bound.iter().map(|bound| bound.binding.expires_at).min();
        if let Some(at) = record.scheduled {
            self.expiries.insert((at, aor.to_owned()));
        }
        self.records.insert(aor.to_owned(), record);
    }
}

/// Gives a response of a transaction the tag that its request has not brought.
fn put_tag(response: &mut Response, inbound: &Inbound, core: &mut Core) {
    if !inbound.has_to_tag() {
        // It can only fail on a To that the request was already refused for.
        let _ = response.headers.set_to_tag(&core.entropy.token());
    }
}

/// Reads the contacts of a request and holds them against the rules.
fn changes(list: Vec<NameAddr>, expires: Option<u32>, core: &Core) -> Result<Vec<Change>, Refused> {
    let rules = &core.config.registration;
    let mut changes = Vec::new();
    for contact in list {
        if !contact.uri.is_sip() {
            return Err(Refused(StatusCode::UNSUPPORTED_URI_SCHEME, None));
        }
        let asked = contact.expires().or(expires).map(|seconds| Duration::from_secs(seconds.into()));
        let lifetime = match asked {
            None => rules.default_expires.min(rules.max_expires),
            Some(Duration::ZERO) => Duration::ZERO,
            Some(asked) if asked < rules.min_expires => {
                let min = seconds(rules.min_expires);
                return Err(Refused(StatusCode::INTERVAL_TOO_BRIEF, Some(("Min-Expires", min))));
            }
            Some(asked) => asked.min(rules.max_expires),
        };
        changes.push(Change { contact: contact.uri, lifetime });
    }
    Ok(changes)
}

/// Makes the changes. The latest binding stands last; beyond the limit the oldest ones go, as a phone
/// that restarts with another port leaves its earlier binding behind.
fn apply(bound: &mut Vec<Bound>, changes: Vec<Change>, inbound: &Inbound, context: (Duration, usize)) {
    let (now, limit) = context;
    for Change { contact, lifetime } in changes {
        bound.retain(|bound| !bound.binding.contact.equivalent(&contact));
        if lifetime.is_zero() {
            continue;
        }
        bound.push(Bound {
            binding: Binding { contact, flow: inbound.flow, expires_at: now.saturating_add(lifetime) },
            call_id: inbound.call_id.clone(),
            cseq: inbound.cseq.seq,
        });
    }
    bound.drain(..bound.len().saturating_sub(limit));
}

/// Whether the To of a REGISTER, or the From of an INVITE, names this user.
///
/// Phones often know their server by address only, so an address stands for any domain: what is asked
/// for goes to the authenticated user in any case.
fn is_own(name: &NameAddr, aor: &str, core: &Core) -> bool {
    let Some((user, domain)) = aor.rsplit_once('@') else { return false };
    let Some(host) = name.uri.host() else { return false };
    let said = name.uri.user();
    let name = host.to_string();
    let is_ours = host.ip().is_some()
        || name.eq_ignore_ascii_case("localhost")
        || name.eq_ignore_ascii_case(domain)
        || core.config.domains.iter().any(|domain| domain.eq_ignore_ascii_case(&name));
    is_ours && said.as_deref() == Some(user)
}

/// Turns a binding whose connection is gone into one that needs a new connection, where that can be.
///
/// Only to the address that the phone came from: a user could make this node knock at any door otherwise. And
/// not where TLS was: phones have no certificate to be known by.
fn reopen(binding: &mut Binding) -> bool {
    if binding.flow.transport != Transport::Tcp {
        return false;
    }
    let Some(ip) = binding.contact.host().and_then(sip_message::Host::ip) else { return false };
    if ip.to_canonical() != binding.flow.remote.ip().to_canonical() {
        return false;
    }
    let port = binding.contact.port().unwrap_or(5060);
    binding.flow = Flow { remote: (ip, port).into(), connection: None, ..binding.flow };
    true
}

fn seconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_secs()).unwrap_or(u32::MAX)
}
