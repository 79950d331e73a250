//! Our codecs beside that of Erlang/OTP megaco, over thousands of generated messages: what one writes the other reads to the same
//! tree, what one refuses the other refuses. The only exceptions stand in one file, [`known`], each with its reason, and a test shows
//! that each is still needed.
//!
//! Wireshark's dissectors are the other judge, of reference messages and of single values.
//!
//! The ordinary run looks at a few thousand messages; `AGW_CODEC_MESSAGES` names another number, `AGW_CODEC_SEED` (a number) another
//! set of them.

mod avoid;
mod ber;
mod known;
mod text;
mod walk;
mod wireshark;

use std::cell::{Cell, RefCell};
use std::fmt::Debug;

use agw_iq::ast::Message;
use interop::codec::Codec;
use interop::peers::Megaco;
use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};

/// As many generated messages a test looks at, unless the environment says otherwise.
const MESSAGES: u32 = 2000;

/// A codec to be asked from within a property, which has only a shared hold of what surrounds it.
fn start() -> Option<RefCell<Codec>> {
    let megaco = interop::require("erlang-megaco", Megaco::find)?;
    Some(RefCell::new(Codec::start(megaco).expect("escript starts")))
}

/// Holds as many generated inputs as asked for to a property; the one that fails is made as small as it can be.
fn check<S: Strategy>(strategy: &S, property: impl Fn(S::Value) -> Result<(), String>)
where
    S::Value: Debug,
{
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<u32>().ok());
    let cases = number("AGW_CODEC_MESSAGES").unwrap_or(MESSAGES);
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 20_000, ..Config::default() };
    let seed = [number("AGW_CODEC_SEED").unwrap_or(7).to_be_bytes(); 8].concat();
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &seed));
    if let Err(error) = runner.run(strategy, |input| property(input).map_err(TestCaseError::fail)) {
        panic!("{error}");
    }
}

/// The message without what is known to differ.
fn tamed(differences: &[known::Difference], message: &Message) -> Message {
    let mut message = message.clone();
    differences.iter().for_each(|difference| (difference.avoid)(&mut message));
    message
}

/// Shows of each entry of a list that it is needed: there are messages in which it alone is not avoided and on which the codecs part.
fn still_needed(
    list: &[known::Difference],
    rare: Vec<Message>,
    prepare: impl Fn(Message) -> Message,
    agree: impl Fn(&Message) -> Result<(), String>,
) {
    let seen: Vec<Cell<bool>> = list.iter().map(|_| Cell::new(false)).collect();
    let look = |message: Message| -> Result<(), String> {
        let message = prepare(message);
        let reference = tamed(list, &message);
        for at in (0..list.len()).filter(|at| !seen[*at].get()) {
            let mut alone = message.clone();
            for (_, other) in list.iter().enumerate().filter(|(other, _)| *other != at) {
                (other.avoid)(&mut alone);
            }
            if alone != reference && agree(&alone).is_err() {
                seen[at].set(true);
            }
        }
        Ok(())
    };
    rare.into_iter().map(&look).for_each(|looked| looked.expect("looking does not fail"));
    check(&agw_iq::testing::message(), look);
    for (difference, seen) in list.iter().zip(&seen) {
        assert!(seen.get(), "no message shows {} ({}) any more", difference.name, difference.reason);
    }
}
