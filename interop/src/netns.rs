//! Network namespaces: a small internet of one's own, gone when the test ends.
//!
//! Traffic between real hosts cannot be tried on loopback alone, and counters that belong to the kernel rather
//! than to the program under test need a place where nothing else runs. A [`Namespace`] has a name no other run uses, holds
//! links to others, and removes itself when dropped; what a killed run left behind is removed by the next one.

use std::fs::{self, File};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use rustix::process::geteuid;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::peers::program;
use crate::process::run;

const NAMESPACES: &str = "/run/netns";
const PREFIX: &str = "agw-";
const LIMIT: Duration = Duration::from_secs(20);

static MADE: AtomicU32 = AtomicU32::new(0);

/// The right and the tools to make namespaces; what [`crate::require`] hands to a test.
#[derive(Clone, Copy, Debug)]
pub struct Netns(());

impl Netns {
    /// Looks whether this process may make namespaces and count packets in them.
    ///
    /// # Errors
    /// Says what is missing: root, `ip`, `nft`, or the kernel's permission.
    pub fn find() -> Result<Self, String> {
        if !geteuid().is_root() {
            return Err("needs root".to_owned());
        }
        program("ip")?;
        program("nft")?;
        remove_leftovers();
        let probe = Namespace::create("probe")?;
        run(&mut probe.command("nft", &["list", "ruleset"]), LIMIT)
            .and_then(|finished| finished.status.success().then_some(()).ok_or(finished.output))?;
        Ok(Self(()))
    }

    /// Makes a namespace with its loopback up. The label is for people: `ip netns list` shows it.
    ///
    /// # Errors
    /// With the words of `ip`.
    pub fn namespace(self, label: &str) -> Result<Namespace, String> {
        Namespace::create(label)
    }
}

/// One network namespace; removed when dropped, with its links.
#[derive(Debug)]
pub struct Namespace {
    name: String,
}

impl Namespace {
    fn create(label: &str) -> Result<Self, String> {
        let name = format!("{PREFIX}{}-{}-{label}", process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        ip(&["netns", "add", &name])?;
        let made = Self { name };
        made.ip(&["link", "set", "lo", "up"])?;
        Ok(made)
    }

    /// The namespace's name, as `ip netns` knows it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A program to be run inside.
    pub fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name, program]).args(arguments);
        command
    }

    /// Calls `work` on a thread inside; the sockets it opens belong to this namespace for ever.
    ///
    /// # Panics
    /// When the namespace cannot be entered, or with `work`'s own panic.
    pub fn enter<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let door = File::open(self.path()).expect("the namespace is there");
        thread::scope(|scope| {
            let inside = scope.spawn(move || {
                move_into_link_name_space(door.as_fd(), Some(LinkNameSpaceType::Network))
                    .expect("root may enter a namespace");
                work()
            });
            inside.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Joins two namespaces by a cable (a veth pair) with one address, as in `10.1.0.1/24`, on each end.
    ///
    /// # Errors
    /// With the words of `ip`.
    pub fn join(&self, ours: &str, other: &Self, theirs: &str) -> Result<(), String> {
        let cable = format!("cable{}", MADE.fetch_add(1, Ordering::Relaxed));
        ip(&[
            "link",
            "add",
            &cable,
            "netns",
            &self.name,
            "type",
            "veth",
            "peer",
            "name",
            &cable,
            "netns",
            &other.name,
        ])?;
        for (end, address) in [(self, ours), (other, theirs)] {
            let mut add = vec!["addr", "add", address, "dev", &cable];
            if address.contains(':') {
                // Without this an IPv6 address cannot be bound for a second or two.
                add.push("nodad");
            }
            end.ip(&add)?;
            end.ip(&["link", "set", &cable, "up"])?;
        }
        Ok(())
    }

    /// Runs `ip` inside, for what the methods here do not cover (routes, MTU, loss by `tc` belongs to [`Self::command`]).
    ///
    /// # Errors
    /// With the words of `ip`.
    pub fn ip(&self, arguments: &[&str]) -> Result<String, String> {
        ip(&[&["-netns", &self.name], arguments].concat())
    }

    fn path(&self) -> PathBuf {
        Path::new(NAMESPACES).join(&self.name)
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        if let Err(why) = ip(&["netns", "delete", &self.name]) {
            eprintln!("namespace {} stays: {why}", self.name);
        }
    }
}

fn ip(arguments: &[&str]) -> Result<String, String> {
    let finished = run(Command::new("ip").args(arguments), LIMIT)?;
    if finished.status.success() {
        Ok(finished.output)
    } else {
        Err(format!("ip {}: {}", arguments.join(" "), finished.output.trim()))
    }
}

/// Removes namespaces of runs that were killed: the name tells the process, and it is no more.
fn remove_leftovers() {
    let Ok(entries) = fs::read_dir(NAMESPACES) else { return };
    for name in entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()) {
        let maker = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next()?.parse::<u32>().ok());
        if maker.is_some_and(|id| !Path::new(&format!("/proc/{id}")).exists()) {
            // Another run may be tidying the same one.
            let _removed = ip(&["netns", "delete", &name]);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;
    use crate::require;

    #[test]
    fn two_joined_namespaces_exchange_datagrams_and_leave_nothing_behind() {
        let Some(netns) = require("network namespaces", Netns::find) else { return };
        let left = netns.namespace("left").unwrap();
        let right = netns.namespace("right").unwrap();
        left.join("10.7.0.1/24", &right, "10.7.0.2/24").unwrap();
        let receiver = right.enter(|| UdpSocket::bind("10.7.0.2:5000")).unwrap();
        receiver.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        left.enter(|| {
            UdpSocket::bind("10.7.0.1:0").and_then(|socket| socket.send_to(b"over", "10.7.0.2:5000"))
        })
        .unwrap();
        let mut buffer = [0; 16];
        assert_eq!(receiver.recv(&mut buffer).unwrap(), 4);

        let (left_path, right_path) = (left.path(), right.path());
        assert!(left_path.exists() && right_path.exists());
        drop((left, right));
        assert!(!left_path.exists() && !right_path.exists());
    }

    #[test]
    fn a_program_inside_sees_only_the_inside() {
        let Some(netns) = require("network namespaces", Netns::find) else { return };
        let alone = netns.namespace("alone").unwrap();
        let links =
            run(&mut alone.command("ip", &["-brief", "link"]), LIMIT).unwrap().expect_success("ip link");
        assert_eq!(links.lines().count(), 1, "{links}");
        assert!(links.starts_with("lo"));
    }
}
