//! Runs a piece of work with the widest vectors the processor has, found out at run time. The only place with unsafe
//! code: for each call it says why the processor can do it. Must not know what the work is.

#![expect(
    unsafe_code,
    reason = "code for processors that have more than the target promises can be called no other way"
)]
#![deny(unsafe_op_in_unsafe_fn)]

use super::classify::{self, Classes};

/// Classifies 64 bytes, some way.
pub trait Classify: Copy {
    fn classify(self, bytes: &[u8; 64]) -> Classes;
}

/// Work over many bytes. Its `run`, and all that should profit, must be `#[inline(always)]`: it is compiled once for
/// each kind of processor.
pub trait Work {
    type Output;
    fn run<C: Classify>(self, classes: C) -> Self::Output;
}

/// Does the work.
pub fn run<W: Work>(work: W) -> W::Output {
    #[cfg(target_arch = "x86_64")]
    if avx2::is_here() {
        // SAFETY: `is_here` saw every feature that `avx2::run` is compiled for.
        return unsafe { avx2::run(work) };
    }
    work.run(Anywhere)
}

/// With what every processor of the target has.
#[derive(Clone, Copy)]
struct Anywhere;

impl Classify for Anywhere {
    #[inline(always)]
    fn classify(self, bytes: &[u8; 64]) -> Classes {
        classify::classify(bytes)
    }
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::{
        __m256i, _mm256_cmpeq_epi8, _mm256_min_epu8, _mm256_movemask_epi8, _mm256_or_si256, _mm256_set_epi64x,
        _mm256_set1_epi8, _mm256_sub_epi8,
    };

    use super::{Classes, Classify, Work};

    pub fn is_here() -> bool {
        is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("bmi1")
            && is_x86_feature_detected!("bmi2")
            && is_x86_feature_detected!("lzcnt")
    }

    #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt")]
    pub fn run<W: Work>(work: W) -> W::Output {
        // Made nowhere else.
        work.run(Avx2(()))
    }

    /// The proof that the processor has AVX2.
    #[derive(Clone, Copy)]
    struct Avx2(());

    impl Classify for Avx2 {
        #[inline(always)]
        fn classify(self, bytes: &[u8; 64]) -> Classes {
            // SAFETY: only `run` makes an `Avx2`, and only runs where AVX2 is.
            unsafe { classify(bytes) }
        }
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn classify(bytes: &[u8; 64]) -> Classes {
        let (halves, _) = bytes.as_chunks::<32>();
        let mut classes = Classes { digit: 0, word: 0, hexadecimal: 0, newline: 0, foreign: 0 };
        for (index, half) in halves.iter().enumerate() {
            let lane = load(half);
            // Lower case for letters; what is no letter does not become one.
            let folded = _mm256_or_si256(lane, _mm256_set1_epi8(0x20));
            let from_zero = _mm256_sub_epi8(lane, _mm256_set1_epi8(b'0' as i8));
            let from_a = _mm256_sub_epi8(folded, _mm256_set1_epi8(b'a' as i8));
            let digit = up_to(from_zero, 9);
            let letter = up_to(from_a, 25);
            let hex_letter = up_to(from_a, 5);
            let newline = _mm256_cmpeq_epi8(lane, _mm256_set1_epi8(b'\n' as i8));
            let shift = index * 32;
            classes.digit |= bits(digit) << shift;
            // The high bit of a byte beyond ASCII is set already.
            classes.word |= bits(_mm256_or_si256(_mm256_or_si256(digit, letter), lane)) << shift;
            classes.hexadecimal |= bits(_mm256_or_si256(digit, hex_letter)) << shift;
            classes.newline |= bits(newline) << shift;
            classes.foreign |= bits(lane) << shift;
        }
        classes
    }

    /// Compiles to one load.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn load(bytes: &[u8; 32]) -> __m256i {
        let mut words = bytes.as_chunks::<8>().0.iter().map(|word| i64::from_le_bytes(*word));
        let mut next = || words.next().unwrap_or_default();
        let (first, second, third, fourth) = (next(), next(), next(), next());
        _mm256_set_epi64x(fourth, third, second, first)
    }

    /// All ones where a byte is at most `most`.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn up_to(bytes: __m256i, most: u8) -> __m256i {
        _mm256_cmpeq_epi8(_mm256_min_epu8(bytes, _mm256_set1_epi8(most as i8)), bytes)
    }

    /// The high bit of each byte.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn bits(bytes: __m256i) -> u64 {
        u64::from(_mm256_movemask_epi8(bytes) as u32)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::classify::tests::plain;
    use super::*;

    struct One<'a>(&'a [u8; 64]);

    impl Work for One<'_> {
        type Output = Classes;

        #[inline(always)]
        fn run<C: Classify>(self, classes: C) -> Classes {
            classes.classify(self.0)
        }
    }

    #[track_caller]
    fn check(bytes: &[u8; 64]) {
        let here = run(One(bytes));
        assert_eq!(here, plain(bytes));
        assert_eq!(here, One(bytes).run(Anywhere));
    }

    #[test]
    fn every_byte_in_every_lane() {
        for byte in 0..=255 {
            for at in 0..64 {
                let mut bytes = [b'-'; 64];
                bytes[at] = byte;
                check(&bytes);
            }
        }
    }

    proptest! {
        #[test]
        fn all_ways_agree(bytes: [[u8; 32]; 2]) {
            check(&bytes.concat().try_into().expect("two halves of 32 bytes"));
        }
    }
}
