//! How many datagrams the kernel dropped because we were too slow: it counts them for each socket, and nobody else does.

use std::os::fd::AsFd;

/// Longest table read, in bytes: a host with more sockets is not told.
const TABLE_MAX: u64 = 4 << 20;

/// The counter of one UDP socket.
#[derive(Debug)]
pub(super) struct Drops {
    inode: u64,
    known: u64,
}

impl Drops {
    /// `None` where the kernel does not say.
    pub fn of(socket: &impl AsFd) -> Option<Drops> {
        let inode = rustix::fs::fstat(socket).ok()?.st_ino;
        Some(Drops { inode, known: 0 })
    }

    /// Datagrams dropped since the last look, if any.
    pub fn look(&mut self) -> Option<u64> {
        let now = ["/proc/self/net/udp", "/proc/self/net/udp6"].iter().find_map(|table| {
            let mut text = String::new();
            let file = std::fs::File::open(table).ok()?;
            std::io::Read::read_to_string(&mut std::io::Read::take(file, TABLE_MAX), &mut text).ok()?;
            find(&text, self.inode)
        })?;
        let lost = now.saturating_sub(std::mem::replace(&mut self.known, now));
        (lost > 0).then_some(lost)
    }
}

/// The last column of the line whose tenth is the inode.
fn find(table: &str, inode: u64) -> Option<u64> {
    table.lines().skip(1).find_map(|line| {
        let mut columns = line.split_ascii_whitespace();
        let is_ours = columns.nth(9)?.parse() == Ok(inode);
        if is_ours { columns.last()?.parse().ok() } else { None }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_table() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n\
             1074: 0100007F:1F90 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4711 2 0000000000000000 42\n\
             1075: 0100007F:1F91 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4712 2 0000000000000000 0\n";
        assert_eq!([4711, 4712, 1].map(|inode| find(table, inode)), [Some(42), Some(0), None]);
        assert_eq!(find("junk\nmore junk\n", 1), None);
    }

    #[test]
    fn the_kernel_counts_what_finds_no_room() {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("binds");
        let address = socket.local_addr().expect("bound");
        let mut drops = Drops::of(&socket).expect("a socket has an inode");
        assert_eq!(drops.look(), None);
        // Far more than any receive buffer holds.
        for _ in 0..2_000 {
            socket.send_to(&[b'x'; 60_000], address).expect("sends");
        }
        assert!(drops.look().is_some_and(|lost| lost > 0));
        assert_eq!(drops.look(), None, "told once");
    }
}
