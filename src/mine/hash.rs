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
        self.run(self.first, bytes, 0, bytes.len())
    }

    /// The hash of the first `length` bytes, whatever comes behind them.
    pub fn hash_start(&self, bytes: &[u8], length: usize) -> u64 {
        self.run(self.first, bytes, 0, length.min(bytes.len()))
    }

    /// Goes on from `state` with `bytes[from..to]`, of any length. Reads whole blocks of `bytes` and leaves out what is
    /// not asked for: lengths of runs are what a processor predicts worst. Nothing if the bounds are not within `bytes`.
    #[inline(always)]
    pub fn run(&self, state: u64, bytes: &[u8], from: usize, to: usize) -> u64 {
        let mut state = state ^ (to.wrapping_sub(from) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut at = from;
        while at + 16 < to {
            state = self.block(state, whole_block(bytes, at));
            at += 16;
        }
        let wanted = WANTED[to.wrapping_sub(at) & 31];
        self.block(state, whole_block(bytes, at) & wanted)
    }

    /// The same for the first `length` bytes.
    #[inline(always)]
    pub fn run_from_start(&self, state: u64, bytes: &[u8], length: usize) -> u64 {
        let mut state = state ^ (length as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut left = length;
        for block in bytes.as_chunks::<16>().0 {
            let block = u128::from_le_bytes(*block);
            if left <= 16 {
                let wanted = WANTED[left & 31];
                return self.block(state, block & wanted);
            }
            state = self.block(state, block);
            left -= 16;
        }
        // There are as many bytes and some more.
        state
    }

    #[inline(always)]
    fn block(&self, state: u64, block: u128) -> u64 {
        fold(block as u64 ^ self.first ^ state, (block >> 64) as u64 ^ self.second)
    }

    /// Goes on from `state` with one word.
    #[inline(always)]
    pub fn join(&self, state: u64, word: u64) -> u64 {
        fold(state ^ self.first, word ^ self.second)
    }
}

/// Masks for the first bytes of a block, by their number.
static WANTED: [u128; 32] = {
    let mut masks = [u128::MAX; 32];
    let mut number = 0;
    while number < 16 {
        masks[number] = (1 << (8 * number)) - 1;
        number += 1;
    }
    masks
};

/// The 16 bytes from `at`, zeros behind the end.
#[inline(always)]
fn whole_block(bytes: &[u8], at: usize) -> u128 {
    if let Some(block) = bytes.get(at..).and_then(|rest| rest.first_chunk::<16>()) {
        return u128::from_le_bytes(*block);
    }
    last_block(bytes, at)
}

#[inline(never)]
fn last_block(bytes: &[u8], at: usize) -> u128 {
    let rest = bytes.get(at..).unwrap_or_default();
    if let Some(last) = bytes.last_chunk::<16>() {
        return u128::from_le_bytes(*last).checked_shr(8 * (16 - rest.len() as u32)).unwrap_or(0);
    }
    rest.iter().rev().fold(0, |block, byte| block << 8 | u128::from(*byte))
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
