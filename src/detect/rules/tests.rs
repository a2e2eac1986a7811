//! The shipped pack as data: it parses, its examples hold, names are unique; and the engine on scripted lines.

use super::*;

fn pack() -> RuleSet {
    RuleSet::new(shipped()).expect("the pack has no problems")
}

#[test]
fn every_shipped_file_parses() {
    for (name, text) in SHIPPED {
        if let Err(error) = toml::from_str::<RuleFile>(text) {
            panic!("{name}: {error}");
        }
    }
}

#[test]
fn every_example_holds() {
    let problems = pack().check_examples();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}
