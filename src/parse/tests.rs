//! Lines of every format as they stand in real files, one a line with what becomes of it. All lines are made up.

mod learned;

use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;
use crate::model::{Header, Medium, Timestamp};

fn context() -> Context {
    Context { zone: jiff::tz::TimeZone::UTC, host: "own".into() }
}

fn reference() -> Timestamp {
    "2026-11-22T12:00:00Z".parse::<jiff::Timestamp>().expect("a time").into()
}

/// `FORMAT TIME LEVEL HOST PROGRAM[PID] (UNIT): MESSAGE {NOTES}`; what is absent is `-`.
fn show(header: &Header) -> String {
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let mut shown = format!(
        "{} {} {} {} {}",
        header.format,
        or_dash(header.time.map(|time| time.to_string())),
        or_dash(header.level.map(|level| level.to_string())),
        or_dash(header.host.as_ref().map(ToString::to_string)),
        if header.program.is_empty() { "-" } else { &*header.program },
    );
    if let Some(pid) = header.pid {
        let _ = write!(shown, "[{pid}]");
    }
    if let Some(unit) = &header.unit {
        let _ = write!(shown, " ({unit})");
    }
    let _ = write!(shown, ": {}", header.message);
    let notes = [
        (header.notes.lossy, "lossy"),
        (header.notes.fallback, "fallback"),
        (header.notes.odd_field, "odd"),
        (header.notes.truncated, "truncated"),
    ];
    for (_, name) in notes.into_iter().filter(|(is_set, _)| *is_set) {
        let _ = write!(shown, " {{{name}}}");
    }
    shown
}

/// The first line of a source of unknown format.
#[track_caller]
fn check(line: &str, expected: &str) {
    let mut plan = Plan::new(Medium::File, None);
    assert_eq!(show(&plan.parse(line.as_bytes(), reference(), &context())), expected, "{line}");
}

#[track_caller]
fn check_journal(line: &str, expected: &str) {
    let mut plan = Plan::new(Medium::Journal, None);
    assert_eq!(show(&plan.parse(line.as_bytes(), reference(), &context())), expected, "{line}");
}

/// The last line of a source that starts with the lines before it.
#[track_caller]
fn check_last(lines: &[&str], expected: &str) {
    let mut plan = Plan::new(Medium::File, None);
    let repeated: Vec<&[u8]> = lines.iter().cycle().take(120).map(|line| line.as_bytes()).collect();
    plan.prime(repeated, reference(), &context());
    assert!(plan.is_settled());
    let last = lines.last().expect("a line");
    assert_eq!(show(&plan.parse(last.as_bytes(), reference(), &context())), expected, "{last}");
}

#[test]
#[rustfmt::skip] // one case a line
fn rfc3164() {
    check("Nov 22 05:55:40 web1 sshd[42]: Invalid user x from 192.0.2.1", "rfc3164 2026-11-22T05:55:40Z - web1 sshd[42]: Invalid user x from 192.0.2.1");
    check("Nov  2 05:55:40 web1 su: pam_unix(su:session): session opened", "rfc3164 2026-11-02T05:55:40Z - web1 su: pam_unix(su:session): session opened");
    check("Dec 31 23:59:59 web1 CRON[7]: (root) CMD (x)", "rfc3164 2025-12-31T23:59:59Z - web1 CRON[7]: (root) CMD (x)");
    check("<34>Nov 22 05:55:40 mymachine su: 'su root' failed", "rfc3164 2026-11-22T05:55:40Z crit mymachine su: 'su root' failed");
    check("<192>Nov 22 05:55:40 m su: x", "rfc3164 2026-11-22T05:55:40Z - m su: x {odd}");
    check("Nov 22 05:55:40.123456 web1 app[1]: x", "rfc3164 2026-11-22T05:55:40.123456Z - web1 app[1]: x");
    check("Nov 22 2024 05:55:40 web1 app[1]: x", "rfc3164 2024-11-22T05:55:40Z - web1 app[1]: x");
    check("Nov 22 05:55:40 2024 web1 app[1]: x", "rfc3164 2024-11-22T05:55:40Z - web1 app[1]: x");
    check("Nov 22 05:55:40 sshd[42]: no host", "rfc3164 2026-11-22T05:55:40Z - - sshd[42]: no host");
    check("Nov 22 05:55:40 sogod [42]: no host", "rfc3164 2026-11-22T05:55:40Z - - sogod[42]: no host");
    check("Nov 22 05:55:40 su: no host", "rfc3164 2026-11-22T05:55:40Z - - su: no host");
    check("Nov 22 05:55:40 web1 kernel: [26203.613633] audit: type=1400", "rfc3164 2026-11-22T05:55:40Z - web1 kernel: audit: type=1400");
    check("Nov 22 05:55:40 web1 kernel: [    0.000000][    T0] Linux", "rfc3164 2026-11-22T05:55:40Z - web1 kernel: Linux");
    check("Nov 22 05:55:40 web1 last message repeated 3 times", "rfc3164 2026-11-22T05:55:40Z - web1 -: last message repeated 3 times");
    check("Nov 22 05:55:40 last message repeated 3 times", "rfc3164 2026-11-22T05:55:40Z - - -: last message repeated 3 times");
    check("Nov 22 05:55:40 web1 -- MARK --", "rfc3164 2026-11-22T05:55:40Z - web1 -: -- MARK --");
    check("Nov 22 05:55:40 web1 syslogd 1.4.1: restart.", "rfc3164 2026-11-22T05:55:40Z - web1 syslogd: restart.");
    check("Nov 22 05:55:40 web1 sshd(pam_unix)[42]: check pass", "rfc3164 2026-11-22T05:55:40Z - web1 sshd(pam_unix)[42]: check pass");
    check("Nov 22 05:55:40 web1 postfix/smtpd[42]: connect", "rfc3164 2026-11-22T05:55:40Z - web1 postfix/smtpd[42]: connect");
    check("Nov 22 05:55:40 mac com.apple.xpc.launchd[1] (com.apple.x[9]): Service exited", "rfc3164 2026-11-22T05:55:40Z - mac com.apple.xpc.launchd[1] (com.apple.x[9]): Service exited");
    check("Nov 22 05:55:40 mac Google Chrome He[42]: x", "rfc3164 2026-11-22T05:55:40Z - mac Google Chrome He[42]: x");
    check("Nov 22 05:55:40 web1 dhclient[eth0]: bound", "rfc3164 2026-11-22T05:55:40Z - web1 dhclient: bound");
    check("Nov 22 05:55:40 web1 app: ERROR: disk full", "rfc3164 2026-11-22T05:55:40Z err web1 app: ERROR: disk full");
    check("Nov 22 05:55:40 web1 pacemakerd[42]:  notice: High CPU", "rfc3164 2026-11-22T05:55:40Z notice web1 pacemakerd[42]: notice: High CPU");
    check("<11>Nov 22 05:55:40 web1 app: DEBUG x", "rfc3164 2026-11-22T05:55:40Z err web1 app: DEBUG x");
    check("Nov 22 05:55:40 fw %ASA-4-106023: Deny tcp", "rfc3164 2026-11-22T05:55:40Z warning fw %ASA-4-106023: Deny tcp");
    check("Nov 22 05:55:40 2001:db8::1 app[1]: x", "rfc3164 2026-11-22T05:55:40Z - 2001:db8::1 app[1]: x");
    check("Nov 22 05:55:40 web1 db connected to 10.0.0.1:22 ok", "rfc3164 2026-11-22T05:55:40Z - web1 -: db connected to 10.0.0.1:22 ok");
    check("Nov 31 05:55:40 web1 app[1]: x", "rfc3164 - - web1 app[1]: x {odd}");
    check("Nov 22 25:55:40 web1 app[1]: x", "rfc3164 - - web1 app[1]: x {odd}");
    check("Nov 22 05:55:40 web1 app[99999999999]: x", "rfc3164 2026-11-22T05:55:40Z - web1 app: x");
    check("Nov 22 05:55:40", "rfc3164 2026-11-22T05:55:40Z - - -: ");
    check("Nov 22 05:55:40 own", "rfc3164 2026-11-22T05:55:40Z - own -: ");
    check("<13>sshd[42]: without a stamp", "rfc3164 - notice - sshd[42]: without a stamp");
}

#[test]
#[rustfmt::skip] // one case a line
fn network_gear() {
    check("<189>29: *Mar  1 18:46:11.123: %SYS-5-CONFIG_I: Configured from console by vty0", "rfc3164 2026-03-01T18:46:11.123Z notice - %SYS-5-CONFIG_I: Configured from console by vty0");
    check("<187>45: router1: *Nov 22 05:55:40.123: %LINK-3-UPDOWN: Interface Gi0/1, changed state to up", "rfc3164 2026-11-22T05:55:40.123Z err router1 %LINK-3-UPDOWN: Interface Gi0/1, changed state to up");
    check("<187>router1: .Nov 22 05:55:40 UTC: %LINK-3-UPDOWN: x", "rfc3164 2026-11-22T05:55:40Z err router1 %LINK-3-UPDOWN: x");
    check("<189>: 2025 Nov 22 05:55:40 UTC: %DAEMON-5-SYSTEM_MSG: x", "rfc3164 2025-11-22T05:55:40Z notice - %DAEMON-5-SYSTEM_MSG: x");
    check("<166>Nov 22 2026 05:55:40: %ASA-6-302013: Built", "rfc3164 2026-11-22T05:55:40Z info - %ASA-6-302013: Built");
    check("<30>firewall,info forward: in:ether1 out:ether2", "rfc3164 - info - -: firewall,info forward: in:ether1 out:ether2");
    check("<134>Nov 22 05:55:40 haproxy[14389]: 10.0.1.2:33317 [22/Nov/2026:05:55:40.655] http-in", "rfc3164 2026-11-22T05:55:40Z info - haproxy[14389]: 10.0.1.2:33317 [22/Nov/2026:05:55:40.655] http-in");
    check("<34>2026-11-22 05:55:40 host app[1]: x", "rfc3339 2026-11-22T05:55:40Z crit host app[1]: x");
    check("<134>1 2026-11-22T05:55:40.123Z fw filterlog 123 - [meta sequenceId=\"1\"] 4,,,1000000103,igb0", "rfc5424 2026-11-22T05:55:40.123Z info fw filterlog[123]: 4,,,1000000103,igb0");
    check("<13>Nov 22 05:55:40 CEF:0|Vendor|Product|1.0|100|name|5|src=192.0.2.1", "rfc3164 2026-11-22T05:55:40Z notice - -: CEF:0|Vendor|Product|1.0|100|name|5|src=192.0.2.1");
    check("<3>[    1.234567] EXT4-fs error", "kernel - err - kernel: EXT4-fs error");
    check("<1234> items", "plain - - - -: <1234> items");
}

#[test]
#[rustfmt::skip] // one case a line
fn rfc3339_and_rfc5424() {
    check("2026-11-22T05:55:40.746959+00:00 bed sshd[42]: x", "rfc3339 2026-11-22T05:55:40.746959Z - bed sshd[42]: x");
    check("2026-11-22T05:55:40.746959+01:00 bed kernel: [  1.234567] x", "rfc3339 2026-11-22T04:55:40.746959Z - bed kernel: x");
    check("<11>2026-11-22T05:55:40Z bed app: x", "rfc3339 2026-11-22T05:55:40Z err bed app: x");
    check("2026-11-22T05:55:40 bed app[1]: no zone", "rfc3339 2026-11-22T05:55:40Z - bed app[1]: no zone");
    check("<34>1 2026-11-22T05:55:40.003Z m.example su 42 ID47 - 'su root' failed", "rfc5424 2026-11-22T05:55:40.003Z crit m.example su[42]: 'su root' failed");
    check("<165>1 2026-11-22T05:55:40-07:00 192.0.2.1 app 42 - [ex@1 a=\"b\\\"]c\" d=\"e\"][f@2 g=\"h\"] \u{feff}An event", "rfc5424 2026-11-22T12:55:40Z notice 192.0.2.1 app[42]: An event");
    check("<165>1 - - - - - -", "rfc5424 - notice - -: ");
    check("<165>1 2026-11-22T05:55:40Z h app - ID47 [ex@1 a=\"b\"]", "rfc5424 2026-11-22T05:55:40Z notice h app: ID47");
    check("<165>1 2026-11-22T05:55:40Z h app - - [ex@1 a=\"b\"]", "rfc5424 2026-11-22T05:55:40Z notice h app: [ex@1 a=\"b\"]");
    check("<999>1 2026-11-22T05:55:40Z h app - - - x", "rfc5424 2026-11-22T05:55:40Z - h app: x {odd}");
    check("<165>1 2026-13-22T05:55:40Z h app - - - x", "rfc5424 - notice h app: x {odd}");
}

#[test]
#[rustfmt::skip] // one case a line
fn journal() {
    let entry =
        |fields: &str| format!("{{\"__CURSOR\":\"s=1\",\"__REALTIME_TIMESTAMP\":\"1795326940000001\",{fields}}}");
    let check = |fields: &str, expected: &str| check_journal(&entry(fields), expected);
    check(r#""_SOURCE_REALTIME_TIMESTAMP":"1795326939000000","PRIORITY":"3","SYSLOG_IDENTIFIER":"sshd","_COMM":"sshd-session","_PID":"42","_HOSTNAME":"web1","_SYSTEMD_UNIT":"ssh.service","MESSAGE":"x""#, "journal-json 2026-11-22T05:55:39Z err web1 sshd[42] (ssh.service): x");
    check(r#""_COMM":"app","SYSLOG_PID":"7","_PID":"42","MESSAGE":"x""#, "journal-json 2026-11-22T05:55:40.000001Z - - app[7]: x");
    check(r#""SYSLOG_IDENTIFIER":"systemd","UNIT":"a.service","_SYSTEMD_UNIT":"init.scope","MESSAGE":"Started a""#, "journal-json 2026-11-22T05:55:40.000001Z - - systemd (a.service): Started a");
    check(r#""_TRANSPORT":"kernel","PRIORITY":"6","MESSAGE":"usb 1-1: new""#, "journal-json 2026-11-22T05:55:40.000001Z info - kernel: usb 1-1: new");
    check(r#""SYSLOG_IDENTIFIER":"a","MESSAGE":[104,105,27,255]"#, "journal-json 2026-11-22T05:55:40.000001Z - - a: hi\u{1b}\u{fffd} {lossy}");
    check(r#""SYSLOG_IDENTIFIER":["a","b"],"MESSAGE":["first","second"]"#, "journal-json 2026-11-22T05:55:40.000001Z - - a: first");
    check(r#""SYSLOG_IDENTIFIER":"a","MESSAGE":[[104,105],"x"]"#, "journal-json 2026-11-22T05:55:40.000001Z - - a: hi");
    check(r#""SYSLOG_IDENTIFIER":"a","MESSAGE":null"#, "journal-json 2026-11-22T05:55:40.000001Z - - a: ");
    check(r#""SYSLOG_IDENTIFIER":"a","MESSAGE":[]"#, "journal-json 2026-11-22T05:55:40.000001Z - - a: ");
    check(r#""SYSLOG_IDENTIFIER":"a""#, "journal-json 2026-11-22T05:55:40.000001Z - - a: ");
    check(r#""SYSLOG_IDENTIFIER":"a","PRIORITY":"9","MESSAGE":"two\nlines""#, "journal-json 2026-11-22T05:55:40.000001Z - - a: two\nlines {odd}");
    check(r#""SYSLOG_IDENTIFIER":"a","PRIORITY":4,"_SOURCE_REALTIME_TIMESTAMP":"x","MESSAGE":"m""#, "journal-json 2026-11-22T05:55:40.000001Z warning - a: m {odd}");
    check(r#""SYSLOG_IDENTIFIER":"","_COMM":"c","MESSAGE":"  padded  ""#, "journal-json 2026-11-22T05:55:40.000001Z - - c: padded");
    check_journal("{\"MESSAGE\":\"cut by ki", "plain - - - -: {\"MESSAGE\":\"cut by ki {fallback}");
    check_journal("-- No entries --", "plain - - - -: -- No entries -- {fallback}");
}

#[test]
#[rustfmt::skip] // one case a line
fn json() {
    check(r#"{"time":"2026-11-22T05:55:40Z","level":"error","msg":"request failed","error":"connection refused","status":502}"#, "json 2026-11-22T05:55:40Z err - -: request failed error=\"connection refused\" status=502");
    check(r#"{"@timestamp":"2026-11-22T05:55:40.123+01:00","log.level":"WARN","message":"m","log":{"logger":"a.B"},"host":{"name":"h"},"process":{"pid":42}}"#, "json 2026-11-22T04:55:40.123Z warning h a.B[42]: m");
    check(r#"{"ts":1795326940.5,"level":"info","logger":"main","caller":"a.go:1","msg":"up"}"#, "json 2026-11-22T05:55:40.5Z info - main: up caller=a.go:1");
    check(r#"{"name":"app","hostname":"h","pid":42,"level":50,"msg":"bad","time":"2026-11-22T05:55:40.000Z","v":0}"#, "json 2026-11-22T05:55:40Z err h app[42]: bad v=0");
    check(r#"{"t":{"$date":"2026-11-22T05:55:40.000+00:00"},"s":"W","c":"NETWORK","id":51800,"ctx":"conn1","msg":"client metadata"}"#, "json 2026-11-22T05:55:40Z warning - NETWORK: client metadata id=51800 ctx=conn1");
    check(r#"{"time":1795326940000,"severity":"CRITICAL","message":"ms"}"#, "json 2026-11-22T05:55:40Z crit - -: ms");
    check(r#"{"time":"1795326940000000000","level":"x","message":"ns"}"#, "json 2026-11-22T05:55:40Z - - -: ns {odd}");
    check(r#"{"time_local":"22/Nov/2026:05:55:40 +0000","request":"GET / HTTP/1.1","status":"200"}"#, "json 2026-11-22T05:55:40Z - - -: request=\"GET / HTTP/1.1\" status=200");
    check(r#"{"severity":"ERROR","timestamp":{"seconds":1795326940,"nanos":5},"message":"x"}"#, "json 2026-11-22T05:55:40Z err - -: x timestamp.nanos=5");
    check(r#"{"kind":"Event","verb":"get","requestReceivedTimestamp":"2026-11-22T05:55:40.123456Z"}"#, "json 2026-11-22T05:55:40.123456Z - - -: kind=Event verb=get");
    check(r#"{"time":"soon","message":"m"}"#, "json - - - -: m {odd}");
    check(r#"{"a":1,"b":[1,{"c":null}],"d":null}"#, "json - - - -: a=1 b=[1,{c:null}]");
    check(r#"{"message":"quoted \"x\"\tand é"}"#, "json - - - -: quoted \"x\"\tand é");
    check("{\"message\":\"cut", "plain - - - -: {\"message\":\"cut");
    check("{}", "plain - - - -: {}");
    check("[1,2]", "plain - - - -: [1,2]");
}

#[test]
#[rustfmt::skip] // one case a line
fn logfmt() {
    check("ts=2026-11-22T05:55:40.364Z caller=http.go:194 level=debug msg=\"POST /x (200) 1.3ms\"", "logfmt 2026-11-22T05:55:40.364Z debug - -: POST /x (200) 1.3ms caller=http.go:194");
    check("time=\"2026-11-22T05:55:40Z\" level=warning msg=\"say \\\"hi\\\"\" component=tailer err=", "logfmt 2026-11-22T05:55:40Z warning - tailer: say \"hi\" err=\"\"");
    check("\tlevel=error msg=indented", "logfmt - err - -: indented");
    check("level=info msg=\"unclosed", "logfmt - info - -: \"unclosed");
    check("x=1 y=2", "plain - - - -: x=1 y=2");
    check("level=error", "plain - err - -: level=error");
}

#[test]
#[rustfmt::skip] // one case a line
fn containers() {
    check("2026-11-22T05:55:40.123456789Z stdout F plain text", "cri 2026-11-22T05:55:40.123456Z - - -: plain text");
    check("2026-11-22T05:55:40Z stderr F {\"level\":\"error\",\"msg\":\"inner\",\"time\":\"2020-01-01T00:00:00Z\"}", "cri 2026-11-22T05:55:40Z err - -: inner");
    check("2026-11-22T05:55:40Z stderr P E1122 05:55:40.123456       7 a.go:9] klog", "cri 2026-11-22T05:55:40Z err - a.go[7]: klog");
    check("2026-11-22T05:55:40Z stdout F", "cri 2026-11-22T05:55:40Z - - -: ");
    check(r#"{"log":"2026-11-22 05:55:40,123 WARN com.x.Y: inner\n","stream":"stdout","time":"2026-11-22T05:55:41Z"}"#, "docker 2026-11-22T05:55:41Z warning - com.x.Y: inner");
    check(r#"{"log":"bare\n","stream":"stderr","time":"2026-11-22T05:55:41Z"}"#, "docker 2026-11-22T05:55:41Z - - -: bare");
    check(r#"{"log":"2026-11-22T05:55:40.219695Z 2 [Note] [MY-000000] [Galera] sync\n","file":"/x.log"}"#, "docker 2026-11-22T05:55:40.219695Z notice - Galera[2]: [MY-000000] [Galera] sync");
}

#[test]
#[rustfmt::skip] // one case a line
fn web_servers() {
    check("192.0.2.1 - - [22/Nov/2026:05:55:40 +0000] \"GET /a?b=1 HTTP/1.1\" 200 6203 \"-\" \"Mozilla/5.0 (X11)\"", "access 2026-11-22T05:55:40Z info - access: GET /a?b=1 HTTP/1.1 200 6203 - Mozilla/5.0 (X11) client 192.0.2.1");
    check("2001:db8::1 - bob [22/Nov/2026:05:55:40 +0100] \"POST /login HTTP/2.0\" 502 0", "access 2026-11-22T04:55:40Z err - access: POST /login HTTP/2.0 502 0 client 2001:db8::1 user bob");
    check("192.0.2.1 - - [22/Nov/2026:05:55:40 +0000] \"\\x16\\x03\\x01\" 400 150 \"-\" \"-\"", "access 2026-11-22T05:55:40Z warning - access: \\x16\\x03\\x01 400 150 - - client 192.0.2.1");
    check("www.example.com:443 192.0.2.1 - - [22/Nov/2026:05:55:40 +0000] \"GET / HTTP/1.1\" 301 5 \"-\" \"say \\\"x\\\"\"", "access 2026-11-22T05:55:40Z info - access: GET / HTTP/1.1 301 5 - say \\\"x\\\" client 192.0.2.1");
    check("192.0.2.1 - - [22/Nov/2026:05:55:40 +0000] \"GET / HTTP/1.1\" 999 5", "access 2026-11-22T05:55:40Z - - access: GET / HTTP/1.1 999 5 client 192.0.2.1 {odd}");
    check("192.0.2.1 - - - [22/Nov/2026:05:55:40 ] www.example \"GET / HTTP/1.1\" 200 814 \"-\" \"x\"", "access 2026-11-22T05:55:40Z info - access: GET / HTTP/1.1 200 814 - x www.example client 192.0.2.1");
    check("2026/11/22 05:55:40 [error] 42#43: *7 connect() failed (111: Connection refused), client: 192.0.2.1", "nginx-error 2026-11-22T05:55:40Z err - nginx[42]: connect() failed (111: Connection refused), client: 192.0.2.1");
    check("2026/11/22 05:55:40 [notice] 42#42: signal process started", "nginx-error 2026-11-22T05:55:40Z notice - nginx[42]: signal process started");
    check("[Sun Nov 22 05:55:40.123456 2026] [proxy:error] [pid 42:tid 77] (111)Connection refused: [client 192.0.2.1:5] AH00957: x", "apache-error 2026-11-22T05:55:40.123456Z err - apache[42]: (111)Connection refused: [client 192.0.2.1:5] AH00957: x");
    check("[Sun Dec 04 04:47:44 2005] [error] [client 192.0.2.1] File does not exist: /x", "apache-error 2005-12-04T04:47:44Z err - apache: [client 192.0.2.1] File does not exist: /x");
    check("[Sun Dec 04 04:47:44 2005] [notice] jk2_init() Found child", "apache-error 2005-12-04T04:47:44Z notice - apache: jk2_init() Found child");
}

#[test]
#[rustfmt::skip] // one case a line
fn databases() {
    check("2026-11-22 05:55:40.123 UTC [1234] LOG:  checkpoint starting: time", "postgres 2026-11-22T05:55:40.123Z info - postgres[1234]: checkpoint starting: time");
    check("2026-11-22 05:55:40.123 CST [1234] bob@shop ERROR:  relation \"x\" does not exist at character 15", "postgres 2026-11-22T05:55:40.123Z err - postgres[1234]: relation \"x\" does not exist at character 15");
    check("2026-11-22 05:55:40 UTC [1234-1] bob@shop FATAL:  password authentication failed", "postgres 2026-11-22T05:55:40Z crit - postgres[1234]: password authentication failed");
    check("2026-11-22 05:55:40 UTC [1234] bob@shop STATEMENT:  select 1", "postgres 2026-11-22T05:55:40Z info - postgres[1234]: STATEMENT:  select 1");
    check("Nov 22 05:55:40 db postgres[42]: [3-1] db=,user= FATAL:  no", "rfc3164 2026-11-22T05:55:40Z crit db postgres[42]: [3-1] db=,user= FATAL:  no");
    check("2026-11-22T05:55:40.219695Z 0 [ERROR] [MY-010119] [Server] Aborting", "application 2026-11-22T05:55:40.219695Z err - Server: [MY-010119] [Server] Aborting");
    check("2026-11-22  5:55:40 0 [Warning] Plugin 'x' disabled", "application 2026-11-22T05:55:40Z warning - -: Plugin 'x' disabled");
    check("091121 13:17:58InnoDB: Warning: cannot find", "application 2009-11-21T13:17:58Z - - -: InnoDB: Warning: cannot find");
    check("12345:M 22 Nov 2026 05:55:40.123 * Ready to accept connections", "application 2026-11-22T05:55:40.123Z notice - -[12345]: Ready to accept connections");
    check("2026-11-22T05:55:40.123+0000 I NETWORK  [conn1] end connection", "application 2026-11-22T05:55:40.123Z info - NETWORK: [conn1] end connection");
    check("[2026-11-22T05:55:40,123][WARN ][o.e.n.Node               ] [node-1] starting", "application 2026-11-22T05:55:40.123Z warning - o.e.n.Node: [node-1] starting");
    check("2026-11-22 05:55:40.123456+00:00 [info] <0.123.0> Server startup complete", "application 2026-11-22T05:55:40.123456Z info - -: Server startup complete");
}

#[test]
#[rustfmt::skip] // one case a line
fn kernel_and_audit_and_klog() {
    check("[ 4301.999258] audit: type=1400", "kernel - - - kernel: audit: type=1400");
    check("<3>[    1.234567] EXT4-fs error", "kernel - err - kernel: EXT4-fs error");
    check("type=AVC msg=audit(1795326940.123:456): avc:  denied  { read } for pid=1", "audit 2026-11-22T05:55:40.123Z - - audit: type=AVC avc:  denied  { read } for pid=1");
    check("node=h type=USER_LOGIN msg=audit(1795326940.123:4): pid=1", "audit 2026-11-22T05:55:40.123Z - h audit: type=USER_LOGIN pid=1");
    check("I1122 05:55:40.523502    4727 kubelet_getters.go:187] \"Pod status updated\" pod=\"x\"", "klog 2026-11-22T05:55:40.523502Z info - kubelet_getters.go[4727]: \"Pod status updated\" pod=\"x\"");
    check("W20251122 05:55:40.523502 1 a.cc:1] x", "klog 2025-11-22T05:55:40.523502Z warning - a.cc[1]: x");
    check("E1122 05:55:40.523502       1 a.go:1] x", "klog 2026-11-22T05:55:40.523502Z err - a.go[1]: x");
}

#[test]
#[rustfmt::skip] // one case a line
fn applications() {
    check("2026-11-22 05:55:40,978 INFO [main] org.apache.x.MRAppMaster: Created", "application 2026-11-22T05:55:40.978Z info - org.apache.x.MRAppMaster: Created");
    check("2026-11-22 05:55:40,978 INFO [Async event handler] org.x.Y: moved", "application 2026-11-22T05:55:40.978Z info - org.x.Y: moved");
    check("081109 203615 148 INFO dfs.DataNode$PacketResponder: done", "application 2008-11-09T20:36:15Z info - dfs.DataNode$PacketResponder[148]: done");
    check("26/11/22 05:55:40 INFO executor.Backend: Registered", "application 2026-11-22T05:55:40Z info - executor.Backend: Registered");
    check("2026-11-22 05:55:40,747 - INFO  [QuorumPeer[myid=1]/0:0:0:0:0:0:0:0:2181:FastLeaderElection@774] - Notification time out: 3200", "application 2026-11-22T05:55:40.747Z info - FastLeaderElection: Notification time out: 3200");
    check("2026-11-22 05:55:40,747 - WARN  [SendWorker:188978561024:QuorumCnxManager$SendWorker@688] - Send worker leaving", "application 2026-11-22T05:55:40.747Z warning - QuorumCnxManager$SendWorker: Send worker leaving");
    check("11-17 16:13:38.811  1702  2395 D WindowManager: printFreezing", "application 2026-11-17T16:13:38.811Z debug - WindowManager[1702]: printFreezing");
    check("11-17 16:13:38.811  1702  8671 I Vold    : x", "application 2026-11-17T16:13:38.811Z info - Vold[1702]: x");
    check("[10.30 16:49:06] chrome.exe - proxy.example:5070 open through proxy", "application 2026-10-30T16:49:06Z - - chrome.exe: proxy.example:5070 open through proxy");
    check("[10.30 16:49:06] chrome.exe *64 - proxy.example:5070 close", "application 2026-10-30T16:49:06Z - - chrome.exe: proxy.example:5070 close");
    check("20261122-05:55:40:606|Step_LSC|30002312|onStandStepChanged 3579", "application 2026-11-22T05:55:40.606Z - - Step_LSC[30002312]: onStandStepChanged 3579");
    check("nova-api.log.1.2026-05-16_13:53:08 2026-11-22 05:55:40.008 25746 INFO nova.osapi_compute.wsgi.server [req-38101a0b-2096-447d-96ea-a692162415ae 113d3a99c3da401fbd62cc2caa5b96d2 - - -] 10.11.10.1 \"GET /v2\"", "application 2026-11-22T05:55:40.008Z info - nova.osapi_compute.wsgi.server[25746]: 10.11.10.1 \"GET /v2\"");
    check("2026-11-22 04:30:30, Info                  CBS    Loaded Servicing Stack", "application 2026-11-22T04:30:30Z info - CBS: Loaded Servicing Stack");
    check("- 1795326940 2026.11.22 R02-M1-N0-C:J12-U11 2026-11-22-05.55.40.675872 R02-M1-N0-C:J12-U11 RAS KERNEL INFO parity error", "application 2026-11-22T05:55:40Z info - KERNEL: parity error");
    check("- 1795326940 2026.11.22 dn228 Nov 22 05:55:40 dn228/dn228 crond(pam_unix)[2915]: session closed", "application 2026-11-22T05:55:40Z - dn228/dn228 crond(pam_unix)[2915]: session closed");
    check("2026-11-22 05:55:40.123  WARN 12345 --- [           main] o.s.b.w.TomcatWebServer  : Tomcat started", "application 2026-11-22T05:55:40.123Z warning - o.s.b.w.TomcatWebServer[12345]: Tomcat started");
    check("05:55:40.123 [main] DEBUG com.foo.Bar - logback", "application 2026-11-22T05:55:40.123Z debug - com.foo.Bar: logback");
    check("2026-11-22 05:55:40,123 - mylogger - ERROR - python", "application 2026-11-22T05:55:40.123Z err - mylogger: python");
    check("2026-11-22 05:55:40,123 - util.py[DEBUG]: cloud-init", "application 2026-11-22T05:55:40.123Z debug - util.py: cloud-init");
    check("INFO:root:python basic", "application - info - root: python basic");
    check("[22/Nov/2026 05:55:40] INFO [app.views:12] django", "application 2026-11-22T05:55:40Z info - app.views: django");
    check("[2026-11-22 05:55:40,123: ERROR/MainProcess] celery", "application 2026-11-22T05:55:40.123Z err - -: celery");
    check("E, [2026-11-22T05:55:40.123456 #12345] ERROR -- : ruby", "application 2026-11-22T05:55:40.123456Z err - -[12345]: ruby");
    check("2026/11/22 05:55:40 main.go:23: go", "application 2026-11-22T05:55:40Z - - main.go: go");
    check("2026/11/22 05:55:40 listening on :8080", "application 2026-11-22T05:55:40Z - - -: listening on :8080");
    check("[2026-11-22T05:55:40Z WARN  crate::module] env_logger", "application 2026-11-22T05:55:40Z warning - crate::module: env_logger");
    check("2026-11-22T05:55:40.123456Z  INFO crate::module: tracing", "application 2026-11-22T05:55:40.123456Z info - crate::module: tracing");
    check("[2026-11-22 05:55:40] app.ERROR: monolog {\"a\":1} []", "application 2026-11-22T05:55:40Z err - app: monolog {\"a\":1} []");
    check("2026-11-22 05:55:40,123 fail2ban.filter         [1234]: INFO    [sshd] Found 192.0.2.1", "application 2026-11-22T05:55:40.123Z info - fail2ban.filter[1234]: [sshd] Found 192.0.2.1");
    check("2026-11-22 05:55:40 status installed foo:amd64 1.0", "application 2026-11-22T05:55:40Z - - -: status installed foo:amd64 1.0");
    check("update-alternatives 2026-11-22 05:55:40: run with --x", "application 2026-11-22T05:55:40Z - - update-alternatives: run with --x");
    check("INFO  [main] 2026-11-22 05:55:40,123 Daemon.java:458 - cassandra", "application 2026-11-22T05:55:40.123Z info - Daemon.java: cassandra");
    check("22-Nov-2026 05:55:40.123 SEVERE [main] org.apache.catalina.Catalina.start tomcat", "application 2026-11-22T05:55:40.123Z err - org.apache.catalina.Catalina.start: tomcat");
    check("22-Nov-2026 05:55:40.123 queries: info: client @0x7f x", "application 2026-11-22T05:55:40.123Z info - queries: client @0x7f x");
    check("[2026-11-22 05:55:40,434] INFO [LocalLog partition=in-3] Wrote snapshot (kafka.log.LocalLog)", "application 2026-11-22T05:55:40.434Z info - kafka.log.LocalLog: [LocalLog partition=in-3] Wrote snapshot");
    check("2026-11-22 05:55:40.902 [DEBUG][606918] felix/table.go 851: Parsing line", "application 2026-11-22T05:55:40.902Z debug - felix/table.go[606918]: Parsing line");
    check("2026-11-22T05:55:40.877Z [INFO]  expiration: revoked lease: id=1", "application 2026-11-22T05:55:40.877Z info - expiration: revoked lease: id=1");
    check("W/ActivityManager( 1702): slow", "application - warning - ActivityManager[1702]: slow");
    check("1795326940.000    456 192.0.2.1 TCP_MISS/200 1234 GET http://x/", "application 2026-11-22T05:55:40Z - - -: 456 192.0.2.1 TCP_MISS/200 1234 GET http://x/");
    check("[2026-11-22 05:55:40] NOTICE[1638][C-00000e31] chan_sip.c: Registration failed", "application 2026-11-22T05:55:40Z notice - chan_sip.c: Registration failed");
    check("<W>2026-11-22 05:55:40.818 1 => <4:x(-1)> Rejected", "application 2026-11-22T05:55:40.818Z warning - -: 1 => <4:x(-1)> Rejected");
    check("1795326940 - 11/22/2026 05:51:19 Host: 192.0.2.1 TCP Blocked", "application 2026-11-22T05:55:40Z - - -: Host: 192.0.2.1 TCP Blocked");
    check("[1795326940] nsd[7745]: info: ratelimit block", "application 2026-11-22T05:55:40Z info - nsd[7745]: ratelimit block");
    check("Nov 22, 2026 5:55:40 AM org.slf4j.impl.Adapter warn", "application 2026-11-22T05:55:40Z - - -: org.slf4j.impl.Adapter warn");
    check("1795326940.123    456 192.0.2.1 TCP_MISS/200 1234 GET http://x/", "application 2026-11-22T05:55:40.123Z - - -: 456 192.0.2.1 TCP_MISS/200 1234 GET http://x/");
}

#[test]
#[rustfmt::skip] // one case a line
fn prose_is_left_alone() {
    check("Backup started at 2026-11-22 05:55:40 by root", "plain - - - -: Backup started at 2026-11-22 05:55:40 by root");
    check("2026-11-22 05:55:40 5 files copied", "application 2026-11-22T05:55:40Z - - -: 5 files copied");
    check("2026-11-22 05:55:40 error opening file", "application 2026-11-22T05:55:40Z - - -: error opening file");
    check("2026-11-22 05:55:40 ERROR Failed: no such file", "application 2026-11-22T05:55:40Z err - -: Failed: no such file");
    check("2026-11-22 05:55:40 INFO www.example.com answered", "application 2026-11-22T05:55:40Z info - -: www.example.com answered");
    check("1795326940 items processed", "plain - - - -: 1795326940 items processed");
    check("081109 203615 items", "plain - - - -: 081109 203615 items");
    check("\tat org.foo.Bar(Bar.java:12)", "plain - - - -: \tat org.foo.Bar(Bar.java:12)");
    check("ERROR: plain with a word in front", "plain - err - -: ERROR: plain with a word in front");
    check("", "plain - - - -: ");
    check("12:30 lunch", "plain - - - -: 12:30 lunch");
}

#[test]
#[rustfmt::skip] // one case a line
fn addresses_are_never_header() {
    check("192.0.2.1 2026-11-22 05:55:40 GET /x", "application 2026-11-22T05:55:40Z - - -: 192.0.2.1 2026-11-22 05:55:40 GET /x");
    check("[192.0.2.1] 2026-11-22 05:55:40 GET /x", "application 2026-11-22T05:55:40Z - - -: [192.0.2.1] 2026-11-22 05:55:40 GET /x");
    check("Sun Nov 22 05:55:40 2026 - [72926] (192.0.2.1) bob - login error", "application 2026-11-22T05:55:40Z - - -[72926]: (192.0.2.1) bob - login error");
    check("2026-11-22 05:55:40 WARN [2001:db8::1] org.x.Y: denied", "application 2026-11-22T05:55:40Z warning - -: [2001:db8::1] org.x.Y: denied");
    check_last(
        &["192.0.2.1 2026-11-22 05:55:38 GET /x", "192.0.2.2 2026-11-22 05:55:39 PUT /y z", "192.0.2.3 2026-11-22 05:55:40 POST /z"],
        "application 2026-11-22T05:55:40Z - - -: 192.0.2.3 2026-11-22 05:55:40 POST /z",
    );
}

#[test]
#[rustfmt::skip] // one case a line
fn records_of_many_lines() {
    check("2026-11-22 05:55:40,978 ERROR [main] a.b.C: broke\njava.lang.X: y\n\tat a.b.C.d(C.java:1)", "application 2026-11-22T05:55:40.978Z err - a.b.C: broke\njava.lang.X: y\n\tat a.b.C.d(C.java:1)");
    check("Traceback (most recent call last):\n  File \"a.py\"\nE: x", "plain - err - -: Traceback (most recent call last):\n  File \"a.py\"\nE: x");
    check("2026-11-22T05:55:40Z stderr F panic: boom\n\ngoroutine 1 [running]:", "cri 2026-11-22T05:55:40Z err - -: panic: boom\n\ngoroutine 1 [running]:");
    check(r#"{"log":"TypeError: x\n    at f (a.js:1)\n","stream":"stderr","time":"2026-11-22T05:55:41Z"}"#, "docker 2026-11-22T05:55:41Z err - -: TypeError: x\n    at f (a.js:1)");
    check("2026-11-22 05:55:40.123 UTC [1234] bob@shop STATEMENT:  select 1\n\tfrom a", "postgres 2026-11-22T05:55:40.123Z info - postgres[1234]: STATEMENT:  select 1\n\tfrom a");
}

#[test]
fn a_plan_settles_and_changes_its_mind() {
    let mut plan = Plan::new(Medium::File, None);
    let syslog = b"Nov 22 05:55:40 web1 sshd[42]: x";
    let rfc3339 = b"2026-11-22T05:55:40.746959+00:00 web1 sshd[42]: x";
    for _ in 0..30 {
        assert_eq!(plan.parse(syslog, reference(), &context()).format, "rfc3164");
    }
    assert_eq!((plan.format(), plan.is_settled()), (Format::Rfc3164, true));
    // A stray line is taken for what it is, or for plain text with a note.
    assert_eq!(show(&plan.parse(b"{\"msg\":\"x\"}", reference(), &context())), "json - - - -: x");
    assert_eq!(show(&plan.parse(b"  stray", reference(), &context())), "plain - - - -:   stray {fallback}");
    // rsyslog was upgraded: every line is read right from the first, and the plan follows.
    for _ in 0..200 {
        assert_eq!(plan.parse(rfc3339, reference(), &context()).format, "rfc3339");
    }
    assert_eq!(plan.format(), Format::Rfc3339);
}

#[test]
fn a_forced_format_is_kept() {
    let mut plan = Plan::new(Medium::File, Some(Format::Plain));
    assert_eq!(
        show(&plan.parse(b"Nov 22 05:55:40 web1 sshd[42]: x", reference(), &context())),
        "plain - - - -: Nov 22 05:55:40 web1 sshd[42]: x"
    );
    let mut plan = Plan::new(Medium::File, Some(Format::Rfc3164));
    for _ in 0..300 {
        assert_eq!(
            show(&plan.parse(b"{\"msg\":\"x\"}", reference(), &context())),
            "plain - - - -: {\"msg\":\"x\"} {fallback}"
        );
    }
    assert_eq!(plan.format(), Format::Rfc3164);
    let mut plan = Plan::new(Medium::File, Some(Format::Rfc3339));
    assert_eq!(
        show(&plan.parse(b"2026-11-22T05:55:40Z web1 no tag here", reference(), &context())),
        "rfc3339 2026-11-22T05:55:40Z - web1 -: no tag here"
    );
}

#[test]
fn priming_is_one_with_parsing() {
    let lines = [
        "2026-11-22 05:55:38 info starting up",
        "2026-11-22 05:55:39 warn low on space",
        "2026-11-22 05:55:40 error opening file",
    ];
    let lines: Vec<&[u8]> = lines.iter().cycle().take(60).map(|line| line.as_bytes()).collect();
    let (mut primed, mut unprimed) = (Plan::new(Medium::File, None), Plan::new(Medium::File, None));
    primed.prime(lines.iter().copied(), reference(), &context());
    assert_eq!(primed.parse(lines[0], reference(), &context()).message, "starting up");
    for line in &lines {
        unprimed.parse(line, reference(), &context());
    }
    assert_eq!(unprimed.parse(lines[0], reference(), &context()).message, "starting up");
    // Too few lines decide nothing.
    let mut plan = Plan::new(Medium::File, None);
    plan.prime(lines.iter().copied().take(5), reference(), &context());
    assert!(!plan.is_settled());
}

#[test]
fn the_same_line_from_syslog_and_journal_is_one_record() {
    let mut files = Plan::new(Medium::File, None);
    let mut journal = Plan::new(Medium::Journal, None);
    let context = context();
    for (syslog, message, identifier) in [
        ("kernel: [  12.345678] usb 1-1: x", "usb 1-1: x", "kernel"),
        ("sudo:     root : TTY=pts/0 ; COMMAND=/bin/ls", "    root : TTY=pts/0 ; COMMAND=/bin/ls", "sudo"),
        ("sshd[42]: Invalid user a ", "Invalid user a ", "sshd"),
    ] {
        let line = format!("Nov 22 05:55:40 web1 {syslog}");
        let entry = format!(
            "{{\"__REALTIME_TIMESTAMP\":\"1795326940000000\",\"SYSLOG_IDENTIFIER\":\"{identifier}\",\"MESSAGE\":\"{message}\"}}"
        );
        let (line, entry) = (
            files.parse(line.as_bytes(), reference(), &context),
            journal.parse(entry.as_bytes(), reference(), &context),
        );
        assert_eq!((&line.time, &line.program, &line.message), (&entry.time, &entry.program, &entry.message));
    }
}

#[test]
fn hostile_names_stay_short_and_printable() {
    let line = format!("Nov 22 05:55:40 {} {}[1]: x", "h".repeat(1_000), "p".repeat(100));
    let header = Plan::new(Medium::File, None).parse(line.as_bytes(), reference(), &context()).clone();
    assert_eq!((header.host.map(|host| host.len()), header.program.len()), (Some(255), 64));
    let entry = format!(
        "{{\"__CURSOR\":\"x\",\"SYSLOG_IDENTIFIER\":\"\\u001b[31m{}\",\"MESSAGE\":\"m\"}}",
        "x".repeat(1_000_000)
    );
    let header = Plan::new(Medium::Journal, None).parse(entry.as_bytes(), reference(), &context());
    assert_eq!(header.program.len(), 64);
    assert!(header.program.starts_with("?[31mx"));
    let mut plan = Plan::new(Medium::File, None);
    let header = plan.parse(b"Nov 22 05:55:40 web1 app\xff[1]: caf\xe9\0\x1b[31m", reference(), &context());
    assert_eq!(show(&header), "rfc3164 2026-11-22T05:55:40Z - web1 app\u{fffd}[1]: caf\u{fffd}\0\u{1b}[31m {lossy}");
}

/// Heads that lead deep into every parser, so that random tails reach further than random lines would.
const HEADS: [&str; 24] = [
    "",
    "Nov 22 05:55:40 ",
    "<34>",
    "<34>1 2026-11-22T05:55:40Z ",
    "<34>1 2026-11-22T05:55:40Z h a 1 - [x ",
    "2026-11-22T05:55:40Z ",
    "2026-11-22T05:55:40Z stdout F ",
    "2026-11-22 05:55:40 ",
    "2026-11-22 05:55:40.1 UTC [1] ",
    "2026/11/22 05:55:40 [error] 1#1: ",
    "[Sun Nov 22 05:55:40 2026] [",
    "[",
    "{\"__CURSOR\":\"x\",\"MESSAGE\":",
    "{\"log\":\"",
    "{\"",
    "1.2.3.4 - - [22/Nov/2026:05:55:40 +0000] \"",
    "I1122 05:55:40.1 1 ",
    "type=A msg=audit(",
    "level=info msg=\"",
    "1795326940 ",
    "20261122-05:55:40:1|",
    "2026-11-22 05:55:40 INFO [",
    "- ",
    "Nov ",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_can_hurt(head in prop::sample::select(&HEADS[..]), tail in prop::collection::vec(any::<u8>(), 0..120), reference in any::<i64>()) {
        hurt(head, &tail, reference)?;
    }

    #[test]
    fn no_log_like_text_can_hurt(head in prop::sample::select(&HEADS[..]), tail in "[0-9A-Za-z \\[\\](){}<>:,.|/@#$=\"'\\\\*+\\-_é\u{0}\t]{0,120}", reference in any::<i64>()) {
        hurt(head, tail.as_bytes(), reference)?;
    }
}

/// Every format, forced and voted for, gives a valid record out of this line, in bounded time, and loses no message.
fn hurt(head: &str, tail: &[u8], reference: i64) -> Result<(), TestCaseError> {
    let line = [head.as_bytes(), tail].concat();
    let context = context();
    let plans = Format::ALL.into_iter().map(Some).chain([None]).map(|forced| Plan::new(Medium::File, forced));
    for mut plan in plans {
        // Often enough to settle, learn columns and review.
        for _ in 0..30 {
            let header = plan.parse(&line, Timestamp::from_micros(reference), &context);
            prop_assert!(header.program.len() <= 64 && header.host.as_ref().is_none_or(|host| host.len() <= 255));
            prop_assert!(!header.program.chars().any(char::is_control));
            prop_assert!(!header.format.is_empty());
            if header.format == "plain" {
                prop_assert_eq!(&*header.message, String::from_utf8_lossy(line.trim_ascii_end()));
            }
            if matches!(header.format, "rfc3164" | "rfc3339" | "kernel" | "klog" | "postgres" | "application") {
                let whole = String::from_utf8_lossy(&line).into_owned();
                prop_assert!(whole.contains(&*header.message) || header.notes.lossy, "{header:?}");
            }
        }
    }
    Ok(())
}
