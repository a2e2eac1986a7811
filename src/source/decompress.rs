//! Reads rotated logs that were packed: .gz, .xz, .zst and .bz2, told by their first bytes and never by their name.
//!
//! Packed files are hostile too: memory is limited and what comes out is bounded by what went in.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How a file is packed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Packing {
    Gzip,
    Xz,
    Zstd,
    Bzip2,
}

/// Bytes of a head that [`Packing::of`] needs.
pub const MAGIC_BYTES: usize = 6;

/// What may come out before the ratio counts.
const FREE_BYTES: u64 = 256 << 20;
/// Times what went in that may come out beyond [`FREE_BYTES`]; logs pack 10 to 50 times.
const MAX_RATIO: u64 = 250;
/// Memory of the xz decoder, in KiB: enough for `xz -9` (65 MiB).
const XZ_MEMORY_KIB: u32 = 96 << 10;
/// Largest zstd window, as a power of two: 128 MiB, what `zstd --long` writes.
const ZSTD_WINDOW_LOG: u32 = 27;

impl Packing {
    /// Tells the packing from the first bytes of a file; `None` when it is not packed in a way we know.
    pub fn of(head: &[u8]) -> Option<Packing> {
        // RFC 1952, the xz file format 1.2.1, RFC 8878 (frames and skippable frames), and bzip2's "BZh1".."BZh9".
        match head {
            [0x1f, 0x8b, 0x08, ..] => Some(Packing::Gzip),
            [0xfd, b'7', b'z', b'X', b'Z', 0x00, ..] => Some(Packing::Xz),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Packing::Zstd),
            [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Some(Packing::Zstd),
            [b'B', b'Z', b'h', b'1'..=b'9', b'1', b'A', ..] => Some(Packing::Bzip2),
            _ => None,
        }
    }

    /// What the file says of the length of its plain bytes, modulo 2^32: the last four bytes of gzip (RFC 1952, 2.3.1).
    /// A hint only: a file of several members tells the length of the last.
    pub fn unpacked_length(self, packed: &File) -> Option<u32> {
        match self {
            Packing::Gzip => {
                let mut length = [0; 4];
                let start = packed.metadata().ok()?.len().checked_sub(4)?;
                packed.read_exact_at(&mut length, start).ok()?;
                Some(u32::from_le_bytes(length))
            }
            Packing::Xz | Packing::Zstd | Packing::Bzip2 => None,
        }
    }

    /// The plain bytes of `packed`, all members, frames and streams of it in a row.
    ///
    /// # Errors
    /// When the decoder cannot start. Reading fails with `UnexpectedEof` on a cut file, and with `InvalidData` on
    /// damage or when far more comes out than a log could hold.
    pub fn unpack<R: Read + Send + 'static>(self, packed: R) -> io::Result<Box<dyn Read + Send>> {
        self.unpack_bounded(packed, FREE_BYTES)
    }

    fn unpack_bounded<R: Read + Send + 'static>(self, packed: R, free: u64) -> io::Result<Box<dyn Read + Send>> {
        let taken = Arc::new(AtomicU64::new(0));
        let packed = BufReader::with_capacity(64 << 10, Counted { inner: packed, taken: Arc::clone(&taken) });
        let plain: Box<dyn Read + Send> = match self {
            Packing::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(packed)),
            Packing::Xz => Box::new(lzma_rust2::XzReader::new_mem_limit(packed, true, XZ_MEMORY_KIB)),
            Packing::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(packed)?;
                decoder.window_log_max(ZSTD_WINDOW_LOG)?;
                Box::new(decoder)
            }
            Packing::Bzip2 => Box::new(bzip2::bufread::MultiBzDecoder::new(packed)),
        };
        Ok(Box::new(Bounded { inner: plain, taken, given: 0, free }))
    }
}

/// Counts what the decoder takes.
struct Counted<R> {
    inner: R,
    taken: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.taken.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

/// Stops when what comes out is out of proportion.
struct Bounded {
    inner: Box<dyn Read + Send>,
    taken: Arc<AtomicU64>,
    given: u64,
    free: u64,
}

impl Read for Bounded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.given += count as u64;
        let taken = self.taken.load(Ordering::Relaxed);
        if self.given > self.free.saturating_add(taken.saturating_mul(MAX_RATIO)) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("unpacks to more than {MAX_RATIO} times its size"),
            ));
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    // What `xz -0` makes of "one\n" and "two\n": we carry no encoder.
    const XZ_ONE: &[u8] = &[
        0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00, 0x00, 0x04, 0xe6, 0xd6, 0xb4, 0x46, 0x02, 0x00, 0x21, 0x01, 0x0c, 0x00,
        0x00, 0x00, 0x8f, 0x98, 0x41, 0x9c, 0x01, 0x00, 0x03, 0x6f, 0x6e, 0x65, 0x0a, 0x00, 0xf5, 0x5c, 0xbb, 0x56,
        0x1f, 0xc6, 0xfd, 0x86, 0x00, 0x01, 0x1c, 0x04, 0x6f, 0x2c, 0x9c, 0xc1, 0x1f, 0xb6, 0xf3, 0x7d, 0x01, 0x00,
        0x00, 0x00, 0x00, 0x04, 0x59, 0x5a,
    ];
    const XZ_TWO: &[u8] = &[
        0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00, 0x00, 0x04, 0xe6, 0xd6, 0xb4, 0x46, 0x02, 0x00, 0x21, 0x01, 0x0c, 0x00,
        0x00, 0x00, 0x8f, 0x98, 0x41, 0x9c, 0x01, 0x00, 0x03, 0x74, 0x77, 0x6f, 0x0a, 0x00, 0x65, 0x06, 0xd6, 0xff,
        0xc4, 0xc0, 0xf9, 0x3a, 0x00, 0x01, 0x1c, 0x04, 0x6f, 0x2c, 0x9c, 0xc1, 0x1f, 0xb6, 0xf3, 0x7d, 0x01, 0x00,
        0x00, 0x00, 0x00, 0x04, 0x59, 0x5a,
    ];

    fn pack(packing: Packing, plain: &[u8]) -> Vec<u8> {
        match packing {
            Packing::Gzip => {
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                encoder.write_all(plain).expect("into memory");
                encoder.finish().expect("into memory")
            }
            Packing::Xz if plain == b"one\n" => XZ_ONE.to_vec(),
            Packing::Xz => XZ_TWO.to_vec(),
            Packing::Zstd => zstd::encode_all(plain, 1).expect("into memory"),
            Packing::Bzip2 => {
                let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
                encoder.write_all(plain).expect("into memory");
                encoder.finish().expect("into memory")
            }
        }
    }

    #[track_caller]
    fn check(packing: Packing) {
        let mut packed = pack(packing, b"one\n");
        packed.extend(pack(packing, b"two\n"));
        assert_eq!(Packing::of(&packed), Some(packing));
        let mut plain = Vec::new();
        packing.unpack(io::Cursor::new(packed.clone())).expect("starts").read_to_end(&mut plain).expect("unpacks");
        assert_eq!(plain, b"one\ntwo\n");

        packed.truncate(packed.len() - 4);
        let cut = packing.unpack(io::Cursor::new(packed)).and_then(|mut reader| reader.read_to_end(&mut plain));
        assert!(cut.is_err(), "a cut file is an error");
        let noise = [&b"\x1f\x8b\x08\xfd7zXZ"[..], &[0x55; 500]].concat();
        let damaged = packing.unpack(io::Cursor::new(noise)).and_then(|mut reader| reader.read_to_end(&mut plain));
        assert!(damaged.is_err(), "damage is an error");
    }

    #[test]
    fn every_packing_with_two_members() {
        check(Packing::Gzip);
        check(Packing::Xz);
        check(Packing::Zstd);
        check(Packing::Bzip2);
    }

    #[test]
    fn plain_text_is_not_packed() {
        for head in [&b""[..], b"B", b"BZh", b"BZhello", b"2026-11-22T10:20:30Z host app: hi", b"\x1f\x8b"] {
            assert_eq!(Packing::of(head), None, "{head:?}");
        }
    }

    #[test]
    fn a_bomb_is_stopped() {
        let bomb = zstd::encode_all(io::repeat(0).take(8 << 20), 1).expect("into memory");
        assert!(bomb.len() < 20_000);
        let mut reader = Packing::Zstd.unpack_bounded(io::Cursor::new(bomb), 1 << 20).expect("starts");
        let error = io::copy(&mut reader, &mut io::sink()).expect_err("too much");
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }
}
