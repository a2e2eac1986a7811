//! What lines like this one came to. A line that was read tells of all lines that differ from it in nothing but digits,
//! where `parse` says so: they need not be read. Must not read lines or know what they come to.

use std::num::NonZeroU64;

use crate::mine::{Part, Prepared, PreparedLine, Tails};
use crate::model::Header;
use crate::parse::{Format, Front, Plan};

use super::turns::Guess;

/// Shapes remembered at most.
const MAX_SHAPES: usize = 65_536;
/// Put for tails whose numbers have to be looked at digit by digit.
const LOOK_CLOSER: u32 = u32::MAX - 1;
/// Bits of a number that say the format.
const FORMAT_BITS: u32 = 5;
const _: () = assert!(Format::ALL.len() <= 1 << FORMAT_BITS);
/// Tell contexts of whole lines and of closer looks from those of tails.
const WHOLE: u64 = 1 << 60;
const CLOSER: u64 = 1 << 61;

/// Numbers of the caller's for the lines of one input.
pub struct Alike {
    tails: Tails,
    /// How much of a line is looked at digit by digit: of those read as a whole, and of tails that need it.
    whole: u32,
    behind: u32,
}

/// A line of which nothing is known yet.
pub struct Missing {
    key: Option<(NonZeroU64, u64)>,
    part: Part,
    is_tail: bool,
}

impl Alike {
    /// `seed` is that of [`Prepared`].
    pub fn new(seed: u64) -> Alike {
        Alike { tails: Tails::new(MAX_SHAPES, seed), whole: 0, behind: 0 }
    }

    /// Which part of a line will be asked for.
    pub fn guess(&self, plan: &Plan) -> Guess {
        Guess { locator: plan.locator(), whole: plan.is_settled().then_some(self.whole_part()) }
    }

    fn whole_part(&self) -> Part {
        Part { at: 0, exact: self.whole }
    }

    /// The number of lines like this one, and their format. `front` is the line's.
    ///
    /// # Errors
    /// When there is none; [`Alike::put`] wants to know that.
    #[inline(always)]
    pub fn find(
        &mut self,
        line: &PreparedLine,
        front: Option<&Front>,
        plan: &Plan,
        prepared: &mut Prepared,
        block: &[u8],
    ) -> Result<(u32, Format), Missing> {
        let (part, context) = match front {
            Some(front) => (Part::tail(front.end), front.context),
            None if plan.is_settled() => (self.whole_part(), WHOLE | u64::from(plan.generation())),
            None => return Err(Missing { key: None, part: Part::default(), is_tail: false }),
        };
        let shape = if line.part == part { line.shape } else { prepared.shape(block, line, part) };
        let Some(shape) = shape else { return Err(Missing { key: None, part, is_tail: false }) };
        match self.tails.get(shape, context) {
            Some(LOOK_CLOSER) => self.look_closer(line, Part { exact: self.behind, ..part }, context, prepared, block),
            Some(number) => Ok(unpacked(number)),
            None => Err(Missing { key: Some((shape, context)), part, is_tail: front.is_some() }),
        }
    }

    #[cold]
    fn look_closer(
        &mut self,
        line: &PreparedLine,
        part: Part,
        context: u64,
        prepared: &mut Prepared,
        block: &[u8],
    ) -> Result<(u32, Format), Missing> {
        let key = prepared.shape(block, line, part).map(|shape| (shape, context ^ CLOSER));
        let found = key.and_then(|(shape, context)| self.tails.get(shape, context));
        found.map(unpacked).ok_or(Missing { key, part, is_tail: false })
    }

    /// Remembers the number of a line that was read, if others can be alike.
    pub fn put(
        &mut self,
        missing: &Missing,
        number: u32,
        plan: &Plan,
        line: &[u8],
        front: Option<&Front>,
        header: &Header<'_>,
    ) {
        let (Some((shape, context)), Ok(format)) = (missing.key, header.format.parse::<Format>()) else { return };
        if missing.is_tail && front.is_some_and(|front| plan.tells_message_by_shape(line, front, header)) {
            return self.tails.put(shape, context, packed(number, format));
        }
        let exact = plan.exact_part(line, header).and_then(|exact| exact.checked_sub(missing.part.at as usize));
        let Some(exact) = exact else { return };
        let looked_at = if front.is_some() { &mut self.behind } else { &mut self.whole };
        if exact as u32 > *looked_at {
            *looked_at = (exact as u32).next_multiple_of(8);
        }
        if missing.is_tail {
            self.tails.put(shape, context, LOOK_CLOSER);
        } else if exact as u32 <= missing.part.exact {
            self.tails.put(shape, context, packed(number, format));
        }
    }
}

fn packed(number: u32, format: Format) -> u32 {
    number << FORMAT_BITS | format as u32
}

fn unpacked(packed: u32) -> (u32, Format) {
    let format = Format::ALL.get((packed & ((1 << FORMAT_BITS) - 1)) as usize);
    (packed >> FORMAT_BITS, format.copied().unwrap_or(Format::Plain))
}

#[cfg(test)]
mod tests {
    use std::io;

    use proptest::prelude::*;

    use crate::cli::inputs::Opened;
    use crate::cli::mining::Mining;
    use crate::mine::{Config, Miner};
    use crate::model::{Medium, TemplateId, Timestamp};
    use crate::parse::{Context, Plan};

    fn context() -> Context {
        Context { zone: jiff::tz::TimeZone::UTC, host: "own".into() }
    }

    /// The templates of lines, each of them read.
    fn read_one_by_one(lines: &[String], reference: Timestamp) -> Vec<TemplateId> {
        let (mut plan, mut miner) = (Plan::new(Medium::File, None), Miner::new(&Config::default(), 3));
        plan.prime(lines.iter().map(String::as_bytes), reference, &context());
        let mut ids = Vec::new();
        for line in lines {
            ids.push(miner.mine(&plan.parse(line.as_bytes(), reference, &context()).message).template);
        }
        ids.into_iter().map(|id| miner.current(id).unwrap_or(id)).collect()
    }

    /// The same as they come out of an input.
    fn read(lines: &[String], reference: Timestamp) -> Vec<TemplateId> {
        let mut mining = Mining::new(&Config::default(), 3, context());
        let mut ids = Vec::new();
        let bytes = Box::new(io::Cursor::new((lines.join("\n") + "\n").into_bytes()));
        let opened = Opened { medium: Medium::File, written: Some(reference), bytes };
        let each = |_, id| {
            ids.push(id);
            Ok(())
        };
        mining.read(opened, reference, 1, each).expect("from memory");
        ids.into_iter().map(|id| mining.current(id)).collect()
    }

    /// Heads with `MM:SS` for a clock and messages with `#` for words with digits.
    const HEADS: &[&str] = &[
        "2026-11-22 05:MM:SS,123 INFO [main] org.example.Server: ",
        "2026-11-22 05:MM:SS,123 WARN [worker #] org.example.Pool: ",
        "26/11/22 05:MM:SS INFO storage.Block: ",
        "261122 05MMSS # INFO dfs.DataNode$Receiver: ",
        "[Sun Nov 22 05:MM:SS 2026] [error] ",
        "2026-11-22T05:MM:SS.123456Z  INFO app::server: ",
        "[2026-11-22 05:MM:SS] ",
        "E1122 05:MM:SS.123456   # pod.go:#] ",
        "11-22 05:MM:SS.123  #  # D Tag: ",
        "20261122-05:MM:SS:123|Step|#|",
        "{\"ts\":\"2026-11-22T05:MM:SSZ\",\"level\":\"info\",\"n\":#,\"msg\":\"",
        "ts=2026-11-22T05:MM:SSZ level=info n=# msg=\"",
        "10.0.0.# - - [22/Nov/2026:05:MM:SS +0000] \"GET /",
        "# node-# unix.hw state.change 17958#### 1 ",
        "Nov 22 05:MM:SS web-1 app[#]: ",
        "Nov 22 05:MM:SS web-1 kernel[#]: IO#Family::set ",
        "Nov 22 05:MM:SS web-1 app[#] ([#]): ",
        "I, [2026-11-22T05:MM:SS.123456 ##]  INFO -- : ",
        "",
    ];
    const MESSAGES: &[&str] = &[
        "request # served in # ms",
        "connection from 10.#.#.# closed",
        "user alice# logged in from host-#",
        "block blk_# of size # from /10.1.1.1",
        "[req-#a] started (worker.#)",
        "Level # reached: #/# (pool.x)",
        "no digits here",
        "#",
        "",
        "a\\u00#b",
        "x=# y=#.# z=deadbeef#",
    ];

    fn filled(pattern: &str, clock: u32, words: &mut impl Iterator<Item = String>) -> String {
        let minute = format!("{:02}", clock / 60 % 60);
        let second = format!("{:02}", clock % 60);
        let pattern = pattern.replace("MM:SS", &format!("{minute}:{second}")).replace("MMSS", &(minute + &second));
        pattern.chars().fold(String::new(), |mut text, letter| {
            match letter {
                '#' => text.push_str(&words.next().expect("a cycle")),
                letter => text.push(letter),
            }
            text
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn a_line_goes_where_reading_it_would_put_it(
            heads in proptest::collection::vec(0..HEADS.len(), 1..4),
            choice in proptest::collection::vec((0..4_usize, 0..MESSAGES.len()), 60..200),
            words in proptest::collection::vec("[0-9]{1,8}", 50),
        ) {
            let reference = Timestamp::from_seconds(1_795_320_000);
            let mut words = words.into_iter().cycle();
            let mut lines = Vec::new();
            for (number, (head, message)) in choice.iter().enumerate() {
                let head = filled(HEADS[heads[head % heads.len()]], number as u32 * 7, &mut words);
                let end = if head.starts_with('{') { "\"}" } else if head.contains("GET") { " HTTP/1.1\" 200 12" } else if head.starts_with("ts=") { "\"" } else { "" };
                lines.push(format!("{head}{}{end}", filled(MESSAGES[*message], 0, &mut words)));
            }
            let (expected, found) = (read_one_by_one(&lines, reference), read(&lines, reference));
            for (line, (expected, found)) in lines.iter().zip(expected.iter().zip(&found)) {
                prop_assert_eq!(expected, found, "{}", line);
            }
        }
    }
}
