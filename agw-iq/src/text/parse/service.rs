//! ServiceChange: the Services descriptor of requests and of replies.

use super::*;

/// Parameters appear at most once.
const TWICE: ErrorCode = ErrorCode::SYNTAX_IN_COMMAND;

/// What requests and replies have in common.
#[derive(Default)]
struct Common {
    address: Option<ServiceChangeAddress>,
    mgc_id: Option<Mid>,
    version: Option<u8>,
    profile: Option<Profile>,
    timestamp: Option<TimeStamp>,
}

impl Parser<'_> {
    /// `at` is the place of the descriptor, for the error that something is missing.
    pub(super) fn service_change_request(&mut self, at: usize) -> Res<ServiceChangeRequest> {
        let mut common = Common::default();
        let (mut method, mut reason, mut delay, mut info) = (None, None, None, None);
        let (mut incomplete, mut extensions) = (false, Vec::new());
        self.list(|p| {
            let start = p.lex.clone();
            if p.common_parm(&mut common)? {
                return Ok(());
            }
            let word = p.lex.word("a ServiceChange parameter")?;
            match word.text {
                w if token::METHOD.is(w) => {
                    let found = p.method()?;
                    p.once(&mut method, found, TWICE, word.at, "Method")
                }
                w if token::REASON.is(w) => {
                    p.lex.expect(b'=')?;
                    let found = p.value()?.as_str().to_owned();
                    p.once(&mut reason, found, TWICE, word.at, "Reason")
                }
                w if token::DELAY.is(w) => {
                    p.lex.expect(b'=')?;
                    let number = p.lex.word("a delay in seconds")?;
                    let found = name::decimal(number.text);
                    let found = found.ok_or_else(|| p.lex.fault(number.at, "a delay in seconds expected"))?;
                    p.once(&mut delay, found, TWICE, word.at, "Delay")
                }
                w if token::SERVICE_CHANGE_INCOMPLETE.is(w) => {
                    incomplete = true;
                    Ok(())
                }
                w if name::is_extension(w) => {
                    extensions.push(Parm { name: w.into(), value: p.parm_value()? });
                    Ok(())
                }
                _ => {
                    p.lex = start;
                    let mut items = Vec::new();
                    p.audit_item(&mut items)?;
                    let item = items.pop().filter(|_| items.is_empty());
                    let item = item.ok_or_else(|| p.lex.fault(word.at, "one audit item expected"))?;
                    p.once(&mut info, item, TWICE, word.at, "audit item")
                }
            }
        })?;
        let missing =
            |what| self.lex.fault_as(ErrorCode::INFORMATION_MISSING, at, format!("{what} is missing"));
        let Common { address, mgc_id, version, profile, timestamp } = common;
        Ok(ServiceChangeRequest {
            method: method.ok_or_else(|| missing("Method"))?,
            reason: reason.ok_or_else(|| missing("Reason"))?,
            delay,
            address,
            version,
            profile,
            mgc_id,
            timestamp,
            info,
            incomplete,
            extensions,
        })
    }

    pub(super) fn service_change_reply(&mut self) -> Res<ServiceChangeReply> {
        let mut common = Common::default();
        self.list(|p| {
            let known = p.common_parm(&mut common)?;
            known.then_some(()).ok_or_else(|| p.lex.expected("a parameter of ServiceChange replies"))
        })?;
        let Common { address, mgc_id, version, profile, timestamp } = common;
        Ok(ServiceChangeReply { address, mgc_id, version, profile, timestamp })
    }

    /// A parameter of requests and replies, if one is next.
    fn common_parm(&mut self, common: &mut Common) -> Res<bool> {
        let at = self.lex.at();
        if self.lex.eat_token(token::SERVICE_CHANGE_ADDRESS) {
            self.lex.expect(b'=')?;
            let address = self.service_change_address()?;
            self.once(&mut common.address, address, TWICE, at, "ServiceChangeAddress")?;
        } else if self.lex.eat_token(token::MGC_ID) {
            self.lex.expect(b'=')?;
            let mid = self.mid()?;
            self.lex.skip();
            self.once(&mut common.mgc_id, mid, TWICE, at, "MgcIdToTry")?;
        } else if self.lex.eat_token(token::VERSION) {
            self.lex.expect(b'=')?;
            let word = self.lex.word("a version")?;
            let version = two_digits(word.text)
                .ok_or_else(|| self.lex.fault(word.at, "a version of 1 or 2 digits expected"))?;
            self.once(&mut common.version, version, TWICE, at, "Version")?;
        } else if self.lex.eat_token(token::PROFILE) {
            self.lex.expect(b'=')?;
            let profile = self.profile()?;
            self.once(&mut common.profile, profile, TWICE, at, "Profile")?;
        } else {
            let Some(timestamp) = event::timestamp(self.lex.clone().bare_word().text) else {
                return Ok(false);
            };
            self.lex.word("a time stamp")?;
            self.once(&mut common.timestamp, timestamp, TWICE, at, "time stamp")?;
        }
        Ok(true)
    }

    fn method(&mut self) -> Res<ServiceChangeMethod> {
        self.lex.expect(b'=')?;
        let word = self.lex.word("a method")?;
        Ok(match word.text {
            w if token::RESTART.is(w) => ServiceChangeMethod::Restart,
            w if token::FORCED.is(w) => ServiceChangeMethod::Forced,
            w if token::GRACEFUL.is(w) => ServiceChangeMethod::Graceful,
            w if token::DISCONNECTED.is(w) => ServiceChangeMethod::Disconnected,
            w if token::HAND_OFF.is(w) => ServiceChangeMethod::HandOff,
            w if token::FAILOVER.is(w) => ServiceChangeMethod::Failover,
            w if name::is_extension(w) => ServiceChangeMethod::Extension(w.into()),
            w => return Err(unknown(&self.lex, ErrorCode::UNSUPPORTED_VALUE, word.at, "method", w)),
        })
    }

    /// A port, if the word is a number; else a message identifier.
    fn service_change_address(&mut self) -> Res<ServiceChangeAddress> {
        let word = self.lex.clone().bare_word();
        if !word.text.is_empty() && word.text.bytes().all(|b| b.is_ascii_digit()) {
            self.lex.word("a port number")?;
            let port = name::decimal(word.text);
            return port
                .map(ServiceChangeAddress::Port)
                .ok_or_else(|| self.lex.fault(word.at, "a port number expected"));
        }
        let mid = self.mid()?;
        self.lex.skip();
        Ok(ServiceChangeAddress::Mid(mid))
    }

    /// `NAME/version`
    fn profile(&mut self) -> Res<Profile> {
        let word = self.lex.word("a profile")?;
        word.text
            .split_once('/')
            .filter(|(name, _)| name::is_name(name))
            .and_then(|(name, version)| Some(Profile { name: name.into(), version: two_digits(version)? }))
            .ok_or_else(|| {
                self.lex.fault(word.at, format!("NAME/version expected, found {}", shown(word.text)))
            })
    }
}

fn two_digits(text: &str) -> Option<u8> {
    name::decimal(text).filter(|_| text.len() <= 2)
}
