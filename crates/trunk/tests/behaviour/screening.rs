//! Calls that come in.

use std::net::IpAddr;

use model::{IndexedDirectory, Trunk};
use trunk::{Inbound, screen};

use crate::harness::{PLENTY, directory, rule, trunk};

fn known() -> IndexedDirectory {
    let national = Trunk { incoming_rules: vec![rule("", "+1", Some(10))], ..trunk("a") };
    let of_other_tenant = Trunk { tenant: "u".into(), ..trunk("b") };
    let elsewhere = Trunk { sources: vec!["2001:db8::/32".parse().expect("a range")], ..trunk("c") };
    directory(vec![national, of_other_tenant, elsewhere], PLENTY).into()
}

/// What becomes of a call, in words.
fn screened(source: &str, dialled: &str) -> String {
    screened_by(source, dialled, |_| true)
}

fn screened_by(source: &str, dialled: &str, takes: impl Fn(&Trunk) -> bool) -> String {
    let (known, source) = (known(), source.parse::<IpAddr>().expect("an address"));
    match screen(&known, source, dialled, takes) {
        Inbound::DialIn { trunk, tenant, number } => {
            format!("{} dials in to {} by {}", trunk.id, tenant.id, number.as_str())
        }
        Inbound::Instance { trunk, instance, number } => {
            format!("{} calls {} at {}", trunk.id, instance.id, number.as_str())
        }
        Inbound::UnknownNumber { trunk } => format!("{} calls nobody", trunk.id),
        Inbound::Unlisted => "unlisted".to_owned(),
    }
}

#[test]
fn a_number_leads_to_its_application_instance_or_to_the_meetings() {
    assert_eq!(screened("192.0.2.7", "+12345678900"), "a calls desk at +12345678900");
    assert_eq!(screened("192.0.2.7", "2345678901"), "a calls desk at +12345678901");
    assert_eq!(screened("::ffff:192.0.2.7", "+12345678910"), "a calls others at +12345678910");
    assert_eq!(screened("192.0.2.7", "+12345678800"), "a dials in to t by +12345678800");
}

#[test]
fn a_source_of_several_trunks_is_told_apart_by_the_number() {
    assert_eq!(screened("192.0.2.7", "+12345678920"), "b calls far at +12345678920");
    assert_eq!(screened("2001:db8::7", "+12345678900"), "c calls desk at +12345678900");
}

#[test]
fn a_trunk_that_does_not_take_the_call_is_as_if_it_were_not_there() {
    let not_the_first = |trunk: &Trunk| trunk.id.as_str() != "a";
    assert_eq!(screened_by("192.0.2.7", "+12345678920", not_the_first), "b calls far at +12345678920");
    assert_eq!(screened_by("192.0.2.7", "+12345678900", not_the_first), "b calls nobody");
    assert_eq!(screened_by("192.0.2.7", "+12345678900", |_| false), "unlisted");
}

#[test]
fn a_trunk_reaches_only_what_its_tenant_has() {
    assert_eq!(screened("2001:db8::7", "+12345678920"), "c calls nobody");
    assert_eq!(screened("2001:db8::7", "2345678900"), "c calls nobody", "the rule is another trunk's");
}

#[test]
fn unknown_numbers_and_sources_are_told_apart() {
    for dialled in ["+12345678999", "", "john", "+", "desk"] {
        assert_eq!(screened("192.0.2.7", dialled), "a calls nobody", "{dialled}");
    }
    assert_eq!(screened("198.51.100.1", "+12345678900"), "unlisted");
    assert_eq!(screened("::1", "+12345678900"), "unlisted");
}
