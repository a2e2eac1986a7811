//! Masks: masking a masked text changes nothing, and no text grows much by it. libFuzzer's -timeout holds the time.

#![no_main]

use libfuzzer_sys::fuzz_target;
use logwren_fuzz::mine::Miner;

/// What lies beyond is only counted, and leaves `<*>`, which is no value that a message may have.
const MAX_BYTES: usize = 8 * 1024;
const MAX_TOKENS: usize = 127;

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let once = Miner::mask(&text);
    assert!(once.len() <= 6 * text.len().min(MAX_BYTES + 4) + 8, "{} bytes became {}", text.len(), once.len());
    if once.len() <= MAX_BYTES && text.len() <= MAX_BYTES && text.split_ascii_whitespace().count() <= MAX_TOKENS {
        assert_eq!(Miner::mask(&once), once, "{text:?}");
    }
});
