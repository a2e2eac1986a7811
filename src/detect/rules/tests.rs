//! The shipped pack and the reading of rules, as data. How rules count is tested with the panel (`detect/tests.rs`).

use std::cell::OnceCell;
use std::collections::HashSet;
use std::sync::{Arc, LazyLock};

use super::set::{Line, Role};
use super::*;
use crate::model::Level;

/// Read once: patterns compile on first use.
fn pack() -> &'static RuleSet {
    static PACK: LazyLock<RuleSet> = LazyLock::new(|| RuleSet::new(shipped()).expect("the pack has no problems"));
    &PACK
}

#[test]
fn every_shipped_file_parses() {
    for (name, text) in SHIPPED {
        if let Err(error) = toml::from_str::<RuleFile>(text) {
            panic!("{name}: {error}");
        }
    }
}

#[test]
fn every_example_holds() {
    let problems = pack().check_examples();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn the_pack_is_large_and_every_rule_is_shown() {
    let specs = shipped();
    let names: HashSet<&str> = specs.iter().map(|(_, spec)| &*spec.name).collect();
    assert_eq!(names.len(), specs.len(), "a name stands twice");
    let set = pack();
    let speaking = set.rules().iter().filter(|rule| rule.severity.is_some()).count();
    assert!(speaking >= 180, "{speaking} rules that speak");
    for rule in set.rules() {
        let Examples { matches, others, before, ends } = &rule.examples;
        assert!(matches.len() >= 2 && others.len() >= 2, "rule `{}` needs two examples each", rule.name);
        assert!(rule.after.is_none() || !before.is_empty(), "rule `{}` needs an example of a line before", rule.name);
        assert!(rule.expect.is_none() || !ends.is_empty(), "rule `{}` needs an example of an end", rule.name);
        assert!(!rule.values || rule.matching.template.is_some(), "rule `{}` looks at every line", rule.name);
    }
}

/// The look for words in front of the patterns must never cost a match.
#[test]
fn the_prefilter_loses_nothing() {
    let set = pack();
    for shown in set.rules() {
        for example in shown.examples.matches.iter().chain(&shown.examples.before).chain(&shown.examples.ends) {
            let line = examples::line(shown, example).expect("an example");
            let found = set.find(&line);
            let tried: Vec<(usize, Role)> =
                set.rules().iter().enumerate().filter_map(|(place, rule)| Some((place, rule.role(&line)?))).collect();
            assert_eq!(found, tried, "{example}");
        }
    }
}

/// What a healthy host logs; no rule may count any of it.
const ORDINARY: &[&str] = &[
    "systemd: Started Session 12 of User bob.",
    "systemd: Starting Daily apt download activities...",
    "systemd: Finished Rotate log files.",
    "systemd: logrotate.service: Deactivated successfully.",
    "systemd: Stopping User Manager for UID 1000...",
    "systemd: Reached target Multi-User System.",
    "systemd: Reloading requested from client PID 811 ('systemctl') (unit ssh.service)...",
    "systemd: user@1000.service: Consumed 1.2s CPU time.",
    "systemd: Created slice User Slice of UID 1000.",
    "systemd-logind: New session 12 of user bob.",
    "systemd-logind: Session 12 logged out. Waiting for processes to exit.",
    "systemd-networkd: eth0: Gained carrier",
    "systemd-timesyncd: Initial clock synchronization to Thu 2026-01-01 10:00:00.123456 UTC.",
    "systemd-journald: System Journal (/var/log/journal/aa) is 8.0M, max 4.0G, 3.9G free.",
    "systemd-resolved: Using system hostname 'web1'.",
    "sshd: Server listening on 0.0.0.0 port 22.",
    "sshd: Accepted publickey for bob from 192.0.2.4 port 51122 ssh2: ED25519 SHA256:abc",
    "sshd: pam_unix(sshd:session): session opened for user bob(uid=1000) by bob(uid=0)",
    "sshd: Received disconnect from 192.0.2.4 port 51122:11: disconnected by user",
    "sshd-session: Disconnected from user bob 192.0.2.4 port 51122",
    "CRON: pam_unix(cron:session): session opened for user root(uid=0) by root(uid=0)",
    "CRON: (root) CMD (cd / && run-parts --report /etc/cron.hourly)",
    "sudo:      bob : TTY=pts/0 ; PWD=/home/bob ; USER=root ; COMMAND=/usr/bin/apt update",
    "sudo: pam_unix(sudo:session): session opened for user root(uid=0) by bob(uid=1000)",
    "useradd: new user: name=_chrony, UID=112, GID=118, home=/var/lib/chrony, shell=/usr/sbin/nologin, from=none",
    "kernel: Linux version 6.12.0-1-amd64 (debian-kernel@lists.example.org)",
    "kernel: Command line: BOOT_IMAGE=/vmlinuz root=/dev/sda1 ro panic=10 errors=remount-ro",
    "kernel: EXT4-fs (sda1): mounted filesystem 1203 r/w with ordered data mode. Quota mode: none.",
    "kernel: e1000e 0000:00:1f.6 eno1: NIC Link is Up 1000 Mbps Full Duplex, Flow Control: Rx/Tx",
    "kernel: device veth1a2b entered promiscuous mode",
    "kernel: docker0: port 1(veth1a2b) entered forwarding state",
    "kernel: usb 1-1: new high-speed USB device number 4 using xhci_hcd",
    "kernel: audit: type=1400 audit(1.2:3): apparmor=\"STATUS\" operation=\"profile_load\" profile=\"unconfined\"",
    "kernel: mce: CPU0 supports 9 MCE banks",
    "kernel: EDAC MC0: Giving out device to module skx_edac controller Skylake Socket#0 IMC#0",
    "kernel: perf: interrupt took too long (2503 > 2500), lowering kernel.perf_event_max_sample_rate to 79750",
    "kernel: Freeing unused kernel image (initmem) memory: 2912K",
    "kernel: clocksource: Switched to clocksource tsc",
    "kernel: nvme nvme0: 8/0/0 default/read/poll queues",
    "kernel: sd 0:0:0:0: [sda] Write cache: enabled, read cache: enabled, doesn't support DPO or FUA",
    "dhclient: DHCPACK of 10.0.0.5 from 10.0.0.1 (xid=0x4f1a)",
    "chronyd: Selected source 10.0.0.1 (ntp.example)",
    "smartd: Device: /dev/sda [SAT], SMART Usage Attribute: 194 Temperature_Celsius changed from 64 to 65",
    "dbus-daemon: [system] Successfully activated service 'org.freedesktop.hostname1'",
    "NetworkManager: <info>  [1700000000.1] dhcp4 (eth0): state changed new lease, address=10.0.0.5",
    "rsyslogd: [origin software=\"rsyslogd\" swVersion=\"8.2302.0\" x-pid=\"811\"] rsyslogd was HUPed",
    "access: GET /index.html HTTP/1.1 200 5123 - Mozilla/5.0 client 192.0.2.7",
    "access: GET /old HTTP/1.1 301 162 - Mozilla/5.0 client 192.0.2.7",
    "nginx: signal process started",
    "apache: AH00489: Apache/2.4.62 (Debian) configured -- resuming normal operations",
    "php-fpm8.2: NOTICE: ready to handle connections",
    "postgres: LOG:  checkpoint complete: wrote 12 buffers (0.1%); 0 WAL file(s) added, 0 removed, 0 recycled",
    "postgres: LOG:  database system is ready to accept connections",
    "postgres: LOG:  automatic vacuum of table \"app.public.t\": index scans: 1",
    "postgres: ERROR:  duplicate key value violates unique constraint \"users_pkey\"",
    "mariadbd: [Note] InnoDB: Buffer pool(s) load completed at 260101 10:00:00",
    "redis-server: * Background saving terminated with success",
    "mongod: Waiting for connections",
    "dockerd: level=info msg=\"Daemon has completed initialization\"",
    "containerd: level=info msg=\"starting signal loop\" namespace=moby path=/run/containerd type=io.containerd.runc.v2",
    "kubelet: \"SyncLoop (probe)\" probe=\"readiness\" status=\"ready\" pod=\"default/app\"",
    "postfix/smtp: 4F1A: to=<bob@example.org>, relay=mx.example.org[203.0.113.9]:25, dsn=2.0.0, status=sent (250 OK)",
    "postfix/smtpd: NOQUEUE: reject: RCPT from unknown[203.0.113.9]: 454 4.7.1 <x@y>: Relay access denied",
    "dovecot: imap-login: Login: user=<bob>, method=PLAIN, rip=192.0.2.4, lip=192.0.2.1, mpid=811, TLS",
    "named: zone example.org/IN: loaded serial 2026010101",
    "haproxy: Server web/web1 is UP, reason: Layer4 check passed, check duration: 0ms.",
    "keepalived: Starting Keepalived v2.2.8",
    "unattended-upgrade: All upgrades installed",
    "dpkg: status installed nginx:amd64 1.26.0-1",
    "certbot: Certificate not yet due for renewal",
    "upsmon: UPS apc@localhost on line power",
    "fail2ban.actions: NOTICE  [sshd] Ban 203.0.113.9",
    "app: request finished in 12 ms with status 200, 0 errors, 0 failed",
    "app: retrying connection, attempt 1",
];

#[test]
fn ordinary_lines_are_quiet() {
    let set = pack();
    for example in ORDINARY {
        let (program, message) = example.split_once(": ").expect("PROGRAM: MESSAGE");
        let line = Line {
            program,
            unit: None,
            level: Level::Info,
            template: message,
            message,
            origin: "/var/log/syslog",
            names: OnceCell::new(),
        };
        for (place, role) in set.find(&line) {
            let rule = &set.rules()[place];
            assert!(role != Role::Hit || rule.severity.is_none(), "rule `{}` matches: {example}", rule.name);
        }
    }
}

#[test]
fn a_log_that_names_no_program_is_known_by_its_path() {
    let set = pack();
    let hits = |origin: &str| {
        let message = "Table './shop/log' is marked as crashed and should be repaired";
        let line = Line {
            program: "",
            unit: None,
            level: Level::Err,
            template: message,
            message,
            origin,
            names: OnceCell::new(),
        };
        set.find(&line).len()
    };
    assert_eq!(hits("/var/log/mysql/error.log"), 1);
    assert_eq!(hits("/var/log/mysqld.log"), 1);
    assert_eq!(hits("/var/log/app/error.log"), 0);
    assert_eq!(hits("stdin"), 0);
}

fn rule(text: &str) -> Result<RuleSpec, String> {
    let file: Result<RuleFile, _> = toml::from_str(text);
    file.map(|mut file| file.rules.remove(0)).map_err(|error| error.to_string())
}

const GOOD: &str = r#"
[[rules]]
name = "x"
category = "security"
severity = "high"
title = "t"
reason = "{count} of {key}"
remediation = ["do"]
match = { program = "sshd", message = 'from (?P<key>\S+)' }
count = 5
within = "10m"
"#;

/// A change of the good rule must be refused with these words, and at a line.
#[track_caller]
fn refused(from: &str, to: &str, expected: &str) {
    assert!(GOOD.contains(from), "{from}");
    let error = rule(&GOOD.replace(from, to)).expect_err("a mistake");
    assert!(error.contains(expected), "{error}");
    assert!(error.contains("at line"), "{error}");
}

#[test]
fn mistakes_in_a_rule_are_refused_at_their_place() {
    assert!(rule(GOOD).is_ok());
    refused("\"x\"", "\"X y\"", "a-z, 0-9");
    refused("severity = \"high\"", "severity = \"severe\"", "unknown variant");
    refused("severity = \"high\"", "", "`severity` is missing");
    refused("category = \"security\"", "", "`category` is missing");
    refused("title = \"t\"", "title = \"{key}\"", "without placeholders");
    refused("{count} of {key}", "{nosuch}", "no capture");
    refused("[\"do\"]", "[]", "at least one step");
    refused("count = 5", "", "`within` goes with");
    refused("count = 5", "count = 0", "1 to 1000");
    refused("within = \"10m\"", "within = \"soon\"", "not a length of time");
    refused("from (?P<key>\\S+)", "from (", "unclosed group");
    refused("from (?P<key>\\S+)", "from (?P<key>\\S+) (?P<host>x)", "cannot be called `host`");
    refused("program = \"sshd\"", "programm = \"sshd\"", "unknown field");
    refused("program = \"sshd\"", "program = \"*\"", "matches every name");
    refused("count = 5", "count = 5\nquiet = true", "has no `severity`");
    refused("count = 5", "count = 5\nafter = { message = 'x', count = 1 }", "both or neither");
    refused("count = 5", "count = 5\nexpect = { message = 'x' }", "goes without");
    refused("count = 5", "expect = { message = 'x' }", "both or neither");
    refused("count = 5\nwithin = \"10m\"", "expect = { message = '(?P<key>x)' }", "`within` goes with");
    refused("program = \"sshd\"", "fields = { status = '>many' }", "is no number");
    refused("{count} of {key}", "{status}", "no field");
}

#[test]
fn the_user_overrides_and_switches_off() {
    let spec = |text: &str| rule(text).expect("a rule");
    let shipped: Arc<str> = "shipped".into();
    let user: Arc<str> = "user".into();
    let off = "[[rules]]\nname = \"x\"\nenabled = false\n";
    let set = |specs: Vec<(Arc<str>, RuleSpec)>| RuleSet::new(specs);

    let both = set(vec![(shipped.clone(), spec(GOOD)), (user.clone(), spec(&GOOD.replace("count = 5", "count = 3")))]);
    assert_eq!(both.expect("no problems").rules().first().map(|rule| rule.count), Some(3));
    let none = set(vec![(shipped.clone(), spec(GOOD)), (user.clone(), spec(off))]);
    assert!(none.expect("no problems").is_empty());
    let twice = set(vec![(user.clone(), spec(GOOD)), (user.clone(), spec(GOOD))]);
    assert_eq!(twice.expect_err("a problem").len(), 1);
    let unknown = set(vec![(user, spec(off))]).expect_err("a problem");
    assert_eq!(unknown[0].to_string(), "user: rule `x`: there is no rule of this name to switch off");
}

#[test]
fn examples_that_do_not_hold_are_said() {
    let text =
        format!("{GOOD}examples = {{ matches = [\"sshd: nothing\"], others = [\"sshd: from here\", \"odd\"] }}\n");
    let set = RuleSet::new(vec![("user".into(), rule(&text).expect("a rule"))]).expect("no problems");
    assert_eq!(
        set.check_examples(),
        [
            "rule `x`: example `sshd: nothing` is not matched",
            "rule `x`: example `sshd: from here` is matched",
            "rule `x`: example `odd` is not written as `PROGRAM: MESSAGE`",
        ]
    );
}
