use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use media_engine::analysis::share_heard;
use media_engine::{WavAudio, WavLimits, read_wav, resample};

use super::bot::Heard;
use super::timeline::Timeline;
use crate::sounds;

/// The rate at which sounds are compared: that of prompts and recordings.
const RATE_HZ: u32 = 16_000;

/// How much of a sound must be found again. A codec and a jitter buffer leave more than nine tenths; another sound
/// leaves less than a third.
const ENOUGH: f64 = 0.7;

/// Puts both sounds where they can be listened to, and makes sure that they hold what was said.
pub(super) fn keep(out: &Path, data: &Path, heard: &Heard, timeline: &Timeline) -> Result<()> {
    let (by_user, by_bot) = (out.join("heard-by-user.wav"), out.join("heard-by-bot.wav"));
    std::fs::write(&by_bot, &heard.recording)
        .with_context(|| format!("failed to write {}", by_bot.display()))?;
    let kept = kept_by_user(data, &heard.call)?;
    std::fs::copy(&kept, &by_user).with_context(|| format!("failed to copy {}", kept.display()))?;

    let greeting = bundled("greeting.wav")?;
    let user_heard = share_heard(&greeting, &read(&by_user)?, RATE_HZ);
    // The recording is a part of what John said.
    let bot_heard = share_heard(&read(&by_bot)?, &bundled("hello.wav")?, RATE_HZ);
    timeline.note(&format!(
        "John heard {:.0} % of the greeting; the recording is John to {:.0} %",
        user_heard * 100.0,
        bot_heard * 100.0
    ));
    if user_heard < ENOUGH {
        bail!("{} does not hold the greeting ({:.2} of it)", by_user.display(), user_heard);
    }
    if bot_heard < ENOUGH {
        bail!("{} does not hold John's words ({:.2} of it)", by_bot.display(), bot_heard);
    }
    Ok(())
}

/// The file of what the scripted user heard in this call.
fn kept_by_user(data: &Path, call: &str) -> Result<PathBuf> {
    let entries = std::fs::read_dir(data.join("heard")).context("nothing was kept of what John heard")?;
    let mut files = entries.filter_map(|entry| Some(entry.ok()?.path()));
    files
        .find(|path| path.to_string_lossy().ends_with(&format!("{call}.wav")))
        .context("nothing was kept of what John heard in this call")
}

fn bundled(name: &str) -> Result<Vec<i16>> {
    samples(&sounds::find(name).with_context(|| format!("there is no sound {name}"))?)
}

fn read(path: &Path) -> Result<Vec<i16>> {
    samples(&std::fs::read(path).with_context(|| format!("failed to read {}", path.display()))?)
}

fn samples(file: &[u8]) -> Result<Vec<i16>> {
    let WavAudio { rate_hz, samples } = read_wav(file, &WavLimits::PROMPT)?;
    Ok(if rate_hz == RATE_HZ { samples } else { resample(&samples, rate_hz, RATE_HZ) })
}
