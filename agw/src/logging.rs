//! Logs: one line per event on stderr, as text or JSON, through `tracing`. A line that repeats is written [`BURST`] times in a
//! [`WINDOW`], then only counted, and the count is written when the window ends: a peer that sends garbage fills a counter
//! and not the disk. The lines of one place in the code share one budget, so memory is bounded by the number of such places.

use crate::config::{Format, Level};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::IsTerminal;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tracing::callsite::{self, Identifier};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::subscriber::Interest;
use tracing::{Event, Metadata};
use tracing_subscriber::layer::{Context, Filter, SubscriberExt};
use tracing_subscriber::{Layer, Registry, fmt};

/// Lines of one place in the code that are written in one window.
pub const BURST: u32 = 20;
/// How long a window is.
pub const WINDOW: Duration = Duration::from_secs(10);
/// As much of a repeated line is kept for its count.
const MAX_KEPT_CHARS: usize = 200;

/// The filter that all lines pass, and the knobs it has.
#[derive(Debug, Clone)]
pub struct Logs(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    level: AtomicU8,
    windows: Mutex<HashMap<Identifier, Window>>,
}

#[derive(Debug)]
struct Window {
    began: Instant,
    written: u32,
    suppressed: u64,
    text: String,
}

impl Logs {
    /// Begins logging for the whole process. In a process that logs already it changes nothing there.
    pub fn begin(level: Level, format: Format) -> Self {
        let logs = Self::new(level);
        let lines: Box<dyn Layer<Registry> + Send + Sync> = match format {
            Format::Text => fmt::layer()
                .with_writer(std::io::stderr)
                .with_ansi(std::io::stderr().is_terminal())
                .with_target(false)
                .boxed(),
            Format::Json => fmt::layer().json().flatten_event(true).with_writer(std::io::stderr).boxed(),
        };
        let _ = tracing::subscriber::set_global_default(
            Registry::default().with(lines.with_filter(logs.clone())),
        );
        logs
    }

    fn new(level: Level) -> Self {
        Self(Arc::new(Shared { level: AtomicU8::new(level as u8), windows: Mutex::default() }))
    }

    /// Changes the least important level that is written.
    pub fn set_level(&self, level: Level) {
        self.0.level.store(level as u8, Ordering::Relaxed);
        callsite::rebuild_interest_cache();
    }

    /// Writes the counts of windows that have ended. To be called every second or so, and at the end.
    pub fn flush(&self, now: Instant) {
        let ended: Vec<Window> = {
            let mut windows = self.0.windows.lock().unwrap_or_else(PoisonError::into_inner);
            windows
                .extract_if(|_, w| now.saturating_duration_since(w.began) >= WINDOW)
                .map(|(_, w)| w)
                .collect()
        };
        for window in ended.iter().filter(|w| w.suppressed > 0) {
            tracing::warn!(
                repeated = window.suppressed,
                like = window.text,
                "more lines of one kind were not written"
            );
        }
    }

    fn level(&self) -> LevelFilter {
        match self.0.level.load(Ordering::Relaxed) {
            l if l == Level::Error as u8 => LevelFilter::ERROR,
            l if l == Level::Warn as u8 => LevelFilter::WARN,
            l if l == Level::Info as u8 => LevelFilter::INFO,
            _ => LevelFilter::DEBUG,
        }
    }

    /// Whether a line of this place may be written now.
    fn admit(&self, place: Identifier, now: Instant, text: impl FnOnce() -> String) -> bool {
        let mut windows = self.0.windows.lock().unwrap_or_else(PoisonError::into_inner);
        let window = windows.entry(place).or_insert_with(|| Window {
            began: now,
            written: 0,
            suppressed: 0,
            text: String::new(),
        });
        if window.suppressed == 0 && now.saturating_duration_since(window.began) >= WINDOW {
            window.began = now;
            window.written = 0;
        }
        if window.written < BURST {
            window.written += 1;
            return true;
        }
        if window.suppressed == 0 {
            window.text = text();
        }
        window.suppressed += 1;
        false
    }
}

impl<S> Filter<S> for Logs {
    fn enabled(&self, meta: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        *meta.level() <= self.level()
    }

    fn callsite_enabled(&self, meta: &'static Metadata<'static>) -> Interest {
        if *meta.level() <= self.level() { Interest::sometimes() } else { Interest::never() }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.level())
    }

    fn event_enabled(&self, event: &Event<'_>, _: &Context<'_, S>) -> bool {
        self.admit(event.metadata().callsite(), Instant::now(), || {
            let mut text = Message(String::new());
            event.record(&mut text);
            text.0
        })
    }
}

/// Picks the message out of an event.
struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            let _ = write!(self.0, "{value:?}");
            if let Some((end, _)) = self.0.char_indices().nth(MAX_KEPT_CHARS) {
                self.0.truncate(end);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing::subscriber::with_default;

    /// A writer that tests can read.
    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn logged(logs: &Logs, act: impl FnOnce()) -> String {
        let lines = Lines::default();
        let writer = lines.clone();
        let layer =
            fmt::layer().with_ansi(false).with_writer(move || writer.clone()).with_filter(logs.clone());
        with_default(Registry::default().with(layer), act);
        let bytes = lines.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_repeated_line_is_written_a_few_times_then_counted() {
        let logs = Logs::new(Level::Info);
        let out = logged(&logs, || {
            for number in 0..100 {
                tracing::warn!(number, "a bad datagram");
            }
            logs.flush(Instant::now() + WINDOW);
            tracing::info!("another line");
        });
        assert_eq!(out.matches("a bad datagram number=").count(), BURST as usize, "{out}");
        assert!(out.contains("repeated=80 like=\"a bad datagram\""), "{out}");
        assert!(out.contains("another line"), "{out}");
    }

    #[test]
    fn the_level_can_be_changed_while_running() {
        let logs = Logs::new(Level::Info);
        let out = logged(&logs, || {
            let say = || tracing::debug!("details");
            say();
            logs.set_level(Level::Debug);
            say();
            logs.set_level(Level::Error);
            tracing::warn!("not written");
        });
        assert_eq!(out.matches("details").count(), 1, "{out}");
        assert!(!out.contains("not written"));
    }
}
