//! MSRP and BFCP through the gateway: paths of ours towards each side, bodies untouched, and what is neither (TLS-9, TLS-10).

use crate::rig::{BFCP, Call, MSRP, Rig, failed, read, was_reset};
use agw_core::model::*;
use agw_core::worker::stats::{Counter, MsrpCount};

const UE_PATH: &str = "msrp://198.51.100.11:7654/ue;tcp";
const CORE_PATH: &str = "msrp://relay.example:9000/r;tcp msrp://198.51.100.12:7777/core;tcp";

fn with_path(own: bool, peer: &str) -> TcpSpec {
    TcpSpec { msrp: MsrpPaths { own, peer: Some(peer.into()) }, ..TcpSpec::default() }
}

fn send(id: &str, to: &str, from: &str) -> String {
    format!(
        "MSRP {id} SEND\r\nTo-Path: {to}\r\nFrom-Path: {from}\r\nMessage-ID: 1\r\nByte-Range: 1-2/2\r\nContent-Type: text/plain\r\n\r\nhi\r\n-------{id}$\r\n"
    )
}

fn paths(call: &Call) -> (String, String) {
    (call.ue.path.clone().unwrap().into(), call.core.path.clone().unwrap().into())
}

#[test]
fn with_paths_at_both_sides_each_side_sees_the_gateway() {
    let mut rig = Rig::new();
    let call = rig.call_of(MSRP, with_path(true, UE_PATH), with_path(true, CORE_PATH));
    let (ue_own, core_own) = paths(&call);
    assert!(
        ue_own.starts_with(&format!("msrp://{}/", call.ue.local)) && ue_own.ends_with(";tcp"),
        "{ue_own}"
    );
    assert_ne!(ue_own.rsplit('/').next(), core_own.rsplit('/').next());
    let (ue, core) = rig.up(&call);
    ue.send(send("abcd", &ue_own, UE_PATH).as_bytes()).unwrap();
    rig.settle();
    assert_eq!(String::from_utf8(read(&core).0).unwrap(), send("abcd", CORE_PATH, &core_own));
    core.send(send("efgh", &core_own, CORE_PATH).as_bytes()).unwrap();
    rig.settle();
    assert_eq!(String::from_utf8(read(&ue).0).unwrap(), send("efgh", UE_PATH, &ue_own));
    assert_eq!(rig.subtract(call.ue.id).messages, [1, 1]);
}

#[test]
fn without_a_path_at_one_side_no_byte_changes() {
    let mut rig = Rig::new();
    let call = rig.call_of(MSRP, with_path(true, UE_PATH), with_path(false, CORE_PATH));
    let (ue, core) = rig.up(&call);
    let message = send("abcd", CORE_PATH, UE_PATH);
    ue.send(message.as_bytes()).unwrap();
    rig.settle();
    assert_eq!(String::from_utf8(read(&core).0).unwrap(), message);
}

#[test]
fn what_is_no_msrp_ends_the_connection_and_is_told() {
    let mut rig = Rig::new();
    let call = rig.call_of(MSRP, TcpSpec::default(), TcpSpec::default());
    let (ue, core) = rig.up(&call);
    rig.take_notices();
    ue.send(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    rig.settle();
    assert!(was_reset(&ue) && was_reset(&core));
    let told = rig.take_notices();
    assert!(
        told.contains(&(
            call.ue.id,
            failed(BearerFailure::Malformed(Malformation::Msrp(MsrpError::StartLine)))
        )),
        "{told:?}"
    );
    assert_eq!(told.len(), 2);
    let counted = Counter::Malformed(Leg::Access, Malformation::Msrp(MsrpError::StartLine));
    assert_eq!(rig.counted(counted), 1);
}

#[test]
fn chunks_whole_messages_responses_and_bytes_are_counted_where_they_came() {
    let mut rig = Rig::new();
    let call = rig.call_of(MSRP, TcpSpec::default(), TcpSpec::default());
    let (ue, core) = rig.up(&call);
    let last = send("cccc", CORE_PATH, UE_PATH);
    let chunks = [
        last.replace("cccc$", "cccc+"),
        last.clone(),
        last.replace("cccc$", "cccc#"),
        "MSRP dddd 200 OK\r\nTo-Path: a\r\nFrom-Path: b\r\n-------dddd$\r\n".to_owned(),
    ];
    chunks.iter().for_each(|chunk| assert_eq!(ue.send(chunk.as_bytes()).unwrap(), chunk.len()));
    rig.settle();
    let bytes: usize = chunks.iter().map(String::len).sum();
    assert_eq!(read(&core).0.len(), bytes);
    let counted = |leg| MsrpCount::ALL.map(|count| rig.counted(Counter::Msrp(leg, count)));
    assert_eq!(counted(Leg::Access), [3, 1, 1, bytes as u64]);
    assert_eq!(counted(Leg::Core), [0; 4]);
}

#[test]
fn bfcp_is_checked_only_where_that_was_asked() {
    let checked = TcpSpec { check_framing: true, ..TcpSpec::default() };
    for (spec, ends) in [(checked, true), (TcpSpec::default(), false)] {
        let mut rig = Rig::new();
        let call = rig.call_of(BFCP, spec, TcpSpec::default());
        let (ue, core) = rig.up(&call);
        let hello = [0x20, 11, 0, 0, 0, 0, 0, 1, 0, 1, 0, 2];
        ue.send(&hello).unwrap();
        rig.settle();
        assert_eq!(read(&core).0, hello);
        ue.send(&[0xff; 12]).unwrap();
        rig.settle();
        assert_eq!(was_reset(&core), ends);
    }
}
