//! Instructions that 20 ms of one application may take, without its socket: a frame is heard and written as a message, a
//! message comes and is said.

#![expect(missing_docs, reason = "the macros make items that are public and have none")]

use std::time::Duration;

use app_media::{Dialect, Engine, Format, Heard, Limits, Outgoing, Rate, Source};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gungraun::{
    Callgrind, EventKind, LibraryBenchmarkConfig, library_benchmark, library_benchmark_group, main,
};
use media_engine::analysis::speech_like;
use media_engine::{Frame, SampleRate};

/// Ticks that are measured together: buffers are given back now and then.
const TICKS: u64 = 50;
/// Ticks before: buffers have their size.
const WARM_UP: u64 = 50;

/// What was measured for one tick (Debian 12, rustc 1.95, AVX2), and a tenth on top: more than compilers and small fixes
/// move it by.
fn budget(measured: u64) -> LibraryBenchmarkConfig {
    let limit = TICKS * (measured + measured / 10);
    let mut config = LibraryBenchmarkConfig::default();
    config.tool(Callgrind::with_args(["--cache-sim=no"]).hard_limits([(EventKind::Ir, limit)]));
    config
}

/// An application that sends back what it hears, on a media thread at 16 kHz.
struct Echo {
    engine: Engine,
    speech: Vec<Frame>,
    answer: Answer,
    ticks: u64,
}

/// What the application sends in each tick; making it is not measured.
enum Answer {
    Binary(Vec<u8>),
    Text(String),
}

impl Echo {
    fn in_the_middle_of_a_call(dialect: Dialect, rate: Rate) -> Box<Self> {
        let format = Format { dialect, rate, ..Format::default() };
        let port = SampleRate::Hz16000;
        let samples = speech_like(port.hz(), port.frame_samples() * (WARM_UP + TICKS) as usize);
        let speech = samples.chunks(port.frame_samples()).map(|chunk| {
            let mut frame = Frame::silence(port);
            frame.samples_mut().copy_from_slice(chunk);
            frame
        });
        let answer = match dialect {
            Dialect::Acs => {
                let data = STANDARD.encode(vec![7; rate.frame_octets()]);
                Answer::Text(format!(r#"{{"kind":"AudioData","audioData":{{"data":"{data}"}}}}"#))
            }
            Dialect::Hookswitch => Answer::Binary(vec![7; rate.frame_octets()]),
        };
        let engine = Engine::new(format, Limits::default(), "the call");
        let mut echo = Box::new(Self { engine, speech: speech.collect(), answer, ticks: 0 });
        echo.engine.attach(None, Duration::ZERO);
        let octets: usize = (0..WARM_UP).map(|_| echo.tick()).sum();
        assert!(octets > WARM_UP as usize * rate.frame_octets(), "the application hears");
        assert!(echo.engine.counts().frames_said > WARM_UP - 5, "the application is heard");
        echo
    }

    fn run_a_second(&mut self) {
        for _ in 0..TICKS {
            self.tick();
        }
    }

    /// Gives back how many octets were written.
    fn tick(&mut self) -> usize {
        let now = Duration::from_millis(self.ticks * 20);
        if let Some(frame) = self.speech.get(self.ticks as usize) {
            let heard =
                Heard { source: Source::Mixed, timestamp_48k: self.ticks * 960, frame, is_silent: false };
            self.engine.handle_heard(&heard, now);
        }
        let mut octets = 0;
        while let Some(message) = self.engine.poll_transmit(now) {
            octets += match &message {
                Outgoing::Binary(bytes) | Outgoing::Text(bytes) => bytes.len(),
                Outgoing::Ping => 0,
            };
        }
        let reaction = match &self.answer {
            Answer::Binary(octets) => self.engine.handle_binary(octets, now),
            Answer::Text(text) => self.engine.handle_text(text, now),
        };
        assert!(reaction.is_ok(), "the answer is right");
        while self.engine.poll_frame(SampleRate::Hz16000, now).is_some() {}
        self.engine.handle_gone(self.engine.counts().frames_said, now);
        self.ticks += 1;
        octets
    }
}

#[library_benchmark(config = budget(8_774))]
#[bench::hz16000(Echo::in_the_middle_of_a_call(Dialect::Acs, Rate::Hz16000))]
fn second_of_acs(mut echo: Box<Echo>) -> Box<Echo> {
    echo.run_a_second();
    echo
}

#[library_benchmark(config = budget(64_319))]
#[bench::hz24000(Echo::in_the_middle_of_a_call(Dialect::Acs, Rate::Hz24000))]
fn second_of_acs_converted(mut echo: Box<Echo>) -> Box<Echo> {
    echo.run_a_second();
    echo
}

#[library_benchmark(config = budget(1_774))]
#[bench::hz16000(Echo::in_the_middle_of_a_call(Dialect::Hookswitch, Rate::Hz16000))]
fn second_of_hookswitch(mut echo: Box<Echo>) -> Box<Echo> {
    echo.run_a_second();
    echo
}

library_benchmark_group!(
    name = echoes,
    benchmarks = [second_of_acs, second_of_acs_converted, second_of_hookswitch]
);
main!(library_benchmark_groups = echoes);
