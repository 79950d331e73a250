//! SIGHUP: the configuration is read again. What can change while calls run does, what cannot is named and waits for a restart, and a
//! file with a mistake changes nothing.

use super::Control;
use super::setup::identity;
use crate::config::Config;
use crate::config::load::{Problem, load};
use std::sync::PoisonError;
use toml::Value;

impl Control {
    pub(super) fn reload(&mut self) {
        self.systemd.reloading();
        let loaded = load(&self.source);
        for problem in &loaded.problems {
            tracing::warn!("{problem}");
        }
        match loaded.config {
            None => tracing::error!("the configuration was not reloaded: the old one stays"),
            Some(new) => self.adopt(&new),
        }
        self.systemd.ready();
    }

    fn adopt(&mut self, new: &Config) {
        let mut running = self.config.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = differences(&running, new);
        let before = running.iq.tls.clone();
        take_reloadable(&mut running, new);
        match identity(&running.iq) {
            Ok(identity) => self.connections.set_identity(identity),
            Err(Problem { key, what, .. }) => {
                running.iq.tls = before;
                tracing::error!(key, what, "the certificates of Iq were not reloaded: the old ones stay");
            }
        }
        let waiting = differences(&running, new);
        if let Some(logs) = &self.logs {
            logs.set_level(running.log.level);
        }
        self.iq.set_messages_per_second(running.limits.rates.iq_messages_per_second);
        drop(running);
        let applied: Vec<&String> = changed.iter().filter(|key| !waiting.contains(key)).collect();
        tracing::info!(?applied, "the configuration was reloaded");
        if !waiting.is_empty() {
            tracing::warn!(keys = waiting.join(", "), "these keys have changed and need a restart");
        }
    }
}

/// The keys marked `[R]` in the default configuration.
fn take_reloadable(running: &mut Config, new: &Config) {
    running.drain_deadline_s = new.drain_deadline_s;
    running.log.level = new.log.level;
    running.limits.memory = new.limits.memory;
    running.limits.rates = new.limits.rates.clone();
    running.iq.tls.certificate.clone_from(&new.iq.tls.certificate);
    running.iq.tls.key.clone_from(&new.iq.tls.key);
    running.iq.tls.ca.clone_from(&new.iq.tls.ca);
    running.limits.overload = new.limits.overload.clone();
}

/// The keys in which two configurations differ.
fn differences(one: &Config, other: &Config) -> Vec<String> {
    let mut found = Vec::new();
    if let (Ok(one), Ok(other)) = (Value::try_from(one), Value::try_from(other)) {
        compare("", Some(&one), Some(&other), &mut found);
    }
    found
}

fn compare(path: &str, one: Option<&Value>, other: Option<&Value>, found: &mut Vec<String>) {
    match (one, other) {
        (Some(Value::Table(one)), Some(Value::Table(other))) => {
            let mut keys: Vec<&String> = one.keys().chain(other.keys()).collect();
            keys.sort_unstable();
            keys.dedup();
            for key in keys {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                compare(&path, one.get(key), other.get(key), found);
            }
        }
        (one, other) if one != other => found.push(path.to_owned()),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_named_by_key_and_only_the_reloadable_is_taken() {
        let mut running = Config::default();
        let mut new = Config { drain_deadline_s: 5, workers: 2, ..Config::default() };
        new.realm.get_mut("core").unwrap().dscp = 46;
        assert_eq!(differences(&running, &new), ["drain_deadline_s", "realm.core.dscp", "workers"]);
        take_reloadable(&mut running, &new);
        assert_eq!(differences(&running, &new), ["realm.core.dscp", "workers"]);
    }

    #[test]
    fn every_key_marked_reloadable_is_and_no_other() {
        let mut table = "";
        let mut marked = Vec::new();
        let mut pending = false;
        for line in crate::config::DEFAULT_TOML.lines() {
            if let Some(name) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
                table = name;
            }
            pending |= line.starts_with("# [R]")
                && !line.contains("needs a restart")
                && !line.contains("a reload (SIGHUP)");
            if let Some((key, _)) = line.split_once(" = ").filter(|_| !line.starts_with('#'))
                && std::mem::take(&mut pending)
            {
                marked.push(if table.is_empty() { key.to_owned() } else { format!("{table}.{key}") });
            }
        }
        let mut new = Config { drain_deadline_s: 31, ..Config::default() };
        new.log.level = crate::config::Level::Debug;
        new.limits.memory.0 = 1;
        new.limits.rates.iq_messages_per_second += 1;
        new.iq.tls.certificate = "c".to_owned();
        new.iq.tls.key = "k".to_owned();
        new.iq.tls.ca = "a".to_owned();
        let overload = &mut new.limits.overload;
        for threshold in [
            &mut overload.lag_ms,
            &mut overload.queue_percent,
            &mut overload.busy_percent,
            &mut overload.use_percent,
        ] {
            threshold.0[0] += 1;
        }
        let mut running = Config::default();
        let mut changed = differences(&running, &new);
        take_reloadable(&mut running, &new);
        assert_eq!(running, new);
        changed.sort();
        marked.sort();
        assert_eq!(changed, marked);
    }
}
