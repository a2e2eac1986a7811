//! Shapes: messages that are equal up to their digits are one shape and one template; another word is another shape;
//! what was said before is known by its shape and keeps its template.
//!
//! The lines of the input are messages of one source.

#![no_main]

use libfuzzer_sys::fuzz_target;
use logwren_fuzz::mine::{Config, Miner};

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let mut miner = Miner::new(&Config { max_templates: 200, max_shapes: 65_536 }, 7);
    let mut mined = Vec::new();
    for (line, message) in text.lines().enumerate() {
        miner.enter(0, line as u64);
        let found = miner.mine(message);
        let other: String = message.chars().map(|letter| other_digit(letter)).collect();
        let again = miner.mine(&other);
        assert!(!again.new_shape && again.change.is_none(), "{message:?} | {other:?}");
        assert_eq!(again.template, found.template);
        assert!(miner.text(found.template).is_some());
        mined.push((message, found.template));
        if message.len() < 8_000 && message.split_ascii_whitespace().count() < 100 && found.new_shape {
            let longer = format!("{message} q");
            assert!(miner.mine(&longer).new_shape || text.lines().any(|line| same_letters(line, &longer)));
        }
    }
    for (message, template) in mined {
        let again = miner.mine(message);
        assert!(!again.new_shape);
        assert_eq!(Some(again.template), miner.current(template), "{message:?}");
    }
});

fn other_digit(letter: char) -> char {
    match letter.to_digit(10) {
        Some(digit) => char::from(b'0' + (digit as u8 + 3) % 10),
        None => letter,
    }
}

/// Whether two messages differ at most in words with digits.
fn same_letters(left: &str, right: &str) -> bool {
    let letters = |text: &str| text.chars().filter(|letter| letter.is_ascii_punctuation() || letter.is_whitespace()).count();
    letters(left) == letters(right)
}
