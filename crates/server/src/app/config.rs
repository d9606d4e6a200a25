//! Settings as each part of the server wants them.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use identity::{
    ApplicationMark, IssuerSettings, NotificationSignerSettings, OutsideIssuer, Rotation,
    TokenEndpointSettings, VerifierSettings,
};
use model::TenantId;
use outbound::Policy;
use settings::{Profile, Settings};

use crate::{dev_tenant, http, sounds};

pub(super) fn issuer(settings: &Settings, base_url: &str, addresses: &[SocketAddr]) -> IssuerSettings {
    // What a client assertion may name as its audience: every address that this server is reached at.
    let local = addresses.iter().flat_map(|address| {
        let hosts = [address.to_string(), format!("localhost:{}", address.port())];
        hosts.into_iter().flat_map(|host| [format!("http://{host}"), format!("https://{host}")])
    });
    let bases = local.chain([base_url.to_owned()]).collect();
    IssuerSettings { bases, lifetime: settings.identity.token_lifetime, ..IssuerSettings::default() }
}

pub(super) fn token_endpoint(settings: &Settings, profile: Profile) -> TokenEndpointSettings {
    let common_tenant = (profile == Profile::Dev).then(|| dev_tenant::CONTOSO.into());
    TokenEndpointSettings { common_tenant, clock_skew: settings.identity.clock_skew }
}

/// Keys sign for as long as the settings say, and stay published while anything that they signed lives.
pub(super) fn rotation(settings: &Settings) -> Rotation {
    let lifetimes = [
        settings.identity.token_lifetime,
        settings.notifications.token_lifetime,
        settings.meetings.token_lifetime,
    ];
    let longest = lifetimes.into_iter().max().unwrap_or_default();
    let usual = Rotation::default();
    let keep = usual.keep.max(longest + settings.identity.clock_skew);
    Rotation { every: settings.identity.key_lifetime, keep, ..usual }
}

pub(super) fn http(settings: &Settings) -> http::Limits {
    let limits = &settings.limits;
    http::Limits {
        connections: limits.connections as usize,
        header_bytes: usize::try_from(limits.header_size.0).unwrap_or(usize::MAX),
        request_timeout: limits.request_timeout,
    }
}

pub(super) fn verifier(settings: &Settings) -> VerifierSettings {
    VerifierSettings { clock_skew: settings.identity.clock_skew }
}

pub(super) fn outside_issuers(settings: &Settings) -> Vec<OutsideIssuer> {
    let issuers = settings.identity.trusted_issuers.iter();
    issuers
        .map(|issuer| OutsideIssuer {
            issuer: issuer.issuer.clone(),
            audiences: vec![issuer.audience.clone()],
            jwks_url: issuer.jwks_url.clone(),
            role_claim: issuer.role_claim.clone(),
            tenant: issuer.tenant.as_deref().map(TenantId::from),
            application_mark: issuer
                .application_mark
                .as_ref()
                .map(|(claim, value)| ApplicationMark { claim: claim.clone(), value: value.clone() }),
        })
        .collect()
}

pub(super) fn notification_signer(settings: &Settings) -> NotificationSignerSettings {
    NotificationSignerSettings {
        issuer: settings.notifications.issuer.clone(),
        lifetime: settings.notifications.token_lifetime,
        meeting_token_lifetime: settings.meetings.token_lifetime,
    }
}

pub(super) fn notifier(settings: &Settings) -> notifier::Config {
    let notifications = &settings.notifications;
    let mut config = notifier::Config::default();
    config.limits.max_in_flight = notifications.max_concurrent as usize;
    config.limits.max_in_flight_per_host = notifications.max_concurrent_per_host as usize;
    config.schedule.live.clone_from(&notifications.live_schedule);
    config.schedule.over.clone_from(&notifications.ended_schedule);
    config.schedule.live_timeout = notifications.live_timeout;
    config.schedule.over_timeout = notifications.ended_timeout;
    config
}

pub(super) fn outbound(settings: &Settings) -> Result<outbound::Config> {
    let mapped = settings.outbound.hosts.iter().map(|(from, to)| {
        let to = if to == "bundled:sounds" { "bundled" } else { to.as_str() };
        (from.as_str(), to)
    });
    let policy = Policy::new(settings.outbound.allowed_hosts.iter().map(String::as_str), mapped)
        .context("outbound.allowed_hosts or outbound.hosts")?;
    let extra_ca_pem = certificates(&settings.outbound.ca_files, "outbound.ca_files")?;
    Ok(outbound::Config {
        policy,
        extra_ca_pem,
        bundled: Arc::new(sounds::find),
        connect_timeout: settings.outbound.connect_timeout,
        ..outbound::Config::default()
    })
}

pub(super) fn node(settings: &Settings, base_url: &str) -> node::Config {
    let data = &settings.server.data_dir;
    let call = call_engine::Config {
        ringing_timeout: settings.calls.ringing_timeout,
        incoming_timeout: settings.calls.incoming_timeout,
        transfer_timeout: settings.calls.transfer_timeout,
        keep_alive_timeout: settings.calls.keep_alive_timeout,
        max_waiting_operations: settings.calls.max_queued_operations as usize,
        ..call_engine::Config::default()
    };
    let conference = call_engine::ConferenceConfig {
        ringing_timeout: settings.calls.ringing_timeout,
        lobby_timeout: settings.calls.lobby_timeout,
        alone_timeout: settings.calls.alone_timeout,
        max_participants: settings.limits.participants as usize,
        max_groups: settings.limits.routing_groups as usize,
        ..call_engine::ConferenceConfig::default()
    };
    node::Config {
        call,
        conference,
        max_calls: settings.limits.calls as usize,
        max_calls_per_app: settings.limits.calls_per_app as usize,
        max_calls_per_user: settings.limits.calls_per_user as usize,
        recordings_url: format!("{base_url}{}", api::RECORDINGS_PATH),
        recordings_dir: data.join("recordings"),
        recording_lifetime: settings.media.recording_lifetime,
        prompt_memory: node::PromptMemory {
            kept_bytes: usize::try_from(settings.media.prompt_cache_size.0).unwrap_or(usize::MAX),
            bytes: usize::try_from(settings.media.prompt_memory_size.0).unwrap_or(usize::MAX),
        },
        scripted_dir: settings.lab.enabled.then(|| data.join("heard")),
        is_lab_enabled: settings.lab.enabled,
        allows_foreign_media: settings.media.allow_foreign_address,
        refers_phones: settings.sip.refer,
        srtp: rtc_proto::sdp::SrtpPolicy::Optional,
        trunk_attempt_timeout: settings.trunks.attempt_timeout,
        pages: node::PageLimits {
            patience: settings.web.reconnect_timeout,
            per_user: settings.web.pages_per_user as usize,
            guests: settings.web.max_guests as usize,
            guests_per_network: settings.web.guests_per_network as usize,
        },
        app_media: app_media(settings, base_url),
    }
}

fn app_media(settings: &Settings, base_url: &str) -> node::ApplicationConfig {
    let app_media = &settings.app_media;
    node::ApplicationConfig {
        base_url: base_url.to_owned(),
        ticket_lifetime: app_media.ticket_lifetime,
        attach_within: app_media.attach_timeout,
        reattach_within: app_media.reattach_timeout,
        keeps_queue: app_media.keep_queue,
        max_queued: app_media.max_queued,
    }
}

pub(super) fn media(settings: &Settings) -> media_plane::Config {
    let media = &settings.media;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    media_plane::Config {
        threads: if media.threads == 0 { cores } else { media.threads as usize },
        bind_ip: media.bind,
        advertised_ip: media.external_address.unwrap_or(media.bind),
        first_port: media.ports.first,
        last_port: media.ports.last,
        lost_after: media.timeout,
        ..media_plane::Config::default()
    }
}

pub(super) fn sip(settings: &Settings) -> Result<node::SipConfig> {
    let sip = &settings.sip;
    let usual = sip_proto::Config::default();
    let endpoint = sip_proto::Config {
        timers: sip_proto::Timers { t1: sip.timer_t1, t2: sip.timer_t2, t4: sip.timer_t4 },
        limits: sip_proto::Limits {
            contacts: sip.max_contacts as usize,
            calls: settings.limits.calls as usize,
            ..usual.limits
        },
        registration: sip_proto::Registration {
            realm: realm(settings).to_owned(),
            min_expires: sip.min_registration,
            max_expires: sip.max_registration,
            ..usual.registration
        },
        session: sip_proto::SessionTimer { interval: sip.session_expires, min: sip.min_session_expires },
        domains: domains(settings),
        incoming: sip_proto::IncomingPolicy::Authenticate,
        ..usual
    };
    let transport = transport::Config {
        udp: sip.udp.into_iter().collect(),
        tcp: sip.tcp.into_iter().collect(),
        tls: sip.tls.into_iter().collect(),
        security: Some(sip_security(settings)?),
        max_connections: sip.max_connections as usize,
        ..transport::Config::default()
    };
    Ok(node::SipConfig { transport, endpoint, advertised: sip.external_address })
}

/// How SIP is secured. Without a certificate nobody can connect, but peers of trunks can be connected to.
fn sip_security(settings: &Settings) -> Result<transport::Tls> {
    let sip = &settings.sip;
    let read = |path: &Path, setting: &str| {
        std::fs::read(path).with_context(|| format!("failed to read {} ({setting})", path.display()))
    };
    let identity = match (&sip.certificate, &sip.key) {
        (Some(certificate), Some(key)) => Some(transport::Identity {
            certificate: read(certificate, "sip.certificate")?,
            key: read(key, "sip.key")?,
        }),
        (Some(_), None) | (None, _) => None,
    };
    let authorities = certificates(&sip.ca_files, "sip.ca_files")?;
    transport::Tls::new(identity.as_ref(), authorities.as_deref())
        .context("failed to set up TLS for SIP (sip.certificate, sip.key, sip.ca_files)")
}

/// The certificates of several files, one after another; `None` without a file.
fn certificates(files: &[String], setting: &str) -> Result<Option<Vec<u8>>> {
    let mut all = Vec::new();
    for file in files {
        let pem = std::fs::read(file).with_context(|| format!("failed to read {file} ({setting})"))?;
        all.extend(pem);
        // A file may end within a line.
        all.push(b'\n');
    }
    Ok((!files.is_empty()).then_some(all))
}

/// What phones may write after the `@`: the domain, or an address of this server.
fn domains(settings: &Settings) -> Vec<String> {
    let listened = [settings.sip.udp, settings.sip.tcp, settings.sip.tls].into_iter().flatten();
    let hosts = listened.map(|address: SocketAddr| address.ip().to_string());
    let external = settings.sip.external_address.map(|ip| ip.to_string());
    let named = [settings.sip.domain.clone(), external].into_iter().flatten();
    let all: BTreeSet<String> = named.chain(hosts).map(|host| host.to_lowercase()).collect();
    all.into_iter().collect()
}

pub(super) fn api(settings: &Settings, profile: Profile, base_url: String) -> api::Settings {
    let limits = &settings.limits;
    let join_url = settings.meetings.join_url.as_ref();
    api::Settings {
        // In `dev` each client sees the address that it used: plain HTTP and HTTPS are both open.
        public_base: (profile == Profile::Serve).then_some(base_url),
        join_base: join_url.map(|url| url.as_str().trim_end_matches('/').to_owned()),
        keep_ended_meetings: kept_meetings(settings),
        recordings_dir: settings.server.data_dir.join("recordings"),
        app_limits: api::AppLimits {
            requests_per_second: limits.requests_per_second,
            concurrent_calls: limits.calls_per_app as usize,
            meetings_per_user: limits.meetings_per_user,
        },
        wire_limits: graph_wire::Limits {
            plain_http_hosts: settings.outbound.allowed_hosts.iter().cloned().collect(),
            targets: limits.targets as usize,
            attendees: limits.attendees as usize,
            prompts: limits.prompts as usize,
            client_context_chars: limits.client_context_length as usize,
            ..graph_wire::Limits::default()
        },
        max_body_bytes: usize::try_from(limits.body_size.0).unwrap_or(usize::MAX),
        body_timeout: limits.request_timeout,
        proxies: proxies(settings),
    }
}

/// Who is signed in with a browser, where people can be.
pub(super) fn web_sessions(settings: &Settings) -> Option<Arc<api::WebSessions>> {
    let web = &settings.web;
    web.enabled.then(|| Arc::new(api::WebSessions::new(web.session_lifetime, web.sessions_per_user as usize)))
}

/// Entries and SIP messages of one call that are remembered: more than all but the busiest have.
const ENTRIES: usize = 1_000;
const MESSAGES: usize = 200;

/// Where it is kept what happens to calls: nowhere where nobody could look.
pub(super) fn recorder(settings: &Settings) -> trace::Recorder {
    let console = &settings.console;
    let octets = usize::try_from(console.memory.0).unwrap_or(usize::MAX);
    if !settings.web.enabled {
        return trace::Recorder::off();
    }
    let ended_calls = console.ended_calls as usize;
    trace::Recorder::new(trace::Limits { ended_calls, entries: ENTRIES, messages: MESSAGES, octets })
}

pub(super) fn proxies(settings: &Settings) -> api::Proxies {
    let range = |range: &settings::AddressRange| api::AddressRange {
        address: range.address,
        prefix_length: range.prefix_length,
    };
    api::Proxies {
        ranges: settings.server.trusted_proxies.iter().map(range).collect(),
        header: match settings.server.proxy_header {
            settings::ForwardedHeader::Standard => api::ForwardedHeader::Standard,
            settings::ForwardedHeader::XForwardedFor => api::ForwardedHeader::XForwardedFor,
        },
    }
}

/// How long meetings are kept after their end; `None` for ever.
pub(super) fn kept_meetings(settings: &Settings) -> Option<Duration> {
    Some(settings.store.keep_ended_meetings).filter(|keep| !keep.is_zero())
}

/// The address that clients are told, without a slash at its end. Where no setting says it, the one listened on.
pub(super) fn base_url(settings: &Settings, http: Option<SocketAddr>, https: Option<SocketAddr>) -> String {
    match (&settings.server.external_url, http, https) {
        (Some(url), ..) => url.as_str().trim_end_matches('/').to_owned(),
        (None, Some(address), _) => format!("http://{address}"),
        (None, None, Some(address)) => format!("https://localhost:{}", address.port()),
        (None, None, None) => "http://localhost".to_owned(),
    }
}

/// The realm of digest authentication: the domain of the users' addresses.
pub(crate) fn realm(settings: &Settings) -> &str {
    settings.sip.domain.as_deref().unwrap_or("hookswitch")
}
