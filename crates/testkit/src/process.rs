use std::io::{self, BufRead, BufReader, Read, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;

use crate::log::Log;

/// A program that ends with its value, and what it writes.
#[derive(Debug)]
pub(crate) struct Process {
    name: String,
    child: Child,
    pub(crate) log: Log,
}

/// Fails the test unless a program is installed.
///
/// # Panics
///
/// Panics with the command that installs it.
pub fn require_program(program: &str) {
    find_program(program);
}

/// Where a program is: in `PATH`, or where Debian has servers, which is not in everybody's.
///
/// # Panics
///
/// As [`require_program`].
pub(crate) fn find_program(program: &str) -> PathBuf {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let mut folders = std::env::split_paths(&folders).chain([PathBuf::from("/usr/sbin")]);
    let found = folders.find(|folder| folder.join(program).is_file());
    let Some(folder) = found else {
        panic!("{program} is not installed; `cargo xtask test app` installs it and runs these tests");
    };
    folder.join(program)
}

impl Process {
    /// Starts a program; what it writes is collected.
    pub(crate) fn start(name: &str, command: &mut Command, log: Log) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let started = command.spawn();
        let mut child = started.unwrap_or_else(|error| panic!("failed to start {name}: {error}"));
        collect(child.stdout.take(), &log);
        collect(child.stderr.take(), &log);
        Self { name: name.to_owned(), child, log }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Kills it at once and waits until it is gone.
    pub(crate) fn kill(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        self.child.wait().unwrap_or_else(|error| panic!("failed to wait for {}: {error}", self.name));
    }

    /// The code that it ended with, or `None` while it runs or where a signal ended it.
    pub(crate) fn exit_code(&mut self) -> Option<i32> {
        self.child.try_wait().ok().flatten().and_then(|status| status.code())
    }

    /// Whether it has not ended.
    pub(crate) fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            let _ = writeln!(io::stdout(), "the log of {} ends with:\n{}", self.name, self.log.tail());
        }
    }
}

/// Reads a pipe to its end, line by line, in a thread that ends with the program.
pub(crate) fn collect(pipe: Option<impl Read + Send + 'static>, log: &Log) {
    let Some(pipe) = pipe else { return };
    let log = log.clone();
    thread::spawn(move || {
        for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
            log.push(String::from_utf8_lossy(&line).into_owned());
        }
    });
}
