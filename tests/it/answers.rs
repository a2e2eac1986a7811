//! A person's word over the control socket and without a daemon: it sticks over restarts, hides only what was known, and
//! nobody else can use or block the socket.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use logwren::model::IncidentState;
use logwren::store::{IncidentFilter, Reader};

use crate::support::daemon::{Daemon, Home, PATIENCE, append};

const QUIET: &str = "[judge]\nmode = 'off'\n";

fn line(program: &str, message: &str) -> String {
    format!("{} web-03 {program}: {message}\n", jiff::Timestamp::now())
}

fn logwren(home: &Home, words: &[&str]) -> Output {
    let config = home.path("logwren.toml").display().to_string();
    let mut command = Command::new(env!("CARGO_BIN_EXE_logwren"));
    command.args(words).args(["--config", &config]).env_remove("GOOGLE_API_KEY").output().expect("runs")
}

/// The words succeed; gives what they say.
#[track_caller]
fn done(home: &Home, words: &[&str]) -> String {
    let output = logwren(home, words);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{words:?}: {said}{}", String::from_utf8_lossy(&output.stderr));
    said
}

/// The words are refused; gives why.
#[track_caller]
fn refused(home: &Home, words: &[&str]) -> String {
    let output = logwren(home, words);
    assert_eq!(output.status.code(), Some(2), "{words:?}: {}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The first incident whose title holds `part`, once its state is what is wanted.
#[track_caller]
fn wait(home: &Home, part: &str, state: Option<IncidentState>) -> logwren::model::Incident {
    let end = Instant::now() + PATIENCE;
    loop {
        let all = Reader::open(&home.path("state")).and_then(|reader| reader.incidents(IncidentFilter::default()));
        let found = all.as_ref().ok().and_then(|all| all.iter().find(|one| one.title.contains(part)));
        if let Some(found) = found.filter(|one| state.is_none_or(|state| one.state == state)) {
            return found.clone();
        }
        assert!(Instant::now() < end, "no {part} as {state:?} among {all:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

const SU: &str = "another user";

/// A daemon that has just told of failed tries of `su`.
fn with_incident(home: &Home) -> (Daemon, logwren::model::Incident) {
    append(&home.log("app.log"), &line("app[7]", "hello"));
    let daemon = Daemon::watch(&home.config(QUIET));
    for _ in 0..3 {
        append(&home.log("app.log"), &line("su", "FAILED SU (to root) eve on pts/1"));
    }
    let incident = wait(home, SU, None);
    (daemon, incident)
}

#[test]
fn a_mute_sticks_and_hides_no_other_failure() {
    let home = Home::new();
    let (daemon, incident) = with_incident(&home);
    let id = incident.id.to_string();
    let said = done(&home, &["mute", &id[..6], "--for", "1h", "--reason", "known to us"]);
    assert!(said.contains("mute: incident") && said.contains(&id), "{said}");
    wait(&home, SU, Some(IncidentState::Muted));
    daemon.kill();
    // The kill took nothing that was said.
    let listed = done(&home, &["mutes"]);
    assert!(listed.contains(&id) && listed.contains("known to us"), "{listed}");

    let daemon = Daemon::watch(&home.path("logwren.toml"));
    append(&home.log("app.log"), &line("su", "FAILED SU (to root) eve on pts/1"));
    append(&home.log("app.log"), &line("kernel", "Out of memory: Killed process 2711 (mysqld) total-vm:9123456kB"));
    assert_ne!(wait(&home, "memory", None).state, IncidentState::Muted);
    assert_eq!(wait(&home, SU, None).state, IncidentState::Muted);
    let explained = done(&home, &["explain", line("su", "FAILED SU (to root) eve on pts/1").trim()]);
    assert!(explained.contains(&format!("mute incident {id} on web-03 until")), "{explained}");

    let said = done(&home, &["unmute", &id[..6]]);
    assert!(said.contains("open again"), "{said}");
    wait(&home, SU, Some(IncidentState::Ongoing));
    assert!(done(&home, &["mutes"]).contains("nothing is muted"));
    assert!(refused(&home, &["unmute", &id]).contains("nothing was said"));
    assert!(daemon.stop().0.success());
}

#[test]
fn words_are_taken_without_a_daemon() {
    let home = Home::new();
    let (daemon, incident) = with_incident(&home);
    assert!(daemon.stop().0.success());
    let id = incident.id.to_string();
    assert!(done(&home, &["normal", &id]).contains("normal: incident"));
    assert!(refused(&home, &["mute", "00"]).contains("is no id"));
    assert!(refused(&home, &["mute", "0000000000000001"]).contains("nothing known begins"));
    assert!(refused(&home, &["mute", &id, "--for", "0s"]).contains("over at once"));

    let daemon = Daemon::watch(&home.path("logwren.toml"));
    append(&home.log("app.log"), &line("su", "FAILED SU (to root) eve on pts/1"));
    append(&home.log("app.log"), &line("kernel", "Out of memory: Killed process 2711 (mysqld) total-vm:9123456kB"));
    wait(&home, "memory", None);
    assert_eq!(wait(&home, SU, None).state, IncidentState::Muted);
    // A later word takes the place of the earlier one.
    assert!(done(&home, &["anomalous", &id]).contains("anomalous: incident"));
    wait(&home, SU, Some(IncidentState::Ongoing));
    assert!(daemon.stop().0.success());
}

#[test]
fn no_state_is_made_by_a_word() {
    let home = Home::new();
    home.config(QUIET);
    assert!(refused(&home, &["mute", "abcd1234"]).contains("there is no state yet"));
    assert!(!home.path("state").exists());
}

/// What the socket answers to these bytes.
fn raw(socket: &Path, bytes: &[u8]) -> String {
    let mut stream = UnixStream::connect(socket).expect("listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("set");
    // It may hang up before it has read everything.
    let _ = stream.write_all(bytes);
    let mut reply = String::new();
    let _ = BufReader::new(&stream).read_line(&mut reply);
    reply
}

#[test]
fn the_socket_cannot_be_abused() {
    let home = Home::new();
    let (daemon, incident) = with_incident(&home);
    let socket = home.path("state").join("control.sock");
    let mode = std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(&socket).expect("there"));
    assert_eq!(mode & 0o777, 0o600);
    // Clients that never say anything, more than are heard at once.
    let hanging: Vec<UnixStream> = (0..7).map(|_| UnixStream::connect(&socket).expect("listens")).collect();
    assert!(raw(&socket, b"\xff\x00\xfe{{{\n").contains("not a command"));
    assert!(raw(&socket, b"{\"word\":\"mute\",\"id\":\"abcd\",\"sudo\":true}\n").contains("unknown field"));
    assert!(raw(&socket, b"{\"word\":\"rm -rf\",\"id\":\"abcd\"}\n").contains("unknown variant"));
    let long = format!("{{\"word\":\"mute\",\"id\":\"abcd\",\"reason\":\"{}\"}}\n", "x".repeat(5_000));
    assert!(raw(&socket, long.as_bytes()).contains("single lines of at most"));

    // A request without end is cut off, and the daemon does not grow by it.
    let mut endless = UnixStream::connect(&socket).expect("listens");
    let megabyte = vec![b'['; 1 << 20];
    let mut sent = 0;
    while sent < 1024 && endless.write_all(&megabyte).is_ok() {
        sent += 1;
    }
    assert!(sent < 1024, "it took a gigabyte");
    let mut stat = String::new();
    let file = std::fs::File::open(format!("/proc/{}/status", daemon.pid()));
    file.and_then(|mut file| file.read_to_string(&mut stat)).expect("runs");
    let peak = stat.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("there");
    let kilobytes: u64 = peak.trim().trim_end_matches(" kB").parse().expect("a number");
    assert!(kilobytes < 400_000, "{peak}");

    // Two commands at once: both are taken, one after the other.
    let id = incident.id.to_string();
    let words = [["mute", &id], ["normal", &id]];
    std::thread::scope(|scope| {
        let both: Vec<_> = words.iter().map(|words| scope.spawn(|| logwren(&home, words))).collect();
        for one in both {
            assert!(one.join().expect("no panic").status.success());
        }
    });
    let answers = Reader::open(&home.path("state")).expect("opens").answers().expect("lists");
    assert_eq!(answers.len(), 1, "the later word holds: {answers:?}");
    drop(hanging);
    assert!(daemon.stop().0.success());
    assert!(!socket.exists(), "left behind");
}

#[test]
fn nobody_else_is_heard() {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;
    let home = Home::new();
    let (daemon, incident) = with_incident(&home);
    let mode = std::fs::metadata(home.path("state/control.sock")).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "the first door");
    if !rustix::process::geteuid().is_root() {
        // Only root can become somebody else and try the second one.
        return;
    }
    // Even where files are open to all by mistake.
    let open = |path: &Path| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o777)).expect("opened");
    };
    open(&home.path(""));
    open(&home.path("state"));
    open(&home.path("state/control.sock"));
    let command = format!("{{\"word\":\"mute\",\"id\":\"{}\"}}\n", incident.id);
    let mut python = Command::new("python3");
    python.args(["-c", "import socket,sys\ns=socket.socket(socket.AF_UNIX)\ns.connect(sys.argv[1])\ntry:\n s.sendall(sys.argv[2].encode())\n print(s.recv(99))\nexcept OSError as e: print(e)"]);
    let output =
        python.arg(home.path("state/control.sock")).arg(command).uid(65_534).gid(65_534).output().expect("runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(!String::from_utf8_lossy(&output.stdout).contains("done"));
    assert!(done(&home, &["mutes"]).contains("nothing is muted"));
    assert!(daemon.stop().0.success());
}
