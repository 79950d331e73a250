//! `agw iq trace`: asks the running gateway for the messages since the last question, several times a second, and prints them. The
//! gateway keeps the last few hundred, with keys blanked, while somebody asks.

use crate::admin::client::Admin;
use crate::admin::views::{TracePage, Traced};
use crate::cli::Trace;
use crate::failure::Failure;
use crate::print;
use std::time::Duration;

/// How often is asked.
const PERIOD: Duration = Duration::from_millis(200);

/// Prints messages until it has printed enough, or for ever.
///
/// # Errors
/// When the gateway cannot be asked.
pub fn trace(request: &Trace) -> Result<(), Failure> {
    let admin = Admin::at(request.admin)?;
    let mut next: TracePage = admin.get("/iq/trace")?;
    if !request.json {
        eprintln!("agw: tracing {}, Ctrl-C ends", request.admin);
    }
    let mut left = request.count;
    loop {
        let after = next.next;
        next = admin.get(&format!("/iq/trace?after={after}"))?;
        for message in &next.messages {
            if left == Some(0) {
                return Ok(());
            }
            let lost = message.number.saturating_sub(after + 1);
            if lost > 0 && message.number == next.messages.first().map_or(0, |m| m.number) && !request.json {
                print(&format!("... {lost} messages were too fast\n\n"))?;
            }
            print(&shown(message, request.json)?)?;
            left = left.map(|n| n - 1);
        }
        if left == Some(0) {
            return Ok(());
        }
        if next.messages.is_empty() {
            std::thread::sleep(PERIOD);
        }
    }
}

fn shown(message: &Traced, json: bool) -> Result<String, Failure> {
    if json {
        let line = serde_json::to_string(message).map_err(|e| Failure::because("cannot print", e))?;
        return Ok(format!("{line}\n"));
    }
    let arrow = if message.direction == "received" { "<--" } else { "-->" };
    let clock = message.time_ms % 86_400_000;
    let (h, m, s, ms) = (clock / 3_600_000, clock / 60_000 % 60, clock / 1000 % 60, clock % 1000);
    Ok(format!("{h:02}:{m:02}:{s:02}.{ms:03} UTC {arrow} {}\n{}\n\n", message.peer, message.text.trim_end()))
}
