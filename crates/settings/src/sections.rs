use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use crate::define::{Key, sections};
use crate::load::Reader;
use crate::value::{AddressRange, BaseUrl, Bytes, ForwardedHeader, LogFormat, PortRange, TrustedIssuer};

/// The table of all settings, in the order of the documentation.
pub fn keys() -> &'static [Key] {
    KEYS
}

sections! {
    /// The server as a whole.
    server: Server {
        /// The folder that holds the database, recordings and keys.
        data_dir: PathBuf = "hookswitch-data", serve "/var/lib/hookswitch";
        /// The base URL under which others reach this server; tokens and recordings name it. `dev` takes the address that it
        /// listens on where this is empty.
        external_url: Option<BaseUrl> = "";
        /// Proxies in front of this server, as addresses or ranges such as `10.0.0.0/8`. What they say of a request's client
        /// is believed, and they share no limit of connections; limits of one address are the client's.
        trusted_proxies: Vec<AddressRange> = "";
        /// The header that these proxies add the client's address to: `x-forwarded-for` or `forwarded`. Only this one is
        /// read: another one that they pass on is for the client to choose.
        proxy_header: ForwardedHeader = "x-forwarded-for";
        /// Threads that serve HTTP, SIP and calls; 0 for one a processor.
        threads: u32 = "0";
        /// How long calls and deliveries may go on after the server was told to stop.
        drain_timeout: Duration = "2s", serve "30s";
    }

    /// Plain HTTP.
    http: Http {
        /// The address to listen on; empty for none.
        listen: Option<SocketAddr> = "127.0.0.1:8080", serve "";
    }

    /// HTTPS.
    https: Https {
        /// The address to listen on; empty for none.
        listen: Option<SocketAddr> = "127.0.0.1:8443", serve "0.0.0.0:443";
        /// The file with the certificate chain, PEM. `dev` makes one from its own authority where this is empty.
        certificate: Option<PathBuf> = "";
        /// The file with the certificate's private key, PEM.
        key: Option<PathBuf> = "";
    }

    /// SIP: the registrar and the user agent.
    sip: Sip {
        /// The UDP address to listen on; empty for none.
        udp: Option<SocketAddr> = "127.0.0.1:5060", serve "";
        /// The TCP address to listen on; empty for none.
        tcp: Option<SocketAddr> = "127.0.0.1:5060", serve "";
        /// The TLS address to listen on; empty for none. It needs a certificate.
        tls: Option<SocketAddr> = "";
        /// The file with the certificate chain, PEM, that is shown over TLS: to whoever connects, and to peers of trunks that
        /// ask for one.
        certificate: Option<PathBuf> = "";
        /// The file with the certificate's private key, PEM.
        key: Option<PathBuf> = "";
        /// Files of certificate authorities (PEM) that peers of trunks have their certificates from. Where there are any, those
        /// of the system are not trusted.
        ca_files: Vec<String> = "";
        /// The address that phones on other machines reach this server by, where it is not the one listened on.
        external_address: Option<IpAddr> = "";
        /// The domain of the users' addresses, which is also the realm of digest authentication.
        domain: Option<String> = "contoso.example", serve "";
        /// The round-trip estimate, T1 of RFC 3261.
        timer_t1: Duration = "500ms";
        /// The longest pause between retransmissions, T2 of RFC 3261.
        timer_t2: Duration = "4s";
        /// How long a message stays in the network, T4 of RFC 3261.
        timer_t4: Duration = "5s";
        /// The longest registration that is granted, and how long a phone may be out of reach after a restart.
        max_registration: Duration = "5min";
        /// The shortest registration that is accepted.
        min_registration: Duration = "30s";
        /// Contacts that one user may register.
        max_contacts: u32 = "10";
        /// How often a session is refreshed (RFC 4028).
        session_expires: Duration = "30min";
        /// The shortest session that is agreed to (RFC 4028).
        min_session_expires: Duration = "90s";
        /// Connections that may be open at once.
        max_connections: u32 = "10000";
        /// Whether the phone of whoever is transferred is asked to call the target by itself (REFER, RFC 3515). Where it is not,
        /// or refuses, the target is called from here and the two are connected, which works with every phone.
        refer: bool = "false";
    }

    /// Trunks to the phone network.
    trunks: Trunks {
        /// How long the peer of a trunk may take to answer anything at all before a call is made over the next one.
        attempt_timeout: Duration = "4s";
    }

    /// Sound.
    media: Media {
        /// The address that RTP is sent from and received on.
        bind: IpAddr = "127.0.0.1", serve "0.0.0.0";
        /// The address that the far end is told, where it is not the one bound.
        external_address: Option<IpAddr> = "";
        /// Whether a phone may have its media sent to another address than the one that its signalling comes from. A phone
        /// behind a SIP proxy needs that; it also lets whoever can register aim media at a third party.
        allow_foreign_address: bool = "false";
        /// The UDP ports of RTP and RTCP, a pair for each leg.
        ports: PortRange = "16384-32767";
        /// Threads that carry sound; 0 for one a processor.
        threads: u32 = "0";
        /// How long nothing may come from a phone that does not hold before its call is ended; three times as long where
        /// RTCP reports came last.
        timeout: Duration = "30s";
        /// The longest prompt that is fetched.
        max_prompt_size: Bytes = "10MiB";
        /// What fetched prompts may take in memory while nobody plays them.
        prompt_cache_size: Bytes = "128MiB";
        /// What all prompts may take in memory, played and kept. An application may have as much as that leaves free, so
        /// half of it while it is the only one; a prompt of ten minutes takes 58 MB.
        prompt_memory_size: Bytes = "512MiB";
        /// How long a recording can be fetched before it is deleted.
        recording_lifetime: Duration = "24h";
    }

    /// Sound of calls whose application hosts its own media.
    app_media: AppMedia {
        /// How long an application may take to bring its media after its call was created; then the call is ended.
        attach_timeout: Duration = "1min";
        /// How long it may take to come back after its socket, or its media stack, was lost.
        reattach_timeout: Duration = "10s";
        /// How long the one-time addresses that it is given are good.
        ticket_lifetime: Duration = "2min";
        /// The longest sound that may wait to be heard; an application that sends more loses its socket. Each call may take
        /// as much memory: two minutes at 16 kHz are 4 MB, at 48 kHz 12 MB.
        max_queued: Duration = "2min";
        /// Whether what waits to be heard is kept while an application has lost its socket, and goes on with the next one.
        keep_queue: bool = "true";
    }

    /// WebRTC, by which applications can host their media, too.
    webrtc: Webrtc {
        /// The UDP address that all of it is sent from and received on; empty for none.
        udp: Option<SocketAddr> = "127.0.0.1:7882", serve "";
        /// The address that applications on other machines reach it by, where it is not the one listened on;
        /// `media.external_address` where this is empty.
        external_address: Option<IpAddr> = "";
        /// Sessions that may be open at once.
        max_sessions: u32 = "2000";
        /// TCP connections that may be open at once, to the port of the same number as that of UDP: for far ends in networks
        /// that let no UDP through. 0 for none.
        max_tcp_connections: u32 = "1000";
    }

    /// Requests that this server makes: notifications, prompts, keys of issuers, WebSockets of applications.
    outbound: Outbound {
        /// Hosts that may be plain HTTP or have a private address, as `host` or `host:port`. An address here without a port,
        /// or `localhost`, is also where an application that hosts its media may have RTP sent to.
        allowed_hosts: Vec<String> = "127.0.0.1,localhost", serve "";
        /// Where requests to a base URL really go: another base URL, or `bundled:sounds`.
        hosts: BTreeMap<String, String> =
            "https://bot.contoso.com=http://127.0.0.1:9000,https://cdn.contoso.com=bundled:sounds", serve "";
        /// Files of certificate authorities (PEM) that are trusted beside the usual ones.
        ca_files: Vec<String> = "";
        /// How long a connection may take.
        connect_timeout: Duration = "5s";
        /// How long fetching a prompt may take.
        fetch_timeout: Duration = "15s";
        /// Redirects that one fetch follows.
        max_redirects: u32 = "3";
    }

    /// Notifications.
    notifications: Notifications {
        /// The issuer in the tokens that notifications carry.
        issuer: String = "https://api.botframework.com";
        /// How long such a token is valid.
        token_lifetime: Duration = "60min";
        /// The pauses before each further try while the call lives; the last one repeats. The first try is at once.
        live_schedule: Vec<Duration> = "250ms,500ms,1s,2s,4s,8s";
        /// The pauses before each further try after the call has ended; then it is given up.
        ended_schedule: Vec<Duration> = "5s,1min,5min,30min,2h";
        /// How long a receiver may take while the call lives.
        live_timeout: Duration = "5s";
        /// How long a receiver may take after the call has ended.
        ended_timeout: Duration = "15s";
        /// Deliveries under way at once.
        max_concurrent: u32 = "1024";
        /// Deliveries under way at once to one host.
        max_concurrent_per_host: u32 = "256";
    }

    /// Tokens.
    identity: Identity {
        /// How long an access token is valid.
        token_lifetime: Duration = "1h";
        /// How long a key signs before the next one takes over.
        key_lifetime: Duration = "30d";
        /// How far the clocks of others may be off.
        clock_skew: Duration = "5min";
        /// Whether applications get tokens here. Without it they need one of an outside issuer.
        token_endpoint: bool = "true";
        /// Outside issuers whose tokens are accepted: tables of `issuer`, `audience`, `jwks_url`, and where they differ from
        /// Entra ID's `role_claim`, `tenant` (Keycloak's tokens carry none), and `application_claim` with
        /// `application_value`, by which tokens of applications are told from those of people. Without these two a token
        /// is an application's if it has `idtyp` = `app`, `sub` the same as `oid` or as the client's id, or Keycloak's
        /// `preferred_username` = `service-account-…`, and neither `scp` nor a session.
        trusted_issuers: Vec<TrustedIssuer> = "";
    }

    /// Calls.
    calls: Calls {
        /// How long a callee may ring.
        ringing_timeout: Duration = "60s";
        /// How long an application has to answer, reject or redirect a call that comes in.
        incoming_timeout: Duration = "15s";
        /// How long a transfer may take, which is mostly how long its target may ring.
        transfer_timeout: Duration = "60s";
        /// How long a call lives without keepAlive.
        keep_alive_timeout: Duration = "45min";
        /// Media operations that may wait in one call.
        max_queued_operations: u32 = "50";
        /// How long someone may wait in a meeting's lobby.
        lobby_timeout: Duration = "30min";
        /// How long the last one may stay in a meeting that all others have left.
        alone_timeout: Duration = "10min";
    }

    /// Meetings.
    meetings: Meetings {
        /// The base URL of meetings' join links, such as `https://teams.microsoft.com`, which some bots insist on. Empty for
        /// this server's own.
        join_url: Option<BaseUrl> = "";
        /// How long a meeting can be joined by the token of a notification.
        token_lifetime: Duration = "24h";
    }

    /// What one client may ask for. Past it the answer is the documented error.
    limits: Limits {
        /// The largest request body.
        body_size: Bytes = "1MiB";
        /// The largest request head.
        header_size: Bytes = "32KiB";
        /// How long a client may take to send a request.
        request_timeout: Duration = "30s";
        /// HTTP connections that may be open at once.
        connections: u32 = "20000";
        /// Requests a second of one application.
        requests_per_second: u32 = "2000";
        /// Calls that one application may have at once, those included that phones make to it.
        calls_per_app: u32 = "100";
        /// Calls that the phones of one user may have made at once: to applications and to people.
        calls_per_user: u32 = "10";
        /// Calls that this server carries at once.
        calls: u32 = "20000";
        /// Targets of one call, and participants of one invitation.
        targets: u32 = "5";
        /// Participants of one group call or meeting, those who are being called included.
        participants: u32 = "1000";
        /// Audio routing groups of one group call or meeting.
        routing_groups: u32 = "256";
        /// Meetings that may be made for one person in a calendar month.
        meetings_per_user: u32 = "2000";
        /// Attendees of one meeting.
        attendees: u32 = "1000";
        /// Prompts of one `playPrompt`.
        prompts: u32 = "20";
        /// Characters of a `clientContext`.
        client_context_length: u32 = "256";
    }

    /// What is kept of calls and meetings that are over.
    store: Store {
        /// How long ended calls and their notifications can be read.
        keep_ended_calls: Duration = "7d";
        /// How long meetings are kept after their end; 0 for ever. Those of a directory file stay as long as the file has
        /// them.
        keep_ended_meetings: Duration = "60d";
        /// Threads that read the database.
        readers: u32 = "2";
    }

    /// Scripted users and test numbers.
    lab: Lab {
        /// Whether users without a phone are stood in for by their scripts, and applications may let users call
        /// (`POST /lab/v1/calls`).
        enabled: bool = "true", serve "false";
    }

    /// People with browsers.
    web: Web {
        /// Whether users can sign in with a browser, have a page as a telephone, and take part in meetings by their page. It needs `webrtc.udp`, and HTTPS for
        /// browsers on other machines.
        enabled: bool = "true", serve "false";
        /// Whether people who are not signed in may ask to come in to a meeting by its page, each with a name of its own choice. They
        /// wait in the lobby as the meeting says.
        guests: bool = "true", serve "false";
        /// How long one stays signed in.
        session_lifetime: Duration = "12h";
        /// How long the calls of a page go on that has lost its connection, and its place in a meeting is kept.
        reconnect_timeout: Duration = "30s";
        /// Browsers in which one user is signed in at once; the oldest makes room for a new one.
        sessions_per_user: u32 = "16";
        /// Pages of one user at once that are telephones, and as many that are in meetings.
        pages_per_user: u32 = "8";
        /// Pages of guests at once, in all meetings. Each needs one of `webrtc.max_sessions`: with a number below that users have
        /// the rest.
        max_guests: u32 = "1000";
        /// The same from one network: an IPv4 address, or 64 bits of an IPv6 address. A company's people may all come from one.
        guests_per_network: u32 = "100";
    }

    /// The console of administrators, which is there where people can sign in with a browser (`web.enabled`).
    console: Console {
        /// Calls that are over whose timeline and SIP messages are remembered, until the next start.
        ended_calls: u32 = "1000";
        /// Memory for timelines and SIP messages of all calls, 1 MiB at least. Where it is used up, the oldest calls that are
        /// over are forgotten.
        memory: Bytes = "64MiB";
    }

    /// Logs.
    log: Log {
        /// `human` or `json`.
        format: LogFormat = "human", serve "json";
        /// What is logged: a level, or levels by part such as `info,sip_proto=debug`.
        level: String = "info";
    }
}
