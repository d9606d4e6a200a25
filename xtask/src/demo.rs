use anyhow::Result;

use crate::process::cargo;
use crate::tools::{self, ensure};

/// Builds the server and runs its demo.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    ensure(tools::BUILD)?;
    println!("building hookswitch (a few minutes the first time)");
    run_build()?;
    let mut demo = cargo();
    demo.args(["run", "--quiet", "--package", "server", "--bin", "hookswitch", "--", "demo"]).args(arguments);
    crate::process::run(&mut demo)
}

fn run_build() -> Result<()> {
    crate::process::run(cargo().args(["build", "--package", "server", "--bin", "hookswitch"]))
}
