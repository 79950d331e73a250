//! The rules of `[iq]`: whether anything listens, whether the controllers can be reached from there, and what keeps keys secret (IQ-3).

use super::super::load::Problem;
use super::super::values::{ControllerAddress, Encoding, Listen, Scheme};
use super::super::{Config, Iq, Protection};
use super::MAX_CONTROLLERS;
use crate::doctor::{Host, Machine};
use crate::tls::Identity;
use agw_iq::config::Place;

/// Whether SDES keys must be refused because nothing keeps them secret on the way here (IQ-3).
pub fn keys_are_exposed(config: &Config) -> bool {
    let reachable = |listen: Listen| listen.0.is_some_and(|a| !a.ip().is_loopback());
    let remote = config.iq.controllers.iter().any(is_remote);
    let open = reachable(config.iq.text) || reachable(config.iq.binary);
    config.iq.protected_by == Protection::None && (open || remote)
}

pub(super) fn check(config: &Config, found: &mut Vec<Problem>) {
    let iq = &config.iq;
    if iq.text.0.is_none() && iq.binary.0.is_none() {
        found.push(Problem::error("iq.text", "nothing would listen: give iq.text or iq.binary an address"));
        return;
    }
    if iq.text == iq.binary && iq.text.0.is_some_and(|address| address.port() != 0) {
        found.push(Problem::error("iq.binary", "is the address of iq.text: each encoding has its own"));
    }
    protection(config, found);
    if iq.controllers.len() > MAX_CONTROLLERS {
        found.push(Problem::error("iq.controllers", format!("more than {MAX_CONTROLLERS}")));
    }
    for (i, controller) in iq.controllers.iter().enumerate() {
        let key = format!("iq.controllers[{i}]");
        let same = |c: &ControllerAddress| c.scheme == controller.scheme && c.place == controller.place;
        if iq.controllers.iter().take(i).any(same) {
            found.push(Problem::error(&key, format!("{controller} is listed twice")));
        }
        one_controller(iq, controller, &key, found);
    }
    let open = |listen: Listen| listen.0.is_some_and(|address| !address.ip().is_loopback());
    if iq.controllers.is_empty() && (open(iq.text) || open(iq.binary)) {
        let what =
            "none listed: only loopback controllers would be obeyed, although Iq is open to the network";
        found.push(Problem::warning("iq.controllers", what));
    }
    if !iq.profile.is_empty() && !is_profile(&iq.profile) {
        let what = format!(
            "`{}` is not NAME/VERSION (at most 64 letters, digits or _, then 1 or 2 digits)",
            iq.profile
        );
        found.push(Problem::error("iq.profile", what));
    }
    if iq.domain.chars().any(|c| !(c.is_ascii_alphanumeric() || "-._".contains(c))) || iq.domain.len() > 64 {
        found.push(Problem::error("iq.domain", format!("`{}` is not a domain name", iq.domain)));
    }
}

fn protection(config: &Config, found: &mut Vec<Problem>) {
    let iq = &config.iq;
    if keys_are_exposed(config) {
        // IQ-3
        let what = match iq.allow_unprotected_keys {
            false => {
                "\"none\" on an address beyond loopback: SDES keys will be refused; protect Iq (\"ipsec\", \"tls\") or, in a \
                 laboratory, set iq.allow_unprotected_keys"
            }
            true => {
                "\"none\" on an address beyond loopback with allow_unprotected_keys: whoever sees Iq can listen to calls"
            }
        };
        found.push(Problem::warning("iq.protected_by", what));
    }
    if iq.protected_by == Protection::Tls && !iq.uses_tls() {
        let what = "\"tls\", but nothing runs under TLS: give iq.tls.text or iq.tls.binary an address, or list a tls: controller";
        found.push(Problem::error("iq.protected_by", what));
    }
    let tls = [&iq.tls.certificate, &iq.tls.key, &iq.tls.ca];
    if (iq.uses_tls() || tls.iter().any(|file| !file.is_empty()))
        && let Err(problem) = Identity::load(&iq.tls)
    {
        found.push(problem);
    }
}

/// Whether a controller can be reached from where we listen: datagrams leave from there, and connections from its address.
fn one_controller(iq: &Iq, controller: &ControllerAddress, key: &str, found: &mut Vec<Problem>) {
    let mut wrong = |what: String| found.push(Problem::error(key, what));
    let remote = is_remote(controller);
    if iq.protected_by == Protection::Tls && controller.scheme != Scheme::Tls && remote {
        wrong(format!("{controller} has no TLS, and iq.protected_by is \"tls\": it would not be obeyed"));
    }
    if controller.scheme == Scheme::Sctp && !Machine.has_sctp() {
        wrong(format!("{controller}: this kernel has no SCTP: modprobe sctp, or reach it over tcp: or tls:"));
    }
    let binary = controller.encoding == Some(Encoding::Ber);
    let (own, other, listen) =
        if binary { ("iq.binary", iq.text, iq.binary) } else { ("iq.text", iq.binary, iq.text) };
    let listen = match (listen.0, controller.scheme) {
        (Some(listen), _) => listen,
        (None, Scheme::Udp) => {
            return wrong(format!("{controller} needs {own}: over UDP messages leave from there"));
        }
        (None, _) => match other.0 {
            Some(listen) => listen,
            None => return,
        },
    };
    // What a name leads to is only known when it is looked up.
    let Place::Address(address) = controller.place else { return };
    if listen.ip().is_loopback() && remote {
        wrong(format!("{controller} cannot be reached from {own} = \"{listen}\", which is loopback"));
    }
    if listen.is_ipv4() != address.is_ipv4() {
        wrong(format!("{controller} is of another IP version than {own} = \"{listen}\""));
    }
}

/// Beyond this host. Of names only `localhost` is certain to stay here (RFC 6761 section 6.3).
fn is_remote(controller: &ControllerAddress) -> bool {
    match &controller.place {
        Place::Address(address) => !address.ip().is_loopback(),
        Place::Name { host, .. } => host != "localhost",
    }
}

fn is_profile(text: &str) -> bool {
    let Some((name, version)) = text.split_once('/') else { return false };
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    (1..=64).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(word)
        && (1..=2).contains(&version.len())
        && version.chars().all(|c| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::super::super::load::{Severity, load_text};
    use super::*;

    fn errors(set: &[&str]) -> Vec<String> {
        let set: Vec<String> = set.iter().map(|&s| s.to_owned()).collect();
        let found = load_text("default", "", &set).problems;
        let errors = found.iter().filter(|p| p.problem.severity == Severity::Error);
        errors.map(|p| format!("{}: {}", p.problem.key, p.problem.what)).collect()
    }

    #[test]
    fn what_iq_cannot_do_is_an_error_that_names_the_key() {
        for (set, wanted) in [
            (&["iq.text=\"\"", "iq.binary=\"\""][..], "iq.text: nothing would listen"),
            (&["iq.binary=127.0.0.1:2944"], "iq.binary: is the address of iq.text"),
            (&["iq.protected_by=tls"], "iq.protected_by: "),
            (&["iq.controllers=[\"tls:127.0.0.1:2944\"]"], "iq.tls.certificate: is empty"),
            (
                &["iq.tls.ca=/nowhere/ca.pem", "iq.tls.certificate=/nowhere/c.pem"],
                "iq.tls.certificate: /nowhere/c.pem cannot be read",
            ),
            (
                &["iq.protected_by=tls", "iq.text=10.0.0.1:2944", "iq.controllers=[\"tcp:10.0.0.2:2944\"]"],
                "iq.controllers[0]: tcp:10.0.0.2:2944 has no TLS",
            ),
            (
                &[
                    "iq.protected_by=tls",
                    "iq.text=10.0.0.1:2944",
                    "iq.controllers=[\"udp:mgc.example.net:2944\"]",
                ],
                "iq.controllers[0]: udp:mgc.example.net:2944 has no TLS",
            ),
            (
                &["iq.controllers=[\"udp:MGC.test:2944\", \"udp:mgc.test:2944?encoding=compact\"]"],
                "iq.controllers[1]: udp:mgc.test:2944?encoding=compact is listed twice",
            ),
            (
                &["iq.binary=\"\"", "iq.controllers=[\"udp:127.0.0.1:2945?encoding=ber\"]"],
                "iq.controllers[0]: udp:127.0.0.1:2945?encoding=ber needs iq.binary",
            ),
            (
                &["iq.text=10.0.0.1:2944", "iq.controllers=[\"tcp:10.0.0.2:2945?encoding=ber\"]"],
                "iq.controllers[0]: tcp:10.0.0.2:2945?encoding=ber cannot be reached from iq.binary",
            ),
        ] {
            let errors = errors(set);
            assert!(errors.iter().any(|e| e.starts_with(wanted)), "{set:?}: {errors:?}");
        }
    }

    #[test]
    fn a_controller_over_sctp_needs_a_kernel_that_has_it() {
        let errors = errors(&["iq.controllers=[\"sctp:127.0.0.1:2944\"]"]);
        assert_eq!(errors.is_empty(), Machine.has_sctp(), "{errors:?}");
        assert!(errors.iter().all(|e| e.contains("this kernel has no SCTP")), "{errors:?}");
    }

    #[test]
    fn a_gateway_may_speak_one_encoding_only() {
        for set in
            [&["iq.text=\"\""][..], &["iq.binary=\"\""], &["iq.text=127.0.0.1:0", "iq.binary=127.0.0.1:0"]]
        {
            assert_eq!(errors(set), [""; 0], "{set:?}");
        }
    }
}
