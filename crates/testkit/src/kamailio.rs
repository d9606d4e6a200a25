use std::net::SocketAddr;
use std::process::Command;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::dir::TempDir;
use crate::log::Log;
use crate::process::{Process, find_program};
use crate::sipp::is_bound;
use crate::wait::{eventually, within};

/// What a carrier's proxy knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// Where calls from the phone network go, unless the customer has registered.
    pub customer: SocketAddr,
    /// The phone network behind it: where calls to numbers go, and where calls from there come from.
    pub gateway: SocketAddr,
    /// Who has to show a password for calls, and may register.
    pub account: Option<Account>,
}

/// A customer's account at a carrier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Account {
    /// The realm of its challenges.
    pub realm: &'static str,
    /// The user name.
    pub username: &'static str,
    /// The password.
    pub password: &'static str,
    /// Whether calls go to where the customer has registered.
    pub is_registered: bool,
}

/// A `kamailio` at the border of a carrier: it stays in the path of every dialog, over UDP and TCP, forks, challenges and
/// registers customers.
#[derive(Debug)]
pub struct Kamailio {
    process: Process,
    log: Log,
    address: SocketAddr,
    dir: TempDir,
    /// Lines of the log that belong to earlier lives.
    seen: usize,
}

/// Makes the keys of its nonces; the same after a restart, so that it is not noticed by them.
const NONCE_SECRET: &str = "carrier";

/// What it writes when a customer has registered.
const REGISTERED: &str = "customer registered";

impl Kamailio {
    /// Starts one and waits until it listens, for UDP and TCP at the same port.
    ///
    /// # Panics
    ///
    /// Panics where `kamailio` is not installed, or ends at once.
    pub async fn start(address: SocketAddr, network: Network) -> Self {
        let (dir, log) = (TempDir::new("kamailio"), Log::new());
        dir.write("kamailio.cfg", config(address, network));
        let process = launch(&dir, &log);
        let mut kamailio = Self { process, log, address, dir, seen: 0 };
        kamailio.wait_until_bound().await;
        kamailio
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends it as if its plug were pulled; who has registered is forgotten.
    pub fn kill(&mut self) {
        self.seen = self.log.lines().len();
        end(&mut self.process);
    }

    /// Starts it again at the same address.
    ///
    /// # Panics
    ///
    /// Panics where it runs, or ends at once.
    pub async fn restart(&mut self) {
        assert!(!self.process.is_running(), "kill it before it is started again");
        self.process = launch(&self.dir, &self.log);
        self.wait_until_bound().await;
    }

    /// Waits until a customer has registered since it was started, or started again; returns what was registered.
    ///
    /// # Panics
    ///
    /// Panics where none does.
    pub async fn expect_registration(&mut self) -> String {
        let is_it = |line: &str| line.contains(REGISTERED);
        let what = format!("a registration at kamailio, which says:\n{}", self.log.tail());
        self.seen = within(&what, self.log.wait_for(self.seen, is_it)).await;
        let line = self.log.lines().into_iter().nth(self.seen.saturating_sub(1)).unwrap_or_default();
        line.split_once(REGISTERED).map(|(_, rest)| rest.trim().to_owned()).unwrap_or_default()
    }

    /// The last lines of its log.
    pub fn log_tail(&self) -> String {
        self.log.tail()
    }

    async fn wait_until_bound(&mut self) {
        let address = self.address;
        let process = &mut self.process;
        eventually("kamailio listens", async || {
            assert!(process.is_running(), "kamailio ended at once:\n{}", process.log.tail());
            let is_heard = is_bound(address) && tokio::net::TcpStream::connect(address).await.is_ok();
            (is_heard, ())
        })
        .await;
    }
}

impl Drop for Kamailio {
    fn drop(&mut self) {
        end(&mut self.process);
    }
}

fn launch(dir: &TempDir, log: &Log) -> Process {
    let mut command = Command::new(find_program("kamailio"));
    // In the foreground, with its log on stderr.
    command.args(["-DD", "-E"]).arg("-f").arg(dir.path().join("kamailio.cfg"));
    command.arg("-w").arg(dir.path()).arg("-Y").arg(dir.path());
    // Megabytes of memory: shared, and of each process.
    command.args(["-m", "16", "-M", "4"]);
    Process::start("kamailio", &mut command, log.clone())
}

/// Ends its first process and those that this has begun. Asked to end by itself it would take seconds.
fn end(process: &mut Process) {
    if !process.is_running() {
        return;
    }
    let id = process.id();
    let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
    process.kill();
    for child in children.split_whitespace().filter_map(|child| child.parse().ok()) {
        // It may have ended with its parent.
        let _ = kill(Pid::from_raw(child), Signal::SIGKILL);
    }
}

fn config(address: SocketAddr, network: Network) -> String {
    let Network { customer, gateway, account } = network;
    let (registers, authenticates, to_customer) = match account {
        None => (String::new(), String::new(), format!("$du = \"sip:{customer}\";")),
        Some(account) => accounts(account, customer),
    };
    let gateway_port = gateway.port();
    format!(
        r#"#!KAMAILIO
debug=1
log_stderror=yes
children=1
tcp_children=1
auto_aliases=no
listen=udp:{address}
listen=tcp:{address}
loadmodule "pv.so"
loadmodule "xlog.so"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "maxfwd.so"
loadmodule "siputils.so"
loadmodule "textops.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "auth.so"
modparam("auth", "secret", "{NONCE_SECRET}")
modparam("tm", "fr_timer", 5000)
modparam("usrloc", "db_mode", 0)

request_route {{
  if (!mf_process_maxfwd_header("10")) {{ sl_send_reply("483", "Too Many Hops"); exit; }}
  if (is_method("CANCEL")) {{ if (t_check_trans()) {{ t_relay(); }} exit; }}
  if (has_totag()) {{
    if (loose_route()) {{ t_relay(); exit; }}
    if (is_method("ACK")) {{ if (t_check_trans()) {{ t_relay(); }} exit; }}
    sl_send_reply("481", "Not Here");
    exit;
  }}
  t_check_trans();
  if (is_method("OPTIONS")) {{ sl_send_reply("200", "OK"); exit; }}
  if (is_method("REGISTER")) {{
    {registers}
    sl_send_reply("403", "Forbidden");
    exit;
  }}
  if (!is_method("INVITE")) {{ sl_send_reply("405", "Method Not Allowed"); exit; }}
  if ($sp == {gateway_port}) {{
    record_route();
    {to_customer}
  }} else {{
    {authenticates}
    record_route();
    $du = "sip:{gateway}";
  }}
  t_relay();
}}
"#
    )
}

/// What it does with REGISTER, with calls of its customer, and with calls to its customer.
fn accounts(account: Account, customer: SocketAddr) -> (String, String, String) {
    let Account { realm, username, password, is_registered } = account;
    let registers = format!(
        r#"if (!pv_www_authenticate("{realm}", "{password}", "0") || $au != "{username}") {{
      www_challenge("{realm}", "1");
      exit;
    }}
    if (save("location")) {{ xlog("L_ERR", "{REGISTERED} $tU $ct\n"); }}
    exit;"#
    );
    let authenticates = format!(
        r#"if (!pv_proxy_authenticate("{realm}", "{password}", "0") || $au != "{username}") {{
      proxy_challenge("{realm}", "1");
      exit;
    }}
    consume_credentials();"#
    );
    let to_customer = if is_registered {
        // The number that is called stays; where it goes is what was registered.
        format!(
            r#"$var(called) = $rU;
    $ru = "sip:{username}@{realm}";
    if (!lookup("location")) {{ sl_send_reply("480", "Not Registered"); exit; }}
    $du = $ru;
    $rU = $var(called);"#
        )
    } else {
        format!("$du = \"sip:{customer}\";")
    };
    (registers, authenticates, to_customer)
}
