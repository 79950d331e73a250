//! The text encoding, pretty and compact.

use std::cell::{Cell, RefCell};

use agw_iq::ast::Message;
use agw_iq::testing;
use agw_iq::text::{Style, parse_strictly, print};
use interop::codec::Codec;
use proptest::prelude::*;

use crate::known::{RARE, TEXT, THEY_REFUSE, WE_REFUSE, common_form};
use crate::{check, start, still_needed, tamed};

/// Our text through OTP's decoder and encoder and our parser: the tree that comes back, or where the way ended.
fn there_and_back(codec: &RefCell<Codec>, message: &Message, style: Style) -> Result<Message, String> {
    let (from, to) = match style {
        Style::Pretty => ("pretty", "compact"),
        Style::Compact => ("compact", "pretty"),
    };
    let text = print(message, style);
    let back = codec
        .borrow_mut()
        .convert(from, to, text.as_bytes())
        .map_err(|why| format!("{}\nOTP: {why}", text.as_str()))?;
    parse_strictly(&back).map_err(|error| {
        format!("{}\nOTP wrote {}\nwe: {error}", text.as_str(), String::from_utf8_lossy(&back))
    })
}

fn same(codec: &RefCell<Codec>, message: &Message, style: Style) -> Result<(), String> {
    let (mut ours, mut theirs) = (message.clone(), there_and_back(codec, message, style)?);
    common_form(&mut ours);
    common_form(&mut theirs);
    if ours == theirs {
        Ok(())
    } else {
        Err(format!("{}\nours   {ours:?}\ntheirs {theirs:?}", print(message, style).as_str()))
    }
}

#[test]
fn what_we_write_comes_back_from_otp_as_the_same_tree() {
    let Some(codec) = start() else { return };
    check(&testing::message(), |message| {
        let message = tamed(TEXT, &message);
        same(&codec, &message, Style::Compact)?;
        same(&codec, &message, Style::Pretty)
    });
}

#[test]
fn every_listed_difference_is_still_there() {
    let Some(codec) = start() else { return };
    let rare = RARE.iter().map(|text| parse_strictly(text.as_bytes()).expect(text)).collect();
    still_needed(TEXT, rare, |message| message, |message| same(&codec, message, Style::Compact));
}

/// What became of texts that both looked at.
#[derive(Debug, Default)]
struct Tally {
    both_take: Cell<u32>,
    both_refuse: Cell<u32>,
    listed: Cell<u32>,
}

fn count(cell: &Cell<u32>) -> Result<(), String> {
    cell.set(cell.get() + 1);
    Ok(())
}

/// Shows one text to both: taken by both to the same tree, refused by both, or on the list.
fn judge(codec: &RefCell<Codec>, text: &[u8], tally: &Tally) -> Result<(), String> {
    let shown = String::from_utf8_lossy(text);
    let theirs = codec.borrow_mut().convert("compact", "pretty", text);
    let mut ours = match (parse_strictly(text), &theirs) {
        (Err(_), Err(_)) => return count(&tally.both_refuse),
        (Err(error), Ok(_)) => {
            let words = error.text();
            let listed = WE_REFUSE.iter().any(|(known, _)| words.contains(known));
            return if listed {
                count(&tally.listed)
            } else {
                Err(format!("only we refuse {shown}\n{words}"))
            };
        }
        (Ok(tree), _) => tree,
    };
    if tamed(TEXT, &ours) != ours {
        return count(&tally.listed);
    }
    match theirs {
        Err(_) if THEY_REFUSE.iter().any(|(known, _)| known(&shown)) => count(&tally.listed),
        Err(why) => Err(format!("only OTP refuses {shown}\n{why}")),
        Ok(back) => {
            let mut back = parse_strictly(&back).map_err(|error| format!("{shown}\nback: {error}"))?;
            common_form(&mut ours);
            common_form(&mut back);
            if ours == back {
                count(&tally.both_take)
            } else {
                Err(format!("{shown}\nours   {ours:?}\ntheirs {back:?}"))
            }
        }
    }
}

#[test]
fn messages_that_otp_has_changed_are_taken_or_refused_alike() {
    let Some(codec) = start() else { return };
    let (tally, unwritten) = (Tally::default(), Cell::new(0));
    check(&(testing::message(), any::<u32>()), |(message, seed)| {
        let text = print(&tamed(TEXT, &message), Style::Compact);
        let changed = codec.borrow_mut().change("compact", "compact", seed, text.as_bytes());
        match changed {
            Ok(changed) => judge(&codec, &changed, &tally),
            Err(_) => count(&unwritten),
        }
    });
    println!("{tally:?}, {} could not be written", unwritten.get());
    assert!(tally.both_take.get() > 10 * tally.listed.get(), "{tally:?}");
    assert!(tally.both_refuse.get() > 10, "{tally:?}");
}

#[test]
fn texts_with_characters_changed_are_taken_or_refused_alike() {
    const CHARACTERS: &[u8] = b"{}=,:[]<>/\"*$-1aZ \n";
    let Some(codec) = start() else { return };
    let tally = Tally::default();
    let change = (any::<prop::sample::Index>(), 0..4_u8, prop::sample::select(CHARACTERS));
    check(&(testing::message(), change), |(message, (at, kind, character))| {
        let mut text = print(&tamed(TEXT, &message), Style::Compact).as_bytes().to_vec();
        let at = at.index(text.len());
        match kind {
            0 => drop(text.remove(at)),
            1 => text[at] = character,
            2 => text.insert(at, character),
            _ => text.truncate(at),
        }
        judge(&codec, &text, &tally)
    });
    println!("{tally:?}");
    assert!(tally.both_take.get() > 4 * tally.listed.get(), "{tally:?}");
    assert!(tally.both_refuse.get() > 100, "{tally:?}");
}
