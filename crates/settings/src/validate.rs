use std::time::Duration;

use crate::define::Profile;
use crate::error::Problem;
use crate::sections::Settings;

/// Finds values that are each right and do not fit together.
pub(crate) fn validate(settings: &Settings, profile: Profile) -> Vec<Problem> {
    let rules = listening(settings, profile).into_iter().chain(times(settings)).chain(counts(settings));
    rules
        .chain(app_media(settings))
        .filter(|(is_broken, ..)| *is_broken)
        .map(|(_, key, message)| Problem::Inconsistent { key, message: message.to_owned() })
        .collect()
}

/// Whether it is broken, the key to change, and what is wrong with the fix.
type Rule = (bool, &'static str, &'static str);

fn listening(settings: &Settings, profile: Profile) -> [Rule; 10] {
    let Settings { server, http, https, sip, media, .. } = settings;
    let is_serve = profile == Profile::Serve;
    let addresses = [sip.udp, sip.tcp, sip.tls];
    let has_sip = addresses.iter().any(Option::is_some);
    let on_all_addresses = addresses.iter().flatten().any(|address| address.ip().is_unspecified());
    [
        (
            is_serve && server.external_url.is_none(),
            "server.external_url",
            "not set: write the base URL under which others reach this server, such as \"https://calls.example.com\"",
        ),
        (
            http.listen.is_none() && https.listen.is_none(),
            "https.listen",
            "neither http.listen nor https.listen is set: set one of them",
        ),
        (
            is_serve && https.listen.is_some() && https.certificate.is_none(),
            "https.certificate",
            "not set: name the file with the certificate chain, or make https.listen empty behind a proxy",
        ),
        (
            is_serve && https.listen.is_some() && https.key.is_none(),
            "https.key",
            "not set: name the file with the certificate's private key, or make https.listen empty behind a proxy",
        ),
        (
            https.certificate.is_some() != https.key.is_some() && !is_serve,
            "https.certificate",
            "https.certificate and https.key belong together: set both or neither",
        ),
        (
            has_sip && sip.domain.is_none(),
            "sip.domain",
            "not set although SIP listens: write the domain of the users' addresses",
        ),
        (
            sip.tls.is_some() && sip.certificate.is_none(),
            "sip.certificate",
            "not set although sip.tls is: name the file with the certificate chain, or make sip.tls empty",
        ),
        (
            sip.certificate.is_some() != sip.key.is_some(),
            "sip.key",
            "sip.certificate and sip.key belong together: set both or neither",
        ),
        (
            on_all_addresses && sip.external_address.is_none(),
            "sip.external_address",
            "not set although SIP listens on all addresses: write the address that phones reach",
        ),
        (
            has_sip && media.bind.is_unspecified() && media.external_address.is_none(),
            "media.external_address",
            "not set although sound is bound to all addresses: write the address that phones reach, or set media.bind",
        ),
    ]
}

fn times(settings: &Settings) -> [Rule; 8] {
    let Settings { sip, notifications, identity, calls, web, .. } = settings;
    [
        (web.session_lifetime.is_zero(), "web.session_lifetime", "has to be above 0"),
        (
            sip.timer_t1.is_zero() || sip.timer_t1 > sip.timer_t2,
            "sip.timer_t1",
            "has to be above 0 and at most sip.timer_t2",
        ),
        (
            sip.min_registration.is_zero() || sip.min_registration > sip.max_registration,
            "sip.min_registration",
            "has to be above 0 and at most sip.max_registration",
        ),
        (
            sip.min_session_expires < Duration::from_secs(90)
                || sip.min_session_expires > sip.session_expires,
            "sip.min_session_expires",
            "has to be at least 90s (RFC 4028) and at most sip.session_expires",
        ),
        (
            notifications.live_schedule.is_empty(),
            "notifications.live_schedule",
            "is empty: list at least one pause, such as \"0s\"",
        ),
        (
            notifications.live_schedule.last().is_some_and(Duration::is_zero),
            "notifications.live_schedule",
            "ends with no pause, which would repeat without end: end it with a pause",
        ),
        (
            identity.token_lifetime > identity.key_lifetime,
            "identity.token_lifetime",
            "is longer than identity.key_lifetime: make it shorter",
        ),
        (
            [calls.ringing_timeout, calls.incoming_timeout, calls.transfer_timeout, calls.keep_alive_timeout]
                .contains(&Duration::ZERO),
            "calls.ringing_timeout",
            "calls.ringing_timeout, incoming_timeout, transfer_timeout and keep_alive_timeout have to be above 0",
        ),
    ]
}

fn counts(settings: &Settings) -> [Rule; 7] {
    let Settings { console, server, media, notifications, identity, store, limits, .. } = settings;
    // Arbitrary, far above the processors of any machine: threads that are asked for are started.
    let most_threads = 1_024;
    [
        (
            server.threads > most_threads || media.threads > most_threads || store.readers > most_threads,
            "server.threads",
            "server.threads, media.threads and store.readers can be at most 1024",
        ),
        (
            media.ports.first % 2 == 1,
            "media.ports",
            "has to begin with an even port, the RTP port of the first pair",
        ),
        (
            notifications.max_concurrent == 0 || notifications.max_concurrent_per_host == 0,
            "notifications.max_concurrent",
            "notifications.max_concurrent and notifications.max_concurrent_per_host have to be above 0",
        ),
        (
            !identity.token_endpoint && identity.trusted_issuers.is_empty(),
            "identity.trusted_issuers",
            "empty although identity.token_endpoint is false: name an issuer, or no application can sign in",
        ),
        (store.readers == 0, "store.readers", "has to be above 0"),
        (console.memory.0 < 1024 * 1024, "console.memory", "has to be 1MiB at least"),
        // A mixer numbers its members with 16 bits.
        (!(2..=65_535).contains(&limits.participants), "limits.participants", "has to be 2 to 65535"),
    ]
}

fn app_media(settings: &Settings) -> [Rule; 5] {
    let Settings { app_media, media, webrtc, .. } = settings;
    let on_all_addresses = webrtc.udp.is_some_and(|address| address.ip().is_unspecified());
    // Arbitrary: samples that wait are memory, here some 60 MB for each call.
    let most_queued = Duration::from_mins(10);
    [
        (
            app_media.attach_timeout.is_zero() || app_media.reattach_timeout.is_zero(),
            "app_media.attach_timeout",
            "app_media.attach_timeout and app_media.reattach_timeout have to be above 0",
        ),
        (
            app_media.ticket_lifetime < app_media.attach_timeout,
            "app_media.ticket_lifetime",
            "has to be at least app_media.attach_timeout, or addresses fail while their application may still come",
        ),
        (
            app_media.max_queued < Duration::from_secs(1) || app_media.max_queued > most_queued,
            "app_media.max_queued",
            "has to be 1s to 10min",
        ),
        (
            on_all_addresses && webrtc.external_address.is_none() && media.external_address.is_none(),
            "webrtc.external_address",
            "not set although WebRTC listens on all addresses: write the address that applications reach",
        ),
        (
            webrtc.udp.is_some() && webrtc.max_sessions == 0,
            "webrtc.max_sessions",
            "has to be above 0; make webrtc.udp empty to have no WebRTC",
        ),
    ]
}
