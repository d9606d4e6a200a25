//! Where a SIP URI leads: which records to ask the DNS for, and in which order to try what they say (RFC 3263, 4;
//! RFC 2782).
//!
//! ```text
//!   host, no port: [ NAPTR ] -- services --> [ SRV of each ] -- hosts --> [ addresses of each ] --> candidates
//!                      | none: SRV by name       | none: the host itself      ^
//!   host and port, or no SRV: -----------------------------------------------'
//!   address: candidates at once
//! ```
//!
//! [`Locating`] asks and is told; who asks the DNS, and keeps answers for as long as they last, is its user's business.
//! [`Candidates::lifetime`] says how long that is.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};

use sip_message::{Host, Uri};

use crate::dialog::is_secure;
use crate::entropy::Entropy;
use crate::flow::Transport;

/// How many questions one search may ask, and how many places it may find; several times what carriers publish.
const MAX_QUESTIONS: usize = 32;
const MAX_CANDIDATES: usize = 32;

/// What to ask the DNS.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Question {
    /// The A and AAAA records of a host.
    Addresses(String),
    /// The NAPTR records of a domain.
    Naptr(String),
    /// The SRV records of a service.
    Srv(String),
}

/// A NAPTR record (RFC 3403, 4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Naptr {
    /// Lower ones count first.
    pub order: u16,
    /// Among those of one order, lower ones come first.
    pub preference: u16,
    /// `s` where the replacement has SRV records.
    pub flags: String,
    /// Such as `SIPS+D2T`.
    pub service: String,
    /// The name to go on with.
    pub replacement: String,
}

/// A SRV record (RFC 2782).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Srv {
    /// Lower ones are tried first.
    pub priority: u16,
    /// How often it is the first of its priority, against the weights of the others.
    pub weight: u16,
    /// The port.
    pub port: u16,
    /// The host; `.` says that there is no such service.
    pub target: String,
}

/// What the DNS says to a [`Question`]. Empty lists, too, for names that do not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Records {
    /// To [`Question::Addresses`], in the order to try them in.
    Addresses(Vec<IpAddr>),
    /// To [`Question::Naptr`].
    Naptr(Vec<Naptr>),
    /// To [`Question::Srv`].
    Srv(Vec<Srv>),
}

/// One place to try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// How.
    pub transport: Transport,
    /// Where.
    pub remote: SocketAddr,
    /// What the certificate of whoever is there has to hold: the domain of the URI, not the host that the DNS put in its
    /// place (RFC 5922, 4). An address stands for itself.
    pub name: String,
}

/// What a search has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidates {
    /// The places, the first to try first. Empty where the domain cannot be reached.
    pub list: Vec<Candidate>,
    /// How long that is so; the shortest lifetime of all records.
    pub lifetime: Duration,
}

/// The search for where one URI leads.
///
/// Ask what [`Self::poll_question`] gives until it gives none, and [`Self::handle`] what is said; then [`Self::finish`].
#[derive(Debug)]
pub struct Locating {
    host: Host,
    port: Option<u16>,
    /// What may be used, the best first. None for a `sips` URI where there is no TLS.
    transports: Vec<Transport>,
    /// The URI says which.
    is_chosen: bool,
    entropy: Entropy,
    questions: VecDeque<Question>,
    asked: BTreeSet<Question>,
    /// Those of `asked` that have no answer yet.
    open: BTreeSet<Question>,
    services: Vec<Service>,
    /// No service is known, so the host is tried as it is.
    has_fallen_back: bool,
    /// The domain says that it has no such service, which is another thing than to say nothing.
    is_denied: bool,
    addresses: BTreeMap<String, Vec<IpAddr>>,
    lifetime: Option<Duration>,
}

/// A name with SRV records.
#[derive(Debug)]
struct Service {
    name: String,
    transport: Transport,
    /// In the order to try them in; `None` until they are known.
    hosts: Option<Vec<Srv>>,
}

impl Locating {
    /// A search that begins with a URI.
    ///
    /// `transports` are those that this node has, the best first. Which of several hosts of one priority comes first is
    /// drawn from the seed, anew for each search.
    #[must_use]
    pub fn new(uri: &Uri, transports: &[Transport], seed: [u8; 32]) -> Option<Self> {
        let host = uri.host()?.clone();
        let wanted = uri.param("transport").map(|name| name.to_ascii_lowercase());
        let is_usable = |transport: &&Transport| {
            let is_wanted = match wanted.as_deref() {
                None => true,
                // The usual spelling of TLS in SIPS URIs (RFC 3261, 26.2.2).
                Some("tcp") if is_secure(uri) => **transport == Transport::Tls,
                Some(name) => transport.uri_name() == name,
            };
            is_wanted && (!is_secure(uri) || **transport == Transport::Tls)
        };
        let mut search = Self {
            host,
            port: uri.port(),
            transports: transports.iter().filter(is_usable).copied().collect(),
            is_chosen: wanted.is_some() || is_secure(uri),
            entropy: Entropy::new(seed),
            questions: VecDeque::new(),
            asked: BTreeSet::new(),
            open: BTreeSet::new(),
            services: Vec::new(),
            has_fallen_back: false,
            is_denied: false,
            addresses: BTreeMap::new(),
            lifetime: None,
        };
        search.begin();
        Some(search)
    }

    /// The next question.
    pub fn poll_question(&mut self) -> Option<Question> {
        self.questions.pop_front()
    }

    /// Takes what the DNS says to a question, and for how long. What was not asked for is not taken. A question to which
    /// nothing can be learned is told as one without records, for a short while.
    pub fn handle(&mut self, question: &Question, records: Records, lifetime: Duration) {
        if !self.open.remove(question) {
            return;
        }
        self.lifetime = Some(self.lifetime.map_or(lifetime, |least| least.min(lifetime)));
        match (question, records) {
            (Question::Naptr(_), Records::Naptr(list)) => self.take_naptr(list),
            (Question::Srv(name), Records::Srv(list)) => self.take_srv(name, list),
            (Question::Addresses(host), Records::Addresses(list)) => {
                self.addresses.insert(host.clone(), list);
            }
            (Question::Naptr(_) | Question::Srv(_) | Question::Addresses(_), _) => {}
        }
    }

    /// What was found by the answers so far.
    #[must_use]
    pub fn finish(&self) -> Candidates {
        let mut list: Vec<Candidate> = Vec::new();
        for service in &self.services {
            for host in service.hosts.iter().flatten() {
                for address in self.addresses_of(&host.target) {
                    list.push(self.candidate(service.transport, address, host.port));
                }
            }
        }
        let name = self.host.to_string().to_ascii_lowercase();
        for address in self.host.ip().map_or_else(|| self.addresses_of(&name), |ip| vec![ip]) {
            if let Some(transport) = self.by_itself() {
                let port = self.port.unwrap_or(default_port(transport));
                list.push(self.candidate(transport, address, port));
            }
        }
        let mut seen = BTreeSet::new();
        list.retain(|candidate| seen.insert((candidate.transport, candidate.remote)));
        list.truncate(MAX_CANDIDATES);
        Candidates { list, lifetime: self.lifetime.unwrap_or(Duration::MAX) }
    }

    fn begin(&mut self) {
        if self.transports.is_empty() {
            return;
        }
        let name = self.host.to_string().to_ascii_lowercase();
        if self.host.ip().is_some() {
            self.has_fallen_back = true;
        } else if self.port.is_some() {
            // A port means the host itself (RFC 3263, 4.2).
            self.fall_back();
        } else if self.is_chosen {
            self.ask_services_by_name();
        } else {
            self.ask(Question::Naptr(name));
        }
    }

    fn ask(&mut self, question: Question) {
        if self.asked.len() < MAX_QUESTIONS && self.asked.insert(question.clone()) {
            self.open.insert(question.clone());
            self.questions.push_back(question);
        }
    }

    /// RFC 3263, 4.1: the services of the lowest order of which this node can use one.
    fn take_naptr(&mut self, mut list: Vec<Naptr>) {
        list.sort_by_key(|record| (record.order, record.preference));
        let usable = list.into_iter().filter_map(|record| {
            let transport = transport_of(&record.service)?;
            let is_ours = record.flags.eq_ignore_ascii_case("s") && self.transports.contains(&transport);
            is_ours.then_some((record.order, record.replacement, transport))
        });
        let usable: Vec<_> = usable.collect();
        let Some(first) = usable.first().map(|(order, ..)| *order) else {
            self.ask_services_by_name();
            return;
        };
        for (_, name, transport) in usable.into_iter().filter(|(order, ..)| *order == first) {
            self.ask_service(name, transport);
        }
    }

    /// Without NAPTR records, the services have their usual names.
    fn ask_services_by_name(&mut self) {
        for transport in self.transports.clone() {
            let prefix = match transport {
                Transport::Tcp => "_sip._tcp",
                Transport::Tls => "_sips._tcp",
                Transport::Udp => "_sip._udp",
            };
            self.ask_service(format!("{prefix}.{}", self.host), transport);
        }
    }

    fn ask_service(&mut self, name: String, transport: Transport) {
        let name = plain(&name);
        if self.services.iter().all(|service| service.name != name) {
            self.ask(Question::Srv(name.clone()));
            self.services.push(Service { name, transport, hosts: None });
        }
    }

    fn take_srv(&mut self, name: &str, list: Vec<Srv>) {
        self.is_denied |= matches!(list.as_slice(), [only] if only.target == ".");
        let ordered = shuffled(list, &mut self.entropy);
        let named: Vec<_> = ordered
            .into_iter()
            .map(|record| Srv { target: plain(&record.target), ..record })
            .filter(|record| !record.target.is_empty() && record.port != 0)
            .take(MAX_CANDIDATES)
            .collect();
        for record in &named {
            self.ask(Question::Addresses(record.target.clone()));
        }
        if let Some(service) = self.services.iter_mut().find(|service| service.name == name) {
            service.hosts = Some(named);
        }
        let is_empty = |service: &Service| service.hosts.as_ref().is_some_and(Vec::is_empty);
        if self.services.iter().all(is_empty) && !self.is_denied {
            self.fall_back();
        }
    }

    /// Without SRV records, the host is tried as it is (RFC 3263, 4.2).
    fn fall_back(&mut self) {
        self.has_fallen_back = true;
        self.ask(Question::Addresses(self.host.to_string().to_ascii_lowercase()));
    }

    /// How the host itself is tried: as the URI says, else by datagrams (RFC 3263, 4.1), else by what there is.
    fn by_itself(&self) -> Option<Transport> {
        let usual = self.transports.iter().find(|transport| !self.is_chosen && **transport == Transport::Udp);
        usual.or(self.transports.first()).copied().filter(|_| self.has_fallen_back)
    }

    fn addresses_of(&self, host: &str) -> Vec<IpAddr> {
        self.addresses.get(host).cloned().unwrap_or_default()
    }

    fn candidate(&self, transport: Transport, address: IpAddr, port: u16) -> Candidate {
        let name =
            self.host.ip().map_or_else(|| self.host.to_string().to_ascii_lowercase(), |ip| ip.to_string());
        Candidate { transport, remote: SocketAddr::new(address, port), name }
    }
}

/// The order to try hosts in: by priority, and within one by lot, each as often first as its weight says (RFC 2782).
fn shuffled(mut list: Vec<Srv>, entropy: &mut Entropy) -> Vec<Srv> {
    // Those of no weight first, which gives them their very small chance.
    list.sort_by_key(|record| (record.priority, record.weight != 0));
    let mut ordered = Vec::with_capacity(list.len());
    while let Some(priority) = list.first().map(|record| record.priority) {
        let same = list.iter().take_while(|record| record.priority == priority);
        let sum: u64 = same.clone().map(|record| u64::from(record.weight)).sum();
        let drawn = entropy.next() % (sum + 1);
        let mut running = 0;
        let at = same.clone().position(|record| {
            running += u64::from(record.weight);
            running >= drawn
        });
        ordered.push(list.remove(at.unwrap_or(0)));
    }
    ordered
}

/// A name without the dot that ends it in the DNS, in lower case.
fn plain(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

/// RFC 3263, 4.1.
fn transport_of(service: &str) -> Option<Transport> {
    match service.to_ascii_uppercase().as_str() {
        "SIP+D2T" => Some(Transport::Tcp),
        "SIP+D2U" => Some(Transport::Udp),
        "SIPS+D2T" => Some(Transport::Tls),
        _ => None,
    }
}

fn default_port(transport: Transport) -> u16 {
    match transport {
        Transport::Tcp | Transport::Udp => 5060,
        Transport::Tls => 5061,
    }
}
