//! Where URIs lead, with a DNS that the test makes up.

use std::collections::BTreeMap;
use std::time::Duration;

use sip_proto::{Candidates, Locating, Naptr, Question, Records, Srv, Transport};

use crate::net::seconds;

const ALL: [Transport; 3] = [Transport::Tls, Transport::Tcp, Transport::Udp];

/// Records by their questions; whatever is not there has none.
#[derive(Default)]
struct Dns {
    naptr: BTreeMap<&'static str, Vec<Naptr>>,
    srv: BTreeMap<&'static str, Vec<Srv>>,
    addresses: BTreeMap<&'static str, Vec<&'static str>>,
    lifetimes: BTreeMap<Question, Duration>,
}

impl Dns {
    fn answer(&self, question: &Question) -> (Records, Duration) {
        let records = match question {
            Question::Naptr(name) => {
                Records::Naptr(self.naptr.get(name.as_str()).cloned().unwrap_or_default())
            }
            Question::Srv(name) => Records::Srv(self.srv.get(name.as_str()).cloned().unwrap_or_default()),
            Question::Addresses(name) => {
                let list = self.addresses.get(name.as_str()).cloned().unwrap_or_default();
                Records::Addresses(list.iter().map(|address| address.parse().unwrap()).collect())
            }
        };
        (records, self.lifetimes.get(question).copied().unwrap_or(seconds(300)))
    }

    fn locate_with(&self, uri: &str, transports: &[Transport], seed: u8) -> (Candidates, Vec<Question>) {
        let mut search = Locating::new(&uri.parse().unwrap(), transports, [seed; 32]).unwrap();
        let mut asked = Vec::new();
        while let Some(question) = search.poll_question() {
            let (records, lifetime) = self.answer(&question);
            search.handle(&question, records, lifetime);
            asked.push(question);
        }
        (search.finish(), asked)
    }

    /// Transport and address of every candidate.
    fn locate(&self, uri: &str) -> Vec<(Transport, String)> {
        let (found, _) = self.locate_with(uri, &ALL, 1);
        found.list.into_iter().map(|candidate| (candidate.transport, candidate.remote.to_string())).collect()
    }
}

fn srv(priority: u16, weight: u16, port: u16, target: &str) -> Srv {
    Srv { priority, weight, port, target: target.to_owned() }
}

fn naptr(order: u16, preference: u16, service: &str, replacement: &str) -> Naptr {
    let (flags, service) = ("s".to_owned(), service.to_owned());
    Naptr { order, preference, flags, service, replacement: replacement.to_owned() }
}

/// A carrier with two hosts for TLS and one for datagrams.
fn carrier() -> Dns {
    let mut dns = Dns::default();
    let list = vec![
        naptr(50, 50, "SIP+D2U", "_sip._udp.carrier.example."),
        naptr(50, 10, "SIPS+D2T", "_sips._tcp.Carrier.example."),
        naptr(90, 10, "SIP+D2T", "_sip._tcp.carrier.example."),
        naptr(10, 10, "SIP+D2S", "_sip._sctp.carrier.example."),
    ];
    dns.naptr.insert("carrier.example", list);
    let hosts = vec![srv(20, 0, 5062, "b.carrier.example."), srv(10, 0, 5061, "a.carrier.example.")];
    dns.srv.insert("_sips._tcp.carrier.example", hosts);
    dns.srv.insert("_sip._udp.carrier.example", vec![srv(1, 1, 5060, "a.carrier.example")]);
    dns.addresses.insert("a.carrier.example", vec!["2001:db8::1", "192.0.2.1"]);
    dns.addresses.insert("b.carrier.example", vec!["192.0.2.2"]);
    dns.addresses.insert("carrier.example", vec!["192.0.2.9"]);
    dns
}

fn at(transport: Transport, address: &str) -> (Transport, String) {
    (transport, address.to_owned())
}

#[test]
fn a_domain_leads_to_the_services_that_it_names_in_its_own_order() {
    let found = carrier().locate("sip:+12015550123@Carrier.Example;user=phone");
    let expected = [
        at(Transport::Tls, "[2001:db8::1]:5061"),
        at(Transport::Tls, "192.0.2.1:5061"),
        at(Transport::Tls, "192.0.2.2:5062"),
        at(Transport::Udp, "[2001:db8::1]:5060"),
        at(Transport::Udp, "192.0.2.1:5060"),
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_certificate_has_to_hold_the_domain_that_was_asked_for() {
    let (found, _) = carrier().locate_with("sips:carrier.example", &ALL, 1);
    let names: Vec<_> =
        found.list.iter().map(|candidate| (candidate.transport, candidate.name.as_str())).collect();
    assert_eq!(names, [(Transport::Tls, "carrier.example"); 3]);
    let (found, _) = carrier().locate_with("sips:192.0.2.1", &ALL, 1);
    assert_eq!(found.list[0].name, "192.0.2.1");
}

#[test]
fn what_the_uri_says_needs_fewer_questions() {
    type Places<'a> = &'a [(Transport, &'a str)];
    let table: [(&str, Places<'_>, usize); 9] = [
        ("sip:192.0.2.1", &[(Transport::Udp, "192.0.2.1:5060")], 0),
        ("sip:[2001:db8::1]:5070;transport=tcp", &[(Transport::Tcp, "[2001:db8::1]:5070")], 0),
        ("sips:192.0.2.1", &[(Transport::Tls, "192.0.2.1:5061")], 0),
        ("sips:192.0.2.1;transport=tcp", &[(Transport::Tls, "192.0.2.1:5061")], 0),
        ("sip:192.0.2.1;transport=tls", &[(Transport::Tls, "192.0.2.1:5061")], 0),
        ("sip:carrier.example:5080", &[(Transport::Udp, "192.0.2.9:5080")], 1),
        ("sip:carrier.example;transport=tcp", &[(Transport::Tcp, "192.0.2.9:5060")], 2),
        ("sip:nowhere.example", &[], 5),
        ("sip:192.0.2.1;transport=sctp", &[], 0),
    ];
    for (uri, expected, questions) in table {
        let (found, asked) = carrier().locate_with(uri, &ALL, 1);
        let found: Vec<_> = found.list.iter().map(|one| at(one.transport, &one.remote.to_string())).collect();
        let expected: Vec<_> = expected.iter().map(|(transport, address)| at(*transport, address)).collect();
        assert_eq!((found, asked.len()), (expected, questions), "{uri}: {asked:?}");
    }
}

#[test]
fn a_sips_uri_leads_to_tls_or_nowhere() {
    let (found, asked) = carrier().locate_with("sips:carrier.example", &[Transport::Udp, Transport::Tcp], 1);
    assert_eq!((found.list, asked), (Vec::new(), Vec::new()));
    assert!(
        carrier().locate("sips:carrier.example").iter().all(|(transport, _)| *transport == Transport::Tls)
    );
    assert!(carrier().locate("sips:carrier.example;transport=udp").is_empty());
}

#[test]
fn without_naptr_records_the_services_have_their_usual_names() {
    let mut dns = carrier();
    dns.naptr.clear();
    let found = dns.locate("sip:carrier.example");
    assert_eq!(
        (found.len(), &found[0], &found[4]),
        (5, &at(Transport::Tls, "[2001:db8::1]:5061"), &at(Transport::Udp, "192.0.2.1:5060"))
    );
    dns.srv.clear();
    assert_eq!(dns.locate("sip:carrier.example"), [at(Transport::Udp, "192.0.2.9:5060")]);
    assert_eq!(dns.locate("sips:carrier.example"), [at(Transport::Tls, "192.0.2.9:5061")]);
}

#[test]
fn a_domain_that_denies_a_service_is_not_tried_as_a_host() {
    let mut dns = carrier();
    dns.naptr.clear();
    dns.srv = [("_sip._udp.carrier.example", vec![srv(0, 0, 0, ".")])].into();
    assert_eq!(dns.locate("sip:carrier.example;transport=udp"), []);
}

#[test]
fn hosts_of_one_priority_are_first_as_often_as_their_weight_says() {
    let mut dns = Dns::default();
    let hosts = vec![
        srv(1, 0, 1, "none.example"),
        srv(1, 10, 2, "few.example"),
        srv(1, 30, 3, "many.example"),
        srv(2, 60, 4, "last.example"),
    ];
    dns.srv.insert("_sip._udp.carrier.example", hosts);
    for (host, address) in [
        ("none.example", "192.0.2.1"),
        ("few.example", "192.0.2.2"),
        ("many.example", "192.0.2.3"),
        ("last.example", "192.0.2.4"),
    ] {
        dns.addresses.insert(host, vec![address]);
    }
    let mut firsts = BTreeMap::new();
    for seed in 0..=255 {
        let (found, _) = dns.locate_with("sip:carrier.example;transport=udp", &ALL, seed);
        let ports: Vec<_> = found.list.iter().map(|candidate| candidate.remote.port()).collect();
        assert_eq!((ports.len(), ports[3]), (4, 4), "each once, and the next priority after all others");
        *firsts.entry(ports[0]).or_insert(0) += 1;
    }
    let of = |port: u16| firsts.get(&port).copied().unwrap_or(0);
    assert!(of(1) < 20 && (35..95).contains(&of(2)) && (150..220).contains(&of(3)), "{firsts:?}");
    let again = |seed| dns.locate_with("sip:carrier.example;transport=udp", &ALL, seed).0;
    assert_eq!(again(7), again(7), "the same seed draws the same");
}

#[test]
fn what_was_found_lasts_as_long_as_the_shortest_record() {
    let mut dns = carrier();
    dns.lifetimes.insert(Question::Addresses("b.carrier.example".to_owned()), seconds(30));
    assert_eq!(dns.locate_with("sip:carrier.example", &ALL, 1).0.lifetime, seconds(30));
    assert_eq!(dns.locate_with("sip:192.0.2.1", &ALL, 1).0.lifetime, Duration::MAX);
}

#[test]
fn a_domain_with_endless_records_is_searched_in_bounds() {
    let mut dns = Dns::default();
    let hosts = (0..500).map(|n| srv(n, 1, 5060, &format!("h{n}.example"))).collect();
    dns.srv.insert("_sip._udp.carrier.example", hosts);
    let services = (0..500).map(|n| naptr(1, n, "SIP+D2U", &format!("_sip._udp.s{n}.example"))).collect();
    dns.naptr.insert("many.example", services);
    dns.addresses.insert("h0.example", vec!["192.0.2.1"; 3]);
    let (found, asked) = dns.locate_with("sip:carrier.example;transport=udp", &ALL, 1);
    assert_eq!((found.list.len(), asked.len()), (1, 32), "the same place once");
    assert_eq!(dns.locate_with("sip:many.example", &ALL, 1).1.len(), 32);
}

#[test]
fn what_was_not_asked_for_and_what_is_no_sip_uri_is_not_taken() {
    let mut search = Locating::new(&"sip:carrier.example:5060".parse().unwrap(), &ALL, [1; 32]).unwrap();
    let question = search.poll_question().unwrap();
    let forged = Question::Addresses("other.example".to_owned());
    let address = |text: &str| Records::Addresses(vec![text.parse().unwrap()]);
    search.handle(&forged, address("203.0.113.1"), seconds(1));
    search.handle(&question, Records::Srv(Vec::new()), seconds(60));
    search.handle(&question, address("203.0.113.2"), seconds(60));
    assert_eq!(search.finish(), Candidates { list: Vec::new(), lifetime: seconds(60) });
    assert!(Locating::new(&"tel:+12015550123".parse().unwrap(), &ALL, [1; 32]).is_none());
}
