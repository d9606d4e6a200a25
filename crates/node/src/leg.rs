use std::any::Any;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use call_engine::EndCause;
use media_plane::PlaneError;
use model::{AppId, Directory, Person, PhoneNumber, Script, TenantId, User, UserId};
use rtc_proto::Codec;
use rtc_proto::sdp::{Direction, LocalMedia, Negotiated, Negotiator, SrtpPolicy};
use sip_message::{Host, NameAddr, Uri};

use crate::browser::{Together, party};
use crate::context::Context;
use crate::far_end::{FarEnd, FarEndCommand, FarEndEvent, FarEndEvents};
use crate::media::MediaPort;
use crate::phone_network::{self, Line, Payer};
use crate::referral::ReferralStatus;
use crate::sip::{CallingPhone, Dialled};
use crate::trunks::OutgoingPart;
use crate::{media, scripted, trunks};

/// Codecs in the order in which they are offered: the best sound first.
const CODECS: [Codec; 4] = [Codec::Opus, Codec::G722, Codec::Pcmu, Codec::Pcma];

/// A connection to a person: a media leg here, and a phone or a script over there.
pub(crate) struct Leg {
    pub(crate) media: Arc<MediaPort>,
    negotiator: Negotiator,
    far_end: FarEnd,
    /// Where the far end reports to.
    pub(crate) events: FarEndEvents,
    /// Where the phone's signalling comes from.
    source: Option<IpAddr>,
    /// Where else media may go.
    elsewhere: Elsewhere,
    /// What is put into force once the far end has acknowledged our answer.
    withheld: Option<Box<Negotiated>>,
    /// Whether a phone that called holds the call from the beginning.
    pub(crate) is_held: bool,
    /// Nothing that it needs: what goes when it does.
    pub(crate) kept: Option<Box<dyn Any + Send>>,
}

/// Where media may go besides where the signalling comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Elsewhere {
    /// Nowhere.
    Never,
    /// To public addresses, and from a private network to that: carriers send sound by machines of its own.
    Peer,
    /// To public addresses.
    Public,
}

impl Elsewhere {
    fn of_phones(context: &Context) -> Self {
        if context.config.allows_foreign_media { Self::Public } else { Self::Never }
    }
}

/// The answer to a phone's call, before it is sent.
#[must_use]
pub(crate) struct Acceptance {
    far_end: FarEnd,
    answer: Bytes,
}

impl Acceptance {
    pub(crate) fn send(self) {
        self.far_end.answer(self.answer);
    }
}

/// Who is shown as the caller.
#[derive(Clone, Debug)]
pub(crate) enum Caller {
    /// An application.
    Application(AppId),
    /// A person, of whom a phone shows more than that.
    Person(Person),
}

/// Who calls whom.
pub(crate) struct Dialling<'a> {
    /// Who calls.
    pub(crate) caller: &'a Caller,
    /// The tenant, of whose people the callee has to be.
    pub(crate) tenant: &'a TenantId,
    /// Who is called.
    pub(crate) callee: &'a Person,
    /// In whose name a number is called; without one, scripts only are.
    pub(crate) payer: Option<Payer>,
    /// The way to the number, where it is open already.
    pub(crate) line: Option<Line>,
    /// What the call is about.
    pub(crate) subject: Option<&'a str>,
    /// What a scripted endpoint names the file of what it hears after.
    pub(crate) label: String,
}

impl Leg {
    /// Calls the callee: every phone that is registered, or the user's script where there is none.
    ///
    /// # Errors
    ///
    /// Why nobody can be called.
    pub(crate) async fn start(
        context: &Context,
        mut dialling: Dialling<'_>,
        media: Arc<MediaPort>,
        events: FarEndEvents,
    ) -> Result<Self, EndCause> {
        let negotiator_for = |srtp| {
            let mut negotiator = negotiator(&media, srtp)?;
            let offer = Bytes::from(negotiator.offer());
            Ok::<_, EndCause>((negotiator, offer))
        };
        let (negotiator, far_end) = match dialling.callee {
            Person::Phone(number) => {
                let payer = dialling.payer.as_ref();
                let open = || Line::open_for(context, dialling.tenant, payer, *number);
                let line = dialling.line.take().map_or_else(open, Ok).map_err(phone_network::cause_of)?;
                let (negotiator, offer) = negotiator_for(line.srtp(context))?;
                (negotiator, call_number(context, &dialling, (*number, line), offer, events.clone())?)
            }
            Person::User(user) => {
                let (negotiator, offer) = negotiator_for(context.config.srtp)?;
                (negotiator, call_user(context, &dialling, user, (offer, &media), &events).await?)
            }
            Person::Withheld => return Err(EndCause::NotFound),
        };
        Ok(Self {
            media,
            negotiator,
            far_end,
            events,
            source: None,
            elsewhere: Elsewhere::of_phones(context),
            withheld: None,
            is_held: false,
            kept: None,
        })
    }

    /// Takes a phone's call: answers its offer, or makes one where it asks for that. It is told once the leg is where its reports
    /// are heard ([`Acceptance::send`]), and is connected once it acknowledges.
    ///
    /// # Errors
    ///
    /// [`EndCause::MediaFailed`] where nothing of its offer can be used.
    pub(crate) fn answer(
        context: &Context,
        phone: CallingPhone,
        media: Arc<MediaPort>,
    ) -> Result<(Self, Acceptance), EndCause> {
        let CallingPhone { far_end, offer, source, is_trunk, srtp, events } = phone;
        let mut leg = Self {
            negotiator: negotiator(&media, srtp.unwrap_or(context.config.srtp))?,
            media,
            far_end,
            events,
            source: Some(source),
            elsewhere: if is_trunk { Elsewhere::Peer } else { Elsewhere::of_phones(context) },
            withheld: None,
            is_held: false,
            kept: None,
        };
        let answer = match &offer {
            None => leg.negotiator.offer(),
            Some(offer) => {
                let answered = text(offer).and_then(|offer| leg.negotiator.answer(offer).ok());
                let (negotiated, answer) = answered.ok_or(EndCause::MediaFailed)?;
                leg.is_held = leg.begin(negotiated, is_trunk).map_err(|_refused| EndCause::MediaFailed)?;
                answer
            }
        };
        let acceptance = Acceptance { far_end: leg.far_end.clone(), answer: Bytes::from(answer) };
        Ok((leg, acceptance))
    }

    /// The phone that called acknowledged the answer, with its own where it had not offered anything; says whether it holds
    /// the call.
    ///
    /// # Errors
    ///
    /// As [`Self::answered`].
    pub(crate) fn confirmed(&mut self, sdp: Option<&[u8]>) -> Result<bool, EndCause> {
        match sdp {
            Some(answer) => self.completed(answer),
            None => match self.withheld.take() {
                Some(negotiated) => self.configure(*negotiated).map_err(|_refused| EndCause::MediaFailed),
                None => Ok(self.is_held),
            },
        }
    }

    /// Connects media as the callee's answer says; says whether the callee holds the call.
    ///
    /// # Errors
    ///
    /// [`EndCause::MediaFailed`] where the answer does not go with the offer; the leg should hang up.
    pub(crate) fn answered(&mut self, sdp: &[u8], source: Option<IpAddr>) -> Result<bool, EndCause> {
        self.source = source;
        self.completed(sdp)
    }

    /// The same for the answer to an offer that the callee had asked for.
    pub(crate) fn completed(&mut self, sdp: &[u8]) -> Result<bool, EndCause> {
        let negotiated = text(sdp).and_then(|answer| self.negotiator.complete(answer).ok());
        let negotiated = negotiated.ok_or(EndCause::MediaFailed)?;
        self.configure(negotiated).map_err(|_refused| EndCause::MediaFailed)
    }

    /// Puts into force what a caller has offered. A trunk's peer is known by an address that anybody can write on a datagram:
    /// nothing is sent before it shows by its ACK to be there.
    fn begin(&mut self, negotiated: Negotiated, is_trunk: bool) -> Result<bool, PlaneError> {
        if !is_trunk || !negotiated.direction.sends() {
            return self.configure(negotiated);
        }
        self.configure(Negotiated { direction: Direction::RecvOnly, ..negotiated.clone() })?;
        self.withheld = Some(Box::new(negotiated));
        Ok(false)
    }

    /// Puts what was negotiated into force; says whether the callee holds the call.
    fn configure(&self, mut negotiated: Negotiated) -> Result<bool, PlaneError> {
        if let Some(source) = self.source {
            negotiated.remote_rtp = reachable(negotiated.remote_rtp, source, self.elsewhere);
            negotiated.remote_rtcp = reachable(negotiated.remote_rtcp, source, self.elsewhere);
        }
        self.media.configure(&negotiated)?;
        Ok(!negotiated.direction.sends())
    }

    /// Follows a change of the session by the far end; says whether it holds the call now.
    ///
    /// `None`, and a refusal sent, where the change cannot be followed: the session stays as it was (RFC 3261, 14.2).
    pub(crate) fn offered(&mut self, sdp: Option<&[u8]>) -> Option<bool> {
        let Some(offer) = sdp else {
            // RFC 3261, 14.2: a re-INVITE without an offer asks for ours; the ACK brings the answer.
            let offer = self.negotiator.offer();
            self.far_end.answer_offer(Some(Bytes::from(offer)));
            return None;
        };
        let followed = text(offer).and_then(|offer| self.negotiator.answer(offer).ok());
        let Some((negotiated, answer)) = followed else {
            self.far_end.answer_offer(None);
            return None;
        };
        match self.configure(negotiated) {
            Ok(is_held) => {
                self.far_end.answer_offer(Some(Bytes::from(answer)));
                Some(is_held)
            }
            Err(_refused) => {
                self.far_end.answer_offer(None);
                None
            }
        }
    }

    /// Takes what the far end reports while it is called for somebody who waits: whether it answers, or why not, once that is
    /// known.
    pub(crate) fn called(&mut self, event: FarEndEvent, is_held: &mut bool) -> Option<Result<(), EndCause>> {
        let is_answer = matches!(event, FarEndEvent::Answered { .. });
        let negotiated = match event {
            FarEndEvent::Confirmed { .. }
            | FarEndEvent::GiveOther(_)
            | FarEndEvent::Pulled(_)
            | FarEndEvent::ReferProgress(_)
            | FarEndEvent::Referred(_)
            | FarEndEvent::Ringing => return None,
            FarEndEvent::Answered { sdp, source } => self.answered(&sdp, source),
            FarEndEvent::Completed { sdp } => self.completed(&sdp),
            FarEndEvent::Offered { sdp } => Ok(self.offered(sdp.as_deref()).unwrap_or(*is_held)),
            FarEndEvent::Ended(cause) => Err(cause),
        };
        match negotiated {
            Ok(holds) => {
                *is_held = holds;
                is_answer.then_some(Ok(()))
            }
            Err(cause) => Some(Err(cause)),
        }
    }

    /// Has the far end call an address of record by itself, in our place.
    pub(crate) fn refer(&self, address: &str) {
        self.far_end.send(FarEndCommand::Refer(address.to_owned()));
    }

    /// Says how that goes which the phone wants, to hand over.
    pub(crate) fn tell_of_referral(&self, status: ReferralStatus) {
        self.far_end.send(FarEndCommand::Referral(status));
    }

    /// Says that it is done, as somebody else has its place, and hangs up; what it reports is of no interest any more.
    pub(crate) fn retire(self) {
        self.tell_of_referral(ReferralStatus::Done);
        self.events.move_to_nobody();
    }

    /// Gives its place to another leg, which what it kept goes with, and retires.
    pub(crate) fn give_place_to(&mut self, mut other: Self) {
        other.kept = self.kept.take();
        std::mem::replace(self, other).retire();
    }

    /// Cancels or hangs up, as fits; the far end's end is reported afterwards.
    pub(crate) fn hang_up(&self) {
        self.far_end.hang_up();
    }

    /// The same, as somebody else has answered: it is no missed call.
    pub(crate) fn lose(&self) {
        self.far_end.lose();
    }
}

/// Calls a user's phones, or has the user's script take the call where there is none.
async fn call_user(
    context: &Context,
    dialling: &Dialling<'_>,
    user: &UserId,
    (offer, media): (Bytes, &MediaPort),
    events: &FarEndEvents,
) -> Result<FarEnd, EndCause> {
    let directory = context.directory.load_full();
    // A tenant's people are unknown to every other tenant.
    let user = directory.users.get(user).filter(|user| user.tenant == *dialling.tenant);
    let user = user.ok_or(EndCause::NotFound)?;
    let from = from(&directory, dialling.caller, media);
    let dialled = dialled(dialling, from, user, media, offer.clone());
    let rung = if context.browsers.has_pages(&user.id) {
        ring_all(context, (user, dialling.subject), dialled, events).await
    } else {
        context.sip.call(dialled, events.clone()).await
    };
    match rung {
        Some(phone) => Ok(phone),
        None => {
            let script = user.script.clone().filter(|_| context.config.is_lab_enabled);
            let script = script.ok_or(EndCause::NoEndpoint)?;
            Ok(call_script(context, (user.id.as_str(), &dialling.label), script, offer, events.clone()))
        }
    }
}

/// Rings every phone and every page of a user; none where there is neither.
async fn ring_all(
    context: &Context,
    (user, subject): (&User, Option<&str>),
    dialled: Dialled,
    events: &FarEndEvents,
) -> Option<FarEnd> {
    let (mut together, from, offer) = (Together::new(), party(&dialled.from), dialled.offer.clone());
    if let Some(phones) = context.sip.call(dialled, together.events(0, events.dialog())).await {
        together.add(phones);
    }
    let mut index = together.len();
    let pages = context.browsers.ring(&user.id, (&from, subject, &offer), || {
        index += 1;
        together.events(index - 1, events.dialog())
    });
    pages.into_iter().for_each(|page| together.add(page));
    together.start(events.clone())
}

/// Calls a number of the phone network.
fn call_number(
    context: &Context,
    dialling: &Dialling<'_>,
    (number, line): (PhoneNumber, Line),
    offer: Bytes,
    events: FarEndEvents,
) -> Result<FarEnd, EndCause> {
    match line {
        Line::Down => Err(EndCause::PhoneNetwork(503)),
        Line::Nobody => Err(EndCause::PhoneNetwork(404)),
        Line::Script(script) => {
            let events = phone_network::as_of_phone_network(&events);
            Ok(call_script(context, (number.digits(), &dialling.label), *script, offer, events))
        }
        Line::Trunk(call) => {
            let directory = context.directory.load();
            let known = dialling.payer.as_ref().and_then(|payer| directory.applications.get(&payer.app));
            let caller = directory.instance_by_number(&call.plan.caller);
            let is_private = caller.is_some_and(|instance| instance.is_withheld);
            let part = OutgoingPart {
                call: *call,
                offer,
                name: known.map(|application| application.name.clone()),
                is_private,
                subject: dialling.subject.map(str::to_owned),
                label: dialling.label.clone(),
                events,
            };
            Ok(trunks::start(context.clone(), part))
        }
    }
}

/// Has a script take the call; `of` and `label` name the file of what it hears.
fn call_script(
    context: &Context,
    (of, label): (&str, &str),
    script: Script,
    offer: Bytes,
    events: FarEndEvents,
) -> FarEnd {
    let heard = context.config.scripted_dir.as_ref().map(|dir| dir.join(heard_name(of, label)));
    scripted::start(context.clone(), scripted::Part { script, offer, heard, events })
}

/// A negotiator for a media leg with this node's codecs and policy.
///
/// # Errors
///
/// [`EndCause::Internal`] where the system has no randomness for keys.
pub(crate) fn negotiator(media: &MediaPort, srtp: SrtpPolicy) -> Result<Negotiator, EndCause> {
    let keys = media::local_keys().ok_or(EndCause::Internal)?;
    let local = LocalMedia {
        rtp: media.rtp(),
        rtcp: media.rtcp(),
        codecs: CODECS.to_vec(),
        has_telephone_event: true,
        srtp,
        direction: Direction::SendRecv,
        session_id: media.session_id(),
    };
    Ok(Negotiator::new(local, keys))
}

/// Where a scripted endpoint keeps what it heard, relative to the folder for all of them.
fn heard_name(of: &str, label: &str) -> String {
    let safe =
        |id: &str| id.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect::<String>();
    format!("{}-{label}.wav", safe(of))
}

/// Characters of a subject that phones are shown: an INVITE has to fit into a datagram. Arbitrary.
const MAX_SHOWN_SUBJECT: usize = 128;

/// What phones show beside the caller (RFC 3261, section 20.36).
pub(crate) fn subject_header(subject: &str) -> (String, String) {
    let shown = subject.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_SHOWN_SUBJECT);
    ("Subject".to_owned(), shown.collect())
}

/// The caller as phones show it. Not by the name in an application's request: people trust what their phone shows.
fn from(directory: &Directory, caller: &Caller, media: &MediaPort) -> NameAddr {
    let here = Host::from(media.rtp().ip());
    let (uri, name) = match caller {
        Caller::Application(app) => {
            let known = directory.applications.get(app);
            (Uri::sip(app.as_str(), here), known.map(|known| &known.name))
        }
        Caller::Person(Person::User(user)) => match directory.users.get(user) {
            Some(known) => (address_of(known, here), Some(&known.name)),
            None => (Uri::sip(user.as_str(), here), None),
        },
        Caller::Person(Person::Phone(number)) => (Uri::sip(number.as_str(), here), None),
        Caller::Person(Person::Withheld) => return NameAddr::anonymous(),
    };
    NameAddr { display: name.cloned(), ..NameAddr::new(uri) }
}

/// A user's address of record.
fn address_of(user: &User, here: Host) -> Uri {
    let (name, domain) = user.address.split_once('@').unwrap_or((&user.address, ""));
    Uri::sip(name, domain.parse().unwrap_or(here))
}

/// The request that reaches the callee's phones.
fn dialled(dialling: &Dialling<'_>, from: NameAddr, user: &User, media: &MediaPort, offer: Bytes) -> Dialled {
    let to = address_of(user, Host::from(media.rtp().ip()));
    let headers = dialling.subject.map(subject_header).into_iter().collect();
    Dialled { aor: user.address.to_lowercase(), from, to: NameAddr::new(to), headers, offer }
}

/// Where media of a phone is expected and sent: where its signalling comes from, at the port that it describes until its
/// first packet shows another. A phone behind a NAT describes an address that leads nowhere, and one with ill intent
/// that of somebody else. Where foreign addresses are allowed, public ones are taken as described.
fn reachable(described: SocketAddr, source: IpAddr, elsewhere: Elsewhere) -> SocketAddr {
    let (ip, source) = (described.ip().to_canonical(), source.to_canonical());
    let is_near = || !is_public(source) && ip.is_loopback() == source.is_loopback();
    let is_allowed = match elsewhere {
        Elsewhere::Never => false,
        Elsewhere::Peer => is_public(ip) || is_near(),
        Elsewhere::Public => is_public(ip),
    };
    let is_held = described.ip().is_unspecified();
    if is_held || is_allowed { described } else { SocketAddr::new(source, described.port()) }
}

fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => {
            // RFC 6598: between a carrier's NAT and its customers.
            let is_shared = matches!(v4.octets(), [100, 64..=127, ..]);
            !(v4.is_private() || v4.is_link_local() || v4.is_loopback() || is_shared)
        }
        IpAddr::V6(v6) => !(v6.is_unique_local() || v6.is_unicast_link_local() || v6.is_loopback()),
    }
}

fn text(sdp: &[u8]) -> Option<&str> {
    std::str::from_utf8(sdp).ok()
}

#[cfg(test)]
mod tests {
    use super::{Elsewhere, reachable};

    fn reached(described: &str, source: &str, elsewhere: Elsewhere) -> String {
        reachable(described.parse().unwrap(), source.parse().unwrap(), elsewhere).to_string()
    }

    #[test]
    fn media_goes_where_the_signalling_of_a_phone_comes_from() {
        let source = "198.51.100.7";
        for described in
            ["198.51.100.7", "192.168.1.20", "203.0.113.9", "100.64.0.1", "127.0.0.1", "[fd00::1]"]
        {
            assert_eq!(reached(&format!("{described}:4000"), source, Elsewhere::Never), "198.51.100.7:4000");
        }
        assert_eq!(reached("203.0.113.9:4000", "::ffff:198.51.100.7", Elsewhere::Never), "198.51.100.7:4000");
        assert_eq!(reached("[2001:db8::9]:4000", "2001:db8::7", Elsewhere::Never), "[2001:db8::7]:4000");
        assert_eq!(reached("0.0.0.0:4000", source, Elsewhere::Never), "0.0.0.0:4000");
    }

    #[test]
    fn public_addresses_are_taken_as_described_where_that_is_allowed() {
        let source = "198.51.100.7";
        for described in ["203.0.113.9:4000", "[2001:db8::9]:4000", "0.0.0.0:4000"] {
            assert_eq!(reached(described, source, Elsewhere::Public), described);
        }
        for described in
            ["192.168.1.20", "100.64.0.1", "100.127.255.254", "169.254.1.1", "127.0.0.1", "[fe80::1]"]
        {
            assert_eq!(reached(&format!("{described}:4000"), source, Elsewhere::Public), "198.51.100.7:4000");
        }
        assert_eq!(reached("100.128.0.1:4000", source, Elsewhere::Public), "100.128.0.1:4000");
    }

    #[test]
    fn media_of_a_trunk_may_go_to_other_machines_of_its_peer_and_not_to_ours() {
        let of_carrier = "198.51.100.7";
        assert_eq!(reached("203.0.113.9:4000", of_carrier, Elsewhere::Peer), "203.0.113.9:4000");
        for described in ["192.168.1.20", "169.254.1.1", "127.0.0.1", "[fd00::1]", "[::1]"] {
            assert_eq!(
                reached(&format!("{described}:4000"), of_carrier, Elsewhere::Peer),
                "198.51.100.7:4000"
            );
        }
        assert_eq!(reached("10.1.2.3:4000", "10.9.9.9", Elsewhere::Peer), "10.1.2.3:4000");
        assert_eq!(reached("127.0.0.1:4000", "10.9.9.9", Elsewhere::Peer), "10.9.9.9:4000");
        assert_eq!(reached("127.0.0.2:4000", "127.0.0.3", Elsewhere::Peer), "127.0.0.2:4000");
    }
}
