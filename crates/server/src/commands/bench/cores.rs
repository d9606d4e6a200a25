use anyhow::{Context as _, Result, bail};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

/// Two cores of this host: one for what is measured, one for the load.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cores {
    pub(super) server: usize,
    pub(super) load: usize,
    all: CpuSet,
}

impl Cores {
    /// The first two that this process may use.
    pub(super) fn choose() -> Result<Self> {
        let all = sched_getaffinity(Pid::from_raw(0)).context("failed to ask for the cores")?;
        let mut usable = (0..CpuSet::count()).filter(|core| all.is_set(*core).unwrap_or(false));
        let (Some(server), Some(load)) = (usable.next(), usable.next()) else {
            bail!("a bench needs two cores: one for the server, one for the load");
        };
        Ok(Self { server, load, all })
    }

    /// Puts this thread, and what it starts from here on, onto the server's core.
    pub(super) fn enter_server(&self) -> Result<()> {
        pin(self.server)
    }

    /// Puts this thread onto the core of the load.
    pub(super) fn enter_load(&self) -> Result<()> {
        pin(self.load)
    }

    /// Lets this thread, and what it starts from here on, use every core again.
    pub(super) fn leave(&self) -> Result<()> {
        sched_setaffinity(Pid::from_raw(0), &self.all).context("failed to leave a core")
    }
}

fn pin(core: usize) -> Result<()> {
    let mut set = CpuSet::new();
    set.set(core)
        .and_then(|()| sched_setaffinity(Pid::from_raw(0), &set))
        .with_context(|| format!("failed to move to core {core}"))
}
