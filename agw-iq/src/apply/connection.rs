//! What a description says of a TCP connection and of TLS on it, or of DTLS (RFC 4145, 4975, 8122, 8842; TS 23.334 clauses 5.11.2, 5.16 and
//! 5.19), and what follows from it in the model's words.
//!
//! `a=setup` of Local is our role, that of Remote the peer's; together they give the direction, and neither may contradict the other. TLS is
//! the server's part unless the signal `tlsbsc/EstBNC` asks for the client's. A fingerprint or a path with `$` in Local asks for ours.
//! What was proven is not put in doubt afterwards: while a session is up, the peer's fingerprints stay what they were (TLS-2), and a
//! running connection is not replaced by `a=connection:new`. A DTLS association, in contrast, gives way to a new one when its name, the
//! peer's fingerprints or the signal say so (DTLS-4). Pre-shared keys pass through as those of SDES do (SRTP-12).

mod lines;

pub(super) use lines::{ConnectionTerms, fill, is_fillable, one, shown};

use super::media::unsupported;
use super::playing::SignalKind;
use super::stream::Stream;
use crate::ast::ErrorDescriptor;
use crate::errors::ErrorCode;
use agw_core::model::{
    Application, Bearer, BearerFailure, Fingerprint, PreSharedKey, SourceRule, StreamSpec, TcpSetup, TlsSpec,
    Transport, Trigger,
};
use lines::{Fingerprints, Path};

/// What is known of the connection of a stream.
#[derive(Clone, Debug, Default)]
pub(super) struct Connection {
    local_setup: Option<TcpSetup>,
    remote_setup: Option<TcpSetup>,
    /// `a=tls-id` of Local and of Remote.
    tls_ids: [Option<Box<str>>; 2],
    /// `a=connection:new` was said, in Local and in Remote.
    new: [bool; 2],
    is_up: bool,
    is_secured: bool,
    /// TLS failed: the end of the connection is no news.
    session_failed: bool,
    /// It was up once.
    has_ended: bool,
}

/// What is worth telling of a change where only `g/cause` is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    Released,
    Failed(BearerFailure),
}

impl Connection {
    /// Whether what a signal establishes is up.
    pub(super) fn has(&self, kind: SignalKind) -> bool {
        match kind {
            SignalKind::Latch => false,
            SignalKind::Connect => self.is_up,
            SignalKind::Secure => self.is_secured,
        }
    }

    /// The state of the connection in the words of `msrpcs/status`.
    pub(super) fn status(&self) -> &'static str {
        match (self.is_up, self.is_secured, self.has_ended) {
            (true, true, _) => "Secured",
            (true, false, _) => "Up",
            (false, _, true) => "Ended",
            (false, _, false) => "Idle",
        }
    }

    /// Something has become of the connection, or of TLS on it; what a controller hears of it that asked only for `g/cause`. A session that
    /// fails takes its connection along, and one that ends does: that is told once.
    pub(super) fn note(&mut self, kind: SignalKind, bearer: Bearer) -> Option<Cause> {
        let up = bearer == Bearer::Established;
        match kind {
            SignalKind::Latch => return None,
            SignalKind::Connect => {
                self.is_up = up;
                self.is_secured &= up;
                self.has_ended |= !up;
            }
            SignalKind::Secure => self.is_secured = up,
        }
        let told = std::mem::replace(
            &mut self.session_failed,
            kind == SignalKind::Secure && matches!(bearer, Bearer::Failed(_)),
        );
        match (kind, bearer) {
            (SignalKind::Connect, _) if told => None,
            (_, Bearer::Failed(failure)) => Some(Cause::Failed(failure)),
            (SignalKind::Connect, Bearer::Released) => Some(Cause::Released),
            _ => None,
        }
    }
}

impl ConnectionTerms {
    /// Takes in what Local says: it is ours.
    ///
    /// # Errors
    /// 449 for values that are not ours.
    pub(super) fn take_local(
        &self,
        stream: &mut Stream,
        spec: &mut StreamSpec,
    ) -> Result<(), ErrorDescriptor> {
        let given = stream.given.as_ref();
        let tls = spec.tls.get_or_insert_default();
        let said = self.fingerprints.said.iter();
        if self.fingerprints.unknown {
            return Err(unsupported("a=fingerprint of an unknown hash function in Local"));
        }
        if let Some(foreign) =
            said.clone().find(|said| !given.is_some_and(|given| given.fingerprints.contains(said)))
        {
            return Err(unsupported(format!("a=fingerprint:{foreign} in Local is not ours")));
        }
        for hash in self.fingerprints.asked.iter().copied().chain(said.map(Fingerprint::hash)) {
            if !tls.own.contains(&hash) {
                tls.own.push(hash);
            }
        }
        let tcp = spec.tcp.get_or_insert_default();
        match &self.path {
            None => tcp.msrp.own = false,
            Some(Path::Asked) => tcp.msrp.own = true,
            Some(Path::Said(said)) => {
                let ours = given.and_then(|given| given.msrp_path.as_deref());
                if ours != Some(said) {
                    return Err(unsupported(format!("a=path:{} in Local is not ours", shown(said))));
                }
            }
        }
        let is_new = given.is_none();
        let tls = spec.tls.get_or_insert_default();
        let connection = stream.connection.get_or_insert_default();
        connection.local_setup = self.setup;
        connection.name(0, self.tls_id.as_deref(), tls);
        connection.ask(0, self.new, is_new, false)
    }

    /// Takes in what Remote says: it is the peer's. `moved`: it names another address than before.
    ///
    /// # Errors
    /// 473 where it would change what was proven.
    pub(super) fn take_remote(
        &self,
        stream: &mut Stream,
        spec: &mut StreamSpec,
        moved: bool,
    ) -> Result<(), ErrorDescriptor> {
        let is_new = stream.given.is_none();
        let connection = stream.connection.get_or_insert_default();
        let tls = spec.tls.get_or_insert_default();
        let Fingerprints { said, unknown, .. } = &self.fingerprints;
        let same = said.len() == tls.peer.len() && said.iter().all(|said| tls.peer.contains(said));
        let is_dtls = matches!(spec.transport, Transport::DtlsRtp { .. });
        if connection.is_secured && !same && !is_dtls {
            let text = "a=fingerprint of Remote was changed while the session is up";
            return Err(ErrorDescriptor::with_text(ErrorCode::CONFLICTING_VALUES, text));
        }
        if !same {
            tls.peer = said.clone();
        }
        tls.peer_unknown = said.is_empty() && *unknown;
        connection.name(1, self.tls_id.as_deref(), tls);
        spec.tcp.get_or_insert_default().msrp.peer = match &self.path {
            Some(Path::Said(path)) => Some(path.clone()),
            Some(Path::Asked) | None => None,
        };
        connection.remote_setup = self.setup;
        connection.ask(1, self.new, is_new, moved)
    }
}

impl Connection {
    /// Remote was taken away, and with it what was not proven yet.
    pub(super) fn forget_remote(&mut self, spec: &mut StreamSpec) {
        self.remote_setup = None;
        self.new[1] = false;
        if let Some(tcp) = &mut spec.tcp {
            tcp.msrp.peer = None;
        }
        if let Some(tls) = spec.tls.as_mut().filter(|_| !self.is_secured) {
            tls.peer = Vec::new();
            tls.peer_unknown = false;
        }
    }

    /// `a=tls-id` of one side (RFC 8842 section 4). What comes first names the association that is there, whichever side brings it; another
    /// one of either side names a new association (DTLS-4).
    fn name(&mut self, side: usize, id: Option<&str>, tls: &mut TlsSpec) {
        let Some(id) = id else { return };
        let before = self.tls_ids[side].replace(id.into());
        let has_changed = before.is_some_and(|before| *before != *id);
        if has_changed || tls.association.is_none() {
            let ids: Vec<&str> = self.tls_ids.iter().flatten().map(|id| &**id).collect();
            tls.association = Some(ids.join(" ").into());
        }
    }

    /// `a=connection` (RFC 4145 section 5). Repeating what was said asks for nothing.
    fn ask(
        &mut self,
        side: usize,
        new: Option<bool>,
        is_new: bool,
        moved: bool,
    ) -> Result<(), ErrorDescriptor> {
        if new == Some(false) && is_new {
            return Err(unsupported("a=connection:existing: the stream has no connection yet"));
        }
        let repeated = self.new[side] && !moved;
        if new == Some(true) && self.is_up && !repeated {
            let text =
                "a=connection:new: a running connection is not replaced; subtract the stream and add it anew";
            return Err(ErrorDescriptor::with_text(ErrorCode::NOT_IMPLEMENTED, text));
        }
        self.new[side] = new == Some(true);
        Ok(())
    }
}

/// What a command's signals ask of one stream.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Establish {
    /// `tcpbcc/EstBNC`; `Some(true)`: for this stream by its number.
    pub(super) connect: Option<bool>,
    /// `tlsbsc/EstBNC`, likewise.
    pub(super) secure: Option<bool>,
}

/// What follows from both descriptions, the properties and the signals.
///
/// # Errors
/// 473 for roles and properties that contradict each other, 472 where a connection is ordered to nowhere, 513 for signals that mean nothing here.
pub(super) fn derive(
    spec: &mut StreamSpec,
    stream: &mut Stream,
    establish: Establish,
) -> Result<(), ErrorDescriptor> {
    let trigger = match stream.property("seplink", "trigger") {
        Some(value) if value.is("tcp") => Some(Trigger::Tcp),
        Some(value) if value.is("tls") => Some(Trigger::Tls),
        _ => None,
    };
    let check_framing = stream.is_on("tcpbcc", "framing") == Some(true);
    let says = spec.transport.as_str();
    let conflict =
        |what: &str| ErrorDescriptor::with_text(ErrorCode::CONFLICTING_VALUES, format!("{what} with {says}"));
    let senseless = |signal: SignalKind| {
        let text = format!("{} with {says}", signal.name());
        ErrorDescriptor::with_text(ErrorCode::CANNOT_GENERATE_SIGNAL, text)
    };
    let has_tls = spec.transport.has_tls();
    if establish.secure == Some(true) && !has_tls {
        return Err(senseless(SignalKind::Secure));
    }
    let Transport::Tcp { application, .. } = spec.transport else {
        if establish.connect == Some(true) {
            return Err(senseless(SignalKind::Connect));
        }
        if trigger.is_some() {
            return Err(conflict("seplink/trigger"));
        }
        if check_framing {
            return Err(conflict("tcpbcc/framing"));
        }
        spec.tcp = None;
        if has_tls {
            return derive_dtls(spec, stream, establish);
        }
        (spec.tls, stream.connection) = (None, None);
        return Ok(());
    };
    if trigger == Some(Trigger::Tls) && !has_tls {
        return Err(conflict("seplink/trigger = tls"));
    }
    if check_framing && application == Application::Msrp {
        return Err(conflict("tcpbcc/framing"));
    }
    let connection = stream.connection.get_or_insert_default();
    let setup = direction(connection.local_setup, connection.remote_setup)?;
    // The port from which a peer connects is its own choice; that of Remote says nothing of it (RFC 4145 section 4.1).
    if setup != TcpSetup::Active && spec.filter.ports == SourceRule::Peer {
        spec.filter.ports = SourceRule::Any;
    }
    let connect = establish.connect.is_some() && !connection.is_up;
    if connect {
        may_connect(setup, spec)?;
    }
    let tcp = spec.tcp.get_or_insert_default();
    (tcp.setup, tcp.trigger, tcp.check_framing, tcp.establish) = (setup, trigger, check_framing, connect);
    if has_tls {
        spec.tls.get_or_insert_default().establish = establish.secure.is_some() && !connection.is_secured;
    } else {
        spec.tls = None;
    }
    Ok(())
}

/// DTLS-2: the signal makes us the client. `a=setup` must not say otherwise, and the peer's certificate must be known to be judged.
fn derive_dtls(
    spec: &mut StreamSpec,
    stream: &mut Stream,
    establish: Establish,
) -> Result<(), ErrorDescriptor> {
    let connection = stream.connection.get_or_insert_default();
    let setup = direction(connection.local_setup, connection.remote_setup)?;
    let tls = spec.tls.get_or_insert_default();
    tls.establish = establish.secure.is_some();
    if tls.establish {
        let name = SignalKind::Secure.name();
        let refused = match setup {
            TcpSetup::Passive => Some((ErrorCode::CONFLICTING_VALUES, "and a=setup has us wait")),
            TcpSetup::HoldConn => Some((ErrorCode::CONFLICTING_VALUES, "and a=setup:holdconn")),
            TcpSetup::Active | TcpSetup::ActPass | TcpSetup::Stateless
                if tls.peer.is_empty() && !tls.peer_unknown =>
            {
                Some((ErrorCode::INFORMATION_MISSING, "without a=fingerprint in Remote"))
            }
            TcpSetup::Active | TcpSetup::ActPass | TcpSetup::Stateless => None,
        };
        if let Some((code, why)) = refused {
            return Err(ErrorDescriptor::with_text(code, format!("{name} {why}")));
        }
        // Done once more where it was done before (DTLS-4).
        connection.is_secured = false;
    }
    Ok(())
}

/// The direction of the connection out of both sides' `a=setup` (RFC 4145 section 4.1).
fn direction(local: Option<TcpSetup>, remote: Option<TcpSetup>) -> Result<TcpSetup, ErrorDescriptor> {
    use TcpSetup::{ActPass, Active, HoldConn, Passive, Stateless};
    Ok(match (local, remote) {
        (None, None) => Stateless,
        (Some(HoldConn), _) | (_, Some(HoldConn)) => HoldConn,
        (Some(Active), Some(Active)) | (Some(Passive), Some(Passive)) => {
            let both = if local == Some(Active) { "active" } else { "passive" };
            let text = format!("a=setup:{both} in both Local and Remote");
            return Err(ErrorDescriptor::with_text(ErrorCode::CONFLICTING_VALUES, text));
        }
        (Some(Active), _) | (_, Some(Passive)) => Active,
        (Some(Passive), _) | (_, Some(Active)) => Passive,
        _ => ActPass,
    })
}

/// Whether `tcpbcc/EstBNC` can be obeyed (TCP-2).
fn may_connect(setup: TcpSetup, spec: &StreamSpec) -> Result<(), ErrorDescriptor> {
    let name = SignalKind::Connect.name();
    let (code, why) = match setup {
        TcpSetup::Stateless => (ErrorCode::INFORMATION_MISSING, "without a=setup"),
        TcpSetup::Passive => (ErrorCode::CONFLICTING_VALUES, "and a=setup has us wait"),
        TcpSetup::HoldConn => (ErrorCode::CONFLICTING_VALUES, "and a=setup:holdconn"),
        TcpSetup::Active | TcpSetup::ActPass if spec.remote.is_none() => {
            (ErrorCode::INFORMATION_MISSING, "without an address in Remote")
        }
        TcpSetup::Active | TcpSetup::ActPass => return Ok(()),
    };
    Err(ErrorDescriptor::with_text(code, format!("{name} {why}")))
}

/// The key of a stream with TLS-PSK (TLS-11): the peer's, mixed with ours where Local has one.
///
/// # Errors
/// 472 where one half of a mixed key comes without the other, which is kept nowhere.
pub(super) fn take_keys(
    tls: &mut Option<Box<TlsSpec>>,
    (local, remote): (Option<&PreSharedKey>, Option<&PreSharedKey>),
    is_mixed: bool,
) -> Result<(), ErrorDescriptor> {
    let psk = match (local, remote) {
        (None, None) => return Ok(()),
        (Some(ours), Some(peers)) => peers.mixed(ours),
        (None, Some(peers)) if !is_mixed => peers.clone(),
        (Some(_), None) | (None, Some(_)) => {
            let text = "TLS_PSK in Local and in Remote make one key: both are needed in the same command";
            return Err(ErrorDescriptor::with_text(ErrorCode::INFORMATION_MISSING, text));
        }
    };
    tls.get_or_insert_default().psk = Some(psk);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use agw_core::model::TlsFailure;

    #[test]
    fn the_direction_follows_from_either_side_or_from_both() {
        use TcpSetup::{ActPass, Active, HoldConn, Passive, Stateless};
        for (local, remote, direction_wanted) in [
            (None, None, Some(Stateless)),
            (Some(Active), None, Some(Active)),
            (None, Some(Active), Some(Passive)),
            (None, Some(Passive), Some(Active)),
            (Some(ActPass), Some(Passive), Some(Active)),
            (Some(ActPass), Some(Active), Some(Passive)),
            (Some(ActPass), Some(ActPass), Some(ActPass)),
            (None, Some(ActPass), Some(ActPass)),
            (Some(Passive), Some(ActPass), Some(Passive)),
            (Some(Active), Some(HoldConn), Some(HoldConn)),
            (Some(Active), Some(Active), None),
            (Some(Passive), Some(Passive), None),
        ] {
            assert_eq!(direction(local, remote).ok(), direction_wanted, "{local:?} {remote:?}");
        }
    }

    #[test]
    fn a_session_that_fails_is_told_once_though_its_connection_ends_with_it() {
        let mismatch = BearerFailure::Tls(TlsFailure::FingerprintMismatch);
        let mut connection = Connection::default();
        assert_eq!(connection.note(SignalKind::Connect, Bearer::Established), None);
        assert_eq!(
            connection.note(SignalKind::Secure, Bearer::Failed(mismatch)),
            Some(Cause::Failed(mismatch))
        );
        assert_eq!(connection.note(SignalKind::Connect, Bearer::Released), None);
        assert_eq!(connection.status(), "Ended");
        // The next one is news again.
        connection.note(SignalKind::Connect, Bearer::Established);
        assert_eq!(connection.note(SignalKind::Secure, Bearer::Established), None);
        assert_eq!(connection.status(), "Secured");
        assert_eq!(connection.note(SignalKind::Secure, Bearer::Released), None);
        assert_eq!(connection.note(SignalKind::Connect, Bearer::Released), Some(Cause::Released));
    }
}
