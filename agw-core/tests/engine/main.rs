//! The engine's behaviours, each tried on the pretend network and on real sockets over loopback.

mod chaos;
mod control;
mod dscp;
mod ground;
mod policing;
mod relay;
mod rig;
mod security;

use ground::{Epoll, Sim};
use rig::Rig;

macro_rules! on_every_ground {
    ($($module:ident :: { $($case:ident),* $(,)? }),* $(,)?) => {
        mod on_the_pretend_network {
            use super::*;
            $($(#[test] fn $case() { crate::$module::$case(&mut Rig::<Sim>::new()); })*)*
        }
        mod on_epoll {
            use super::*;
            $($(#[test] fn $case() { crate::$module::$case(&mut Rig::<Epoll>::new()); })*)*
        }
    };
}

on_every_ground! {
    relay::{
        plain_rtp_and_rtcp_cross_unchanged_both_ways,
        srtp_becomes_rtp_and_rtp_becomes_srtp,
        srtp_meets_srtp_of_other_keys,
        every_suite_passes_both_ways,
        a_relay_passes_any_datagram_byte_for_byte,
        ipv4_meets_ipv6,
        rtcp_shares_the_port_on_one_side_only,
        loopback_sends_media_home,
        rollover_counters_turn_many_times,
        packets_of_one_stream_in_one_batch_stay_right,
        an_oversized_datagram_is_dropped,
    },
    security::{
        swapped_keys_pass_nothing,
        a_corrupted_and_a_replayed_packet_never_come_out,
        strangers_change_nothing_on_a_plain_call,
        strangers_change_nothing_on_a_secure_call,
        nobody_is_heard_before_the_remote_address_is_known,
        a_secure_stream_learns_from_authentic_packets_only,
        rtp_and_rtcp_are_learned_apart,
        a_plain_stream_learns_from_the_first_packet_that_looks_right,
        relatching_moves_the_stream_once,
        relatching_a_secure_stream_takes_an_authentic_packet,
        reports_that_share_the_port_share_what_was_learned,
        a_filter_shuts_out_even_those_who_authenticate,
        a_latched_secure_stream_can_be_held_to_its_peer,
        garbage_is_counted_and_goes_nowhere,
        a_missing_key_passes_nothing,
        rtp_without_room_for_another_source_is_refused,
    },
    control::{
        gates_follow_the_mode,
        the_modes_of_both_sides_bind,
        reports_pass_while_media_is_held,
        a_packet_without_a_way_out_is_counted,
        a_change_keeps_counters_and_keys_and_moves_the_destination,
        a_change_of_keys_takes_effect_and_gives_the_old_ones_back,
        removal_in_the_middle_of_traffic,
        a_released_flow_goes_on_elsewhere_with_what_waited_for_it,
        a_place_used_again_never_hears_of_the_call_before,
        the_end_of_a_key_is_told_once_and_holds,
        statistics_say_what_happened,
        media_that_stop_are_told_and_media_that_come_back_too,
        a_send_that_fails_is_a_drop,
        a_full_receive_queue_is_a_drop,
        lengths_are_counted_in_bytes_of_the_wire,
    },
    dscp::{
        a_copied_code_point_crosses_between_ip_versions,
        companions_copy_too,
    },
    policing::{
        a_burst_passes_and_what_exceeds_it_is_discarded_and_told_once,
        media_that_is_too_fast_does_not_silence_reports,
        forged_packets_do_not_use_up_the_rate_of_the_peer,
        each_family_is_charged_for_its_own_headers,
        a_relay_is_policed_as_well,
        policed_packets_teach_nothing_and_are_not_lost,
        a_change_keeps_the_bucket_and_the_count,
    },
}

#[test]
fn answers_and_notices_survive_a_full_ring() {
    control::answers_and_notices_survive_a_full_ring(&mut Rig::<Sim>::with_rings(64, 2));
}

#[test]
fn a_full_send_queue_is_a_drop() {
    control::a_full_send_queue_is_a_drop(&mut Rig::<Sim>::new());
}

#[test]
fn time_inside_is_measured() {
    control::time_inside_is_measured(&mut Rig::<Sim>::new());
}

#[test]
fn a_waiting_worker_is_woken_for_an_order() {
    control::a_waiting_worker_is_woken_for_an_order(&mut Rig::<Epoll>::new());
}

#[test]
fn a_steady_port_gets_a_companion_that_hides_nobody() {
    control::a_steady_port_gets_a_companion_that_hides_nobody(&mut Rig::<Epoll>::new());
}

#[test]
fn the_kernel_stamps_packets_of_some_ports_for_a_while() {
    control::the_kernel_stamps_packets_of_some_ports_for_a_while(&mut Rig::<Epoll>::new());
}

#[test]
fn the_mean_rate_holds_over_time() {
    policing::the_mean_rate_holds_over_time(&mut Rig::<Sim>::new());
}

#[test]
fn traffic_at_random_leaves_nothing_behind() {
    for seed in 1..=20 {
        chaos::traffic_at_random_leaves_nothing_behind(seed);
    }
}
