//! The commands that need no running gateway, through the real program.

use std::process::{Command, Output};

fn agw(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_agw")).args(arguments).output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_wrong_command_line_is_one_line_and_exit_code_2() {
    for arguments in [
        &["chek"][..],
        &["run", "--nonsense"],
        &["iq", "send"],
        &["context", "seven"],
        &["demo", "--calls", "0"],
    ] {
        let output = agw(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let said = stderr(&output);
        assert_eq!(said.lines().count(), 1, "{arguments:?}: {said}");
        assert!(said.starts_with("agw: "), "{said}");
    }
}

#[test]
fn the_printed_configuration_passes_its_own_check() {
    let printed = agw(&["config"]);
    assert!(printed.status.success());
    let file = std::env::temp_dir().join(format!("agw-config-{}.toml", std::process::id()));
    std::fs::write(&file, &printed.stdout).unwrap();
    let checked = agw(&["check", "-c", file.to_str().unwrap()]);
    std::fs::remove_file(&file).unwrap();
    assert!(checked.status.success(), "{}", stderr(&checked));
    assert_eq!(stderr(&checked), "");
}

#[test]
fn check_names_every_problem_with_file_line_and_key() {
    let file = std::env::temp_dir().join(format!("agw-wrong-{}.toml", std::process::id()));
    std::fs::write(&file, "[iq]\ntext = \"here\"\n\n[media]\nlatsch = \"never\"\n[io]\ntick_us = 99999\n")
        .unwrap();
    let path = file.to_str().unwrap();
    let output = agw(&["check", "-c", path]);
    std::fs::remove_file(&file).unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = stderr(&output);
    for line in [":2: iq.text: ", ":5: media.latsch: ", ":7: io.tick_us: "] {
        assert!(said.contains(&format!("{path}{line}")), "{line} in {said}");
    }
    assert_eq!(said.lines().count(), 3, "{said}");
}

#[test]
fn a_missing_file_is_said_in_one_line() {
    let output = agw(&["check", "-c", "/nonexistent/agw.toml"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(stderr(&output).lines().count(), 1);
}

#[test]
fn doctor_counts_its_checks() {
    let output = agw(&[
        "doctor",
        "--set",
        "iq.text=127.0.0.1:0",
        "--set",
        "iq.binary=127.0.0.1:0",
        "--set",
        "admin.listen=127.0.0.1:0",
    ]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.lines().last().unwrap().contains(" checks: "), "{said}");
    assert!(said.contains("realm access: 127.0.0.1 is an address of this host"), "{said}");
}
