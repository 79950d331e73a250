//! The binary encoding, versions 1 to 3: what OTP makes of our text our binary parser reads to the tree of that text, and what our binary
//! printer writes OTP reads to the same.
//!
//! Names are numbers there, known to a registry on either side; both write a number that they do not know as `x` and four digits, so
//! generated names are brought to that form. Values are asked for in both forms that are met: with the BER of their own that Annex A
//! wants, and bare, as OTP writes them.

use std::cell::RefCell;

use agw_core::model::RealmName;
use agw_iq::ast::*;
use agw_iq::ber::{self, Naming};
use agw_iq::package::{diffserv::DscpForm, realm::Realms};
use agw_iq::testing;
use agw_iq::text::{Style, parse_strictly, print};
use interop::codec::Codec;

use crate::known::{BINARY, TEXT, common_form};
use crate::walk::{Visit, walk};
use crate::{check, start, still_needed, tamed};

/// Interface 1 is the access, 2 the core, as the script has it.
pub(crate) fn naming() -> Naming {
    let realms = ["access", "core"].iter().filter_map(|name| RealmName::new(name)).collect();
    Naming::of(&Realms::new(realms), DscpForm::default())
}

/// Brings names to what has numbers.
struct Numbered;

fn number_of(text: &str, below: u16) -> u16 {
    text.bytes().fold(7_u16, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into())) % below + 1
}

impl Numbered {
    fn parms(parms: &mut [Parm]) {
        for (at, parm) in parms.iter_mut().enumerate() {
            parm.name = Name::new(format!("x{:04x}", at + 1));
        }
    }
}

impl Visit for Numbered {
    fn name(&mut self, name: &mut PkgdName) {
        if name.package.is_all() {
            return;
        }
        let item = if name.item.is_all() {
            "*".to_owned()
        } else {
            format!("x{:04x}", number_of(name.item.as_str(), 9))
        };
        *name = PkgdName::new(&format!("x7f{:02x}", number_of(name.package.as_str(), 9)), &item);
    }
    fn package(&mut self, package: &mut PackageVersion) {
        package.name = Name::new(format!("x7f{:02x}", number_of(package.name.as_str(), 9)));
    }
    fn termination(&mut self, termination: &mut TerminationId) {
        if let TerminationId::Path(path) = termination {
            let part = |at: usize| match path.as_str().split('/').nth(at) {
                Some(wild @ ("*" | "$")) => wild.to_owned(),
                other => number_of(other.unwrap_or_default(), 99).to_string(),
            };
            let interface = match part(2).as_str() {
                wild @ ("*" | "$") => wild.to_owned(),
                number => if number.len() == 1 { "access" } else { "core" }.to_owned(),
            };
            *path = Name::new(format!("ip/{}/{interface}/{}", part(1), part(3)));
        }
    }
    fn event(&mut self, event: &mut RequestedEvent) {
        Self::parms(&mut event.parms);
    }
    fn embedded(&mut self, event: &mut EmbeddedEvent) {
        Self::parms(&mut event.parms);
    }
    fn spec(&mut self, spec: &mut EventSpec) {
        Self::parms(&mut spec.parms);
    }
    fn audit_item(&mut self, item: &mut AuditItem) {
        if let AuditItem::BufferedEvent { parameter: Some(name), .. } = item {
            *name = "x0001".into();
        }
    }
    fn signal(&mut self, signal: &mut Signal) {
        Self::parms(&mut signal.parms);
    }
}

/// Without what differs in text already, and with names that have numbers.
fn sayable(message: &Message) -> Message {
    let mut message = tamed(TEXT, message);
    walk(&mut message, &mut Numbered);
    message
}

fn numbered(message: &Message) -> Message {
    tamed(BINARY, &sayable(message))
}

fn compare(what: &str, expected: &Message, found: Message) -> Result<(), String> {
    let (mut expected, mut found) = (expected.clone(), found);
    common_form(&mut expected);
    common_form(&mut found);
    if expected == found {
        return Ok(());
    }
    Err(format!(
        "{what}\n{}\n{}",
        print(&expected, Style::Compact).as_str(),
        print(&found, Style::Compact).as_str()
    ))
}

/// OTP's octets of our text, read by us.
fn theirs(codec: &RefCell<Codec>, message: &Message, form: &str) -> Result<(), String> {
    let text = print(message, Style::Compact);
    let octets = codec.borrow_mut().convert("compact", form, text.as_bytes());
    let octets = octets.map_err(|why| format!("{}\nOTP cannot write {form}: {why}", text.as_str()))?;
    let read = ber::parse_strictly(&octets, &naming())
        .map_err(|error| format!("{}\n{form} {octets:02x?}\nwe: {error}", text.as_str()))?;
    compare(form, message, read)
}

/// Our octets, read by OTP, whose text we read.
fn ours(codec: &RefCell<Codec>, message: &Message) -> Result<(), String> {
    let text = print(message, Style::Compact);
    let octets = ber::print(message, &naming())
        .map_err(|error| format!("{}\nwe cannot write: {error}", text.as_str()))?;
    let back = codec.borrow_mut().convert("berstd", "compact", &octets);
    let back = back.map_err(|why| format!("{}\nours {:02x?}\nOTP: {why}", text.as_str(), &octets[..]))?;
    let read = parse_strictly(&back)
        .map_err(|error| format!("{}\n{}\nwe: {error}", text.as_str(), String::from_utf8_lossy(&back)))?;
    compare("ours", message, read)
}

#[test]
fn what_otp_writes_in_binary_is_the_tree_of_its_text() {
    let Some(codec) = start() else { return };
    check(&testing::message(), |message| {
        let message = numbered(&message);
        theirs(&codec, &message, "berstd")?;
        theirs(&codec, &message, "ber")
    });
}

#[test]
fn what_we_write_in_binary_otp_reads_to_the_same_tree() {
    let Some(codec) = start() else { return };
    check(&testing::message(), |message| ours(&codec, &numbered(&message)));
}

#[test]
fn every_listed_difference_of_the_binary_encoding_is_still_there() {
    let Some(codec) = start() else { return };
    let agree = |message: &Message| theirs(&codec, message, "berstd").and_then(|()| ours(&codec, message));
    still_needed(BINARY, Vec::new(), |message| sayable(&message), agree);
}
