//! Isolation forest (Liu, Ting, Zhou: Isolation Forest, ICDM 2008): what few random cuts set apart from the rest is odd.
//! Numbers in, a score out; knows nothing of logs. Own code because the crates that have it are no longer kept.

/// Trees, and points of each: the values of the paper.
const TREES: usize = 100;
const SAMPLE: usize = 256;
/// log2(SAMPLE): deeper than the average path nothing is learned.
const MAX_DEPTH: u32 = 8;

/// A forest over points of `N` features.
#[derive(Debug)]
pub struct Forest<const N: usize> {
    trees: Vec<Node>,
    /// Average path of an unsuccessful search among the points of a tree: c(n) of the paper.
    average: f64,
}

#[derive(Debug)]
enum Node {
    Cut {
        feature: usize,
        at: f64,
        below: Box<Node>,
        above: Box<Node>,
    },
    /// So many points were left.
    Leaf(usize),
}

impl<const N: usize> Forest<N> {
    /// Learns from points. The same points and seed give the same forest.
    pub fn new(points: &[[f64; N]], seed: u64) -> Forest<N> {
        Forest::grown(points, None, seed)
    }

    /// Has this point in each tree: a point beyond all others is only set apart by cuts that know how far it is.
    pub fn around(points: &[[f64; N]], point: &[f64; N], seed: u64) -> Forest<N> {
        Forest::grown(points, Some(point), seed)
    }

    fn grown(points: &[[f64; N]], point: Option<&[f64; N]>, seed: u64) -> Forest<N> {
        let mut random = Random(seed);
        let size = points.len().min(SAMPLE - usize::from(point.is_some()));
        let trees = (0..TREES)
            .map(|_| {
                let drawn = (0..size).filter_map(|_| points.get(random.below(points.len())));
                let mut sample: Vec<&[f64; N]> = drawn.chain(point).collect();
                grow(&mut sample, 0, &mut random)
            })
            .collect();
        Forest { trees, average: average_path(size + usize::from(point.is_some())) }
    }

    /// 0..=1; about 0.5 for what is like the rest, towards 1 for what is easily set apart.
    pub fn score(&self, point: &[f64; N]) -> f64 {
        if self.trees.is_empty() || self.average <= 0.0 {
            return 0.5;
        }
        let depth: f64 = self.trees.iter().map(|tree| path(tree, point)).sum::<f64>() / self.trees.len() as f64;
        2f64.powf(-depth / self.average)
    }
}

fn grow<const N: usize>(points: &mut [&[f64; N]], depth: u32, random: &mut Random) -> Node {
    if points.len() <= 1 || depth >= MAX_DEPTH {
        return Node::Leaf(points.len());
    }
    // Only features that differ can be cut; begin at a random one.
    let first = random.below(N);
    let found = (0..N).map(|step| (first + step) % N).find_map(|feature| {
        let value = |point: &&[f64; N]| point.get(feature).copied().unwrap_or(0.0);
        let low = points.iter().map(value).fold(f64::INFINITY, f64::min);
        let high = points.iter().map(value).fold(f64::NEG_INFINITY, f64::max);
        (low < high).then_some((feature, low, high))
    });
    let Some((feature, low, high)) = found else { return Node::Leaf(points.len()) };
    let at = low + (high - low) * random.unit();
    points.sort_by(|one, other| {
        let value = |point: &[f64; N]| point.get(feature).copied().unwrap_or(0.0);
        value(one).total_cmp(&value(other))
    });
    let middle = points.partition_point(|point| point.get(feature).copied().unwrap_or(0.0) <= at);
    let (below, above) = points.split_at_mut(middle.min(points.len()));
    Node::Cut {
        feature,
        at,
        below: Box::new(grow(below, depth + 1, random)),
        above: Box::new(grow(above, depth + 1, random)),
    }
}

fn path<const N: usize>(tree: &Node, point: &[f64; N]) -> f64 {
    let (mut node, mut depth) = (tree, 0.0);
    loop {
        match node {
            Node::Leaf(points) => return depth + average_path(*points),
            Node::Cut { feature, at, below, above } => {
                depth += 1.0;
                node = if point.get(*feature).is_some_and(|value| value <= at) { below } else { above };
            }
        }
    }
}

/// c(n): 2 H(n - 1) - 2 (n - 1) / n.
fn average_path(points: usize) -> f64 {
    match points {
        0 | 1 => 0.0,
        2 => 1.0,
        _ => {
            const EULER: f64 = 0.577_215_664_9;
            let n = points as f64;
            2.0 * ((n - 1.0).ln() + EULER) - 2.0 * (n - 1.0) / n
        }
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit.max(1) as u64).unwrap_or(0)
    }

    /// 0..1
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Points around (10, 20), and one to be scored.
    #[track_caller]
    fn check(point: [f64; 2], is_odd: bool) {
        let mut random = Random(7);
        let points: Vec<[f64; 2]> = (0..500).map(|_| [10.0 + random.unit(), 20.0 + random.unit()]).collect();
        let score = Forest::around(&points, &point, 1).score(&point);
        assert_eq!(score > 0.65, is_odd, "{score}");
        assert!((0.0..=1.0).contains(&score));
    }

    #[test]
    fn what_stands_apart_is_odd() {
        check([10.5, 20.5], false);
        check([10.2, 20.7], false);
        check([30.0, 60.0], true);
        check([-5.0, 0.0], true);
    }

    #[test]
    fn any_points_grow_a_forest() {
        assert_eq!(Forest::<2>::new(&[], 1).score(&[1.0, 2.0]), 0.5);
        let same = Forest::new(&[[1.0, 1.0]; 300], 1);
        assert!(same.score(&[1.0, 1.0]) <= 0.5 + 1e-9);
        let wild = Forest::new(&[[f64::NAN, f64::INFINITY], [f64::MIN, 0.0], [0.0, f64::MAX]], 1);
        assert!(wild.score(&[f64::NAN, 1.0]).is_finite());
    }
}
