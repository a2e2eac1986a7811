//! Who sent what, and how much each may send: lines wait here, a heap for each peer, until the pipeline takes them in
//! turns. Pure: opens no socket and reads no clock.
//!
//! Must never let one peer take the room or the turn of another, hold more than its bounds, or lose a line uncounted.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::model::{LineBlock, LineSpan, Medium, Origin, Phase, SourceEvent};

use super::frame::Message;

/// Peers with a name of their own; what more there are share the name `others`, and its caps. Names are kept as long as
/// we run, for so does the pipeline: whoever invents sender addresses must not make it grow.
const PEERS_MAX: usize = 1_024;
/// Bytes that may wait of one peer, but always one message.
const PEER_BYTES: usize = 256 << 10;
/// Bytes that may wait in all, but always one message of each peer.
const ALL_BYTES: usize = 8 << 20;
/// The same trouble with a peer is told this often.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// Who sends.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Peer {
    /// Another host, or ours over the loopback.
    Address(IpAddr),
    /// A program of this host, through a socket in the file system.
    Local,
    /// One of more peers than there are names for.
    Others,
}

/// What became of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Offer {
    Taken,
    /// The peer sends too fast: again in so long.
    TooFast(Duration),
    /// Too much is waiting already.
    Full,
}

/// The caps, from the config.
#[derive(Clone, Copy, Debug)]
pub(super) struct Caps {
    pub lines_per_second: u32,
    pub connections: usize,
    pub connections_per_peer: usize,
}

/// All peers and what waits of them.
#[derive(Debug)]
pub(super) struct Peers {
    caps: Caps,
    format: Option<Arc<str>>,
    states: HashMap<Peer, State>,
    /// Those of whom something waits, in turn.
    turns: VecDeque<Peer>,
    bytes: usize,
    connections: usize,
}

#[derive(Debug)]
struct State {
    origin: Arc<Origin>,
    bytes: Vec<u8>,
    spans: Vec<LineSpan>,
    /// Bytes of messages so far: the offset of the next.
    offset: u64,
    bucket: Bucket,
    connections: usize,
    losses: Losses,
    told: Option<Instant>,
}

/// What a person has not been told yet.
#[derive(Clone, Copy, Default, Debug)]
struct Losses {
    too_fast: u64,
    full: u64,
    refused: u64,
    garbled: u64,
    overlong_bytes: u64,
}

/// A token for each line.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    tokens: f64,
    at: Instant,
}

impl Peer {
    pub fn of(address: IpAddr) -> Peer {
        Peer::Address(address.to_canonical())
    }

    fn name(self) -> Arc<str> {
        match self {
            Peer::Address(address) => format!("syslog/{address}").into(),
            Peer::Local => "syslog/local".into(),
            Peer::Others => "syslog/others".into(),
        }
    }
}

impl Peers {
    pub fn new(caps: Caps, format: Option<Arc<str>>) -> Peers {
        Peers { caps, format, states: HashMap::new(), turns: VecDeque::new(), bytes: 0, connections: 0 }
    }

    /// Takes one message if there is room for it and the peer has not had its share.
    pub fn offer(&mut self, peer: Peer, message: Message<'_>, now: Instant) -> Offer {
        let (rate, all) = (f64::from(self.caps.lines_per_second), self.bytes);
        let (peer, state) = self.state(peer, now);
        let length = message.bytes.len();
        let has_room = state.bytes.len() + length <= PEER_BYTES && all + length <= ALL_BYTES;
        if !state.bytes.is_empty() && !has_room {
            return Offer::Full;
        }
        if let Err(wait) = state.bucket.take(rate, now) {
            return Offer::TooFast(wait);
        }
        // Bounded far below 4 GiB by the caps above.
        let start = u32::try_from(state.bytes.len()).unwrap_or(u32::MAX);
        let end = u32::try_from(state.bytes.len() + length).unwrap_or(u32::MAX);
        state.spans.push(LineSpan {
            start,
            end,
            offset: state.offset,
            truncated: message.dropped > 0,
            partial: message.partial,
        });
        let was_empty = state.bytes.is_empty();
        state.bytes.extend_from_slice(message.bytes);
        state.offset += length as u64 + message.dropped;
        state.losses.overlong_bytes += message.dropped;
        self.bytes += length;
        if was_empty {
            self.turns.push_back(peer);
        }
        Offer::Taken
    }

    /// Counts a message that could not wait.
    pub fn lost(&mut self, peer: Peer, why: Offer, now: Instant) {
        let (_, state) = self.state(peer, now);
        match why {
            Offer::Taken => {}
            Offer::TooFast(_) => state.losses.too_fast += 1,
            Offer::Full => state.losses.full += 1,
        }
    }

    /// Counts places where the frames of a connection were wrong.
    pub fn garbled(&mut self, peer: Peer, places: u64, now: Instant) {
        self.state(peer, now).1.losses.garbled += places;
    }

    /// Whether one more connection may open; to be closed again with [`Peers::closed`].
    pub fn opened(&mut self, peer: Peer, now: Instant) -> bool {
        let (caps, all) = (self.caps, self.connections);
        let (_, state) = self.state(peer, now);
        if all >= caps.connections || state.connections >= caps.connections_per_peer {
            state.losses.refused += 1;
            return false;
        }
        state.connections += 1;
        self.connections += 1;
        true
    }

    pub fn closed(&mut self, peer: Peer, now: Instant) {
        let (_, state) = self.state(peer, now);
        state.connections = state.connections.saturating_sub(1);
        self.connections = self.connections.saturating_sub(1);
    }

    /// Open connections.
    #[cfg(test)]
    pub fn connections(&self) -> usize {
        self.connections
    }

    pub fn is_empty(&self) -> bool {
        self.turns.is_empty()
    }

    /// What waits of the peer whose turn it is.
    pub fn take(&mut self) -> Option<LineBlock> {
        let state = self.states.get_mut(&self.turns.pop_front()?)?;
        let (bytes, spans) = (std::mem::take(&mut state.bytes), std::mem::take(&mut state.spans));
        self.bytes = self.bytes.saturating_sub(bytes.len());
        let origin = Arc::clone(&state.origin);
        Some(LineBlock { origin, phase: Phase::Live, bytes, spans, position: None })
    }

    /// What has to be told by now; all of it when `last`.
    pub fn take_events(&mut self, now: Instant, last: bool) -> Vec<SourceEvent> {
        let caps = self.caps;
        let mut events = Vec::new();
        for state in self.states.values_mut() {
            let is_due = last || state.told.is_none_or(|told| now.saturating_duration_since(told) >= TELL_EVERY);
            if is_due && state.losses.any() {
                state.told = Some(now);
                std::mem::take(&mut state.losses).tell(&state.origin.name, caps, &mut events);
            }
        }
        events
    }

    /// The peer under the name that it has, and what is known of it.
    fn state(&mut self, peer: Peer, now: Instant) -> (Peer, &mut State) {
        let has_name = self.states.len() < PEERS_MAX || self.states.contains_key(&peer);
        let peer = if has_name { peer } else { Peer::Others };
        let (format, burst) = (&self.format, 2.0 * f64::from(self.caps.lines_per_second));
        let state = self.states.entry(peer).or_insert_with(|| State {
            origin: Arc::new(Origin {
                name: peer.name(),
                medium: Medium::Syslog,
                format: format.clone(),
                written: None,
            }),
            bytes: Vec::new(),
            spans: Vec::new(),
            offset: 0,
            bucket: Bucket { tokens: burst, at: now },
            connections: 0,
            losses: Losses::default(),
            told: None,
        });
        (peer, state)
    }
}

impl Bucket {
    /// One token, or how long it takes until there is one.
    fn take(&mut self, rate: f64, now: Instant) -> Result<(), Duration> {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.tokens = (self.tokens + passed * rate).min(2.0 * rate);
        self.at = self.at.max(now);
        if self.tokens >= 1.0 || rate <= 0.0 {
            self.tokens -= 1.0;
            return Ok(());
        }
        // At least a millisecond, at most a second: the rate is one a second or more.
        Err(Duration::from_secs_f64(((1.0 - self.tokens) / rate).clamp(0.001, 1.0)))
    }
}

impl Losses {
    fn any(&self) -> bool {
        let Losses { too_fast, full, refused, garbled, overlong_bytes } = *self;
        too_fast + full + refused + garbled + overlong_bytes > 0
    }

    fn tell(self, origin: &Arc<str>, caps: Caps, events: &mut Vec<SourceEvent>) {
        let Losses { too_fast, full, refused, garbled, overlong_bytes } = self;
        let mut gap = |lost: Option<u64>, reason: String| {
            events.push(SourceEvent::Gap { origin: Arc::clone(origin), reason, lost });
        };
        if too_fast > 0 {
            let most = caps.lines_per_second;
            gap(Some(too_fast), format!("it sends more than lines_per_second = {most}; what was beyond is dropped"));
        }
        if full > 0 {
            gap(Some(full), "it sends faster than its lines can be handled; what found no room is dropped".to_owned());
        }
        if refused > 0 {
            let Caps { connections, connections_per_peer, .. } = caps;
            gap(
                None,
                format!(
                    "{refused} connections refused beyond connections_per_peer = {connections_per_peer} or \
                     connections = {connections}"
                ),
            );
        }
        if garbled > 0 {
            gap(None, format!("a message length was expected {garbled} times and something else stood there"));
        }
        if overlong_bytes > 0 {
            events.push(SourceEvent::Skipped { origin: Arc::clone(origin), bytes: overlong_bytes });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAPS: Caps = Caps { lines_per_second: 10, connections: 3, connections_per_peer: 2 };

    fn peer(number: u32) -> Peer {
        Peer::of(std::net::Ipv4Addr::from(0x0a00_0000 + number).into())
    }

    fn message(text: &str) -> Message<'_> {
        Message { bytes: text.as_bytes(), dropped: 0, partial: false }
    }

    fn names(peers: &mut Peers) -> Vec<(String, usize)> {
        std::iter::from_fn(|| peers.take()).map(|block| (block.origin.name.to_string(), block.spans.len())).collect()
    }

    #[test]
    fn a_flood_is_dropped_and_counted_and_others_get_through() {
        let (mut peers, start) = (Peers::new(CAPS, None), Instant::now());
        let mut offers = [0, 0];
        for second in 0..3 {
            let now = start + Duration::from_secs(second);
            for _ in 0..1_000 {
                let offer = peers.offer(peer(1), message("flood"), now);
                peers.lost(peer(1), offer, now);
                offers[usize::from(offer == Offer::Taken)] += 1;
            }
            assert_eq!(peers.offer(peer(2), message("calm"), now), Offer::Taken);
            assert_eq!(peers.offer(Peer::Local, message("calm"), now), Offer::Taken);
        }
        assert_eq!(offers, [2_960, 40]);
        let expected = [("syslog/10.0.0.1", 40), ("syslog/10.0.0.2", 3), ("syslog/local", 3)];
        assert_eq!(names(&mut peers), expected.map(|(name, lines)| (name.to_owned(), lines)));
        let events = peers.take_events(start, false);
        let [SourceEvent::Gap { origin, lost: Some(2_960), reason }] = events.as_slice() else { panic!("{events:?}") };
        assert!(&**origin == "syslog/10.0.0.1" && reason.contains("lines_per_second = 10"), "{origin}: {reason}");
        assert_eq!(peers.take_events(start + TELL_EVERY, false), [], "told once");
    }

    #[test]
    fn nobody_takes_the_room_of_others() {
        let caps = Caps { lines_per_second: 1_000_000, ..CAPS };
        let (mut peers, now) = (Peers::new(caps, None), Instant::now());
        let line = "x".repeat(1_000);
        for number in 0..200 {
            for _ in 0..300 {
                peers.offer(peer(number), message(&line), now);
            }
        }
        assert!(peers.bytes <= ALL_BYTES + 200 * 1_000, "{} bytes", peers.bytes);
        assert_eq!(peers.offer(peer(0), message(&line), now), Offer::Full);
        assert_eq!(peers.offer(peer(999), message(&line), now), Offer::Taken, "one message always");
        assert_eq!(peers.offer(peer(999), message(&line), now), Offer::Full);
        while peers.take().is_some() {}
        assert_eq!((peers.bytes, peers.offer(peer(0), message(&line), now)), (0, Offer::Taken));
    }

    #[test]
    fn invented_senders_share_a_name() {
        let (mut peers, now) = (Peers::new(CAPS, None), Instant::now());
        for number in 0..5_000 {
            peers.offer(peer(number), message("x"), now);
        }
        assert!(peers.states.len() <= PEERS_MAX + 1);
        assert_eq!(names(&mut peers).last(), Some(&("syslog/others".to_owned(), 20)));
        assert_eq!(peers.offer(peer(7), message("x"), now), Offer::Taken, "who has a name keeps it");
    }

    #[test]
    fn connections_are_counted() {
        let (mut peers, now) = (Peers::new(CAPS, None), Instant::now());
        let opened = [1, 1, 1, 2, 3].map(|number| peers.opened(peer(number), now));
        assert_eq!(opened, [true, true, false, true, false]);
        peers.closed(peer(1), now);
        assert!(peers.opened(peer(3), now));
        assert_eq!(peers.take_events(now, true).len(), 2);
    }

    #[test]
    fn names_are_of_canonical_addresses() {
        let mapped: IpAddr = "::ffff:10.0.0.7".parse().expect("an address");
        assert_eq!(&*Peer::of(mapped).name(), "syslog/10.0.0.7");
    }
}
