//! From an open input to blocks of lines. Reads; parses nothing. Memory does not grow with the input.

use std::io::{self, Read};
use std::sync::Arc;

use crate::model::{LineBlock, Origin, Phase, Timestamp};
use crate::source::{MAX_BLOCK_BYTES, MAX_LINE_BYTES, Splitter};

use super::inputs::Opened;

/// Reads an input to its end and hands over its lines in blocks. Returns how many bytes of overlong lines nobody looked
/// at. `now` stands in where nobody knows when the input was written.
///
/// # Errors
/// When reading or `each` fails. What was read before was handed over.
pub fn read(
    opened: Opened,
    name: &str,
    phase: Phase,
    now: Timestamp,
    mut each: impl FnMut(LineBlock) -> io::Result<()>,
) -> io::Result<u64> {
    let written = Some(opened.written.unwrap_or(now));
    let origin = Arc::new(Origin { name: name.into(), medium: opened.medium, format: None, written });
    let mut input = opened.bytes;
    let mut splitter = Splitter::new(MAX_LINE_BYTES, MAX_BLOCK_BYTES, 0, false);
    let mut buffer = vec![0; MAX_BLOCK_BYTES];
    let mut hand_over = |splitter: &mut Splitter| match splitter.take() {
        Some((bytes, spans)) => each(LineBlock { origin: Arc::clone(&origin), phase, bytes, spans, position: None }),
        None => Ok(()),
    };
    loop {
        let length = match input.read(&mut buffer) {
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => {
                // The lines before the damage count.
                splitter.finish();
                hand_over(&mut splitter)?;
                return Err(error);
            }
        };
        if length == 0 {
            break;
        }
        let mut rest = buffer.get(..length).unwrap_or_default();
        while !rest.is_empty() {
            let used = splitter.push(rest);
            rest = rest.get(used..).unwrap_or_default();
            if !rest.is_empty() || used == 0 {
                hand_over(&mut splitter)?;
            }
        }
        hand_over(&mut splitter)?;
    }
    splitter.finish();
    hand_over(&mut splitter)?;
    Ok(splitter.take_dropped())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Medium;

    #[track_caller]
    fn check(bytes: &[u8], expected: &[&str]) {
        let opened = Opened { medium: Medium::File, written: None, bytes: Box::new(io::Cursor::new(bytes.to_vec())) };
        let mut lines: Vec<String> = Vec::new();
        let dropped = read(opened, "x", Phase::Live, Timestamp::EPOCH, |block| {
            lines.extend(block.lines().map(|(line, _)| String::from_utf8_lossy(line).into_owned()));
            Ok(())
        });
        assert_eq!(dropped.expect("from memory"), 0);
        assert_eq!(lines, expected);
    }

    #[test]
    fn every_line_once() {
        check(b"", &[]);
        check(b"one\ntwo\r\n\nthree", &["one", "two", "", "three"]);
        let many: Vec<String> = (0..100_000).map(|number| format!("line {number}")).collect();
        check(many.join("\n").as_bytes(), &many.iter().map(String::as_str).collect::<Vec<_>>());
    }
}
