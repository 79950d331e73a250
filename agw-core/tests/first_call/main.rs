//! The two halves together, a controller and its workers, on the pretend network and on real sockets over loopback: a phone that
//! speaks SRTP, a core that speaks RTP, and strangers. What the phone protects comes out at the core byte for byte, and the other
//! way round.

mod calls;
mod gate;
mod ground;
mod moves;
mod ports;
mod statistics;

use ground::{Epoll, Sim};

macro_rules! on_every_ground {
    ($($module:ident :: { $($case:ident),* $(,)? }),* $(,)?) => {
        mod on_the_pretend_network {
            use super::*;
            $($(#[test] fn $case() { crate::$module::$case::<Sim>(); })*)*
        }
        mod on_epoll {
            use super::*;
            $($(#[test] fn $case() { crate::$module::$case::<Epoll>(); })*)*
        }
    };
}

on_every_ground! {
    calls::{
        srtp_becomes_rtp_and_back_byte_for_byte,
        rtcp_is_converted_on_its_own_ports,
        swapped_keys_open_nothing,
        strangers_corruption_and_replays_change_nothing,
        only_a_packet_that_authenticates_moves_the_address,
        keys_that_come_one_by_one_open_one_direction_at_a_time,
        srtp_without_keys_on_either_side_passes_untouched,
        a_subtracted_call_reports_what_it_carried_and_closes_its_ports,
        strangers_between_calls_reach_nobody,
    },
    moves::{
        a_moved_termination_goes_on_with_its_keys_and_indices,
        a_call_that_moves_between_workers_in_mid_traffic_loses_nothing,
        what_comes_while_a_flow_is_on_its_way_waits,
        a_latched_address_moves_along,
        a_call_that_ends_on_its_way_leaves_nothing,
    },
    ports::{
        a_port_rests_before_it_is_used_again,
        a_port_of_another_process_is_passed_over,
        a_named_port_that_another_process_has_is_refused_and_leaves_nothing,
    },
    statistics::{
        counters_are_exact_through_changes_moves_and_relatches,
    },
}
