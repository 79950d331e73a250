//! Reference messages of an independent implementation, and the worked Iq examples: each is read, written in both styles, and read
//! again to the same tree; the pretty and the compact file of one number say the same.

use std::fs;
use std::path::{Path, PathBuf};

use agw_iq::ast::{Body, Command, Message, Streams, Transaction};
use agw_iq::sdp::Sdp;
use agw_iq::text::{Style, parse_strictly, print};

fn files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors").join(folder);
    let mut files: Vec<_> =
        fs::read_dir(&folder).expect("vectors").map(|entry| entry.expect("entry").path()).collect();
    // Binary ones have tests of their own.
    files.retain(|path| path.extension().is_none_or(|extension| extension != "hex"));
    files.sort();
    files
}

fn read(path: &Path) -> Message {
    let text = fs::read(path).expect("a readable vector");
    parse_strictly(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The descriptions of all Add, Move and Modify commands.
fn descriptions(message: &Message) -> Vec<Sdp> {
    let Body::Transactions(transactions) = &message.body else { return Vec::new() };
    let mut found = Vec::new();
    for transaction in transactions {
        let Transaction::Request(request) = transaction else { continue };
        for command in request.actions.iter().flat_map(|action| &action.commands) {
            let (Command::Add(amm) | Command::Move(amm) | Command::Modify(amm)) = &command.command else {
                continue;
            };
            let Some(Streams::Many(streams)) = amm.media.as_ref().map(|media| &media.streams) else {
                continue;
            };
            for text in
                streams.iter().flat_map(|stream| [&stream.parms.local, &stream.parms.remote]).flatten()
            {
                found.push(text.parse().unwrap_or_else(|error| panic!("{error}\n{text:?}")));
            }
        }
    }
    found
}

#[test]
fn every_reference_message_survives_both_styles() {
    let all: Vec<_> = files("otp").into_iter().chain(files("iq")).collect();
    assert_eq!(all.len(), 31 * 2 + 24);
    for path in all {
        let message = read(&path);
        for style in [Style::Pretty, Style::Compact] {
            let text = print(&message, style);
            let again = parse_strictly(text.as_bytes())
                .unwrap_or_else(|error| panic!("{}: {error}\n{text:?}", path.display()));
            assert_eq!(again, message, "{}", path.display());
        }
    }
}

#[test]
fn pretty_and_compact_files_of_a_number_say_the_same() {
    for pretty in files("otp").into_iter().filter(|path| path.extension().is_some_and(|ext| ext == "pretty"))
    {
        assert_eq!(read(&pretty), read(&pretty.with_extension("compact")), "{}", pretty.display());
    }
}

#[test]
fn our_compact_text_is_that_of_the_reference_but_for_line_ends() {
    // Where the other implementation orders elements as we do, the text is the same, white space aside.
    let squeeze = |text: &str| text.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
    for number in
        ["02", "09", "10", "11", "12", "13", "14", "15", "16", "17", "18", "19", "20", "21", "24", "26", "27"]
    {
        let path = files("otp").into_iter().find(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with(number) && name.ends_with(".compact")
        });
        let path = path.expect("a vector of that number");
        let theirs = fs::read_to_string(&path).expect("a readable vector");
        let ours = print(&read(&path), Style::Compact);
        assert_eq!(squeeze(&ours).to_lowercase(), squeeze(&theirs).to_lowercase());
    }
}

#[test]
fn the_descriptions_in_them_are_read_and_written_back() {
    let mut count = 0;
    for path in files("otp").into_iter().chain(files("iq")) {
        for sdp in descriptions(&read(&path)) {
            count += 1;
            assert_eq!(sdp.print().parse().as_ref(), Ok(&sdp), "{}", path.display());
        }
    }
    assert!(count > 20, "only {count} descriptions");
}
