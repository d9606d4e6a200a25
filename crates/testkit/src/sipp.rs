use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use crate::dev::User;
use crate::dir::TempDir;
use crate::log::Log;
use crate::process::{Process, require_program};
use crate::server::Server;
use crate::sip_socket::{Registration, SipSocket};
use crate::wait::eventually;

/// A `sipp` that takes calls for a user as a scenario says.
#[derive(Debug)]
pub struct Sipp {
    process: Process,
    address: SocketAddr,
    dir: TempDir,
}

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

        let dir = TempDir::new("sipp");
        let scenario = dir.write("scenario.xml", scenario);
        let mut process = Process::start("sipp", &mut command(&dir, &scenario, address, calls), Log::new());
        // Only a socket that is bound receives what the server sends at once.
        eventually("sipp listens", async || {
            assert!(process.is_running(), "sipp ended at once:\n{}", process.log.tail());
            (is_bound(address), ())
        })
        .await;
        Self { process, address, dir }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until every call went as the scenario says.
    ///
    /// # Panics
    ///
    /// Panics with what `sipp` complains of where one did not.
    pub async fn finish(&mut self) {
        let process = &mut self.process;
        let code = eventually("sipp ends", async || {
            let code = process.exit_code();
            (code.is_some(), code)
        });
        let code = code.await;
        assert_eq!(code, Some(0), "sipp saw something else than its scenario:\n{}", self.complaints());
    }

    fn complaints(&self) -> String {
        let files = std::fs::read_dir(self.dir.path()).into_iter().flatten().flatten();
        let errors = files.filter(|file| file.file_name().to_string_lossy().contains("error"));
        let text: String = errors.filter_map(|file| std::fs::read_to_string(file.path()).ok()).collect();
        format!("{text}\n{}", self.process.log.tail())
    }
}

fn command(dir: &TempDir, scenario: &Path, address: SocketAddr, calls: u32) -> Command {
    let mut command = Command::new("sipp");
    command.current_dir(dir.path());
    command.arg("-sf").arg(scenario).arg("-i").arg(address.ip().to_string());
    command.arg("-p").arg(address.port().to_string()).arg("-m").arg(calls.to_string());
    // A call that hangs fails its scenario rather than the whole test's deadline.
    command.args(["-nostdin", "-trace_err", "-recv_timeout", "30000"]);
    command
}

/// Whether something has bound the UDP port, as the kernel lists it.
fn is_bound(address: SocketAddr) -> bool {
    let table = std::fs::read_to_string("/proc/net/udp").unwrap_or_default();
    let port = format!(":{:04X}", address.port());
    table
        .lines()
        .skip(1)
        .any(|line| line.split_whitespace().nth(1).is_some_and(|local| local.ends_with(&port)))
}
