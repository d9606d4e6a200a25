use std::net::SocketAddr;
use std::process::Command;

use bytes::Bytes;
use sip_message::{Limits, Message, Method, Request, Response, parse_datagram};

use crate::dev::User;
use crate::dir::TempDir;
use crate::log::Log;
use crate::process::{Process, require_program};
use crate::server::Server;
use crate::sip_socket::{Registration, SipSocket};
use crate::wait::eventually;

/// A `sipp` that takes or makes calls as a scenario says.
#[derive(Debug)]
pub struct Sipp {
    process: Process,
    address: SocketAddr,
    dir: TempDir,
}

/// How often a scenario is gone through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Calls {
    /// How many calls there are.
    pub count: u32,
    /// How many begin in a second, where `sipp` makes them.
    pub per_second: u32,
}

impl Calls {
    /// A single call.
    pub const ONE: Self = Self::many(1);

    /// So many, taken as they come or made ten a second.
    pub const fn many(count: u32) -> Self {
        Self { count, per_second: 10 }
    }
}

/// A message that a `sipp` has sent or received.
#[derive(Clone, Debug)]
pub struct Traced {
    /// Whether it came from the other side.
    pub is_received: bool,
    /// What it said.
    pub message: Message,
}

/// What the file begins a message with.
const SENT: &str = " message sent ";
const RECEIVED: &str = " message received ";

impl Sipp {
    /// Registers `user` at the server from `address`, and runs a scenario there for so many calls.
    ///
    /// # Panics
    ///
    /// Panics where `sipp` is not installed, or the server does not let the user register.
    pub async fn answer(
        server: &Server,
        user: User,
        address: SocketAddr,
        scenario: &str,
        calls: u32,
    ) -> Self {
        require_program("sipp");
        let mut socket = SipSocket::bind(address, server.sip()).await;
        assert_eq!(socket.register(Registration::of(user)).await, 200, "registering {}", user.name);
        drop(socket);
        Self::take(address, scenario, calls).await
    }

    /// Waits at an address for so many calls, which go as the scenario says.
    ///
    /// # Panics
    ///
    /// Panics where `sipp` is not installed, or does not take the scenario.
    pub async fn take(address: SocketAddr, scenario: &str, calls: u32) -> Self {
        Self::run(address, None, scenario, Calls::many(calls)).await
    }

    /// Calls somebody from an address.
    ///
    /// # Panics
    ///
    /// As [`Self::take`].
    pub async fn call(from: SocketAddr, to: SocketAddr, scenario: &str, calls: Calls) -> Self {
        Self::run(from, Some(to), scenario, calls).await
    }

    async fn run(address: SocketAddr, to: Option<SocketAddr>, scenario: &str, calls: Calls) -> Self {
        require_program("sipp");
        let dir = TempDir::new("sipp");
        let scenario = dir.write("scenario.xml", scenario);
        let mut command = Command::new("sipp");
        command.current_dir(dir.path());
        command.args(to.map(|to| to.to_string()));
        command.arg("-sf").arg(scenario).arg("-i").arg(address.ip().to_string());
        command.arg("-p").arg(address.port().to_string()).arg("-m").arg(calls.count.to_string());
        command.arg("-r").arg(calls.per_second.to_string());
        // A call that hangs fails its scenario rather than the whole test's deadline.
        command.args(["-nostdin", "-trace_err", "-trace_msg", "-recv_timeout", "30000"]);
        let process = Process::start("sipp", &mut command, Log::new());
        let mut sipp = Self { process, address, dir };
        sipp.wait_until_bound().await;
        sipp
    }

    /// Only a socket that is bound receives what is sent at once. One who calls may be through before anybody looks.
    async fn wait_until_bound(&mut self) {
        eventually("sipp listens", async || {
            let has_ended = !self.process.is_running();
            let is_well = !has_ended || self.process.exit_code() == Some(0);
            assert!(is_well, "sipp ended at once:\n{}", self.complaints());
            (has_ended || is_bound(self.address), ())
        })
        .await;
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until every call went as the scenario says.
    ///
    /// # Panics
    ///
    /// Panics with what `sipp` complains of where one did not, and with the messages of the last calls.
    pub async fn finish(&mut self) {
        let process = &mut self.process;
        let code = eventually("sipp ends", async || {
            let code = process.exit_code();
            (code.is_some(), code)
        });
        let code = code.await;
        let told = || format!("{}\nits messages:\n{}", self.complaints(), self.ladder());
        assert_eq!(code, Some(0), "sipp saw something else than its scenario:\n{}", told());
    }

    /// Ends it as if its plug were pulled.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// The messages so far, in their order.
    ///
    /// # Panics
    ///
    /// Panics where one is none that may be sent.
    pub fn messages(&self) -> Vec<Traced> {
        traced(&self.read("_messages.log"))
    }

    /// The requests of one kind that it has received so far; those that were sent again are there again.
    pub fn requests(&self, method: &Method) -> Vec<Request> {
        let received = self.messages().into_iter().filter(|traced| traced.is_received);
        let requests = received.filter_map(|traced| match traced.message {
            Message::Request(request) => Some(request),
            Message::Response(_) => None,
        });
        requests.filter(|request| request.method == *method).collect()
    }

    /// Waits until it has received so many requests of one kind, and returns the last of these.
    ///
    /// # Panics
    ///
    /// Panics with all messages where they do not come.
    pub async fn expect(&mut self, method: &Method, count: usize) -> Request {
        let what = format!("sipp receives {method} {count} times");
        let found = eventually(&what, async || {
            let found = self.requests(method).into_iter().nth(count.saturating_sub(1));
            let has_failed = self.process.exit_code().is_some_and(|code| code != 0);
            assert!(!has_failed, "sipp has ended without {method}:\n{}", self.complaints());
            (found.is_some(), (found, self.ladder()))
        });
        found.await.0.expect("the request that was found")
    }

    /// Waits until the other side has given its final answer to a request of one kind.
    ///
    /// # Panics
    ///
    /// Panics with all messages where it does not come.
    pub async fn expect_answer(&mut self, method: &Method) -> Response {
        let is_answer = |response: &Response| {
            let is_of = response.headers.cseq().is_ok_and(|cseq| cseq.method == *method);
            response.status.is_final() && is_of
        };
        let what = format!("sipp receives an answer to {method}");
        let found = eventually(&what, async || {
            let received = self.messages().into_iter().filter(|traced| traced.is_received);
            let mut responses = received.filter_map(|traced| match traced.message {
                Message::Request(_) => None,
                Message::Response(response) => Some(response),
            });
            let found = responses.find(is_answer);
            (found.is_some(), (found, self.ladder()))
        });
        found.await.0.expect("the response that was found")
    }

    /// The messages so far, a line each, for people.
    pub fn ladder(&self) -> String {
        let line = |traced: Traced| {
            let arrow = if traced.is_received { "<-" } else { "->" };
            let what = match &traced.message {
                Message::Request(request) => format!("{} {}", request.method, request.uri),
                Message::Response(response) => format!("{} {}", response.status, response.status.reason()),
            };
            let headers = traced.message.headers();
            let of = |name| headers.get(name).unwrap_or_default().to_owned();
            format!("{arrow} {what} ({}, {})", of("CSeq"), of("Call-ID"))
        };
        self.messages().into_iter().map(line).collect::<Vec<_>>().join("\n")
    }

    fn complaints(&self) -> String {
        let errors = self.read("_errors.log");
        if errors.is_empty() { self.process.log.tail() } else { errors }
    }

    /// What it has written to its files whose names end so.
    fn read(&self, ending: &str) -> String {
        let files = std::fs::read_dir(self.dir.path()).into_iter().flatten().flatten();
        let found = files.filter(|file| file.file_name().to_string_lossy().ends_with(ending));
        let text = found.filter_map(|file| std::fs::read(file.path()).ok());
        text.map(|text| String::from_utf8_lossy(&text).into_owned()).collect()
    }
}

/// The messages in a file of `sipp`: a line that says how many octets there are, a blank one, and these octets.
fn traced(file: &str) -> Vec<Traced> {
    let (mut found, mut rest) = (Vec::new(), file);
    while let Some((line, after)) = rest.split_once('\n') {
        rest = after;
        let is_received = line.contains(RECEIVED);
        if !is_received && !line.contains(SENT) {
            continue;
        }
        let length = line.split(['[', '(', ']', ' ']).find_map(|word| word.parse::<usize>().ok());
        let after = after.trim_start_matches(['\r', '\n']);
        // What is being written is read the next time.
        let Some(text) = length.and_then(|length| after.get(..length)) else { break };
        rest = after.get(text.len()..).unwrap_or_default();
        let message = parse_datagram(&Bytes::copy_from_slice(text.as_bytes()), &Limits::default());
        let message = message.unwrap_or_else(|why| panic!("sipp has seen no SIP message ({why:?}):\n{text}"));
        found.push(Traced { is_received, message });
    }
    found
}

/// Whether something has bound the UDP port, as the kernel lists it.
pub(crate) fn is_bound(address: SocketAddr) -> bool {
    let table = std::fs::read_to_string("/proc/net/udp").unwrap_or_default();
    let port = format!(":{:04X}", address.port());
    table
        .lines()
        .skip(1)
        .any(|line| line.split_whitespace().nth(1).is_some_and(|local| local.ends_with(&port)))
}
