//! Erlang/OTP megaco's codec at a pipe: thousands of messages, one process.
//!
//! Starting Erlang takes a second and translating a message far less than a millisecond, so a differential test keeps one process
//! and asks it question after question. The two ends are `peers/h248/h248.escript codec` and [`Codec`]; packets carry their length
//! in four octets, as Erlang's ports have it. A codec that says nothing for a while is a failure, not a test that hangs.

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use crate::peers::Megaco;

/// How long an answer may take; the first includes Erlang's start.
const PATIENCE: Duration = Duration::from_secs(30);
/// The longest answer that is believed.
const MAX_ANSWER_BYTES: usize = 1 << 24;

/// A running codec; ends with the value.
#[derive(Debug)]
pub struct Codec {
    child: Child,
    questions: ChildStdin,
    answers: Receiver<Vec<u8>>,
}

impl Codec {
    /// Starts the codec.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(megaco: Megaco) -> Result<Self, String> {
        let mut command = megaco.escript();
        // Erlang itself must not read what is meant for the codec.
        command.arg("codec").env("ERL_FLAGS", "-noinput").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(|error| format!("escript: {error}"))?;
        let (Some(questions), Some(mut pipe)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("escript: no pipes".to_owned());
        };
        let (sender, answers) = channel();
        thread::spawn(move || {
            while let Some(answer) = read_packet(&mut pipe) {
                if sender.send(answer).is_err() {
                    break;
                }
            }
        });
        Ok(Self { child, questions, answers })
    }

    /// Translates a message between `pretty`, `compact`, `ber` and `berstd`.
    ///
    /// # Errors
    /// With megaco's words, when it refuses the message.
    pub fn convert(&mut self, from: &str, to: &str, message: &[u8]) -> Result<Vec<u8>, String> {
        self.ask(&format!("{from} {to}\n"), message)
    }

    /// Like [`Codec::convert`], with a few changes to the message on the way: parts left out, doubled or exchanged, the same ones
    /// for the same seed.
    ///
    /// # Errors
    /// Also when what came of it cannot be written.
    pub fn change(&mut self, from: &str, to: &str, seed: u32, message: &[u8]) -> Result<Vec<u8>, String> {
        self.ask(&format!("{from} {to} {seed}\n"), message)
    }

    fn ask(&mut self, line: &str, message: &[u8]) -> Result<Vec<u8>, String> {
        let length = u32::try_from(line.len() + message.len()).expect("a message fits");
        let packet = [&length.to_be_bytes(), line.as_bytes(), message].concat();
        self.questions.write_all(&packet).and_then(|()| self.questions.flush()).expect("the codec listens");
        let answer = match self.answers.recv_timeout(PATIENCE) {
            Ok(answer) => answer,
            Err(RecvTimeoutError::Timeout) => panic!("the codec says nothing to {line}"),
            Err(RecvTimeoutError::Disconnected) => panic!("the codec ended at {line}"),
        };
        match answer.split_first() {
            Some((b'+', message)) => Ok(message.to_vec()),
            Some((b'-', words)) => Err(String::from_utf8_lossy(words).into_owned()),
            _ => panic!("the codec answered {answer:?}"),
        }
    }
}

impl Drop for Codec {
    fn drop(&mut self) {
        // It may have ended already.
        let _killed = self.child.kill();
        let _reaped = self.child.wait();
    }
}

fn read_packet(pipe: &mut ChildStdout) -> Option<Vec<u8>> {
    let mut length = [0; 4];
    pipe.read_exact(&mut length).ok()?;
    let length =
        usize::try_from(u32::from_be_bytes(length)).ok().filter(|length| *length <= MAX_ANSWER_BYTES)?;
    let mut answer = vec![0; length];
    pipe.read_exact(&mut answer).ok()?;
    Some(answer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::require;

    const GOOD: &[u8] = b"MEGACO/2 [127.0.0.1]:2944 Transaction = 1 { Context = - { AuditValue = ROOT { Audit { Packages } } } }";

    #[test]
    fn the_codec_translates_refuses_and_changes() {
        let Some(megaco) = require("erlang-megaco", Megaco::find) else { return };
        let mut codec = Codec::start(megaco).unwrap();
        let compact = codec.convert("pretty", "compact", GOOD).unwrap();
        assert_eq!(String::from_utf8_lossy(&compact), "!/2 [127.0.0.1]:2944\nT=1{C=-{AV=root{AT{PG}}}}");
        assert!(codec.convert("pretty", "compact", b"MEGACO/2 no").unwrap_err().contains("cannot decode"));
        let changed: std::collections::BTreeSet<_> =
            (0..50).map(|seed| codec.change("pretty", "compact", seed, GOOD)).collect();
        assert!(changed.len() > 2, "{changed:?}");
        assert_eq!(codec.change("pretty", "compact", 7, GOOD), codec.change("pretty", "compact", 7, GOOD));
    }
}
