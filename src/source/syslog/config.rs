//! `[[sources.syslog]]`: where to listen, and what one peer may take. Checks without opening a socket.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::model::Period;

/// One `[[sources.syslog]]` table: one socket.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SyslogConfig {
    /// There is no default: nobody can reach us unless somebody wanted it.
    pub listen: Listen,
    /// Forces a format for every peer; `None` lets the parser vote, for each peer on its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// Most lines a second that one peer may send over a while; twice as many in one go. What is beyond is dropped and
    /// counted where it comes in datagrams, and waits in the sender where it comes in a stream. 0 is no limit.
    #[serde(default = "lines_per_second")]
    pub lines_per_second: u32,
    /// Most open connections.
    #[serde(default = "connections")]
    pub connections: usize,
    /// Most open connections of one peer.
    #[serde(default = "connections_per_peer")]
    pub connections_per_peer: usize,
    /// A connection without a whole message for so long is closed. Long, because a sender may notice the end only after
    /// it wrote the next message.
    #[serde(default = "idle_timeout")]
    pub idle_timeout: Period,
}

/// `listen =`
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Listen {
    /// `udp://0.0.0.0:5514`
    Udp(SocketAddr),
    /// `tcp://0.0.0.0:5514`
    Tcp(SocketAddr),
    /// `unix:///run/logwren/syslog.sock`: datagrams, as `/dev/log` takes them.
    UnixDatagram(PathBuf),
    /// `unix-stream:///run/logwren/syslog.sock`
    UnixStream(PathBuf),
}

impl SyslogConfig {
    /// Everything but the socket at its default.
    pub fn at(listen: Listen) -> SyslogConfig {
        SyslogConfig {
            listen,
            format: None,
            lines_per_second: lines_per_second(),
            connections: connections(),
            connections_per_peer: connections_per_peer(),
            idle_timeout: idle_timeout(),
        }
    }
}

fn lines_per_second() -> u32 {
    10_000
}

fn connections() -> usize {
    256
}

fn connections_per_peer() -> usize {
    64
}

fn idle_timeout() -> Period {
    Period::from_secs(3_600)
}

impl Listen {
    /// The address, when other hosts can reach it.
    pub fn reachable(&self) -> Option<IpAddr> {
        match self {
            Listen::Udp(address) | Listen::Tcp(address) => Some(address.ip()).filter(|ip| !ip.is_loopback()),
            Listen::UnixDatagram(_) | Listen::UnixStream(_) => None,
        }
    }
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Listen, String> {
        let wrong = || {
            format!(
                "`{text}` is not an address to listen on; write \"udp://0.0.0.0:5514\", \"tcp://[::]:5514\", \
                 \"unix:///run/logwren/syslog.sock\" or \"unix-stream:///run/logwren/syslog.sock\""
            )
        };
        let (scheme, rest) = text.split_once("://").ok_or_else(wrong)?;
        let address = || rest.parse::<SocketAddr>().map_err(|_| wrong());
        let path = || {
            let path = Path::new(rest);
            if path.is_absolute() && path.file_name().is_some() { Ok(path.to_path_buf()) } else { Err(wrong()) }
        };
        match scheme {
            "udp" => address().map(Listen::Udp),
            "tcp" => address().map(Listen::Tcp),
            "unix" => path().map(Listen::UnixDatagram),
            "unix-stream" => path().map(Listen::UnixStream),
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Listen::Udp(address) => write!(f, "udp://{address}"),
            Listen::Tcp(address) => write!(f, "tcp://{address}"),
            Listen::UnixDatagram(path) => write!(f, "unix://{}", path.display()),
            Listen::UnixStream(path) => write!(f, "unix-stream://{}", path.display()),
        }
    }
}

impl Serialize for Listen {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Listen {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Listen, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, reachable: Option<bool>) {
        let read = text.parse::<Listen>();
        assert_eq!(read.as_ref().ok().map(|listen| listen.reachable().is_some()), reachable, "{read:?}");
        if let Ok(listen) = read {
            assert_eq!(listen.to_string(), text);
        }
    }

    #[test]
    fn addresses() {
        check("udp://0.0.0.0:5514", Some(true));
        check("tcp://[::]:514", Some(true));
        check("tcp://127.0.0.1:514", Some(false));
        check("udp://[::1]:514", Some(false));
        check("unix:///run/logwren/syslog.sock", Some(false));
        check("unix-stream:///run/logwren/syslog.sock", Some(false));
        check("0.0.0.0:514", None);
        check("udp://514", None);
        check("udp://host:514", None);
        check("tls://0.0.0.0:6514", None);
        check("unix://relative.sock", None);
        check("unix:///", None);
    }

    #[test]
    fn tables() {
        let read = |text: &str| toml::from_str::<SyslogConfig>(text).map_err(|error| error.to_string());
        let listen = Listen::Udp("0.0.0.0:5514".parse().expect("an address"));
        assert_eq!(read("listen = 'udp://0.0.0.0:5514'"), Ok(SyslogConfig::at(listen)));
        assert!(read("").is_err_and(|error| error.contains("missing field `listen`")));
        assert!(read("listen = 'udp'").is_err_and(|error| error.contains("\"udp://0.0.0.0:5514\"")));
        assert!(
            read("listen = 'udp://0.0.0.0:1'\nport = 1").is_err_and(|error| error.contains("unknown field `port`"))
        );
    }
}
