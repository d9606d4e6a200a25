//! The pages in a real browser, against the real program: sound goes through fake devices, and is measured in the page.

mod console;
mod meeting;
mod phone;

use std::time::Duration;

/// What the browser's fake microphone hears.
const MICROPHONE_HZ: u32 = 730;
/// What the microphone of somebody else hears.
const OTHER_MICROPHONE_HZ: u32 = 1_130;

/// Within this time sound has to be back after a network was lost.
const MENDED: Duration = Duration::from_secs(3);
