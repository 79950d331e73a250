//! cargo-deny: licences, sources and versions of what we depend on, by `deny.toml`.
//!
//! The tool is taken from the path, or built once into cargo's target folder without optimization (it reads a lock file; building it
//! optimized takes ten times as long). Known vulnerabilities are looked up when their database can be fetched.

use crate::place;
use crate::shell::{self, command, read};

const VERSION: &str = "0.20.2";

/// Checks everything that can be checked here.
pub(crate) fn run() -> Result<(), String> {
    let tool = tool()?;
    let mut checks = vec!["--log-level", "error", "check", "bans", "licenses", "sources"];
    match read(&mut command(&tool, &["fetch", "db"])) {
        Ok(_) => checks.push("advisories"),
        Err(_) => println!("advisories are not checked: their database cannot be fetched from here"),
    }
    shell::run(&mut command(&tool, &checks))
}

fn tool() -> Result<String, String> {
    if read(&mut command("cargo-deny", &["--version"])).is_ok() {
        return Ok("cargo-deny".to_owned());
    }
    let folder = place::tools();
    let ours = folder.join("bin/cargo-deny").display().to_string();
    if read(&mut command(&ours, &["--version"])).is_ok_and(|version| version.contains(VERSION)) {
        return Ok(ours);
    }
    let root = folder.display().to_string();
    let build = folder.join("build").display().to_string();
    let mut install = command(
        "cargo",
        &[
            "install",
            "--quiet",
            "--locked",
            "--debug",
            "--version",
            VERSION,
            "--root",
            &root,
            "--target-dir",
            &build,
        ],
    );
    shell::run(install.arg("cargo-deny").env_remove("RUSTFLAGS"))?;
    Ok(ours)
}
