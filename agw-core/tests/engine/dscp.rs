//! Code points that are copied from one side of a context to the other (H.248.52).

use super::ground::{Ground, Host};
use super::rig::{OUR_KEY, Rig, drain, receiver, rtp, sender_report, unprotect};
use agw_core::command::order::Treatment::{Plain, Secure};
use agw_core::io::PortOpener;
use agw_core::model::Family::{V4, V6};

pub(crate) fn a_copied_code_point_crosses_between_ip_versions<G: Ground>(rig: &mut Rig<G>) {
    for (access, core) in [(V4, V6), (V6, V4)] {
        let call = rig.call_between((Secure, access), (Plain, core));
        let mut phone_in = receiver(OUR_KEY);
        rig.read_dscp(call.core, true);
        rig.change(call.access, |plan| plan.copy_dscp = true);
        for (sequence, dscp) in [46, 0, 10, 63].into_iter().enumerate() {
            let packet = rtp(2, sequence as u16, b"marked");
            call.far.mark(dscp);
            call.far.send(call.core.rtp, &packet);
            call.far_rtcp.mark(dscp);
            call.far_rtcp.send(call.core.rtcp, &sender_report(2));
            rig.run();
            let (secured, marked) = call.ue.receive_marked().unwrap();
            assert_eq!((unprotect(&mut phone_in, &secured).unwrap(), marked), (packet, dscp));
            assert_eq!(call.ue_rtcp.receive_marked().unwrap().1, dscp);
        }
        // The other way nobody asked for it.
        let mut phone_out = super::rig::sender(super::rig::PEER_KEY);
        call.ue.mark(34);
        call.ue.send(call.access.rtp, &super::rig::protect(&mut phone_out, &rtp(1, 1, b"up")));
        rig.run();
        assert_eq!(call.far.receive_marked(), Some((rtp(1, 1, b"up"), 0)));
        // And when the ports do not tell any more, the port's own code point holds.
        rig.read_dscp(call.core, false);
        call.far.send(call.core.rtp, &rtp(2, 9, b"marked"));
        rig.run();
        assert_eq!(call.ue.receive_marked().unwrap().1, 0);
    }
    rig.check_sums();
}

pub(crate) fn companions_copy_too<G: Ground>(rig: &mut Rig<G>) {
    let call = rig.call(Plain, Plain);
    rig.read_dscp(call.core, true);
    rig.change(call.access, |plan| plan.copy_dscp = true);
    call.far.mark(46);
    for round in 0..3 {
        for sequence in 0..40 {
            call.far.send(call.core.rtp, &rtp(2, sequence, b"down"));
            call.ue.send(call.access.rtp, &rtp(1, sequence, b"up"));
            if sequence % 8 == 7 {
                rig.run();
            }
        }
        for _ in 0..40 {
            assert_eq!(call.ue.receive_marked().unwrap().1, 46, "round {round}");
        }
        assert_eq!(drain(&call.far).len(), 40);
        // Both ports are steady now: they get sockets that are connected, which tell and mark as well.
        rig.ground.ports().tend();
    }
    rig.check_sums();
}
