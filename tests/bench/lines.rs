//! Lines of a busy host, as rsyslog writes them: about two hundred kinds, a few of them most of the lines. The same seed
//! gives the same lines. Knows no files and no clock.

use std::fmt::Write;

use jiff::Timestamp;

/// Program and message; `{..}` are values, see [`Generator::value`].
const SYSTEM: &[(&str, &str)] = &[
    ("systemd[1]", "Starting {unit}..."),
    ("systemd[1]", "Started {unit}."),
    ("systemd[1]", "{unit}: Deactivated successfully."),
    ("systemd[1]", "{unit}: Consumed {n}.{ms}s CPU time."),
    ("systemd[1]", "Finished {unit}."),
    ("systemd-logind[{pid}]", "New session {n} of user {user}."),
    ("systemd-logind[{pid}]", "Session {n} logged out. Waiting for processes to exit."),
    ("systemd-logind[{pid}]", "Removed session {n}."),
    ("sshd[{pid}]", "Accepted publickey for {user} from {ip} port {port} ssh2: ED25519 SHA256:{hex}{hex}"),
    ("sshd[{pid}]", "pam_unix(sshd:session): session opened for user {user}(uid={n}) by (uid=0)"),
    ("sshd[{pid}]", "pam_unix(sshd:session): session closed for user {user}"),
    ("sshd[{pid}]", "Connection closed by {ip} port {port} [preauth]"),
    ("sshd[{pid}]", "Received disconnect from {ip} port {port}:11: disconnected by user"),
    ("CRON[{pid}]", "({user}) CMD (/usr/local/bin/collect --shard {n} >/dev/null 2>&1)"),
    ("CRON[{pid}]", "pam_unix(cron:session): session opened for user {user}(uid={n}) by (uid=0)"),
    ("CRON[{pid}]", "pam_unix(cron:session): session closed for user {user}"),
    ("kernel", "[{n}.{ms}{ms}] eth0: renamed from veth{hex}"),
    ("kernel", "[{n}.{ms}{ms}] docker0: port {n}(veth{hex}) entered forwarding state"),
    ("kernel", "[{n}.{ms}{ms}] docker0: port {n}(veth{hex}) entered disabled state"),
    (
        "kernel",
        "[{n}.{ms}{ms}] [UFW BLOCK] IN=eth0 OUT= SRC={ip} DST={ip} LEN={n} TTL={n} PROTO=TCP SPT={port} DPT={port}",
    ),
    ("dhclient[{pid}]", "DHCPREQUEST for {ip} on eth0 to {ip} port 67"),
    ("dhclient[{pid}]", "bound to {ip} -- renewal in {n} seconds."),
    (
        "dockerd[{pid}]",
        "time=\"{n}\" level=info msg=\"ignoring event\" container={hex}{hex}{hex}{hex} module=libcontainerd",
    ),
    ("containerd[{pid}]", "time=\"{n}\" level=info msg=\"shim disconnected\" id={hex}{hex}{hex}{hex} namespace=moby"),
    ("postfix/smtpd[{pid}]", "connect from mail.example.com[{ip}]"),
    ("postfix/smtpd[{pid}]", "disconnect from mail.example.com[{ip}] ehlo=1 mail=1 rcpt=1 data=1 quit=1 commands=5"),
    ("postfix/qmgr[{pid}]", "{hex}: from=<{user}@example.com>, size={n}, nrcpt=1 (queue active)"),
    (
        "postfix/smtp[{pid}]",
        "{hex}: to=<{user}@example.org>, relay=mx.example.org[{ip}]:25, delay={n}.{ms}, status=sent (250 2.0.0 Ok)",
    ),
    ("postfix/qmgr[{pid}]", "{hex}: removed"),
    ("dovecot", "imap-login: Login: user=<{user}>, method=PLAIN, rip={ip}, lip={ip}, mpid={pid}, TLS, session=<{hex}>"),
    ("named[{pid}]", "client @0x{hex} {ip}#{port} (www.example.com): query: www.example.com IN A + ({ip})"),
    ("ntpd[{pid}]", "Soliciting pool server {ip}"),
    ("smartd[{pid}]", "Device: /dev/sda [SAT], SMART Usage Attribute: 194 Temperature_Celsius changed from {n} to {n}"),
    ("mariadbd[{pid}]", "{n} [Note] Aborted connection {n} to db: 'shop' user: '{user}' host: '{ip}'"),
    (
        "haproxy[{pid}]",
        "{ip}:{port} [{n}] www~ app/web{n} {n}/{n}/{n}/{n}/{n} 200 {n} - - ---- {n}/{n}/{n}/0/0 \"GET {path} HTTP/1.1\"",
    ),
    ("rsyslogd", "[origin software=\"rsyslogd\" swVersion=\"8.2302.0\" x-pid=\"{pid}\"] rsyslogd was HUPed"),
    ("sudo", "{user} : TTY=pts/{n} ; PWD=/home/{user} ; USER=root ; COMMAND=/usr/bin/apt-get update"),
    ("NetworkManager[{pid}]", "<info>  [{n}.{ms}] dhcp4 (eth0): state changed bound -> extended, address={ip}"),
];

/// Programs of our own that say [`APPLICATION`] each.
const PROGRAMS: &[&str] = &[
    "checkout",
    "catalog",
    "search",
    "billing",
    "gateway",
    "mailer",
    "thumbnails",
    "sessions",
    "inventory",
    "metrics",
];

const APPLICATION: &[&str] = &[
    "request {uuid} GET {path} from {ip} took {n}ms status=200 bytes={n}",
    "request {uuid} POST {path} from {ip} took {n}ms status=201 bytes={n}",
    "cache hit for key item:{n} ttl={n}s",
    "cache miss for key item:{n}, loading from database",
    "connection pool: {n} of 50 in use, {n} waiting",
    "query finished in {n}.{ms}ms rows={n}",
    "user {user} signed in from {ip}",
    "session {hex}{hex} expired after {n} minutes",
    "published message {uuid} to topic orders partition {n} offset {n}",
    "consumed {n} messages in {n}ms, lag is {n}",
    "job {hex} queued with priority {n}",
    "job {hex} done in {n}ms by worker {n}",
    "reloaded configuration from {path} in {n}ms",
    "garbage collection paused {n}.{ms}ms, heap {n}MB",
    "health check from {ip} answered in {n}ms",
    "uploaded {path} ({n} bytes) to bucket-{n}",
];

const UNITS: &[&str] =
    &["logrotate.service", "apt-daily.service", "man-db.service", "fstrim.service", "backup.service"];
const USERS: &[&str] = &["alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy"];
const PATHS: &[&str] =
    &["/api/v1/items/81", "/api/v1/cart", "/static/app.js", "/var/lib/app/data/12.json", "/images/7/full.png"];

/// Endless lines.
pub struct Generator {
    random: fastrand::Rng,
    kinds: Vec<(String, &'static str)>,
}

impl Generator {
    pub fn new(seed: u64) -> Generator {
        let system = SYSTEM.iter().map(|(program, message)| ((*program).to_owned(), *message));
        let application = PROGRAMS
            .iter()
            .flat_map(|program| APPLICATION.iter().map(move |message| (format!("{program}[{{pid}}]"), *message)));
        let mut random = fastrand::Rng::with_seed(7);
        let mut kinds: Vec<(String, &'static str)> = system.chain(application).collect();
        random.shuffle(&mut kinds);
        Generator { random: fastrand::Rng::with_seed(seed), kinds }
    }

    /// Appends one line of that time.
    pub fn line(&mut self, at: Timestamp, into: &mut String) {
        // A third of all lines are of the few most frequent kinds, as on real hosts.
        let share = self.random.f64();
        let place = (share * share * share * self.kinds.len() as f64) as usize;
        let (program, message) = self.kinds[place].clone();
        let _ = write!(into, "{at:.6} web-03 ");
        self.fill(&program, into);
        into.push_str(": ");
        self.fill(message, into);
        into.push('\n');
    }

    /// `count` lines, the last one at `end`, `step_us` microseconds apart.
    pub fn backlog(&mut self, count: usize, end: Timestamp, step_us: i64) -> String {
        let mut text = String::with_capacity(count * 130);
        for left in (0..count).rev() {
            let at = end - jiff::SignedDuration::from_micros(left as i64 * step_us);
            self.line(at, &mut text);
        }
        text
    }

    fn fill(&mut self, pattern: &str, into: &mut String) {
        let mut rest = pattern;
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').expect("patterns are closed");
            into.push_str(before);
            self.value(name, into);
            rest = after;
        }
        into.push_str(rest);
    }

    fn value(&mut self, name: &str, into: &mut String) {
        let random = &mut self.random;
        let _ = match name {
            "n" => write!(into, "{}", random.u32(1..5_000)),
            "ms" => write!(into, "{:03}", random.u32(0..1_000)),
            "pid" => write!(into, "{}", random.u32(300..70_000)),
            "port" => write!(into, "{}", random.u32(1_024..65_536)),
            "ip" => write!(into, "10.{}.{}.{}", random.u8(0..8), random.u8(..), random.u8(1..)),
            // Always with a digit: a hash that is a word by chance would be a kind of its own.
            "hex" => write!(into, "{:06x}{}", random.u32(0..1 << 24), random.u8(0..10)),
            "uuid" => {
                let (one, two) = (random.u64(..), random.u64(..));
                write!(
                    into,
                    "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
                    one >> 32,
                    one & 0xffff,
                    two >> 52,
                    two & 0xfff,
                    two >> 16 & 0xffff_ffff_ffff
                )
            }
            "unit" => write!(into, "{}", random.choice(UNITS).expect("some units")),
            "user" => write!(into, "{}", random.choice(USERS).expect("some users")),
            "path" => write!(into, "{}", random.choice(PATHS).expect("some paths")),
            other => panic!("no value is called {other}"),
        };
    }
}
