//! Keyed hashing for shapes and tokens: who does not know the seed cannot make two texts collide. Ids that must be the
//! same on every host never come from here (`model::TemplateId` hashes without a key).

/// The keys of one miner.
#[derive(Clone, Copy, Debug)]
pub struct Keys {
    first: u64,
    second: u64,
}

impl Keys {
    pub fn new(seed: u64) -> Keys {
        // Odd constants of splitmix64: two unrelated keys from one seed.
        Keys { first: splitmix(seed ^ 0x9e37_79b9_7f4a_7c15), second: splitmix(seed ^ 0xd1b5_4a32_d192_ed03) }
    }

    pub fn hash(&self, bytes: &[u8]) -> u64 {
        self.run(self.first, bytes)
    }

    /// Goes on from `state` with a run of bytes of any length.
    #[inline(always)]
    pub fn run(&self, state: u64, bytes: &[u8]) -> u64 {
        let mut state = state ^ (bytes.len() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        if let Some(last) = bytes.last_chunk::<16>() {
            let mut rest = bytes;
            while let Some((block, more)) = rest.split_first_chunk::<16>() {
                state = self.block(state, block);
                rest = more;
            }
            // What is left over is read again together with the bytes before it.
            if rest.is_empty() { state } else { self.block(state, last) }
        } else if let Some((head, tail)) = bytes.first_chunk::<8>().zip(bytes.last_chunk::<8>()) {
            fold(u64::from_le_bytes(*head) ^ self.first ^ state, u64::from_le_bytes(*tail) ^ self.second)
        } else if let Some((head, tail)) = bytes.first_chunk::<4>().zip(bytes.last_chunk::<4>()) {
            let word = u64::from(u32::from_le_bytes(*head)) << 32 | u64::from(u32::from_le_bytes(*tail));
            self.join(state, word)
        } else {
            self.join(state, bytes.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)))
        }
    }

    #[inline(always)]
    fn block(&self, state: u64, block: &[u8; 16]) -> u64 {
        let whole = u128::from_le_bytes(*block);
        fold(whole as u64 ^ self.first ^ state, (whole >> 64) as u64 ^ self.second)
    }

    /// Goes on from `state` with one word.
    #[inline(always)]
    pub fn join(&self, state: u64, word: u64) -> u64 {
        fold(state ^ self.first, word ^ self.second)
    }
}

/// Multiplies to 128 bits and folds the halves: every input bit reaches every output bit.
#[inline(always)]
fn fold(left: u64, right: u64) -> u64 {
    let product = u128::from(left) * u128::from(right);
    product as u64 ^ (product >> 64) as u64
}

fn splitmix(seed: u64) -> u64 {
    let mut word = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    word = (word ^ word >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ word >> 31
}
