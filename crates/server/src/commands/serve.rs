//! `hookswitch dev` and `hookswitch serve`.
#![expect(clippy::print_stdout, reason = "people are told what to try")]

use std::io::{IsTerminal as _, stderr};

use ::settings::{LogFormat, Profile, Settings};
use anyhow::{Context as _, Result};
use clap::ArgMatches;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};

use crate::app::{Addresses, App};
use crate::cli;

/// Serves until told to stop.
pub(super) fn run(matches: &ArgMatches, profile: Profile) -> Result<()> {
    let settings = cli::settings(matches, profile)?.settings;
    log(&settings)?;
    runtime(&settings)?.block_on(async {
        let mut stops = [signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?];
        let app = App::start(&settings, profile).await?;
        say_ready(&settings, profile, app.addresses());
        let [interrupt, terminate] = &mut stops;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        println!("stopping: hanging up calls and delivering what is owed (again to stop at once)");
        tokio::select! {
            () = app.drain() => {}
            _ = interrupt.recv() => println!("stopped at once; what is owed is delivered after the next start"),
            _ = terminate.recv() => println!("stopped at once; what is owed is delivered after the next start"),
        }
        Ok(())
    })
}

/// Sets up the log as the settings say.
pub(crate) fn log(settings: &Settings) -> Result<()> {
    let format = match settings.log.format {
        LogFormat::Human => telemetry::LogFormat::Human { is_coloured: stderr().is_terminal() },
        LogFormat::Json => telemetry::LogFormat::Json,
    };
    telemetry::log_to_stderr(format, &settings.log.level).context("log.level")
}

/// The runtime that serves HTTP, SIP and calls.
pub(crate) fn runtime(settings: &Settings) -> Result<Runtime> {
    let mut builder = Builder::new_multi_thread();
    if settings.server.threads > 0 {
        builder.worker_threads(settings.server.threads as usize);
    }
    builder.enable_all().thread_name("hookswitch").build().context("failed to start the runtime")
}

fn say_ready(settings: &Settings, profile: Profile, addresses: Addresses) {
    let or_none =
        |address: Option<std::net::SocketAddr>| address.map_or("off".to_owned(), |at| at.to_string());
    println!(
        "ready: http {}, https {}, sip udp {} tcp {} tls {}, webrtc udp {}, data in {}",
        or_none(addresses.http),
        or_none(addresses.https),
        or_none(addresses.sip_udp),
        or_none(addresses.sip_tcp),
        or_none(addresses.sip_tls),
        or_none(addresses.webrtc),
        settings.server.data_dir.display(),
    );
    if profile == Profile::Dev
        && let Some(http) = addresses.http
    {
        println!("{}", try_next(http, addresses, settings));
    }
}

/// What to try next, ready to paste.
fn try_next(http: std::net::SocketAddr, addresses: Addresses, settings: &Settings) -> String {
    use crate::dev_tenant::{CALLING_BOT, CONTOSO, JOHN, SECRET};
    let https = addresses.https.map(|at| {
        let authority = settings.server.data_dir.join("ca.pem");
        format!(
            "\nClients that insist on HTTPS: https://localhost:{} with {} as authority.",
            at.port(),
            authority.display()
        )
    });
    let phone = addresses.sip_udp.map(|at| {
        format!(
            "\nA softphone: user john, password dev-password, domain {}, proxy {at}.",
            crate::realm(settings)
        )
    });
    let pages = if settings.web.enabled {
        format!(
            "\nIn a browser: http://{http}/phone is John's phone, http://{http}/console shows calls as they happen\n\
             (user john, password dev-password). A meeting's joinWebUrl is its page."
        )
    } else {
        String::new()
    };
    let usual = http.port() == 8080;
    let listen = if usual {
        "hookswitch listen".to_owned()
    } else {
        format!("hookswitch listen --openid-configuration http://{http}/v1/.well-known/OpenIdConfiguration")
    };
    format!(
        r##"
See notifications, in another terminal:
  {listen}

Get a token and let the bot call John, a scripted user who answers and presses 1 and #:
  TOKEN=$(curl -s http://{http}/{CONTOSO}/oauth2/v2.0/token -d grant_type=client_credentials \
    -d client_id={CALLING_BOT} -d client_secret={SECRET} \
    -d scope=https://graph.microsoft.com/.default | sed 's/.*"access_token":"\([^"]*\)".*/\1/')
  curl -s http://{http}/v1.0/communications/calls -H "Authorization: Bearer $TOKEN" \
    -H "Content-Type: application/json" -d '{{
      "callbackUri": "https://bot.contoso.com/callback",
      "targets": [{{"identity": {{"user": {{"id": "{JOHN}"}}}}}}],
      "requestedModalities": ["audio"],
      "mediaConfig": {{"@odata.type": "#microsoft.graph.serviceHostedMediaConfig"}}
    }}'
{}{pages}{}"##,
        phone.unwrap_or_default(),
        https.unwrap_or_default(),
    )
}
