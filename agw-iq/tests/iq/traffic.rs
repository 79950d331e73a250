//! Rates, source filters and explicit sources: from properties and descriptions into the model (H.248.53, H.248.43).

use crate::lab::{Lab, add_with};
use agw_core::model::*;

/// An Add over this IP version with this LocalControl, and these lines below the media lines of Local and Remote.
fn described(family: &str, control: &str, local: &str, remote: &str) -> String {
    let realm = if family == "IP6" { "core" } else { "access" };
    let peer = if family == "IP6" { "2001:db8::7" } else { "203.0.113.7" };
    format!(
        "C=${{A=ip/1/{realm}/${{M{{ST=1{{O{{{control}}},L{{\nv=0\nc=IN {family} $\nm=audio $ RTP/AVP 0\n{local}}},R{{\nv=0\nc=IN {family} {peer}\nm=audio 5000 RTP/AVP 0\n{remote}}}}}}}}}}}"
    )
}

fn sustained(bytes_per_second: u32, burst_bytes: u32) -> Option<SustainedRate> {
    Some(SustainedRate { bytes_per_second, burst_bytes })
}

fn peak(bytes_per_second: u32, tolerance_tenth_us: u32) -> Option<PeakRate> {
    Some(PeakRate { bytes_per_second, tolerance_tenth_us })
}

#[test]
fn rates_reach_the_model() {
    let both = "tman/pol=ON,tman/sdr=10000,tman/mbs=1500,tman/pdr=20000,tman/dvt=40000";
    for (control, expected) in [
        ("tman/pol=ON,tman/sdr=10000,tman/mbs=1500", Policing::new(sustained(10_000, 1_500), None, None)),
        ("tman/pol=ON,tman/pdr=20000,tman/dvt=40000", Policing::new(None, peak(20_000, 40_000), None)),
        ("tman/pol=ON,tman/pdr=20000", Policing::new(None, peak(20_000, 500_000), None)),
        (both, Policing::new(sustained(10_000, 1_500), peak(20_000, 40_000), None)),
    ] {
        let mut lab = Lab::new();
        lab.ask(&add_with(control));
        assert_eq!(lab.model.spec(101, 1).policing, Some(expected), "{control}");
    }
    let mut lab = Lab::new();
    lab.ask(&add_with("tman/pol=OFF,tman/sdr=10000,tman/dvt=5"));
    assert_eq!(lab.model.spec(101, 1).policing, None, "rates alone police nothing");
    lab.ask(&add_with("MO=SR"));
    assert_eq!(lab.model.spec(102, 1).policing, None, "and neither does saying nothing");
}

#[test]
fn without_rates_the_description_gives_them() {
    let rate = |family: &str, control: &str, local: &str, remote: &str| {
        let mut lab = Lab::new();
        lab.ask(&described(family, &format!("tman/pol=ON{control}"), local, remote));
        lab.model.spec(101, 1).policing.expect("policed")
    };
    let derived = rate("IP4", "", "b=AS:41\n", "b=AS:99\n");
    assert_eq!(derived.sustained, sustained(5_125, 5_125), "what is received here is Local's");
    assert_eq!(rate("IP4", "", "", "b=AS:8\n").sustained, sustained(1_000, 3_000));
    assert_eq!(rate("IP4", ",tman/mbs=700", "b=AS:41\n", "").sustained, sustained(5_125, 700));
    let tias = "b=TIAS:64000\na=maxprate:50\n";
    assert_eq!(rate("IP4", "", tias, "").sustained, sustained(9_400, 9_400));
    assert_eq!(rate("IP6", "", tias, "").sustained, sustained(10_400, 10_400));
}

#[test]
fn reports_are_allowed_what_rs_and_rr_say() {
    let mut lab = Lab::new();
    let control = "tman/pol=ON,tman/sdr=80000,tman/mbs=1500";
    let reply = lab.ask(&described("IP4", control, "b=RS:8000\nb=RR:24000\n", ""));
    assert!(reply.contains("m=audio 30000 RTP/AVP 0\nb=RS:8000\nb=RR:24000\n"), "{reply}");
    assert_eq!(lab.model.spec(101, 1).policing.expect("policed").rtcp_bytes_per_second, 4_000);
    lab.ask(&described("IP4", control, "b=RR:0\n", ""));
    let rtcp = lab.model.spec(102, 1).policing.expect("policed").rtcp_bytes_per_second;
    assert_eq!(rtcp, 1_000, "1.25 % for senders");
    lab.ask(&described("IP4", control, "", "b=RS:0\nb=RR:0\n"));
    let rtcp = lab.model.spec(103, 1).policing.expect("policed").rtcp_bytes_per_second;
    assert_eq!(rtcp, 208, "never less");
    lab.ask(&described("IP4", control, "", ""));
    let rtcp = lab.model.spec(104, 1).policing.expect("policed").rtcp_bytes_per_second;
    assert_eq!(rtcp, 4_000, "5 %");
}

#[test]
fn a_modify_changes_one_rate_and_keeps_the_others() {
    let mut lab = Lab::new();
    lab.ask(&add_with("tman/pol=ON,tman/sdr=10000,tman/mbs=1500"));
    let modify = |control: &str| format!("C=5001{{MF=ip/1/access/101{{M{{ST=1{{O{{{control}}}}}}}}}}}");
    lab.ask(&modify("tman/sdr=12000"));
    let policing = lab.model.spec(101, 1).policing.expect("policed");
    assert_eq!(policing.sustained, sustained(12_000, 1_500));
    lab.ask(&modify("MO=SO"));
    assert_eq!(lab.model.spec(101, 1).policing, Some(policing));
    assert_eq!(lab.error(&modify("tman/dvt=100")).0, 472);
    assert_eq!(lab.model.spec(101, 1).policing, Some(policing), "a refused command changes nothing");
    let audit = lab.ask("C=5001{AV=ip/1/access/101{AT{M}}}");
    assert!(audit.contains("tman/pol=ON,tman/sdr=12000,tman/mbs=1500"), "{audit}");
    lab.ask(&modify("tman/pol=OFF"));
    assert_eq!(lab.model.spec(101, 1).policing, None);
}

#[test]
fn rates_that_cannot_be_are_refused_by_name() {
    for (control, code, text) in [
        ("tman/pol=ON", 472, "tman/pol = ON without tman/sdr, tman/pdr or b=AS"),
        ("tman/pol=ON,tman/sdr=10000", 472, "tman/sdr without tman/mbs"),
        ("tman/pol=ON,tman/pdr=10000,tman/mbs=1500", 472, "tman/mbs without tman/sdr"),
        ("tman/pol=ON,tman/sdr=10000,tman/mbs=1500,tman/dvt=1", 472, "tman/dvt without tman/pdr"),
        (
            "tman/pol=ON,tman/sdr=10000,tman/mbs=39",
            449,
            "tman/mbs = 39: less than an RTP packet with its headers",
        ),
        (
            "tman/pol=ON,tman/sdr=0,tman/mbs=1500",
            449,
            "tman/sdr or tman/pdr = 0 with tman/pol = ON: nothing would pass",
        ),
        ("tman/pol=ON,tman/pdr=0", 449, "tman/sdr or tman/pdr = 0 with tman/pol = ON: nothing would pass"),
        (
            "tman/pol=ON,tman/sdr=200,tman/mbs=1500,tman/pdr=100",
            473,
            "tman/sdr = 200 is more than tman/pdr = 100",
        ),
        ("tman/pol=ON,tman/sdr=4294967296,tman/mbs=1500", 449, "tman/sdr = 4294967296"),
        ("tman/pol=yes", 449, "tman/pol = yes"),
    ] {
        let mut lab = Lab::new();
        assert_eq!(lab.error(&add_with(control)), (code, text.to_owned()), "{control}");
        assert_eq!(lab.iq.size(), (0, 0), "{control}");
    }
    let mut lab = Lab::new();
    let short = described("IP6", "tman/pol=ON,tman/sdr=10000,tman/mbs=59", "", "");
    assert_eq!(lab.error(&short).0, 449, "IPv6 headers are longer");
}

#[test]
fn filters_take_several_masks_and_ranges() {
    let mut lab = Lab::new();
    let control = "gm/saf=ON,gm/sam=[\"203.0.113.0/24\",\"198.51.100.7\",\"2001:db8::/32\"],gm/spf=ON,gm/spr=[\"4000-4010\",\"5000\"]";
    lab.ask(&add_with(control));
    let mask = |address: &str, bits| AddressMask::new(address.parse().unwrap(), bits).unwrap();
    let masks = [mask("203.0.113.0", 24), mask("198.51.100.7", 32), mask("2001:db8::", 32)];
    let filter = &lab.model.spec(101, 1).filter;
    assert_eq!(filter.addresses, SourceRule::listed(masks));
    let ranges = [PortRange::new(4000, 4010).unwrap(), PortRange::new(5000, 5000).unwrap()];
    assert_eq!(filter.ports, SourceRule::listed(ranges));
    let audit = lab.ask("C=5001{AV=ip/1/access/101{AT{M}}}");
    assert!(audit.contains("gm/spr=[\"4000-4010\",\"5000\"]"), "{audit}");
    // A list takes the place of a value and the other way round.
    lab.ask("C=5001{MF=ip/1/access/101{M{ST=1{O{gm/spr=\"7000\"}}}}}");
    let seven = PortRange::new(7000, 7000).unwrap();
    assert_eq!(lab.model.spec(101, 1).filter.ports, SourceRule::listed([seven]));
    lab.ask("C=5001{MF=ip/1/access/101{M{ST=1{O{gm/saf=OFF,gm/spf=OFF}}}}}");
    assert_eq!(lab.model.spec(101, 1).filter, SourceFilter::default());

    assert_eq!(lab.error(&add_with("gm/sam=[\"203.0.113.7\",\"host\"]")).0, 449);
    let many: Vec<_> = (0..17).map(|n| format!("\"203.0.113.{n}\"")).collect();
    assert_eq!(lab.error(&add_with(&format!("gm/sam=[{}]", many.join(",")))).0, 449, "17 masks");
    assert_eq!(lab.error(&add_with("gm/saf=[ON,OFF]")).0, 449, "not a list");
}

#[test]
fn tagging_is_marking_or_copying() {
    let mut lab = Lab::new();
    lab.ask(&add_with("ds/dscp=0x2E,ds/tb=Copy"));
    assert_eq!((lab.model.spec(101, 1).dscp, lab.model.spec(101, 1).copy_dscp), (Some(46), true));
    lab.ask("C=5001{MF=ip/1/access/101{M{ST=1{O{ds/tb=Mark}}}}}");
    assert_eq!((lab.model.spec(101, 1).dscp, lab.model.spec(101, 1).copy_dscp), (Some(46), false));
    assert_eq!(lab.error(&add_with("ds/tb=Remark")), (449, "ds/tb = Remark".to_owned()));
}

#[test]
fn an_explicit_source_is_where_media_is_received() {
    let mut lab = Lab::new();
    lab.ask(&add_with("gm/esas=ON,gm/lsa=\"198.51.100.20\",gm/esps=ON,gm/lsp=31000"));
    let spec = lab.model.spec(101, 1);
    assert_eq!((spec.local_address, spec.local_port), (Some([198, 51, 100, 20].into()), Some(31_000)));
    let modify = |control: &str| format!("C=5001{{MF=ip/1/access/101{{M{{ST=1{{O{{{control}}}}}}}}}}}");
    lab.ask(&modify("gm/esps=ON,gm/lsp=31000"));
    for (control, code) in [
        ("gm/lsa=\"198.51.100.21\"", 473),
        ("gm/lsp=31002", 473),
        ("gm/lsa=\"2001:db8::1\"", 473),
        ("gm/lsa=\"here\"", 449),
        ("gm/lsp=0", 449),
    ] {
        assert_eq!(lab.error(&modify(control)).0, code, "{control}");
    }
    assert_eq!(lab.error(&add_with("gm/esas=ON,gm/lsa=\"198.51.100.99\"")).0, 449, "not an address of ours");
    assert_eq!(lab.error(&add_with("gm/esas=ON")), (472, "gm/esas = ON without gm/lsa".to_owned()));
    lab.ask(&add_with("gm/esas=OFF,gm/lsa=\"198.51.100.99\""));
    assert_eq!(lab.model.spec(102, 1).local_address, None, "not asked for");
}
