//! Says of 64 bytes at once which are digits, word bytes and hexadecimal digits, with the vectors every processor of the
//! target has; `widest` has wider ones. Must not know what the classes are for.

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
    pub newline: u64,
    /// Not ASCII.
    pub foreign: u64,
}

/// Sixteen bytes at a time.
#[inline(always)]
pub fn classify(bytes: &[u8; 64]) -> Classes {
    let mut classes = Classes { digit: 0, word: 0, hexadecimal: 0, newline: 0, foreign: 0 };
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
        classes.newline |= bits(lane.simd_eq(u8x16::splat(b'\n'))) << shift;
        classes.foreign |= bits(lane) << shift;
    }
    classes
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
        let bits = |class: fn(&u8) -> bool| {
            bytes.iter().enumerate().filter(|(_, byte)| class(byte)).fold(0, |bits, (at, _)| bits | 1 << at)
        };
        Classes {
            digit: bits(u8::is_ascii_digit),
            word: bits(|byte| byte.is_ascii_alphanumeric() || *byte >= 0x80),
            hexadecimal: bits(u8::is_ascii_hexdigit),
            newline: bits(|byte| *byte == b'\n'),
            foreign: bits(|byte| *byte >= 0x80),
        }
    }

    #[test]
    fn every_byte_in_every_lane() {
        for byte in 0..=255 {
            for at in 0..64 {
                let mut bytes = [b'-'; 64];
                bytes[at] = byte;
                assert_eq!(classify(&bytes), plain(&bytes), "byte {byte} at {at}");
            }
        }
    }

    proptest! {
        #[test]
        fn agrees_with_the_plain_definition(bytes: [[u8; 32]; 2]) {
            let bytes: [u8; 64] = bytes.concat().try_into().expect("two halves of 32 bytes");
            prop_assert_eq!(classify(&bytes), plain(&bytes));
        }
    }
}
