mod script;

use std::net::SocketAddr;

use sip_message::{Message, Method, Request};

use crate::rtp_bot::RtpBot;
use crate::sipp::{Calls, Sipp};
use crate::wait::eventually;

pub use script::{Caller, Script, Way};

/// A carrier: its signalling is a `sipp` that follows a [`Script`], its sound is our own.
#[derive(Debug)]
pub struct Carrier {
    sipp: Sipp,
    voice: RtpBot,
}

impl Carrier {
    /// Waits at an address for one call.
    ///
    /// # Panics
    ///
    /// Panics where `sipp` is not installed.
    pub async fn take(address: SocketAddr, script: &Script) -> Self {
        Self::take_many(address, script, 1).await
    }

    /// Waits at an address for so many calls. They have their sound at one place, so no more than one has any.
    ///
    /// # Panics
    ///
    /// Panics where `sipp` is not installed.
    pub async fn take_many(address: SocketAddr, script: &Script, calls: u32) -> Self {
        let voice = voice(script).await;
        let sipp = Sipp::take(address, &script.scenario(voice.address()), calls).await;
        Self { sipp, voice }
    }

    /// Calls from one address to another.
    ///
    /// # Panics
    ///
    /// Panics where `sipp` is not installed.
    pub async fn call(from: SocketAddr, to: SocketAddr, script: &Script) -> Self {
        Self::call_many(from, to, script, Calls::ONE).await
    }

    /// Makes many calls. They have their sound at one place, so no more than one has any.
    ///
    /// # Panics
    ///
    /// Panics where `sipp` is not installed.
    pub async fn call_many(from: SocketAddr, to: SocketAddr, script: &Script, calls: Calls) -> Self {
        let voice = voice(script).await;
        let sipp = Sipp::call(from, to, &script.scenario(voice.address()), calls).await;
        Self { sipp, voice }
    }

    /// Waits for the first request of a kind, and returns it.
    ///
    /// # Panics
    ///
    /// Panics with all messages where none comes.
    pub async fn expect(&mut self, method: &Method) -> Request {
        self.sipp.expect(method, 1).await
    }

    /// What signals for it.
    pub fn sipp(&mut self) -> &mut Sipp {
        &mut self.sipp
    }

    /// Begins to say a tone, once the other side has said where its sound goes.
    ///
    /// # Panics
    ///
    /// Panics with all messages where the other side does not.
    pub async fn speak(&mut self, tone_hz: f32) {
        let described = eventually("the other side describes its sound", async || {
            let bodies = self.sipp.messages().into_iter().filter(|traced| traced.is_received);
            let described = bodies.filter_map(|traced| description(&traced.message)).next_back();
            (described.is_some(), (described, self.sipp.ladder()))
        });
        let described = described.await.0.expect("the description that was found");
        self.voice.answered(&described, tone_hz);
    }

    /// Presses keys one after the other, as its script says: as telephone events (RFC 4733), or as sound. It has to speak.
    ///
    /// # Panics
    ///
    /// Panics where one is no key.
    pub fn press(&self, keys: &str) {
        self.voice.press(keys);
    }

    /// Waits until it has heard so much more, and returns that, at 8 kHz. It has to speak.
    pub async fn hear(&self, millis: usize) -> Vec<i16> {
        self.voice.hear(millis).await
    }

    /// Waits until it hears a tone of this pitch. It has to speak.
    ///
    /// # Panics
    ///
    /// Panics where it does not.
    pub async fn hears(&self, hz: u32) {
        self.voice.hears(hz).await;
    }

    /// Waits until every call went as the script says.
    ///
    /// # Panics
    ///
    /// Panics with what came otherwise, and with all messages, where one did not.
    pub async fn finish(&mut self) {
        self.sipp.finish().await;
    }
}

async fn voice(script: &Script) -> RtpBot {
    let voice = RtpBot::open().await;
    if script.has_events { voice } else { voice.with_keys_as_sound() }
}

fn description(message: &Message) -> Option<String> {
    let text = String::from_utf8_lossy(message.body()).into_owned();
    text.contains("m=audio ").then_some(text)
}
