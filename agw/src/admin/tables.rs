//! `agw status`, `contexts`, `context`, `workers`, `drops`, `drain`: asks the admin pages and prints tables for people, or with
//! `--json` the pages' own JSON for scripts.

use super::ask::MAX_PAGE;
use super::client::Admin;
use super::views::{Context, ContextPage, Draining, Drops, Rates, RealmState, Status, Stream, Worker};
use crate::cli::{Ask, Contexts, Drain, OneContext, Realm, Service};
use crate::failure::Failure;
use crate::print;
use serde::Serialize;

/// Prints as JSON, or as `table` makes it.
fn show<T: Serialize>(json: bool, value: &T, table: impl FnOnce(&T) -> String) -> Result<(), Failure> {
    if !json {
        return print(&table(value));
    }
    let text = serde_json::to_string_pretty(value).map_err(|e| Failure::because("cannot print", e))?;
    print(&format!("{text}\n"))
}

/// `agw status`.
///
/// # Errors
/// When the gateway cannot be asked.
pub fn status(ask: &Ask) -> Result<(), Failure> {
    let status: Status = Admin::at(ask.admin)?.get("/status")?;
    show(ask.json, &status, |s| {
        let mut rows = vec![
            ["state".to_owned(), format!("{}, up {}", s.state, span(s.uptime_s))],
            ["version".to_owned(), format!("{} (pid {}, {} workers)", s.version, s.pid, s.workers)],
            ["iq".to_owned(), s.iq.clone()],
            ["controller".to_owned(), controller(s)],
            ["contexts".to_owned(), format!("{} of {}", s.contexts, s.contexts_limit)],
        ];
        rows.extend(s.terminations.iter().map(|(leg, n)| [format!("{leg} terminations"), n.to_string()]));
        rows.extend(
            s.streams.iter().filter(|(_, n)| **n > 0).map(|(t, n)| [format!("{t} streams"), n.to_string()]),
        );
        rows.extend(s.ports.iter().map(|(realm, p)| {
            let ports = format!("{} of {} ports, {}", p.in_use, p.total, p.state);
            [format!("realm {realm}"), ports]
        }));
        let p = &s.packets;
        rows.push([
            "packets".to_owned(),
            format!("{} received, {} sent, {} dropped", p.received, p.sent, p.dropped),
        ]);
        columns(&rows)
    })
}

fn controller(status: &Status) -> String {
    let all = status.controllers.join(", ");
    match (status.controllers.len(), status.registered) {
        (0, _) => "none listed: loopback is obeyed".to_owned(),
        (1, true) => format!("registered with {all}"),
        (_, true) => format!("registered with one of {all}"),
        (_, false) => format!("not registered with {all}"),
    }
}

/// `agw contexts`.
///
/// # Errors
/// As [`status`].
pub fn contexts(request: &Contexts) -> Result<(), Failure> {
    let admin = Admin::at(request.ask.admin)?;
    let mut all = ContextPage { total: 0, contexts: Vec::new(), next: None };
    let mut after = None::<u32>;
    while all.contexts.len() < request.limit {
        let limit = MAX_PAGE.min(request.limit - all.contexts.len());
        let from = after.map(|id| format!("&after={id}")).unwrap_or_default();
        let page: ContextPage = admin.get(&format!("/contexts?limit={limit}{from}"))?;
        (all.total, all.next, after) = (page.total, page.next, page.next);
        all.contexts.extend(page.contexts);
        if after.is_none() {
            break;
        }
    }
    show(request.ask.json, &all, |page| {
        let mut rows = vec![
            ["CONTEXT", "WORKER", "SIDE", "TRANSPORT", "MODE", "LOCAL", "REMOTE", "SUITE"].map(str::to_owned),
        ];
        rows.extend(page.contexts.iter().flat_map(context_rows));
        let shown = page.contexts.len();
        format!("{}{shown} of {} contexts\n", columns(&rows), page.total)
    })
}

fn context_rows(context: &Context) -> Vec<[String; 8]> {
    let dash = || "-".to_owned();
    let row = |leg: &Option<String>, s: Option<&Stream>| {
        [
            context.id.to_string(),
            context.worker.map_or_else(dash, |w| w.to_string()),
            leg.clone().unwrap_or_else(dash),
            s.map_or_else(dash, |s| s.transport.clone()),
            s.map_or_else(dash, |s| s.mode.clone()),
            s.map_or_else(dash, |s| s.local.clone()),
            s.and_then(|s| s.remote.clone()).unwrap_or_else(dash),
            s.and_then(|s| s.suite_in.clone().or_else(|| s.suite_out.clone())).unwrap_or_else(dash),
        ]
    };
    let rows: Vec<_> =
        context.terminations.iter().flat_map(|t| t.streams.iter().map(|s| row(&t.leg, Some(s)))).collect();
    if rows.is_empty() { vec![row(&None, None)] } else { rows }
}

/// `agw context ID`.
///
/// # Errors
/// As [`status`]; when there is no such context.
pub fn context(request: &OneContext) -> Result<(), Failure> {
    let context: Context = Admin::at(request.ask.admin)?.get(&format!("/contexts/{}", request.id))?;
    show(request.ask.json, &context, |c| {
        let emergency = if c.emergency { ", emergency" } else { "" };
        let worker = c.worker.map_or_else(String::new, |w| format!(", worker {w}"));
        let mut text = format!("context {} (priority {}{emergency}{worker})\n", c.id, c.priority);
        for termination in &c.terminations {
            let leg = termination.leg.as_deref().unwrap_or("no stream yet");
            text.push_str(&format!("  termination {} ({leg})\n", termination.id));
            for s in &termination.streams {
                let joined = if s.joined { "" } else { ", nothing at the other side" };
                text.push_str(&format!(
                    "    stream {} {} {} in realm {}{joined}\n",
                    s.id, s.transport, s.mode, s.realm
                ));
                let rtcp = s.local_rtcp.as_deref().map(|r| format!(", RTCP {r}")).unwrap_or_default();
                text.push_str(&format!("      local  {}{rtcp}\n", s.local));
                text.push_str(&format!("      remote {}\n", s.remote.as_deref().unwrap_or("-")));
                if let Some(learned) = &s.learned {
                    let rtcp = s.learned_rtcp.as_deref().map(|r| format!(", RTCP {r}")).unwrap_or_default();
                    text.push_str(&format!("      learned {learned}{rtcp}\n"));
                }
                if let Some(ice) = &s.ice {
                    text.push_str(&format!("      ICE    {ice}\n"));
                }
                if s.transport.starts_with("UDP/TLS") {
                    let session = s.session.as_deref().unwrap_or("not proven yet");
                    text.push_str(&format!("      DTLS   {session}\n"));
                }
                if let Some(sources) = &s.sources {
                    text.push_str(&format!("      hears  {sources}\n"));
                }
                if let Some(rates) = &s.rates {
                    text.push_str(&format!("      rates  {}\n", allowance(rates)));
                }
                let copied = if s.dscp_copied { ", or the one it came with" } else { "" };
                if s.dscp > 0 || s.dscp_copied {
                    text.push_str(&format!("      dscp   {}{copied}\n", s.dscp));
                }
                text.push_str(&connection(s));
                if let Some(c) = &s.counters {
                    text.push_str(&format!(
                        "      from the peer {} packets, {} octets; to it {} packets, {} octets\n",
                        c.packets_received, c.octets_received, c.packets_sent, c.octets_sent
                    ));
                    text.push_str(&format!(
                        "      lost {:.2} %, jitter {:.1} ms, kept out by the gate {}, of these too fast {}\n",
                        c.loss_percent, c.jitter_ms, c.discarded, c.policed
                    ));
                    text.push_str(&format!(
                        "      last packet from the peer {}, to it {}\n",
                        ago(c.idle_in_ms),
                        ago(c.idle_out_ms)
                    ));
                }
                if s.suite_in.is_some() || s.suite_out.is_some() {
                    let name =
                        |suite: &Option<String>| suite.clone().unwrap_or_else(|| "no key yet".to_owned());
                    text.push_str(&format!(
                        "      in     {}\n      out    {}\n",
                        name(&s.suite_in),
                        name(&s.suite_out)
                    ));
                }
            }
        }
        text
    })
}

/// The lines of a connection; none of a stream that is none.
fn connection(stream: &Stream) -> String {
    let mut text = String::new();
    if !stream.transport.starts_with("TCP") {
        return text;
    }
    if let Some(tcp) = &stream.tcp {
        let peer = tcp.peer.as_ref().map(|peer| format!(" with {peer}")).unwrap_or_default();
        let unproven =
            if tcp.unproven > 0 { format!(", {} not proven", tcp.unproven) } else { String::new() };
        let (state, ins, outs) = (tcp.state.replace('_', " "), tcp.waiting_in_bytes, tcp.waiting_out_bytes);
        text.push_str(&format!(
            "      tcp    {state}{peer}{unproven}, bytes that wait: {ins} from the peer, {outs} to it\n"
        ));
        if let Some(tls) = &tcp.tls {
            let agreed = match (&tls.version, &tls.suite) {
                (Some(version), Some(suite)) => format!("{version} {suite}"),
                _ => "nothing agreed on yet".to_owned(),
            };
            let proof = match tls.proven_by.as_deref() {
                None => "not proven".to_owned(),
                Some("key") => "proven by its key".to_owned(),
                Some(hash) => format!("proven by its {hash} fingerprint"),
            };
            text.push_str(&format!("      tls    {agreed}, we are the {}, the peer is {proof}\n", tls.role));
        }
    }
    for (what, became) in [("TCP", &stream.connection), ("TLS", &stream.session)] {
        if let Some(words) = became.as_ref().filter(|words| words.starts_with("failed")) {
            text.push_str(&format!("      {what} {words}\n"));
        }
    }
    text
}

fn allowance(rates: &Rates) -> String {
    let mut parts = Vec::new();
    if let (Some(rate), Some(burst)) = (rates.sustained, rates.burst) {
        parts.push(format!("{rate} octets/s and {burst} at once"));
    }
    if let (Some(peak), Some(tolerance)) = (rates.peak, rates.tolerance) {
        let tolerance_ms = f64::from(tolerance) / 10_000.0;
        parts.push(format!("at most {peak} octets/s, {tolerance_ms:.1} ms early"));
    }
    parts.push(format!("RTCP {} octets/s", rates.rtcp));
    parts.join("; ")
}

/// `agw workers`.
///
/// # Errors
/// As [`status`].
pub fn workers(ask: &Ask) -> Result<(), Failure> {
    let workers: Vec<Worker> = Admin::at(ask.admin)?.get("/workers")?;
    show(ask.json, &workers, |workers| {
        let mut rows =
            vec![["WORKER", "CORE", "FLOWS", "BUSY", "RECEIVED", "SENT", "DROPPED"].map(str::to_owned)];
        rows.extend(workers.iter().map(|w| {
            [
                w.worker.to_string(),
                w.core.map_or_else(|| "-".to_owned(), |c| c.to_string()),
                w.flows.to_string(),
                format!("{:.1} %", w.busy_ratio * 100.0),
                w.packets.received.to_string(),
                w.packets.sent.to_string(),
                w.packets.dropped.to_string(),
            ]
        }));
        columns(&rows)
    })
}

/// `agw drops`.
///
/// # Errors
/// As [`status`].
pub fn drops(ask: &Ask) -> Result<(), Failure> {
    let drops: Vec<Drops> = Admin::at(ask.admin)?.get("/drops")?;
    show(ask.json, &drops, |drops| {
        if drops.is_empty() {
            return "no packet has been dropped\n".to_owned();
        }
        let mut rows = vec![["SIDE", "REASON", "PACKETS"].map(str::to_owned)];
        rows.extend(drops.iter().map(|d| [d.leg.clone(), d.reason.clone(), d.packets.to_string()]));
        columns(&rows)
    })
}

/// `agw drain`.
///
/// # Errors
/// As [`status`]; when this host may not.
pub fn drain(request: &Drain) -> Result<(), Failure> {
    let path = if request.cancel { "/drain/cancel" } else { "/drain" };
    let draining: Draining = Admin::at(request.ask.admin)?.post(path)?;
    show(request.ask.json, &draining, |d| match d.draining {
        true => format!("draining: {} contexts are waited for, at most {} s\n", d.contexts, d.deadline_s),
        false => "not draining any more: calls are taken\n".to_owned(),
    })
}

/// `agw realm NAME out|in`.
///
/// # Errors
/// As [`status`]; when this host may not, or there is no such realm.
pub fn realm(request: &Realm) -> Result<(), Failure> {
    let service = if request.service == Service::Out { "out" } else { "in" };
    let state: RealmState =
        Admin::at(request.ask.admin)?.post(&format!("/realms/{}/{service}", request.name))?;
    show(request.ask.json, &state, |s| format!("realm {}: {}\n", s.realm, s.state))
}

fn span(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, m) => format!("{m} min {} s", seconds % 60),
        (0, h, m) => format!("{h} h {m} min"),
        (d, h, _) => format!("{d} d {h} h"),
    }
}

fn ago(idle_ms: Option<u64>) -> String {
    idle_ms.map_or_else(|| "never".to_owned(), |ms| format!("{} ago", span(ms / 1000)))
}

/// Left-aligned columns, two spaces apart.
fn columns<const N: usize>(rows: &[[String; N]]) -> String {
    let width = |i: usize| rows.iter().map(|r| r[i].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..N).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, w)| format!("{cell:<w$}")).collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let rows = [["A".to_owned(), "LONG".to_owned()], ["abc".to_owned(), "x".to_owned()]];
        assert_eq!(columns(&rows), "A    LONG\nabc  x\n");
    }

    #[test]
    fn an_allowance_is_said_rate_by_rate() {
        let rates = Rates {
            sustained: Some(10_000),
            burst: Some(1_500),
            peak: Some(20_000),
            tolerance: Some(500_000),
            rtcp: 500,
        };
        let words =
            "10000 octets/s and 1500 at once; at most 20000 octets/s, 50.0 ms early; RTCP 500 octets/s";
        assert_eq!(allowance(&rates), words);
    }

    #[test]
    fn a_span_is_said_in_two_units() {
        assert_eq!(span(7), "7 s");
        assert_eq!(span(65), "1 min 5 s");
        assert_eq!(span(3_700), "1 h 1 min");
        assert_eq!(span(90_000), "1 d 1 h");
    }
}
