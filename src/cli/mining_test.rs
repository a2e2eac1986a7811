//! A line that is not parsed, because one of its shape was, must come to what the parse of it comes to.

use proptest::prelude::*;

use crate::mine::{Config, Miner, Part, Prepared, Tails};
use crate::model::{Header, Medium, TemplateId, Timestamp};
use crate::parse::{Context, Format, Plan};

/// What a tail was read as.
type Answer = (String, Option<crate::model::Level>, TemplateId);

/// Reads lines with a memory of tails and compares each hit with a parse that remembers nothing. How many hits there
/// were.
fn check(format: Format, lines: &[Vec<u8>]) -> usize {
    let context = Context { zone: jiff::tz::TimeZone::UTC, host: "own".into() };
    let reference = Timestamp::from_seconds(1_798_750_000);
    let mut plan = Plan::new(Medium::File, Some(format));
    let mut miner = Miner::new(&Config { max_templates: 2_000, max_shapes: 4_096 }, 5);
    let (mut prepared, mut tails) = (Prepared::new(5), Tails::new(1_024, 5));
    let mut answers: Vec<Answer> = Vec::new();
    let mut hits = 0;
    for line in lines {
        let block = [line.as_slice(), b"\n"].concat();
        let mut locator = plan.locator();
        prepared.read(&block, |line| locator.tail_at(line).map(Part::tail));
        let [found] = *prepared.lines() else { panic!("one line: {line:?}") };
        let line = &block[found.start as usize..found.end as usize];
        let fresh = Plan::new(Medium::File, Some(format)).parse(line, reference, &context);
        let front = plan.front(line, reference);
        let shape = front.and_then(|front| prepared.shape(&block, &found, Part::tail(front.end)));
        if front.is_some_and(|front| Part::tail(front.end) == found.part) {
            assert_eq!(shape, found.shape, "prepared is computed again the same");
        }
        let shown = String::from_utf8_lossy(line);
        if let Some(front) = front {
            let host = std::str::from_utf8(&line[front.host.0..front.host.1]).expect("ASCII");
            assert_eq!((Some(front.time), Some(host)), (fresh.time, fresh.host.as_deref()), "{shown}");
        }
        let number = front.zip(shape).and_then(|(front, shape)| tails.get(shape, front.context));
        if let (Some(number), Some(front)) = (number, front) {
            hits += 1;
            let (program, level, template) = &answers[number as usize];
            assert_eq!((program.as_str(), *level), (&*fresh.program, fresh.level), "{shown}");
            let mined = miner.mine(&fresh.message);
            assert!(!mined.new_shape && mined.change.is_none(), "{shown}");
            assert_eq!(Some(mined.template), miner.current(*template), "{shown}");
            let expected = Header {
                notes: crate::model::Notes { guessed_time: front.guessed_time, ..Default::default() },
                ..fresh.clone()
            };
            assert_eq!((fresh.notes, &fresh.unit), (expected.notes, &None), "{shown}");
            plan.count_known();
            continue;
        }
        let header = plan.parse(line, reference, &context);
        assert_eq!(header, fresh, "{shown}");
        let template = miner.mine(&header.message).template;
        if let Some((front, shape)) = front.zip(shape)
            && plan.reading(line, &front, &header).is_some()
        {
            tails.put(shape, front.context, answers.len() as u32);
            answers.push((header.program.into_owned(), header.level, template));
        }
    }
    hits
}

/// Tails with a place for words with digits, `#`. The first ones are such as a parser reads by their digits.
const TAILS: &[&str] = &[
    "kernel: [#.#] eth#: link up",
    "kernel: [ #.#] eth#: link up",
    "kernel: [   #.#][  T#] usb #-#: new",
    "kernel: [#] bare",
    "kernel: #: x",
    "kernel[#]: [#.#] wlan#: x",
    "kernel[#]: [HID] [ATC] x #",
    "kernel: [x#.#] ERROR: x",
    "sshd[#]: bye #",
    "sshd[#] no colon #",
    "sshd[#] (com.apple.x.#): bye",
    "sshd[#] (com.apple.x): bye",
    "sshd[#]:bye #",
    "sshd[#]:  two blanks #",
    "sshd[#]: ",
    "sshd[#]:",
    "sshd[#]",
    "sshd:#",
    "sshd: #",
    "sshd:#: x",
    "sshd#: x",
    "sshd#[#]: x",
    "app-#.#[#]: x",
    "Google Chrome He[#]: x #",
    "Google Chrome #[#]: x",
    "a b c d e[#]: x",
    "syslogd #.#: restart",
    "sys logd: restart #",
    "sshd(pam_unix)[#]: check #",
    "%ASA-#-#: Deny",
    "%x[#]: Deny #",
    "%ASA-ERR: Deny #",
    "app[#]: #: x",
    "app[#]: ERROR: x #",
    "app[#]: ERROR#: x",
    "app[#]: DEBUG#: x",
    "app[#]: Debug# x",
    "app[#]: # #:#:#.# # pod.go:#] x",
    "app[#]: E# #:#:# x",
    "app[#]: #-#-# #:#:#,# ERROR x",
    "app[#]: #-#-#T#:#:#Z ERROR x",
    "app[#]: [#-#-# #:#:#] ERROR x",
    "app[#]: [#-#] db=,user= FATAL:  no",
    "app[#]: [warn] x #",
    "app[#]: [warn#] x",
    "app[#]: [DEBUG#] x",
    "app[#]: <error> x #",
    "app[#]: <DEBUG#> x",
    "app[#]: (EE) x #",
    "app[#]: [a long name that # has] x",
    "app[#]: level=error x=#",
    "app[#]: id=# level=error",
    "app[#]: time=\"#-#-#T#:#:#Z\" level=error msg=\"x\"",
    "app[#]: severity=DEBUG#",
    "app[#]: WARNING # x",
    "app[#]: W# #",
    "app[#]: a#b x",
    "app[#]: eth#: up",
    "app[#]: eth#.#: up",
    "app[#]: a-# x",
    "app[#]: caf\u{e9} #",
    "app[#]: \u{e9}# x",
    "app[#]: deadbeef#cafe and #f",
    "app[#]: x\t# \t# ",
    "logrotate: ALERT exited # times",
    "last message repeated # times",
    "message repeated # times: [ x#]",
    "-- MARK #",
    "[#]: x",
    "{\"a\":#}",
    "a=# b=#",
    "",
];

/// Words with digits, and some that only look so.
fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[0-9]{1,12}",
        1 => "[0-9a-f]{0,3}[0-9][0-9a-f]{0,3}",
        1 => "[a-zA-Z]{1,2}[0-9]{1,4}",
        1 => Just("1122".to_owned()),
        1 => Just("E1122".to_owned()),
        1 => Just("I1122".to_owned()),
        1 => Just("DEBUG1".to_owned()),
        1 => Just("05".to_owned()),
        1 => "[0-9]{55,70}",
        1 => "[a-z]{1,4}",
        1 => Just("\u{e9}7".to_owned()),
    ]
}

fn tail() -> impl Strategy<Value = String> {
    let filled = (0..TAILS.len(), proptest::collection::vec(word(), 12)).prop_map(|(tail, words)| {
        let mut words = words.into_iter().cycle();
        TAILS[tail].chars().fold(String::new(), |mut text, letter| {
            match letter {
                '#' => text.push_str(&words.next().expect("a cycle")),
                letter => text.push(letter),
            }
            text
        })
    });
    let odd = "(app|kernel|a b)?(\\[[0-9a]{1,3}\\])?(: |:| ){0,2}[\\[<(%]?[a-zA-Z0-9=:. \\]>)]{0,12}";
    prop_oneof![9 => filled, 1 => odd]
}

fn lines(starts: [&'static str; 3]) -> impl Strategy<Value = Vec<Vec<u8>>> {
    let line =
        (0..3_usize, 13..17_u8, 0..61_u8, 0..3_usize, tail()).prop_map(move |(start, minute, second, host, tail)| {
            let host = ["web-1", "db", "UTC"][host];
            let line = starts[start].replace("MM:SS", &format!("{minute:02}:{second:02}"));
            format!("{line} {host} {tail}").into_bytes()
        });
    // Often again with the same tail but for its digits.
    let again = (line, proptest::collection::vec(any::<u8>(), 0..4)).prop_map(|(line, digits)| {
        let mut all = vec![line.clone()];
        for digit in digits {
            let next = |byte: &u8| if byte.is_ascii_digit() { b'0' + (byte - b'0' + digit % 10) % 10 } else { *byte };
            let tail = line.iter().rposition(|byte| *byte == b' ').unwrap_or(0).min(32);
            all.push(line.iter().take(tail).copied().chain(line.iter().skip(tail).map(next)).collect());
        }
        all
    });
    proptest::collection::vec(again, 1..30).prop_map(|lines| lines.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn what_is_remembered_is_what_would_be_parsed(
        bsd in lines(["Dec 31 04:MM:SS", "<34>Dec 31 04:MM:SS", "Jan  1 05:MM:SS"]),
        iso in lines(["2026-12-31T04:MM:SS.120000+01:00", "2026-12-31T04:MM:SSZ", "2026-12-31T05:MM:SS.999999Z"]),
    ) {
        check(Format::Rfc3164, &bsd);
        check(Format::Rfc3339, &iso);
    }
}

#[test]
fn ordinary_lines_are_remembered() {
    let ordinary = [
        "sshd[#]: Failed password for root from #.#.#.# port # ssh2",
        "kernel: [ #.123456] eth0: link up",
        "Microsoft Word[#]: x #",
        "eth: [warn] x #",
        "CRON[#]: (root) CMD (true)",
        "app[#]: WARNING # x",
        "app[#]: eth#: up",
    ];
    for tail in ordinary {
        let lines: Vec<Vec<u8>> = (10..20)
            .map(|number| format!("Dec 31 04:05:{number} h {}", tail.replace('#', &number.to_string())).into_bytes())
            .collect();
        // The first line shows the head, the second the tail.
        assert_eq!(check(Format::Rfc3164, &lines), 8, "{tail}");
    }
}
