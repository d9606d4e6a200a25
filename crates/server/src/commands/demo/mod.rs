//! `hookswitch demo`: the main job, end to end, in a server of its own.
#![expect(clippy::print_stdout, reason = "the demo shows people what happens")]

mod bot;
mod sound;
mod timeline;
mod webhook;

use std::path::{Path, PathBuf};
use std::time::Duration;

use ::settings::{Profile, Settings, Sources};
use anyhow::{Context as _, Result, bail};
use clap::ArgMatches;

use self::timeline::Timeline;
use crate::app::App;

/// How long the whole conversation may take. It takes six seconds; a machine that is busy compiling gets its time.
const LIMIT: Duration = Duration::from_secs(60);

/// Runs the demo; an error where anything of it did not happen.
pub(super) fn run(matches: &ArgMatches) -> Result<()> {
    let out = matches.get_one::<PathBuf>("out").context("--out")?;
    std::fs::create_dir_all(out).with_context(|| format!("failed to make {} (--out)", out.display()))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let timeline = Timeline::new(matches.get_flag("json"));
    let done = runtime.block_on(async {
        let conversation = tokio::time::timeout(LIMIT, converse(out, &timeline)).await;
        conversation.unwrap_or_else(|_elapsed| bail!("the demo did not end within {} s", LIMIT.as_secs()))
    });
    timeline.write(&out.join("timeline.json"))?;
    done?;
    if !matches.get_flag("json") {
        println!("\nAll of it happened. Listen to it:");
        println!(
            "  {}  what John heard: the bot's greeting and a beep",
            out.join("heard-by-user.wav").display()
        );
        println!("  {}  what the bot recorded: John", out.join("heard-by-bot.wav").display());
        println!("  {}  every step with its time", out.join("timeline.json").display());
        println!("\nNext: `cargo run -- dev` is the same server for your own bot.");
    }
    Ok(())
}

async fn converse(out: &Path, timeline: &Timeline) -> Result<()> {
    let mut webhook = webhook::Webhook::start().await?;
    let data = out.join("data");
    // The last demo's server has nothing to tell this one.
    let _ = std::fs::remove_dir_all(&data);
    let settings = settings(&data, webhook.address)?;
    let app = App::start(&settings, Profile::Dev).await?;
    let http = app.addresses().http.context("the demo's server listens on no HTTP address")?;
    timeline.note(&format!("a server is ready on {http}; the bot's webhook on {}", webhook.address));
    let heard = bot::talk(http, &mut webhook, timeline).await?;
    app.drain().await;
    sound::keep(out, &data, &heard, timeline)?;
    std::fs::remove_dir_all(&data).with_context(|| format!("failed to remove {}", data.display()))
}

/// The dev server's settings on free ports, with the bot behind its documented address.
fn settings(data: &Path, webhook: std::net::SocketAddr) -> Result<Settings> {
    let hosts = format!("https://bot.contoso.com=http://{webhook},https://cdn.contoso.com=bundled:sounds");
    let overrides = [
        ("server.data_dir", data.display().to_string()),
        ("http.listen", "127.0.0.1:0".to_owned()),
        ("https.listen", String::new()),
        ("sip.udp", "127.0.0.1:0".to_owned()),
        ("sip.tcp", "127.0.0.1:0".to_owned()),
        ("webrtc.udp", String::new()),
        ("outbound.hosts", hosts),
    ]
    .map(|(key, value)| (key.to_owned(), value));
    let sources = Sources {
        profile: Profile::Dev,
        file: None,
        environment: &[],
        other_variables: &[],
        overrides: &overrides,
    };
    Ok(::settings::load(sources)?.settings)
}
