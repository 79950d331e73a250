//! The real peers: Debian packages and a Python environment, installed where this process may.
//!
//! Without root or apt the tests run with what is there and say what they missed. Some packages would start a daemon; they are kept
//! from doing so, since the tests start their own.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::place;
use crate::shell::{command, read, run, title};
use crate::skipped;

/// What the tests drive, what they build against, and what they build with.
const PACKAGES: &[&str] = &[
    "build-essential",
    "chromium-headless-shell",
    "cmake",
    "erlang-asn1",
    "erlang-base",
    "erlang-crypto",
    "erlang-megaco",
    "erlang-ssl",
    "ffmpeg",
    "gnutls-bin",
    "gstreamer1.0-plugins-bad",
    "gstreamer1.0-plugins-base",
    "gstreamer1.0-plugins-good",
    "gstreamer1.0-tools",
    "iproute2",
    "kamailio",
    "kamailio-tls-modules",
    "libre0",
    "libsrtp2-dev",
    "libssl-dev",
    "nftables",
    "openssl",
    "pkg-config",
    "python3-venv",
    "rtpengine-daemon",
    "tshark",
];

/// Those whose service would start with the machine; it is named like the package.
const DAEMONS: &[&str] = &["kamailio", "rtpengine-daemon"];

const PYTHON_PACKAGES: &str = "interop/peers/requirements.txt";
const POLICY: &str = "/usr/sbin/policy-rc.d";

/// Installs whatever is missing; an error names what could not be.
pub(crate) fn install_peers() -> Result<(), String> {
    title("peers");
    let packages = install_packages();
    let python = make_venv();
    packages.and(python)
}

/// The same, with what could not be installed noted instead: the tests say what they then miss.
pub(crate) fn try_install_peers() {
    if let Err(why) = install_peers() {
        skipped::add("installing the peers", &why);
    }
}

fn install_packages() -> Result<(), String> {
    if read(&mut command("dpkg-query", &["--version"])).is_err() {
        return Err("not a Debian system: install the peers by hand (names in xtask/src/setup.rs)".to_owned());
    }
    let missing: Vec<&str> = PACKAGES.iter().copied().filter(|package| !is_installed(package)).collect();
    if missing.is_empty() {
        println!("{} packages, all there", PACKAGES.len());
        return Ok(());
    }
    if read(&mut command("id", &["-u"]))?.trim() != "0" {
        return Err(format!("not root: apt-get install {}", missing.join(" ")));
    }
    let _quiet = NoDaemons::begin()?;
    // A stale list names files that are gone; without the network the install below says so itself.
    let updated = run(&mut command("apt-get", &["update", "-q"]));
    let mut install = command("apt-get", &["install", "-q", "-y", "--no-install-recommends"]);
    install.args(&missing).env("DEBIAN_FRONTEND", "noninteractive");
    run(&mut install).map_err(|why| format!("{why}{}", updated.err().unwrap_or_default()))?;
    let has_systemd = Path::new("/run/systemd/system").exists();
    for daemon in DAEMONS.iter().filter(|daemon| has_systemd && missing.contains(*daemon)) {
        run(&mut command("systemctl", &["disable", "--now", daemon]))?;
    }
    Ok(())
}

fn is_installed(package: &str) -> bool {
    read(&mut command("dpkg-query", &["-W", "-f", "${db:Status-Status}", package]))
        .is_ok_and(|status| status == "installed")
}

fn make_venv() -> Result<(), String> {
    let venv = place::venv();
    let python = venv.join("bin/python").display().to_string();
    if read(&mut command(&python, &["-c", "import aiortc, pylibsrtp, OpenSSL"])).is_ok() {
        println!("{}, there", venv.display());
        return Ok(());
    }
    run(&mut command("python3", &["-m", "venv", "--clear", &venv.display().to_string()]))?;
    run(&mut command(
        &python,
        &["-m", "pip", "install", "-q", "--disable-pip-version-check", "-r", PYTHON_PACKAGES],
    ))
}

/// While it lives, packages that are installed start no daemons (Debian's policy-rc.d); an existing policy is left alone.
struct NoDaemons {
    made: Option<PathBuf>,
}

impl NoDaemons {
    fn begin() -> Result<Self, String> {
        let file = PathBuf::from(POLICY);
        if file.exists() {
            return Ok(Self { made: None });
        }
        fs::write(&file, "#!/bin/sh\nexit 101\n")
            .and_then(|()| fs::set_permissions(&file, fs::Permissions::from_mode(0o755)))
            .map_err(|error| format!("{POLICY}: {error}"))?;
        Ok(Self { made: Some(file) })
    }
}

impl Drop for NoDaemons {
    fn drop(&mut self) {
        if let Some(Err(error)) = self.made.take().map(fs::remove_file) {
            eprintln!("{POLICY} stays and keeps daemons from starting: {error}");
        }
    }
}
