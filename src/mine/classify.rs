//! Says of 64 bytes at once which are digits, word bytes and hexadecimal digits: the one place where vector
//! instructions would go. Must not know what the classes are for.

/// One bit a byte, lowest first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Classes {
    /// `0` to `9`.
    pub digit: u64,
    /// Letters, digits, and everything beyond ASCII.
    pub word: u64,
    /// `0` to `9`, `a` to `f`, `A` to `F`.
    pub hexadecimal: u64,
}

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// Portable: eight bytes in a register, the answer in the high bit of each.
#[inline(always)]
pub fn classify(bytes: &[u8; 64]) -> Classes {
    let mut classes = Classes { digit: 0, word: 0, hexadecimal: 0 };
    for (index, lane) in bytes.as_chunks::<8>().0.iter().enumerate() {
        let lane = u64::from_le_bytes(*lane);
        let ascii = lane & !HIGH;
        let folded = ascii | (0x20 * ONES);
        // Adding carries into the high bit exactly where a byte reaches the bound; no byte overflows into the next.
        let at_least = |bytes: u64, bound: u8| bytes + (0x80 - u64::from(bound)) * ONES;
        let digit = at_least(ascii, b'0') & !at_least(ascii, b'9' + 1);
        let from_a = at_least(folded, b'a');
        let letter = from_a & !at_least(folded, b'z' + 1);
        let hex_letter = from_a & !at_least(folded, b'f' + 1);
        let plain = !lane & HIGH;
        let shift = index * 8;
        classes.digit |= gather(digit & plain) << shift;
        classes.word |= gather((digit | letter | lane) & HIGH) << shift;
        classes.hexadecimal |= gather((digit | hex_letter) & plain) << shift;
    }
    classes
}

/// The high bits of eight bytes as eight bits.
#[inline(always)]
fn gather(high_bits: u64) -> u64 {
    (high_bits >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn plain(bytes: &[u8; 64]) -> Classes {
        let bits = |class: fn(&u8) -> bool| {
            bytes.iter().enumerate().filter(|(_, byte)| class(byte)).fold(0, |bits, (at, _)| bits | 1 << at)
        };
        Classes {
            digit: bits(u8::is_ascii_digit),
            word: bits(|byte| byte.is_ascii_alphanumeric() || *byte >= 0x80),
            hexadecimal: bits(u8::is_ascii_hexdigit),
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
