//! Running other programs, loudly: what is run is printed, and a failure names it.

use std::fmt::Write;
use std::io::{self, BufRead, BufReader, Write as _};
use std::process::{Command, Stdio};

use crate::place;

/// A command that runs in the workspace's folder and never waits for a keyboard.
pub(crate) fn command(program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(place::root()).stdin(Stdio::null());
    command
}

/// Runs it with its output on ours.
pub(crate) fn run(command: &mut Command) -> Result<(), String> {
    announce(command);
    let status = command.status().map_err(|error| format!("{}: {error}", words(command)))?;
    if status.success() { Ok(()) } else { Err(format!("{} ({status})", words(command))) }
}

/// Runs it with its output on ours, and shows each line of its standard output to `see` as well.
pub(crate) fn run_and_watch(command: &mut Command, mut see: impl FnMut(&str)) -> Result<(), String> {
    announce(command);
    let mut child =
        command.stdout(Stdio::piped()).spawn().map_err(|error| format!("{}: {error}", words(command)))?;
    if let Some(pipe) = child.stdout.take() {
        for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line);
            println!("{line}");
            see(&line);
        }
    }
    let status = child.wait().map_err(|error| format!("{}: {error}", words(command)))?;
    if status.success() { Ok(()) } else { Err(format!("{} ({status})", words(command))) }
}

/// Runs it in silence and gives what it printed; all of it is the error when it fails.
pub(crate) fn read(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| format!("{}: {error}", words(command)))?;
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(text);
    }
    text += &String::from_utf8_lossy(&output.stderr);
    Err(format!("{} ({})\n{text}", words(command), output.status))
}

/// A title before a step's output.
pub(crate) fn title(text: &str) {
    println!("\n== {text}");
}

fn announce(command: &Command) {
    println!("$ {}", words(command));
    // Ours must stand before the program's own output.
    let _flushed = io::stdout().flush();
}

fn words(command: &Command) -> String {
    let mut line = command.get_program().to_string_lossy().into_owned();
    for argument in command.get_args() {
        let _infallible = write!(line, " {}", argument.to_string_lossy());
    }
    line
}
