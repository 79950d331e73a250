//! The examples that the documentation sends people to are valid in the eyes of a foreign H.248 stack.

use std::fs;
use std::path::Path;

use interop::peers::Megaco;
use interop::require;

#[test]
fn every_h248_example_is_understood_by_megaco() {
    let Some(megaco) = require("erlang-megaco", Megaco::find) else { return };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/examples");
    let scratch = std::env::temp_dir().join(format!("agw-docs-{}", std::process::id()));
    fs::create_dir_all(&scratch).unwrap();
    let mut seen = 0;
    for file in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if file.extension().is_none_or(|extension| extension != "h248") {
            continue;
        }
        let actions = fs::read_to_string(&file).unwrap();
        let (message, compact) = (scratch.join("message"), scratch.join("compact"));
        fs::write(&message, format!("MEGACO/2 [127.0.0.1]:2944\nTransaction = 1 {{\n{actions}\n}}\n"))
            .unwrap();
        megaco
            .convert("pretty", "compact", &message, &compact)
            .unwrap_or_else(|why| panic!("{}: {why}", file.display()));
        assert!(fs::read_to_string(&compact).unwrap().starts_with("!/2"), "{}", file.display());
        seen += 1;
    }
    fs::remove_dir_all(&scratch).unwrap();
    assert!(seen >= 3, "only {seen} examples");
}
