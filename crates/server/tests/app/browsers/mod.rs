//! The pages in a real browser, against the real program: sound goes through fake devices, and is measured in the page.

mod phone;

/// What the browser's fake microphone hears.
const MICROPHONE_HZ: u32 = 730;
