//! From one controller to another, by order of the first (H.248.1 section 7.2.8.1.1): contexts stay, and the second finds and ends them.

use crate::{entry, listen, passed, script};
use interop::gateway::Gateway;
use interop::peers::{Dialect, Megaco};

fn hand_over(first: Dialect, second: Dialect) {
    let Some(megaco) = interop::require("erlang-megaco", Megaco::find) else { return };
    let (heir, heir_port) = listen(megaco, second, &script("handed.h248"));
    let text = std::fs::read_to_string(script("handoff.h248")).expect("the script");
    let file = std::env::temp_dir().join(format!("agw-handoff-{}-{heir_port}.h248", std::process::id()));
    std::fs::write(&file, text.replace("@PORT@", &heir_port.to_string())).expect("a temporary file");
    let (controller, port) = listen(megaco, first, &file);
    let config = format!("[iq]\ncontrollers = [{}, {}]\n", entry(first, port), entry(second, heir_port));
    let gateway = Gateway::start(&config);
    passed(controller, "the first controller");
    passed(heir, "the second controller");
    gateway.stop();
    // It is in the temporary folder; whoever cleans there may have been first.
    let _gone = std::fs::remove_file(file);
}

#[test]
fn a_controller_hands_over_to_another_over_udp() {
    let dialect = Dialect { transport: "udp", encoding: "pretty", version: 2 };
    hand_over(dialect, dialect);
}

#[test]
fn a_controller_hands_over_to_one_with_another_transport_and_spelling() {
    hand_over(
        Dialect { transport: "tcp", encoding: "compact", version: 2 },
        Dialect { transport: "udp", encoding: "pretty", version: 2 },
    );
}
