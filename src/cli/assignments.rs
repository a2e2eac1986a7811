//! `--assignments`: the template of every line, as CSV. Written while lines pass; what merged meanwhile is put right at
//! the end, in place, because ids are of one width. Memory does not grow with the number of lines.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

use anyhow::Context;

use crate::exit::UsageError;
use crate::model::TemplateId;

const HEADER: &str = "line_number,template_id\n";
/// Digits of an id.
const ID_BYTES: usize = 16;
/// Bytes put right at a time.
const CHUNK: usize = 256 << 10;

/// A file of assignments under way.
pub struct Assignments {
    out: BufWriter<File>,
}

impl Assignments {
    /// Replaces the file.
    ///
    /// # Errors
    /// When it cannot be written, or is a pipe or device, in which nothing can be put right.
    pub fn create(path: &Path) -> anyhow::Result<Assignments> {
        let cannot = || format!("cannot write {}", path.display());
        let file =
            File::options().read(true).write(true).create(true).truncate(true).open(path).with_context(cannot)?;
        if !file.metadata().with_context(cannot)?.is_file() {
            let message = format!("{} is not a regular file", path.display());
            let hint = Some("ids that merge are put right at the end, so assignments need a file".to_owned());
            return Err(UsageError { message, hint }.into());
        }
        let mut out = BufWriter::with_capacity(CHUNK, file);
        out.write_all(HEADER.as_bytes()).with_context(cannot)?;
        Ok(Assignments { out })
    }

    /// # Errors
    /// When the disk is full.
    pub fn push(&mut self, line: u64, template: TemplateId) -> io::Result<()> {
        writeln!(self.out, "{line},{template}")
    }

    /// Writes what is left and replaces every id by what `current` says of it.
    ///
    /// # Errors
    /// When the file cannot be written or read back.
    pub fn finish(mut self, current: Option<impl Fn(TemplateId) -> TemplateId>) -> io::Result<()> {
        self.out.flush()?;
        match current {
            Some(current) => rewrite(self.out.get_ref(), HEADER.len() as u64, current),
            None => Ok(()),
        }
    }
}

fn rewrite(file: &File, mut at: u64, current: impl Fn(TemplateId) -> TemplateId) -> io::Result<()> {
    let mut buffer = vec![0; CHUNK];
    loop {
        let length = file.read_at(&mut buffer, at)?;
        let whole = memchr::memrchr(b'\n', buffer.get(..length).unwrap_or_default()).map_or(0, |end| end + 1);
        if whole == 0 {
            return Ok(());
        }
        let rows = buffer.get_mut(..whole).unwrap_or_default();
        let mut changed = false;
        for row in rows.split_mut(|byte| *byte == b'\n') {
            let Some(id) = row.last_chunk_mut::<ID_BYTES>() else { continue };
            let Some(before) = std::str::from_utf8(id).ok().and_then(|text| text.parse::<TemplateId>().ok()) else {
                continue;
            };
            let after = current(before);
            if after != before {
                id.copy_from_slice(after.to_string().as_bytes());
                changed = true;
            }
        }
        if changed {
            file.write_all_at(rows, at)?;
        }
        at += whole as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merged_ids_are_put_right() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("a.csv");
        let mut assignments = Assignments::create(&path).expect("opens");
        // More than a chunk.
        for line in 1..=20_000 {
            assignments.push(line, TemplateId(line % 3)).expect("writes");
        }
        assignments.finish(Some(|id| if id == TemplateId(2) { TemplateId(7) } else { id })).expect("rewrites");
        let text = std::fs::read_to_string(&path).expect("text");
        let expected: String = (1..=20_000_u64)
            .map(|line| format!("{line},{:016x}\n", if line % 3 == 2 { 7 } else { line % 3 }))
            .collect();
        assert_eq!(text, format!("{HEADER}{expected}"));
    }

    #[test]
    fn pipes_are_refused() {
        assert!(Assignments::create(Path::new("/dev/null")).is_err());
    }
}
