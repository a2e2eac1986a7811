//! What the header of an invented line says: values as varied as those of real headers, made from the number of the line and
//! the kind of its event alone, so that every run sees the same. Knows no style.

use jiff::tz::TimeZone;

/// The header of one line before it is written out.
pub struct Facts {
    /// Line number from 0.
    pub index: u64,
    /// The same for all lines of one event: what a line says decides who says it.
    event: u64,
    at: jiff::Zoned,
}

const HOSTS: [&str; 5] = ["web1", "db-02", "ip-10-2-7-4", "node17.example.com", "combo"];
const PROGRAMS: [&str; 9] = ["sshd", "cron", "kubelet", "systemd-logind", "app", "ntpd", "su", "containerd", "smartd"];
const CLASSES: [&str; 9] = [
    "WindowManager",
    "PowerService",
    "Vold",
    "ActivityManager",
    "TaskRunner",
    "Cache",
    "JobTracker",
    "HttpServer2",
    "FastElection",
];
const LOGGERS: [&str; 9] = [
    "org.example.net.Server",
    "org.example.task.TaskTracker",
    "com.acme.db.Pool$Worker",
    "org.example.net.ipc.Client",
    "com.acme.Main",
    "org.example.util.Clock",
    "com.acme.cache.LruCache",
    "org.example.yarn.event.AsyncDispatcher",
    "com.acme.web.Filter2",
];
const MODULES: [&str; 9] = [
    "nova.compute.manager",
    "app.views",
    "root",
    "urllib3.connectionpool",
    "nova.virt.libvirt.driver",
    "nova.metadata.wsgi.server",
    "worker",
    "keystone.token",
    "app.tasks.mail",
];
const FILES: [&str; 9] = [
    "main.go",
    "server.go",
    "pool.cc",
    "raft.go",
    "kubelet_getters.go",
    "task.py",
    "util.py",
    "http_conn.cc",
    "wal.go",
];
const THREADS: [&str; 6] = [
    "main",
    "pool-1-thread-3",
    "http-nio-8080-exec-7",
    "Timer",
    "IPC Server handler 4 on 9000",
    "RMCommunicator Allocator",
];

impl Facts {
    pub fn of(index: usize, event: &str) -> Facts {
        let index = index as u64;
        let event = event.bytes().fold(17, |hash: u64, byte| mix(hash ^ u64::from(byte)));
        // Bursts and pauses: two lines a second on average, never back.
        let micros = 1_795_326_940_000_000 + index as i64 * 500_000 + (mix(index) % 450_000) as i64;
        let at = jiff::Timestamp::from_microsecond(micros).unwrap_or_default().to_zoned(TimeZone::UTC);
        Facts { index, event, at }
    }

    /// The time by this `strftime` pattern; `%3f`, `%6f` are fractions.
    pub fn at(&self, pattern: &str) -> String {
        self.at.strftime(pattern).to_string()
    }

    pub fn epoch(&self) -> i64 {
        self.at.timestamp().as_second()
    }

    /// Microseconds since the program started.
    pub fn uptime(&self) -> u64 {
        12_345_678 + self.index * 500_000 + mix(self.index) % 450_000
    }

    /// A number below `below` of the line's own; `salt` tells one column from another.
    pub fn any(&self, salt: u64, below: u64) -> u64 {
        mix(self.index ^ mix(salt)) % below
    }

    /// A number below `below` that all lines of the event share.
    pub fn fixed(&self, salt: u64, below: u64) -> u64 {
        mix(self.event ^ mix(salt)) % below
    }

    /// One of four by the event: mostly `calm`.
    fn one_of_levels<'a>(&self, levels: [&'a str; 4]) -> &'a str {
        let [calm, chatty, warning, error] = levels;
        match self.fixed(1, 20) {
            0..=12 => calm,
            13..=14 => chatty,
            15..=17 => warning,
            _ => error,
        }
    }

    pub fn level(&self) -> &'static str {
        self.one_of_levels(["INFO", "DEBUG", "WARN", "ERROR"])
    }

    pub fn python_level(&self) -> &'static str {
        self.one_of_levels(["INFO", "DEBUG", "WARNING", "ERROR"])
    }

    pub fn small_level(&self) -> &'static str {
        self.one_of_levels(["info", "debug", "warning", "error"])
    }

    pub fn short_level(&self) -> &'static str {
        self.one_of_levels(["INF", "DBG", "WRN", "ERR"])
    }

    pub fn letter(&self) -> &'static str {
        self.one_of_levels(["I", "D", "W", "E"])
    }

    /// As written by those who log little.
    pub fn note(&self) -> &'static str {
        self.one_of_levels(["Note", "System", "Warning", "ERROR"])
    }

    pub fn mark(&self) -> &'static str {
        self.one_of_levels(["*", "-", "#", "*"])
    }

    pub fn one_of_two(&self, often: &'static str, seldom: &'static str) -> &'static str {
        if self.component() < 3 { seldom } else { often }
    }

    fn pick<'a>(&self, pool: &[&'a str], number: u64) -> &'a str {
        pool.get(number as usize % pool.len()).copied().unwrap_or("x")
    }

    /// Which component: for most events always the same one, for a third any of them.
    fn component(&self) -> u64 {
        if self.fixed(11, 3) == 0 { self.any(3, 9) } else { self.fixed(3, 9) }
    }

    pub fn host(&self) -> &'static str {
        self.pick(&HOSTS, self.any(2, 5))
    }

    pub fn program(&self) -> &'static str {
        self.pick(&PROGRAMS, self.component())
    }

    pub fn class(&self) -> &'static str {
        self.pick(&CLASSES, self.component())
    }

    pub fn logger(&self) -> &'static str {
        self.pick(&LOGGERS, self.component())
    }

    /// `o.e.n.Server` as Logback shortens it.
    pub fn short_logger(&self) -> String {
        let logger = self.logger();
        let (packages, class) = logger.rsplit_once('.').unwrap_or(("", logger));
        let letters: String =
            packages.split('.').filter_map(|part| part.get(..1)).map(|letter| format!("{letter}.")).collect();
        letters + class
    }

    pub fn module(&self) -> &'static str {
        self.pick(&MODULES, self.component())
    }

    /// `crate::module`.
    pub fn target(&self) -> String {
        self.module().replace('.', "::")
    }

    pub fn file(&self) -> &'static str {
        self.pick(&FILES, self.component())
    }

    /// The line of the source: one for each event.
    pub fn source_line(&self) -> u64 {
        10 + self.fixed(4, 900)
    }

    /// With and without numbers and blanks.
    pub fn thread(&self) -> String {
        match self.any(5, 10) {
            number @ 0..=5 => self.pick(&THREADS, number).to_owned(),
            _ => format!("worker-{}", self.any(6, 40)),
        }
    }

    /// Without blanks.
    pub fn plain_thread(&self) -> String {
        self.thread().replace(' ', "-")
    }

    /// One of a few.
    pub fn pid(&self) -> u64 {
        1_702 + 611 * self.any(7, 4)
    }

    /// One of thousands.
    pub fn thread_id(&self) -> u64 {
        200 + self.any(8, 30_000)
    }

    /// `length` hexadecimal digits, one of `pool` such ids.
    pub fn hex(&self, length: usize, pool: u64) -> String {
        let number = self.any(9, pool);
        let digits = format!("{:016x}{:016x}", mix(number), mix(number ^ 77));
        digits.get(..length).unwrap_or(&digits).to_owned()
    }

    pub fn uuid(&self) -> String {
        let hex = self.hex(32, 500);
        let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
        format!("{}-{}-{}-{}-{}", part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32))
    }
}

fn mix(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
