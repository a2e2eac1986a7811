//! Lines on other ways than one line of one file: stack traces and syslog from the network, on the built binary.

use std::io::Write;
use std::net::TcpStream;

use crate::support::daemon::{Daemon, Home, PATIENCE, append};
use crate::support::receiver::{Contract, Receiver};

fn webhook(receiver: &Receiver) -> String {
    format!("[[notifiers.webhook]]\nname = 'hook'\nurl = '{}'\n", receiver.url("/hook"))
}

/// A trace of a Java service; no two have the same frames.
fn trace(number: usize) -> String {
    format!(
        "{} ERROR [main] c.e.Orders - cannot book order\njava.lang.IllegalStateException: ledger is closed\n\
         \tat c.e.Orders.book(Orders.java:{number})\n\tat c.e.Main.main(Main.java:{number})\n\
         Caused by: java.io.IOException: no space left on device\n\t... {number} more\n",
        jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M:%S,000")
    )
}

#[test]
fn a_trace_is_one_finding_with_all_its_lines() {
    let home = Home::new();
    let hook = Receiver::start(Contract::default());
    let config = home.config(&webhook(&hook));
    let calm = |n: usize| {
        format!(
            "{} INFO [main] c.e.Orders - booked order {n}\n",
            jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M:%S,000")
        )
    };
    append(&home.log("app.log"), &(0..200).map(calm).collect::<String>());
    let daemon = Daemon::watch(&config);
    daemon.wait_logged("learned ");
    // In two writes, as a slow writer does it, and the second one like the first but for the frames.
    let first = trace(11);
    let (head, rest) = first.split_at(first.find("\tat c.e.Main").expect("a frame"));
    append(&home.log("app.log"), head);
    append(&home.log("app.log"), rest);
    append(&home.log("app.log"), &trace(12));
    let body = hook.wait_for(1)[0].json();
    let evidence = body["incident"]["evidence"].to_string();
    for part in ["cannot book order", "ledger is closed", "Orders.java:11", "no space left on device", "... 11 more"] {
        assert!(evidence.contains(part), "{part} in {body}");
    }
    append(&home.log("app.log"), &calm(1));
    let (status, log) = daemon.stop();
    assert!(status.success(), "{log}");
    assert_eq!(
        hook.requests().len(),
        1,
        "one fault: {:?}",
        hook.requests().iter().map(|r| r.json()).collect::<Vec<_>>()
    );
}

#[test]
fn syslog_from_the_network_is_watched_and_kept_at_sigterm() {
    let home = Home::new();
    let hook = Receiver::start(Contract::default());
    // A port of the system's choice, free again.
    let address = std::net::TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port");
    let config = home.config(&format!("[[sources.syslog]]\nlisten = 'tcp://{address}'\n{}", webhook(&hook)));
    append(&home.log("app.log"), "2026-11-22T05:55:40Z h app: hello\n");
    let daemon = Daemon::watch(&config);
    daemon.wait_logged("learned ");
    let end = std::time::Instant::now() + PATIENCE;
    let mut stream = loop {
        match TcpStream::connect(address) {
            Ok(stream) => break stream,
            Err(error) => assert!(std::time::Instant::now() < end, "{error}"),
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    };
    let line = "<2>Nov 22 05:55:40 edge-7 kernel: Out of memory: Killed process 2711 (mysqld) total-vm:9123456kB";
    stream.write_all(format!("{} {line}", line.len()).as_bytes()).expect("sends");
    let body = hook.wait_for(1)[0].json();
    assert_eq!(body["incident"]["host"], "edge-7", "{body}");
    assert!(body["incident"]["evidence"].to_string().contains("2711"), "{body}");
    // What has been sent when we are told to stop is not lost.
    let last = "<3>Nov 22 05:55:41 edge-7 raid: array md0 lost its last spare disk";
    stream.write_all(format!("{} {last}", last.len()).as_bytes()).expect("sends");
    let (status, log) = daemon.stop();
    assert!(status.success(), "{log}");
    let shown = std::process::Command::new(env!("CARGO_BIN_EXE_logwren"))
        .args(["incidents", "--config", &config.display().to_string()])
        .output()
        .expect("runs");
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.contains("New kind of err line from raid"), "{shown}; {log}");
}
