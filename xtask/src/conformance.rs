//! Keeps `docs/conformance.md` honest: a row that says "works" names tests, and the tests exist.
//!
//! The table's rows are `| id | what | state | shown by |`; tests stand in backquotes as `crate::module::test_name` or
//! `test_name`, and only the last part is looked for, as a function of that name in the members' sources.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use crate::place;

const TABLE: &str = "docs/conformance.md";
const STATES: [&str; 4] = ["works", "partly", "provisional", "missing"];
const MEMBERS: [&str; 10] = [
    "agw", "agw-core", "agw-dtls", "agw-iq", "agw-srtp", "agw-tls", "benches", "interop", "loadtest", "xtask",
];

pub(crate) fn run() -> Result<(), String> {
    let root = place::root();
    let text = fs::read_to_string(root.join(TABLE)).map_err(|error| format!("{TABLE}: {error}"))?;
    let mut functions = HashSet::new();
    for member in MEMBERS {
        gather_functions(&root.join(member), &mut functions)?;
    }
    let (rows, wrong) = judge(&text, &functions);
    if wrong.is_empty() {
        println!("{TABLE}: {rows} rows, every cited test exists");
        Ok(())
    } else {
        Err(wrong.join("\n"))
    }
}

/// Counts the rows and says what is wrong with them.
fn judge(text: &str, functions: &HashSet<String>) -> (usize, Vec<String>) {
    let mut rows = 0;
    let mut wrong = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let cells: Vec<&str> = line.trim().trim_matches('|').split('|').map(str::trim).collect();
        let &[id, _what, state, shown_by] = cells.as_slice() else { continue };
        if !line.starts_with('|') || id == "id" || id.starts_with("--") {
            continue;
        }
        rows += 1;
        let tests: Vec<&str> = shown_by.split('`').skip(1).step_by(2).collect();
        if !STATES.contains(&state) {
            wrong.push(format!("{TABLE}:{}: {id}: {state:?} is none of {STATES:?}", number + 1));
        }
        if state == "works" && tests.is_empty() {
            wrong.push(format!("{TABLE}:{}: {id} works, but no test is named", number + 1));
        }
        for test in tests {
            let name = test.rsplit("::").next().unwrap_or(test);
            if !functions.contains(name) {
                wrong.push(format!("{TABLE}:{}: {id}: there is no test `{test}`", number + 1));
            }
        }
    }
    (rows, wrong)
}

fn gather_functions(folder: &Path, functions: &mut HashSet<String>) -> Result<(), String> {
    let entries = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            gather_functions(&path, functions)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let source = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
            functions.extend(source.lines().filter_map(function_name));
        }
    }
    Ok(())
}

fn function_name(line: &str) -> Option<String> {
    let line = line.trim_start();
    // Tests that run once per packet backend are functions shared between modules.
    let line = line.strip_prefix("pub(crate) ").unwrap_or(line);
    let rest = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ")?;
    let end = rest.find(|letter: char| !letter.is_alphanumeric() && letter != '_')?;
    Some(rest[..end].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong_with(row: &str) -> Vec<String> {
        let functions = HashSet::from(["the_tag_is_checked".to_owned()]);
        judge(&format!("| id | what | state | shown by |\n|---|---|---|---|\n{row}\n"), &functions).1
    }

    #[test]
    fn a_row_that_cites_an_existing_test_stands() {
        assert!(wrong_with("| SRTP-4 | tags | works | `agw_srtp::session::the_tag_is_checked` |").is_empty());
        assert!(wrong_with("| SRTP-5 | null | missing | |").is_empty());
    }

    #[test]
    fn a_claim_without_a_test_or_with_one_that_does_not_exist_falls() {
        assert_eq!(wrong_with("| SRTP-4 | tags | works | by looking |").len(), 1);
        assert_eq!(wrong_with("| SRTP-4 | tags | works | `the_tag_is_gone` |").len(), 1);
        assert_eq!(wrong_with("| SRTP-4 | tags | surely | `the_tag_is_checked` |").len(), 1);
    }

    #[test]
    fn functions_are_found_by_their_definition() {
        assert_eq!(function_name("    fn a_packet_passes() {"), Some("a_packet_passes".to_owned()));
        assert_eq!(function_name("async fn a_call_ends() {"), Some("a_call_ends".to_owned()));
        assert_eq!(function_name("pub(crate) fn ports_open<G>("), Some("ports_open".to_owned()));
        assert_eq!(function_name("// fn nothing()"), None);
    }
}
