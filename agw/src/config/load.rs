//! From a file and overrides to a [`Config`], with *every* mistake named by file, line and key instead of only the first. The file
//! is read leniently first (all syntax errors), then deserialized; a value that does not fit is reported, taken out and the rest is
//! tried again, so the number of tries is bounded by the number of keys and by [`MAX_PROBLEMS`].

use super::{Config, DEFAULT_TOML, check};
use serde_path_to_error::Segment;
use std::fmt;
use std::path::{Path, PathBuf};
use toml::de::{DeTable, DeValue};
use toml::{Spanned, Table, Value};

/// More mistakes than this are not listed.
pub const MAX_PROBLEMS: usize = 100;
/// A configuration file longer than this is not one.
pub const MAX_FILE_BYTES: u64 = 1 << 20;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The configuration cannot be used.
    Error,
    /// It can, but somebody should look.
    Warning,
}

/// One thing that is wrong or doubtful.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// How bad.
    pub severity: Severity,
    /// Dotted key, empty when it is about the file.
    pub key: String,
    /// What is wrong and what to do.
    pub what: String,
}

impl Problem {
    /// What makes the configuration unusable.
    pub fn error(key: impl Into<String>, what: impl Into<String>) -> Self {
        Self { severity: Severity::Error, key: key.into(), what: what.into() }
    }

    /// What should be looked at.
    pub fn warning(key: impl Into<String>, what: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, key: key.into(), what: what.into() }
    }
}

/// A problem with the place it was found at, printed as one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    /// `file:line`, `--set`, or `default`.
    pub place: String,
    /// The problem.
    pub problem: Problem,
}

impl fmt::Display for Located {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.place)?;
        if self.problem.severity == Severity::Warning {
            f.write_str("warning: ")?;
        }
        if !self.problem.key.is_empty() {
            write!(f, "{}: ", self.problem.key)?;
        }
        f.write_str(&self.problem.what)
    }
}

/// Where the configuration comes from, kept for reloads.
#[derive(Debug, Clone, Default)]
pub struct Source {
    /// The file; `None`: the embedded defaults.
    pub file: Option<PathBuf>,
    /// `key=value`, in the order given.
    pub set: Vec<String>,
}

/// What loading came to. A configuration is only there when no problem is an error.
#[derive(Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Option<Config>,
    /// All that was found.
    pub problems: Vec<Located>,
}

impl Loaded {
    /// The problems that forbid the start.
    pub fn errors(&self) -> impl Iterator<Item = &Located> {
        self.problems.iter().filter(|p| p.problem.severity == Severity::Error)
    }

    /// The problems that do not.
    pub fn warnings(&self) -> impl Iterator<Item = &Located> {
        self.problems.iter().filter(|p| p.problem.severity == Severity::Warning)
    }
}

/// Reads the file and the overrides and checks the whole.
pub fn load(source: &Source) -> Loaded {
    let text = match source.file.as_deref().map(read_file) {
        None => String::new(),
        Some(Ok(text)) => text,
        Some(Err(what)) => {
            let place = source.file.as_deref().unwrap_or(Path::new("")).display().to_string();
            let problems = vec![Located { place, problem: Problem::error("", what) }];
            return Loaded { config: None, problems };
        }
    };
    let name = source.file.as_ref().map_or_else(|| "default".to_owned(), |f| f.display().to_string());
    load_text(&name, &text, &source.set)
}

fn read_file(path: &Path) -> Result<String, String> {
    let size = std::fs::metadata(path).map_err(|e| format!("cannot be read: {e}"))?.len();
    if size > MAX_FILE_BYTES {
        return Err(format!("{size} bytes are too many for a configuration (at most {MAX_FILE_BYTES})"));
    }
    std::fs::read_to_string(path).map_err(|e| format!("cannot be read: {e}"))
}

/// As [`load`], from text.
pub fn load_text(name: &str, text: &str, set: &[String]) -> Loaded {
    let (document, syntax) = DeTable::parse_recoverable(text);
    let mut finder = Finder { name, text, document: &document, set: Vec::new() };
    let mut problems: Vec<Located> = syntax
        .into_iter()
        .take(MAX_PROBLEMS)
        .map(|e| Located {
            place: e.span().map_or_else(|| name.to_owned(), |s| finder.line_of(s.start)),
            problem: Problem::error("", first_line(e.message())),
        })
        .collect();
    let broken = !problems.is_empty();
    let mut table = if broken { Table::new() } else { toml::from_str(text).unwrap_or_default() };

    for pair in set {
        match override_of(pair) {
            Ok((path, value)) => {
                put(&mut table, &path, value);
                finder.set.push(path);
            }
            Err(what) => {
                problems.push(Located { place: "--set".to_owned(), problem: Problem::error("", what) });
            }
        }
    }

    let (config, mut unfit) = fit(table);
    if !broken {
        unfit.extend(check::check(&config));
    }
    problems.extend(unfit.into_iter().map(|problem| finder.locate(problem)));
    problems.truncate(MAX_PROBLEMS);
    let unusable = problems.iter().any(|p| p.problem.severity == Severity::Error);
    Loaded { config: (!unusable).then_some(config), problems }
}

/// `key=value`: the value as TOML, or, if it is none, as a plain string.
fn override_of(pair: &str) -> Result<(Vec<String>, Value), String> {
    let shape = || format!("`{pair}` is not key=value (as in log.level=debug)");
    let (key, value) = pair.split_once('=').ok_or_else(shape)?;
    let key = key.trim();
    let value = value.trim();
    let path: Vec<String> = key.split('.').map(|part| part.trim_matches('"').to_owned()).collect();
    if path.iter().any(String::is_empty) {
        return Err(shape());
    }
    let parsed = toml::from_str::<Table>(&format!("v = {value}")).ok().and_then(|mut t| {
        let value = t.remove("v");
        if t.is_empty() { value } else { None }
    });
    Ok((path, parsed.unwrap_or_else(|| Value::String(value.to_owned()))))
}

/// Sets a value at a path. A realm override on top of no realm at all means the default realms.
fn put(table: &mut Table, path: &[String], value: Value) {
    if path.first().is_some_and(|p| p == "realm") && !table.contains_key("realm") {
        let default: Table = toml::from_str(DEFAULT_TOML).unwrap_or_default();
        if let Some(realms) = default.get("realm") {
            table.insert("realm".to_owned(), realms.clone());
        }
    }
    let Some((last, parents)) = path.split_last() else { return };
    let mut at = table;
    for part in parents {
        let entry = at.entry(part.clone()).or_insert_with(|| Value::Table(Table::new()));
        if !entry.is_table() {
            *entry = Value::Table(Table::new());
        }
        let Value::Table(next) = entry else { return };
        at = next;
    }
    at.insert(last.clone(), value);
}

/// Deserializes, taking out what does not fit until the rest does.
fn fit(mut table: Table) -> (Config, Vec<Problem>) {
    let mut problems = Vec::new();
    while problems.len() < MAX_PROBLEMS {
        let error = match serde_path_to_error::deserialize(Value::Table(table.clone())) {
            Ok(config) => return (config, problems),
            Err(error) => error,
        };
        let path: Vec<String> = error
            .path()
            .iter()
            .map_while(|segment| match segment {
                Segment::Map { key } => Some(key.clone()),
                Segment::Seq { .. } | Segment::Enum { .. } | Segment::Unknown => None,
            })
            .collect();
        problems.push(Problem::error(error.path().to_string(), first_line(&error.inner().to_string())));
        if path.is_empty() || !take(&mut table, &path) {
            break;
        }
    }
    (Config::default(), problems)
}

fn take(table: &mut Table, path: &[String]) -> bool {
    match path {
        [] => false,
        [last] => table.remove(last).is_some(),
        [first, rest @ ..] => match table.get_mut(first) {
            Some(Value::Table(next)) => take(next, rest),
            _ => false,
        },
    }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().trim_end().to_owned()
}

/// Finds the line of a key.
struct Finder<'a> {
    name: &'a str,
    text: &'a str,
    document: &'a Spanned<DeTable<'a>>,
    set: Vec<Vec<String>>,
}

impl Finder<'_> {
    fn locate(&self, problem: Problem) -> Located {
        let path: Vec<&str> = problem
            .key
            .split('.')
            .map(|p| p.split('[').next().unwrap_or(p))
            .filter(|p| !p.is_empty())
            .collect();
        let overridden = self.set.iter().any(|set| {
            let common = set.iter().zip(&path).take_while(|(a, b)| a == *b).count();
            common == set.len() || common == path.len() && !path.is_empty() && !self.in_file(&path)
        });
        let place = if overridden { "--set".to_owned() } else { self.place(&path) };
        Located { place, problem }
    }

    fn in_file(&self, path: &[&str]) -> bool {
        self.depth_and_offset(path).0 == path.len()
    }

    /// The line of the key, or of the nearest table around it that is in the file.
    fn place(&self, path: &[&str]) -> String {
        match self.depth_and_offset(path) {
            (0, _) => self.name.to_owned(),
            (_, offset) => self.line_of(offset),
        }
    }

    fn depth_and_offset(&self, path: &[&str]) -> (usize, usize) {
        let mut table = Some(self.document.get_ref());
        let mut found = (0, 0);
        for part in path {
            let Some((key, value)) = table.and_then(|t| t.iter().find(|(k, _)| k.get_ref() == part)) else {
                break;
            };
            found = (found.0 + 1, key.span().start);
            table = match value.get_ref() {
                DeValue::Table(next) => Some(next),
                _ => None,
            };
        }
        found
    }

    fn line_of(&self, offset: usize) -> String {
        let before = self.text.as_bytes().get(..offset).unwrap_or_default();
        format!("{}:{}", self.name, 1 + before.iter().filter(|&&b| b == b'\n').count())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str, set: &[&str]) -> Vec<String> {
        let set: Vec<String> = set.iter().map(|&s| s.to_owned()).collect();
        load_text("a.toml", text, &set).problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_defaults_have_no_problem() {
        assert_eq!(lines("", &[]), Vec::<String>::new());
        assert_eq!(lines(DEFAULT_TOML, &[]), Vec::<String>::new());
    }

    #[test]
    fn every_mistake_is_named_with_its_line_and_key() {
        let found = lines(
            "workers = \"many\"\n\n[iq]\ntext = \"nowhere\"\ntxet = \"127.0.0.1:1\"\n[media]\nlatch = \"maybe\"\n\
             [srtp]\nsuites = [\"AES_CM_128_HMAC_SHA1_80\", \"ROT13\"]\n",
            &[],
        );
        let has = |start: &str, what: &str| {
            assert!(
                found.iter().any(|l| l.starts_with(start) && l.contains(what)),
                "{start} {what} in {found:#?}"
            );
        };
        has("a.toml:1: workers: ", "string");
        has("a.toml:4: iq.text: ", "`nowhere`");
        has("a.toml:5: iq.txet: ", "unknown field");
        has("a.toml:7: media.latch: ", "maybe");
        has("a.toml:9: srtp.suites: ", "ROT13");
        assert_eq!(found.len(), 5, "{found:#?}");
    }

    #[test]
    fn every_syntax_error_has_its_line() {
        let found = lines("workers = \n[iq]\ntext = = 3\n", &[]);
        assert!(found.iter().any(|l| l.starts_with("a.toml:1: ")), "{found:#?}");
        assert!(found.iter().any(|l| l.starts_with("a.toml:3: ")), "{found:#?}");
    }

    #[test]
    fn a_missing_key_is_reported_at_its_table() {
        let found = lines("\n[realm.access]\nside = \"access\"\nports = \"10-20\"\n", &[]);
        assert!(
            found.iter().any(|l| l.starts_with("a.toml:2: realm.access: missing field `addresses`")),
            "{found:#?}"
        );
    }

    #[test]
    fn an_override_wins_and_its_mistakes_are_its_own() {
        let loaded = load_text("a.toml", "[log]\nlevel = \"info\"\n", &["log.level=debug".to_owned()]);
        assert_eq!(loaded.config.unwrap().log.level, super::super::Level::Debug);
        let found = lines("[log]\nlevel = \"info\"\n", &["log.level=loud"]);
        assert!(found[0].starts_with("--set: log.level: "), "{found:#?}");
        let found = lines("", &["loglevel", "log.leval=debug"]);
        assert!(found.iter().any(|l| l.contains("is not key=value")), "{found:#?}");
        assert!(found.iter().any(|l| l.contains("unknown field")), "{found:#?}");
    }

    #[test]
    fn an_override_of_one_realm_key_keeps_the_default_realms() {
        let set =
            ["realm.access.ports=40000-40099".to_owned(), "iq.controllers=[\"udp:127.0.0.1:1\"]".to_owned()];
        let config = load_text("default", "", &set).config.unwrap();
        assert_eq!(config.realm["access"].ports.first, 40_000);
        assert_eq!(config.realm.len(), 2);
        assert_eq!(config.iq.controllers.len(), 1);
    }
}
