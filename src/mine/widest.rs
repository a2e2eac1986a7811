//! Runs a piece of work with the widest vectors the processor has, found out at run time. The only place with unsafe
//! code: for each call it says why the processor can do it. Must not know what the work is.

#![expect(
    unsafe_code,
    reason = "code for processors that have more than the target promises can be called no other way"
)]
#![deny(unsafe_op_in_unsafe_fn)]

use super::classify::{self, Classes, PACK_ROOM};

/// What `classify` does, some way.
pub trait Vectors: Copy {
    /// Bytes as they are packed.
    type Marked: Copy;
    fn classify(self, bytes: &[u8; 64]) -> (Classes, Self::Marked);
    fn newlines(self, bytes: &[u8; 64]) -> u64;
    fn pack(self, bytes: Self::Marked, keep: u64, packed: &mut [u8; PACK_ROOM]) -> usize;
}

/// Work over many bytes. Its `run`, and all that should profit, must be `#[inline(always)]`: it is compiled once for
/// each kind of processor.
pub trait Work {
    type Output;
    fn run<V: Vectors>(self, vectors: V) -> Self::Output;
}

/// Does the work.
#[inline]
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

impl Vectors for Anywhere {
    type Marked = [u8; 64];

    #[inline(always)]
    fn classify(self, bytes: &[u8; 64]) -> (Classes, [u8; 64]) {
        (classify::classify(bytes), classify::marked(bytes))
    }

    #[inline(always)]
    fn newlines(self, bytes: &[u8; 64]) -> u64 {
        classify::newlines(bytes)
    }

    #[inline(always)]
    fn pack(self, bytes: [u8; 64], keep: u64, packed: &mut [u8; PACK_ROOM]) -> usize {
        classify::pack(&bytes, keep, packed)
    }
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::{
        __m256i, _mm_add_epi8, _mm_cvtsi128_si64, _mm_extract_epi64, _mm_set_epi64x, _mm_shuffle_epi8,
        _mm256_castsi256_si128, _mm256_cmpeq_epi8, _mm256_extracti128_si256, _mm256_min_epu8, _mm256_movemask_epi8,
        _mm256_or_si256, _mm256_set_epi64x, _mm256_set1_epi8, _mm256_sub_epi8,
    };

    use super::{Classes, PACK_ROOM, Vectors, Work};

    #[inline]
    pub fn is_here() -> bool {
        is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("bmi1")
            && is_x86_feature_detected!("bmi2")
            && is_x86_feature_detected!("lzcnt")
            && is_x86_feature_detected!("popcnt")
    }

    #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
    pub fn run<W: Work>(work: W) -> W::Output {
        // Made nowhere else.
        work.run(Avx2(()))
    }

    /// The proof that the processor has AVX2 and what comes with it.
    #[derive(Clone, Copy)]
    struct Avx2(());

    impl Vectors for Avx2 {
        type Marked = [__m256i; 2];

        #[inline(always)]
        fn classify(self, bytes: &[u8; 64]) -> (Classes, [__m256i; 2]) {
            // SAFETY: only `run` makes an `Avx2`, and only runs where AVX2 is.
            unsafe { classify(bytes) }
        }

        #[inline(always)]
        fn newlines(self, bytes: &[u8; 64]) -> u64 {
            // SAFETY: as above.
            unsafe { newlines(bytes) }
        }

        #[inline(always)]
        fn pack(self, bytes: [__m256i; 2], keep: u64, packed: &mut [u8; PACK_ROOM]) -> usize {
            // SAFETY: as above.
            unsafe { pack(bytes, keep, packed) }
        }
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn classify(bytes: &[u8; 64]) -> (Classes, [__m256i; 2]) {
        let mut classes = Classes { digit: 0, word: 0, hexadecimal: 0, foreign: 0 };
        let mut marked = [_mm256_set1_epi8(0); 2];
        let halves = bytes.as_chunks::<32>().0.iter().zip(&mut marked);
        for (index, (half, marked)) in halves.enumerate() {
            let lane = load(half);
            // Lower case for letters; what is no letter does not become one.
            let folded = _mm256_or_si256(lane, _mm256_set1_epi8(0x20));
            let from_a = _mm256_sub_epi8(folded, _mm256_set1_epi8(b'a' as i8));
            let digit = up_to(_mm256_sub_epi8(lane, _mm256_set1_epi8(b'0' as i8)), 9);
            let letter = up_to(from_a, 25);
            let hex_letter = up_to(from_a, 5);
            let shift = index * 32;
            // All ones over a digit: `DIGIT`.
            *marked = _mm256_or_si256(lane, digit);
            classes.digit |= bits(digit) << shift;
            // The high bit of a byte beyond ASCII is set already.
            classes.word |= bits(_mm256_or_si256(*marked, letter)) << shift;
            classes.hexadecimal |= bits(_mm256_or_si256(digit, hex_letter)) << shift;
            classes.foreign |= bits(lane) << shift;
        }
        (classes, marked)
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn newlines(bytes: &[u8; 64]) -> u64 {
        bytes.as_chunks::<32>().0.iter().enumerate().fold(0, |found, (index, half)| {
            found | bits(_mm256_cmpeq_epi8(load(half), _mm256_set1_epi8(b'\n' as i8))) << (index * 32)
        })
    }

    /// Eight bytes at a time move together as `PLACES` says.
    #[inline]
    #[target_feature(enable = "avx2,popcnt")]
    fn pack(bytes: [__m256i; 2], keep: u64, packed: &mut [u8; PACK_ROOM]) -> usize {
        let mut count = 0;
        let mut put = |eight: i64, kept: u64| {
            // At most 56 were kept before the last eight.
            if let Some(room) = packed.get_mut((count & 63)..).and_then(|room| room.first_chunk_mut::<8>()) {
                *room = eight.to_le_bytes();
            }
            count += kept.count_ones() as usize;
        };
        let places = |kept: u64| PLACES.get(kept as usize & 255).copied().unwrap_or_default() as i64;
        for (index, marked) in bytes.into_iter().enumerate() {
            for (part, lane) in
                [_mm256_castsi256_si128(marked), _mm256_extracti128_si256::<1>(marked)].into_iter().enumerate()
            {
                let keep = keep >> (index * 32 + part * 16);
                let (low, high) = (keep & 0xff, keep >> 8 & 0xff);
                let order = _mm_add_epi8(_mm_set_epi64x(places(high), places(low)), _mm_set_epi64x(EIGHTS, 0));
                let moved = _mm_shuffle_epi8(lane, order);
                put(_mm_cvtsi128_si64(moved), low);
                put(_mm_extract_epi64::<1>(moved), high);
            }
        }
        count
    }

    const EIGHTS: i64 = 0x0808_0808_0808_0808;

    /// By eight bits: the places of those that are set, a byte each, lowest first.
    static PLACES: [u64; 256] = {
        let mut table = [0; 256];
        let mut kept = 0;
        while kept < 256 {
            let (mut place, mut count) = (0, 0);
            while place < 8 {
                if kept >> place & 1 == 1 {
                    table[kept] |= place << (8 * count);
                    count += 1;
                }
                place += 1;
            }
            kept += 1;
        }
        table
    };

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

    use super::super::classify::tests::{bits_of, plain, plainly_packed};
    use super::*;

    struct One<'a>(&'a [u8; 64], u64);

    impl Work for One<'_> {
        type Output = (Classes, u64, Vec<u8>);

        #[inline(always)]
        fn run<V: Vectors>(self, vectors: V) -> Self::Output {
            let mut packed = [b'?'; PACK_ROOM];
            let (classes, marked) = vectors.classify(self.0);
            let count = vectors.pack(marked, self.1, &mut packed);
            (classes, vectors.newlines(self.0), packed[..count].to_vec())
        }
    }

    #[track_caller]
    fn check(bytes: &[u8; 64], keep: u64) {
        let here = run(One(bytes, keep));
        let newlines = bits_of(bytes, |byte| *byte == b'\n');
        assert_eq!(here, (plain(bytes), newlines, plainly_packed(bytes, keep)));
        assert_eq!(here, One(bytes, keep).run(Anywhere));
    }

    /// An interpreter (`cargo miri`) needs minutes for what a processor does at once.
    const STEP: usize = if cfg!(miri) { 13 } else { 1 };

    #[test]
    fn every_byte_in_every_lane() {
        for byte in (0..=255).step_by(STEP) {
            for at in (0..64).step_by(STEP) {
                let mut bytes = [b'-'; 64];
                bytes[at] = byte;
                check(&bytes, 1 << at);
                check(&bytes, u64::MAX);
            }
        }
    }

    #[test]
    fn every_choice_of_eight() {
        let bytes: [u8; 64] = std::array::from_fn(|at| b'0' + at as u8);
        for kept in (0..256).step_by(STEP) {
            for lane in 0..8 {
                check(&bytes, kept << (8 * lane));
                check(&bytes, !(kept << (8 * lane)));
            }
        }
    }

    proptest! {
        #[test]
        fn all_ways_agree(bytes: [[u8; 32]; 2], keep: u64) {
            check(&bytes.concat().try_into().expect("two halves of 32 bytes"), keep);
        }
    }
}
