//! A real browser: Debian's Chromium with fake devices, driven by playwright through a small program of `web/e2e`.

mod driver;
mod page;

use std::path::PathBuf;
use std::sync::Arc;

use media_engine::analysis::sine;
use media_engine::wav_file;
use serde_json::json;

use self::driver::Driver;
pub use self::page::{Colour, Page, Silence};
use crate::dir::TempDir;
use crate::process::require_program;

/// One browser, which ends with its value. Each of its pages is somebody else, with cookies of its own.
///
/// Dropping it fails the test where a page has complained: of an exception, or of what its policy forbids.
#[derive(Debug)]
pub struct Browser {
    driver: Arc<Driver>,
    /// Its profile, which it would leave behind if it were killed.
    _dir: TempDir,
}

/// The rate of the fake microphone.
const MICROPHONE_RATE: u32 = 48_000;
/// How long its sound is, which is repeated without a break: whole periods of each whole number of hertz.
const MICROPHONE_SECONDS: u32 = 10;
/// Loudness of a tone: a third of full scale.
const TONE_AMPLITUDE: f64 = 12_000.0;

impl Browser {
    /// The folder with the pages' sources and what is installed for them.
    fn folder() -> PathBuf {
        PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../web"))
    }

    /// Starts Chromium, whose fake microphone hears a tone of that pitch, and whose fake camera sees [`Colour::ORANGE`].
    ///
    /// # Panics
    ///
    /// Panics with what is to be done where Chromium, node or playwright is not there.
    pub async fn start(microphone_hz: u32) -> Self {
        require_program("node");
        require_program("chromium");
        let playwright = Self::folder().join("node_modules/playwright-core");
        assert!(playwright.is_dir(), "what the pages are tried with is not installed; run `cargo xtask web`");
        let dir = TempDir::new("browser");
        let length = MICROPHONE_RATE * MICROPHONE_SECONDS;
        let tone = sine(f64::from(microphone_hz), MICROPHONE_RATE, TONE_AMPLITUDE, length as usize);
        let microphone = dir.write("microphone.wav", wav_file(MICROPHONE_RATE, &tone));
        let driver = Driver::start(&Self::folder().join("e2e/driver.mjs"), dir.path());
        let camera = dir.write("camera.y4m", camera_file());
        driver.ask("launch", json!({"microphone": microphone, "camera": camera})).await;
        Self { driver: Arc::new(driver), _dir: dir }
    }

    /// Opens a page of somebody who hears and says what the browser's devices do.
    pub async fn open(&self, name: &str, address: &str) -> Page {
        Page::open(&self.driver, name, address, None).await
    }

    /// Opens a page of somebody whose microphone hears another tone.
    pub async fn open_with_tone(&self, name: &str, address: &str, hz: u32) -> Page {
        Page::open(&self.driver, name, address, Some(hz)).await
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        self.driver.end();
    }
}

/// A video of one frame (YUV4MPEG2, 4:2:0), large enough for browsers to send it in three sizes: orange, in luma and chroma.
fn camera_file() -> Vec<u8> {
    let (width, height) = (1280, 720);
    let mut file = format!("YUV4MPEG2 W{width} H{height} F10:1 Ip A1:1 C420jpeg\nFRAME\n").into_bytes();
    for (size, level) in [(width * height, 150), (width * height / 4, 60), (width * height / 4, 200)] {
        file.resize(file.len() + size, level);
    }
    file
}
