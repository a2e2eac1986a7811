//! Headers: no bytes make the parser panic, invent text, or remember a line wrongly.
//!
//! The first byte picks the format (or the vote), the rest is lines of one source.

#![no_main]

use std::borrow::Cow;

use jiff::tz::TimeZone;
use libfuzzer_sys::fuzz_target;
use logwren_fuzz::model::{Medium, Timestamp};
use logwren_fuzz::parse::{Context, Format, Plan};

fuzz_target!(|bytes: &[u8]| {
    let Some((first, text)) = bytes.split_first() else { return };
    let forced = Format::ALL.get(usize::from(*first) % (Format::ALL.len() + 1)).copied();
    let context = Context { zone: TimeZone::UTC, host: "host".into() };
    let reference = Timestamp::from_seconds(1_790_000_000);
    let mut plan = Plan::new(Medium::File, forced);
    plan.prime(text.split(|byte| *byte == b'\n'), reference, &context);
    for line in text.split(|byte| *byte == b'\n') {
        let header = plan.parse(line, reference, &context);
        if let Cow::Borrowed(message) = &header.message {
            // What is borrowed is a piece of the line.
            let (line, message) = (line.as_ptr_range(), message.as_bytes().as_ptr_range());
            assert!(header.message.is_empty() || line.start <= message.start && message.end <= line.end);
        }
        if matches!(header.format, "rfc3164" | "rfc3339") && !header.notes.lossy && !header.message.is_empty() {
            // And of a line of syslog it is the end.
            assert!(line.trim_ascii_end().ends_with(header.message.as_bytes()), "{header:?}");
        }
        assert!(header.program.len() <= 64 && header.host.as_deref().unwrap_or_default().len() <= 255);
        assert!(!header.program.contains(char::is_control), "{header:?}");
        // What a plan remembers of its lines changes nothing. Where it learns, it may.
        let learns = matches!(forced, Some(Format::Application | Format::Cri | Format::Docker) | None);
        if !learns {
            assert_eq!(Plan::new(Medium::File, forced).parse(line, reference, &context), header);
        }
    }
});
