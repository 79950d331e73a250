//! Thousands of commands drawn at random, sensible ones and not, against a model that now and then refuses: after each, what the
//! gateway says there is, is what there is.

use crate::lab::*;
use agw_core::command::Refusal;
use agw_core::model::StreamId;
use std::collections::BTreeMap;

struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.roll(from.len() as u64) as usize]
    }
}

const REALMS: [&str; 7] = ["access", "access", "access1", "core", "core", "core1", "nowhere"];
const TRANSPORTS: [&str; 8] =
    ["RTP/AVP", "RTP/AVP", "RTP/AVP", "RTP/SAVP", "RTP/SAVP", "RTP/AVPF", "UDP", "TCP/MSRP"];

fn sdp(dice: &mut Dice, local: bool) -> String {
    let address = match (local, dice.roll(8)) {
        (true, 0..3) => "IP4 $",
        (true, 3..7) => "$ $",
        (_, 7) => "IP6 2001:db8::9",
        (true, _) | (false, 6) => "IP6 $",
        (false, _) => "IP4 203.0.113.9",
    };
    let port = if local && dice.roll(8) > 0 { "$" } else { dice.pick(&["5000", "0", "5002"]) };
    let transport = dice.pick(&TRANSPORTS);
    let mut text = format!("v=0\nc=IN {address}\nm=audio {port} {transport} 0\n");
    if transport == "RTP/SAVP" && dice.roll(2) > 0 {
        let key = dice.pick(&[LOCAL_KEY, LOCAL_KEY, REMOTE_KEY, "short"]);
        text.push_str(&format!("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{key}\n"));
    }
    if dice.roll(4) == 0 {
        text.push_str("a=rtcp-mux\n");
    }
    text
}

fn media(dice: &mut Dice) -> String {
    let mut parts = Vec::new();
    if dice.roll(2) == 0 {
        let control = dice.pick(&[
            "MO=SR",
            "MO=IN",
            "MO=RC,gm/saf=ON",
            "ipdc/realm=\"core\"",
            "gm/saf=?",
            "ds/dscp=46",
        ]);
        parts.push(format!("O{{{control}}}"));
    }
    if dice.roll(8) > 0 {
        parts.push(format!("L{{\n{}}}", sdp(dice, true)));
    }
    if dice.roll(4) == 0 {
        parts.push(format!("R{{\n{}}}", sdp(dice, false)));
    }
    if parts.is_empty() {
        parts.push("O{MO=SO}".to_owned());
    }
    let more = dice.pick(&[
        "",
        "",
        ",E=1{hangterm/thb{timerx=5}}",
        ",SG{ipnapt/latch{napt=LATCH}}",
        ",E=2{g/nothing}",
    ]);
    format!("{{M{{ST={}{{{}}}}}{more}}}", 1 + dice.roll(2), parts.join(","))
}

fn command(dice: &mut Dice, names: &[String]) -> String {
    let name = |dice: &mut Dice| {
        if names.is_empty() || dice.roll(6) == 0 {
            dice.pick(&["ip/1/access/9", "*", "ip/*/core/*", "$", "ip/1/access/$"]).to_owned()
        } else {
            names[dice.roll(names.len() as u64) as usize].clone()
        }
    };
    let optional = if dice.roll(5) == 0 { "O-" } else { "" };
    match dice.roll(14) {
        10.. => dice.pick(&[ACCESS, CORE]).to_owned(),
        0..4 => format!("{optional}A=ip/1/{}/${}", dice.pick(&REALMS), media(dice)),
        4..6 => format!("{optional}MF={}{}", name(dice), media(dice)),
        6 => format!("{optional}MV={}", name(dice)),
        7..9 => format!("{optional}S={}{}", name(dice), dice.pick(&["", "{AT{}}", "{AT{SA,M}}"])),
        9 => format!("{optional}AV={}{{AT{{M,E,SG}}}}", name(dice)),
    }
}

/// What the gateway says there is: names by context.
fn told(lab: &mut Lab) -> BTreeMap<u32, Vec<u32>> {
    let reply = lab.ask("C=*{O-AV=*{AT{}}}");
    let mut there: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for action in reply.split("C=").skip(1) {
        let Ok(context) = action.split('{').next().unwrap_or_default().parse() else {
            assert!(action.contains("ER=431"), "{reply}");
            continue;
        };
        for name in action.split("AV=").skip(1) {
            let number = name.split([',', '}']).next().and_then(|name| name.rsplit('/').next());
            there
                .entry(context)
                .or_default()
                .push(number.and_then(|number| number.parse().ok()).expect("a name"));
        }
    }
    there.values_mut().for_each(|numbers| numbers.sort_unstable());
    there
}

#[test]
fn the_view_and_the_model_never_part() {
    for seed in 0..20 {
        let mut dice = Dice(seed * 7919 + 1);
        let mut lab = Lab::new();
        for _ in 0..300 {
            let names: Vec<String> = lab
                .model
                .terminations
                .iter()
                .map(|(id, streams)| {
                    let realm = &streams.values().next().expect("a stream").local.realm;
                    format!("ip/1/{realm}/{id}")
                })
                .collect();
            if dice.roll(8) == 0 {
                let refusal = if dice.roll(2) == 0 {
                    Refusal::OutOfResources("worker queue")
                } else {
                    Refusal::Unjoinable(StreamId(1))
                };
                lab.model.refuse.push_back(refusal);
            }
            let contexts: Vec<u32> = lab.model.contexts.keys().copied().collect();
            let context = match dice.roll(6) {
                0..2 => "$".to_owned(),
                2 => dice.pick(&["*", "-", "99"]).to_owned(),
                _ if contexts.is_empty() => "$".to_owned(),
                _ => contexts[dice.roll(contexts.len() as u64) as usize].to_string(),
            };
            let commands: Vec<_> = (0..1 + dice.roll(3)).map(|_| command(&mut dice, &names)).collect();
            let request = format!("C={context}{{{}}}", commands.join(","));
            let reply = lab.ask(&request);
            assert!(!reply.is_empty(), "{request}");
            lab.model.refuse.clear();
            let expected: BTreeMap<u32, Vec<u32>> =
                lab.model.contexts.iter().map(|(id, there)| (*id, there.iter().copied().collect())).collect();
            assert_eq!(told(&mut lab), expected, "seed {seed} after {request}\n{reply}");
            assert!(expected.values().all(|there| !there.is_empty()), "an empty context stayed: {request}");
        }
        assert!(lab.model.created > 40, "seed {seed} made only {}", lab.model.created);
    }
}
