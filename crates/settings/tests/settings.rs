//! Settings as a user meets them: sources, mistakes, documentation.

#![expect(clippy::unwrap_used, reason = "a test ends where something fails")]

use std::collections::BTreeSet;
use std::time::Duration;

use settings::{Effective, Profile, SettingsError, Source, Sources, keys, load, reference, sample_file};

const MINIMAL: &str = r#"
[server]
external_url = "https://calls.example.com/"
[https]
certificate = "/etc/hookswitch/tls.pem"
key = "/etc/hookswitch/tls.key"
"#;

fn pairs(given: &[(&str, &str)]) -> Vec<(String, String)> {
    given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn with_file(profile: Profile, text: &str) -> Result<Effective, SettingsError> {
    load(Sources {
        profile,
        file: Some(("hookswitch.toml", text)),
        environment: &[],
        other_variables: &[],
        overrides: &[],
    })
}

fn dev(environment: &[(&str, &str)], overrides: &[(&str, &str)]) -> Result<Effective, SettingsError> {
    load(Sources {
        profile: Profile::Dev,
        file: None,
        environment: &pairs(environment),
        other_variables: &["HOOKSWITCH_CONFIG"],
        overrides: &pairs(overrides),
    })
}

/// The only line of the error that a file gives.
#[track_caller]
fn complaint(text: &str) -> String {
    with_file(Profile::Dev, text).unwrap_err().to_string()
}

#[test]
fn dev_needs_nothing_and_serves_the_documented_addresses() {
    let settings = dev(&[], &[]).unwrap().settings;
    assert_eq!(settings.http.listen.unwrap().to_string(), "127.0.0.1:8080");
    assert_eq!(settings.https.listen.unwrap().to_string(), "127.0.0.1:8443");
    assert_eq!(settings.sip.udp.unwrap().to_string(), "127.0.0.1:5060");
    assert_eq!(settings.webrtc.udp.unwrap().to_string(), "127.0.0.1:7882");
    assert_eq!(settings.outbound.hosts["https://bot.contoso.com"], "http://127.0.0.1:9000");
    assert_eq!(settings.calls.ringing_timeout, Duration::from_secs(60));
    assert_eq!(settings.limits.body_size.0, 1024 * 1024);
    assert_eq!(settings.notifications.live_schedule.len(), 6);
    assert!(settings.lab.enabled);
}

#[test]
fn serve_opens_nothing_but_https_and_says_what_it_needs() {
    let error = with_file(Profile::Serve, "").unwrap_err().to_string();
    for key in ["server.external_url", "https.certificate", "https.key"] {
        assert!(error.contains(&format!("{key}: not set")), "{error}");
    }
    let settings = with_file(Profile::Serve, MINIMAL).unwrap().settings;
    assert_eq!(settings.server.external_url.unwrap().as_str(), "https://calls.example.com");
    assert_eq!((settings.http.listen, settings.sip.udp, settings.sip.tcp), (None, None, None));
    assert_eq!(settings.webrtc.udp, None);
    assert!(!settings.lab.enabled);
    assert!(settings.outbound.allowed_hosts.is_empty());
}

#[test]
fn later_sources_win_and_each_value_knows_its_own() {
    let file = "[calls]\nringing_timeout = \"10s\"\nkeep_alive_timeout = \"1h\"\nmax_queued_operations = 7";
    let effective = load(Sources {
        profile: Profile::Dev,
        file: Some(("my.toml", file)),
        environment: &pairs(&[
            ("HOOKSWITCH_CALLS_RINGING_TIMEOUT", "20s"),
            ("HOOKSWITCH_CALLS_MAX_QUEUED_OPERATIONS", "3"),
        ]),
        other_variables: &[],
        overrides: &pairs(&[("calls.ringing_timeout", "30s")]),
    })
    .unwrap();
    let calls = &effective.settings.calls;
    assert_eq!([calls.ringing_timeout, calls.keep_alive_timeout].map(|time| time.as_secs()), [30, 3600]);
    assert_eq!(calls.max_queued_operations, 3);
    let source = |name| effective.entries.iter().find(|entry| entry.key.name == name).unwrap().source.clone();
    assert_eq!(source("calls.ringing_timeout"), Source::CommandLine);
    assert_eq!(
        source("calls.max_queued_operations"),
        Source::Environment { variable: "HOOKSWITCH_CALLS_MAX_QUEUED_OPERATIONS".to_owned() }
    );
    assert_eq!(source("calls.keep_alive_timeout"), Source::File { file: "my.toml".to_owned(), line: 3 });
    assert_eq!(source("sip.timer_t1"), Source::Default);
}

#[test]
fn an_unknown_key_is_named_with_its_line_and_the_nearest() {
    assert_eq!(
        complaint("[sip]\nupd = \"127.0.0.1:5060\""),
        "hookswitch.toml:2: there is no setting \"sip.upd\"; did you mean \"sip.udp\"?"
    );
    assert_eq!(
        complaint("\n\n[http.tls]\nlisten = 1"),
        "hookswitch.toml:4: there is no setting \"http.tls.listen\"; did you mean \"https.listen\"?"
    );
    let error = dev(&[("HOOKSWITCH_HTTP_LISTN", "1")], &[("calls.ringing", "1s")]).unwrap_err();
    assert_eq!(error.problems.len(), 2);
    assert!(error.to_string().contains("did you mean \"HOOKSWITCH_HTTP_LISTEN\"?"), "{error}");
    assert!(error.to_string().contains("command line: there is no setting \"calls.ringing\""), "{error}");
}

#[test]
fn a_wrong_value_is_named_with_what_would_be_right() {
    assert_eq!(
        complaint("calls.ringing_timeout = 60"),
        "hookswitch.toml:1: calls.ringing_timeout cannot be 60: expected a time in ms, s, min, h or d, such as \
         \"500ms\" or \"45min\""
    );
    for wrong in [
        "http.listen = \"localhost\"",
        "lab.enabled = \"true\"",
        "limits.targets = -1",
        "limits.targets = 99999999999",
        "limits.body_size = \"18446744073709551615KiB\"",
        "calls.ringing_timeout = \"99999999999d\"",
        "media.ports = \"2-1\"",
        "log.format = \"xml\"",
        "server.external_url = \"https://user:secret@host\"",
        "outbound.hosts = { a = 1 }",
        "notifications.live_schedule = [1, 2]",
        "server.trusted_proxies = [\"10.0.0.0/33\"]",
        "identity.trusted_issuers = [{ issuer = \"x\" }]",
        "identity.trusted_issuers = [{ issuer = \"i\", audience = \"a\", jwks_url = \"j\", application_claim = \"c\" }]",
        "server.data_dir = 2020-01-01",
    ] {
        let key = wrong.split(' ').next().unwrap();
        let complaint = complaint(wrong);
        assert!(complaint.starts_with(&format!("hookswitch.toml:1: {key} cannot be ")), "{complaint}");
        assert!(complaint.contains(": expected "), "{complaint}");
    }
}

#[test]
fn every_mistake_is_reported_at_once() {
    let error = with_file(Profile::Dev, "http.listen = 1\nsip.udp = 2\nnothing.at_all = 3").unwrap_err();
    assert_eq!(error.to_string().lines().count(), 3, "{error}");
}

#[test]
fn a_file_that_is_no_toml_is_reported_with_its_place() {
    let complaint = complaint("[sip]\nudp = = 1");
    assert!(complaint.starts_with("hookswitch.toml: "), "{complaint}");
    assert!(complaint.contains("line 2"), "{complaint}");
}

#[test]
fn values_that_do_not_fit_together_are_refused_with_the_fix() {
    for (file, key) in [
        ("sip.timer_t1 = \"5s\"", "sip.timer_t1"),
        ("sip.min_registration = \"0s\"", "sip.min_registration"),
        ("sip.max_registration = \"29s\"", "sip.min_registration"),
        ("sip.domain = \"\"", "sip.domain"),
        ("sip.udp = \"0.0.0.0:5060\"", "sip.external_address"),
        ("media.bind = \"0.0.0.0\"", "media.external_address"),
        ("media.ports = \"10001-10099\"", "media.ports"),
        ("notifications.live_schedule = [\"0s\"]", "notifications.live_schedule"),
        ("http.listen = \"\"\nhttps.listen = \"\"", "https.listen"),
        ("https.key = \"a.pem\"", "https.certificate"),
        ("store.readers = 0", "store.readers"),
        ("identity.token_endpoint = false", "identity.trusted_issuers"),
        ("app_media.reattach_timeout = \"0s\"", "app_media.attach_timeout"),
        ("app_media.ticket_lifetime = \"59s\"", "app_media.ticket_lifetime"),
        ("app_media.max_queued = \"11min\"", "app_media.max_queued"),
        ("webrtc.udp = \"0.0.0.0:7882\"", "webrtc.external_address"),
        ("webrtc.max_sessions = 0", "webrtc.max_sessions"),
        ("web.session_lifetime = \"0s\"", "web.session_lifetime"),
    ] {
        let complaint = complaint(file);
        assert!(complaint.starts_with(&format!("{key}: ")), "{complaint}");
    }
}

#[test]
fn outside_issuers_are_tables_whose_role_claim_has_a_default() {
    let file = r#"
        [[identity.trusted_issuers]]
        issuer = "https://login.example/v2.0"
        audience = "api://calls"
        jwks_url = "https://login.example/keys"
        [[identity.trusted_issuers]]
        issuer = "https://keycloak.example"
        audience = "calls"
        jwks_url = "https://keycloak.example/certs"
        role_claim = "realm_access.roles"
        tenant = "contoso"
        application_claim = "gty"
        application_value = "client-credentials"
    "#;
    let issuers = with_file(Profile::Dev, file).unwrap().settings.identity.trusted_issuers;
    let claims: Vec<_> = issuers.iter().map(|issuer| issuer.role_claim.as_str()).collect();
    assert_eq!(claims, ["roles", "realm_access.roles"]);
    assert_eq!((&issuers[0].tenant, &issuers[0].application_mark), (&None, &None));
    assert_eq!(issuers[1].tenant.as_deref(), Some("contoso"));
    assert_eq!(issuers[1].application_mark, Some(("gty".to_owned(), "client-credentials".to_owned())));
}

#[test]
fn lists_and_tables_can_be_written_in_a_variable() {
    let effective = dev(
        &[
            ("HOOKSWITCH_OUTBOUND_ALLOWED_HOSTS", "a.example, 10.0.0.1:99"),
            ("HOOKSWITCH_OUTBOUND_HOSTS", "https://a=http://b, https://c=bundled:sounds"),
            ("HOOKSWITCH_NOTIFICATIONS_ENDED_SCHEDULE", "1s,2min"),
            ("HOOKSWITCH_SERVER_TRUSTED_PROXIES", "10.0.0.0/8,2001:db8::1"),
            ("HOOKSWITCH_LAB_ENABLED", "false"),
            ("HOOKSWITCH_CONFIG", "not a setting, and known as such"),
            ("HOME", "not ours"),
        ],
        &[],
    );
    let settings = effective.unwrap().settings;
    assert_eq!(settings.outbound.allowed_hosts, ["a.example", "10.0.0.1:99"]);
    assert_eq!(settings.outbound.hosts.len(), 2);
    assert_eq!(settings.notifications.ended_schedule, [1, 120].map(Duration::from_secs));
    assert!(!settings.lab.enabled);
    let proxies = settings.server.trusted_proxies;
    let lengths: Vec<_> = proxies.iter().map(|range| range.prefix_length).collect();
    assert_eq!(lengths, [8, 128]);
}

#[test]
fn what_is_printed_has_the_same_effect_when_read_again() {
    let file = r#"identity.trusted_issuers = [
        { issuer = "i", audience = "a", jwks_url = "j" },
        { issuer = "i", audience = "a", jwks_url = "j", tenant = "t", application_claim = "c", application_value = "v" },
    ]"#;
    for effective in [dev(&[], &[]), with_file(Profile::Dev, file)] {
        let effective = effective.unwrap();
        let again = with_file(Profile::Dev, &effective.to_string()).unwrap();
        assert_eq!(again.settings, effective.settings);
    }
}

#[test]
fn the_sample_file_holds_every_setting_ready_to_be_uncommented() {
    let without_comments: String = sample_file()
        .lines()
        .map(|line| {
            match line.strip_prefix("# ").filter(|line| line.contains(" = ") && !line.contains('`')) {
                Some(setting) => format!("{setting}\n"),
                None => format!("{line}\n"),
            }
        })
        .collect();
    let complete = without_comments
        .replace("external_url = \"\"", "external_url = \"https://a.example\"")
        .replace("certificate = \"\"", "certificate = \"c\"")
        .replace("\nkey = \"\"", "\nkey = \"k\"");
    let from_sample = with_file(Profile::Serve, &complete).unwrap();
    assert!(from_sample.entries.iter().all(|entry| entry.source != Source::Default));
}

#[test]
fn the_reference_and_the_variables_name_every_setting_once() {
    let page = reference();
    for key in keys() {
        assert!(page.contains(&format!("| `{}` `{}` |", key.name, key.variable())), "{}", key.name);
        assert!(!key.summary().is_empty());
    }
    let variables: BTreeSet<_> = keys().iter().map(|key| key.variable()).collect();
    assert_eq!(variables.len(), keys().len());
}
