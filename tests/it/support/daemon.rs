//! The built binary as a service manager would run it: with a notify socket, signals and files of its own.

use std::io::{BufRead, BufReader, Read};
use std::net::TcpStream;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Longest wait for anything; a test that needs it has failed.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A folder for one test: logs, state, config.
pub struct Home {
    folder: TempDir,
}

impl Home {
    pub fn new() -> Home {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join("log")).expect("a log folder");
        Home { folder }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn log(&self, name: &str) -> PathBuf {
        self.path("log").join(name)
    }

    /// Writes a file below the home; gives its path.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).expect("written");
        path
    }

    /// Writes a secret file that only its owner may read.
    pub fn secret(&self, name: &str, text: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt;
        let path = self.write(name, text);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("made private");
        path
    }

    /// The beginning of a config: state and logs of this home, short batches, no rules of the machine.
    pub fn config(&self, rest: &str) -> PathBuf {
        let text = format!(
            "state_dir = {state:?}\nrules_dir = {rules:?}\n[[sources.files]]\ninclude = [{logs:?}]\n{rest}\n",
            state = self.path("state"),
            rules = self.path("rules.d"),
            logs = self.path("log").join("*.log"),
        );
        self.write("logwren.toml", &text)
    }
}

/// Appends to a file as a writer of logs does: one write, whole lines.
pub fn append(path: &Path, text: &str) {
    use std::io::Write;
    let mut file = std::fs::OpenOptions::new().append(true).create(true).open(path).expect("opened");
    file.write_all(text.as_bytes()).expect("written");
}

/// What the HTTP interface answers, headers and all.
pub fn ask(port: u16, path: &str) -> String {
    use std::io::Write;
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("listens");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").expect("asked");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answered");
    answer
}

/// A running `logwren`; killed when dropped.
pub struct Daemon {
    child: Child,
    notify: mpsc::Receiver<String>,
    told: Vec<String>,
    stdout: Arc<Mutex<String>>,
    stderr: Arc<Mutex<String>>,
    _folder: TempDir,
}

impl Daemon {
    /// Starts `logwren watch --config FILE` and waits for READY.
    #[track_caller]
    pub fn watch(config: &Path) -> Daemon {
        let mut daemon = Daemon::start(&["watch", "--config", &config.display().to_string()], &[]);
        daemon.wait_told("READY=1");
        daemon
    }

    /// Starts the binary with a notify socket and nothing of the tester's environment.
    pub fn start(arguments: &[&str], environment: &[(&str, &str)]) -> Daemon {
        Daemon::start_as(None, arguments, environment)
    }

    /// As another user, when the tester is root.
    pub fn start_as(user: Option<u32>, arguments: &[&str], environment: &[(&str, &str)]) -> Daemon {
        Daemon::spawn(user, &[], arguments, environment)
    }

    /// Through another command, which must become it: `unshare`, `sh -c 'exec "$@"' sh`.
    pub fn start_under(command: &[&str], arguments: &[&str]) -> Daemon {
        Daemon::spawn(None, command, arguments, &[])
    }

    fn spawn(user: Option<u32>, under: &[&str], arguments: &[&str], environment: &[(&str, &str)]) -> Daemon {
        use std::os::unix::process::CommandExt;
        let folder = tempfile::tempdir().expect("a folder");
        let socket = folder.path().join("notify");
        let notify = UnixDatagram::bind(&socket).expect("bound");
        // Another build than this one's, such as the packaged one, can be put to the test.
        let binary = std::env::var_os("LOGWREN_BINARY").unwrap_or_else(|| env!("CARGO_BIN_EXE_logwren").into());
        let mut command = match under {
            [] => Command::new(binary),
            [first, rest @ ..] => {
                let mut command = Command::new(first);
                command.args(rest).arg(binary);
                command
            }
        };
        if let Some(user) = user {
            std::os::unix::fs::chown(folder.path(), Some(user), Some(user)).expect("given away");
            std::os::unix::fs::chown(&socket, Some(user), Some(user)).expect("given away");
            command.uid(user).gid(user);
        }
        let mut child = command
            .args(arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", folder.path())
            .env("NOTIFY_SOCKET", &socket)
            .env("TZ", "UTC")
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let notify = hear(notify);
        let stdout = collect(child.stdout.take().expect("piped"));
        let stderr = collect(child.stderr.take().expect("piped"));
        Daemon { child, notify, told: Vec::new(), stdout, stderr, _folder: folder }
    }

    /// Waits until systemd would have been told `line`.
    #[track_caller]
    pub fn wait_told(&mut self, line: &str) {
        let end = Instant::now() + PATIENCE;
        while !self.told.iter().any(|told| told == line) {
            let left = end.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "never told {line}, only {:?}; {}", self.told, self.said());
            self.listen(left.min(Duration::from_millis(200)));
            if let Ok(Some(status)) = self.child.try_wait() {
                panic!("ended with {status} before {line}; {}", self.said());
            }
        }
    }

    /// Waits until systemd would have been told a line that begins with `start` and holds `part`.
    #[track_caller]
    pub fn wait_told_of(&mut self, start: &str, part: &str) {
        let end = Instant::now() + PATIENCE;
        while !self.told.iter().any(|told| told.starts_with(start) && told.contains(part)) {
            assert!(Instant::now() < end, "never told {start}..{part}, only {:?}; {}", self.told, self.said());
            self.listen(Duration::from_millis(200));
        }
    }

    /// Waits for a last word of a daemon that may end at once after it.
    #[track_caller]
    pub fn wait_told_until_end(&mut self, line: &str) {
        let status = self.wait();
        while self.listen(Duration::from_millis(50)) {}
        assert!(self.told.iter().any(|told| told == line), "ended with {status} without {line}; {}", self.said());
    }

    /// Forgets what was told so far, so that the next wait sees something new.
    pub fn forget(&mut self) {
        while self.listen(Duration::from_millis(1)) {}
        self.told.clear();
    }

    fn listen(&mut self, limit: Duration) -> bool {
        match self.notify.recv_timeout(limit) {
            Ok(text) => {
                self.told.extend(text.lines().map(str::to_owned));
                true
            }
            Err(_) => false,
        }
    }

    /// Waits until standard error holds `text`.
    #[track_caller]
    pub fn wait_logged(&self, text: &str) {
        self.wait_for("stderr", text, || self.stderr());
    }

    /// Waits until standard output holds `text`.
    #[track_caller]
    pub fn wait_printed(&self, text: &str) {
        self.wait_for("stdout", text, || self.stdout());
    }

    #[track_caller]
    fn wait_for(&self, place: &str, text: &str, read: impl Fn() -> String) {
        let end = Instant::now() + PATIENCE;
        while !read().contains(text) {
            assert!(Instant::now() < end, "{place} never held {text:?}; {}", self.said());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub fn stdout(&self) -> String {
        self.stdout.lock().expect("no reader panicked").clone()
    }

    pub fn stderr(&self) -> String {
        self.stderr.lock().expect("no reader panicked").clone()
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).expect("signalled");
    }

    /// SIGTERM, and the end of it.
    #[track_caller]
    pub fn stop(mut self) -> (ExitStatus, String) {
        self.signal(rustix::process::Signal::TERM);
        let status = self.wait();
        (status, self.stderr())
    }

    /// SIGKILL: nothing is flushed.
    pub fn kill(mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("reaped");
    }

    #[track_caller]
    pub fn wait(&mut self) -> ExitStatus {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("ours") {
                return status;
            }
            assert!(Instant::now() < end, "does not end; {}", self.said());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn said(&self) -> String {
        format!("stdout: {}\nstderr: {}", self.stdout(), self.stderr())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Already gone is fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Takes what systemd is told as it comes, as it does, until nobody asks any more.
fn hear(socket: UnixDatagram) -> mpsc::Receiver<String> {
    let (told, heard) = mpsc::channel();
    socket.set_read_timeout(Some(Duration::from_millis(500))).expect("set");
    std::thread::spawn(move || {
        let mut message = [0u8; 4096];
        loop {
            let length = socket.recv(&mut message).unwrap_or(0);
            // Empty when there was nothing: only to see whether anybody is still there.
            if told.send(String::from_utf8_lossy(&message[..length]).into_owned()).is_err() {
                return;
            }
        }
    });
    heard
}

fn collect(from: impl Read + Send + 'static) -> Arc<Mutex<String>> {
    let text = Arc::new(Mutex::new(String::new()));
    let into = Arc::clone(&text);
    std::thread::spawn(move || {
        let mut from = BufReader::new(from);
        let mut line = Vec::new();
        while from.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            into.lock().expect("no test thread panicked while reading").push_str(&String::from_utf8_lossy(&line));
            line.clear();
        }
    });
    text
}
