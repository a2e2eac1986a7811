//! Says of 64 bytes at once which are digits, word bytes and hexadecimal digits, and packs those that are kept, with the
//! vectors every processor of the target has; `widest` has wider ones. Must not know what the classes are for.

use wide::u8x16;

/// One bit a byte, lowest first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Classes {
    /// `0` to `9`.
    pub digit: u64,
    /// Letters, digits, and everything beyond ASCII.
    pub word: u64,
    /// `0` to `9`, `a` to `f`, `A` to `F`.
    pub hexadecimal: u64,
    /// Not ASCII.
    pub foreign: u64,
}

/// What a digit that is kept is packed as: no byte of UTF-8.
pub const DIGIT: u8 = 0xff;
/// Bytes that [`pack`] may write: what it keeps, and some that mean nothing.
pub const PACK_ROOM: usize = 64 + 8;

/// Sixteen bytes at a time.
#[inline(always)]
pub fn classify(bytes: &[u8; 64]) -> Classes {
    let mut classes = Classes { digit: 0, word: 0, hexadecimal: 0, foreign: 0 };
    for (index, lane) in bytes.as_chunks::<16>().0.iter().enumerate() {
        let lane = u8x16::new(*lane);
        // Lower case for letters; what is no letter does not become one.
        let folded = lane | u8x16::splat(0x20);
        let from_zero = lane - u8x16::splat(b'0');
        let from_a = folded - u8x16::splat(b'a');
        let digit = up_to(from_zero, 9);
        let letter = up_to(from_a, 25);
        let hex_letter = up_to(from_a, 5);
        let shift = index * 16;
        classes.digit |= bits(digit) << shift;
        // The high bit of a byte beyond ASCII is set already.
        classes.word |= bits(digit | letter | lane) << shift;
        classes.hexadecimal |= bits(digit | hex_letter) << shift;
        classes.foreign |= bits(lane) << shift;
    }
    classes
}

/// Which bytes are newlines, one bit a byte.
#[inline(always)]
pub fn newlines(bytes: &[u8; 64]) -> u64 {
    bytes
        .as_chunks::<16>()
        .0
        .iter()
        .enumerate()
        .fold(0, |found, (index, lane)| found | bits(u8x16::new(*lane).simd_eq(u8x16::splat(b'\n'))) << (index * 16))
}

/// The bytes with every digit made a [`DIGIT`].
#[inline(always)]
pub fn marked(bytes: &[u8; 64]) -> [u8; 64] {
    bytes.map(|byte| if byte.is_ascii_digit() { DIGIT } else { byte })
}

/// Writes the bytes whose bit is set in `keep` one behind the other, and returns how many they are.
#[inline(always)]
pub fn pack(bytes: &[u8; 64], mut keep: u64, packed: &mut [u8; PACK_ROOM]) -> usize {
    let count = keep.count_ones() as usize;
    for place in packed.iter_mut().take(count) {
        *place = bytes.get(keep.trailing_zeros() as usize).copied().unwrap_or_default();
        keep &= keep - 1;
    }
    count
}

/// All ones where a byte is at most `most`.
#[inline(always)]
fn up_to(bytes: u8x16, most: u8) -> u8x16 {
    bytes.min(u8x16::splat(most)).simd_eq(bytes)
}

/// The high bit of each byte.
#[inline(always)]
fn bits(bytes: u8x16) -> u64 {
    u64::from(bytes.to_bitmask())
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    pub(in crate::mine) fn plain(bytes: &[u8; 64]) -> Classes {
        Classes {
            digit: bits_of(bytes, u8::is_ascii_digit),
            word: bits_of(bytes, |byte| byte.is_ascii_alphanumeric() || *byte >= 0x80),
            hexadecimal: bits_of(bytes, u8::is_ascii_hexdigit),
            foreign: bits_of(bytes, |byte| *byte >= 0x80),
        }
    }

    pub(in crate::mine) fn bits_of(bytes: &[u8; 64], class: fn(&u8) -> bool) -> u64 {
        bytes.iter().enumerate().filter(|(_, byte)| class(byte)).fold(0, |bits, (at, _)| bits | 1 << at)
    }

    pub(in crate::mine) fn plainly_packed(bytes: &[u8; 64], keep: u64) -> Vec<u8> {
        let kept = bytes.iter().enumerate().filter(|(at, _)| keep >> at & 1 == 1);
        kept.map(|(_, byte)| if byte.is_ascii_digit() { DIGIT } else { *byte }).collect()
    }

    #[test]
    fn every_byte_in_every_lane() {
        for byte in 0..=255 {
            for at in 0..64 {
                let mut bytes = [b'-'; 64];
                bytes[at] = byte;
                assert_eq!(classify(&bytes), plain(&bytes), "byte {byte} at {at}");
                assert_eq!(newlines(&bytes), bits_of(&bytes, |byte| *byte == b'\n'), "byte {byte} at {at}");
            }
        }
    }

    proptest! {
        #[test]
        fn agrees_with_the_plain_definition(bytes: [[u8; 32]; 2], keep: u64) {
            let bytes: [u8; 64] = bytes.concat().try_into().expect("two halves of 32 bytes");
            prop_assert_eq!(classify(&bytes), plain(&bytes));
            let mut packed = [0; PACK_ROOM];
            let count = pack(&marked(&bytes), keep, &mut packed);
            prop_assert_eq!(packed[..count].to_vec(), plainly_packed(&bytes, keep));
        }
    }
}
