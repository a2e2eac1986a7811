//! Headers that no known format fits: what is read once their columns were learned.

use super::check_last;

#[test]
fn learned_columns() {
    check_last(
        &[
            "134681 node-246 unix.hw state_change.unavailable 1795326900 1 Component State Change: in the unavailable state",
            "350766 node-109 unix.hw state_change.unavailable 1795326910 1 boot (command 1911) Error: x",
            "344518 node-246 boot_cmd new 1795326920 1 Targeting domains: node-D1",
            "344900 node-7 unix.hw net.niff.up 1795326940 1 NIFF: node node-7 detected a network connection",
        ],
        "application 2026-11-22T05:55:40Z - - unix.hw: NIFF: node node-7 detected a network connection",
    );
    check_last(
        &[
            "2026-11-22T05:55:38.746+0000 7f6fa1d2ad80  0 set uid:gid to 64045:64045",
            "2026-11-22T05:55:39.930+0000 7f6fa1d2ad80  4 rocksdb: Options.x: 0",
            "2026-11-22T05:55:39.930+0000 7f6fa1d2ad80 -1 Falling back to x",
            "2026-11-22T05:55:40.082+0000 7f6f83a38700  1 osd.0 pg_epoch: 41 start_peering",
        ],
        "application 2026-11-22T05:55:40.082Z - - -: osd.0 pg_epoch: 41 start_peering",
    );
    check_last(
        &[
            "KERNDTLB 1795326900 2026.11.22 R02-M1 2026-11-22-05.55.00.675872 R02-M1 RAS KERNEL FATAL data TLB error",
            "- 1795326910 2026.11.22 R02-M1 2026-11-22-05.55.10.675872 R02-M1 RAS KERNEL INFO generating core.1",
            "- 1795326940 2026.11.22 R02-M1 2026-11-22-05.55.40.675872 R02-M1 RAS APP FATAL ciod: failed",
        ],
        "application 2026-11-22T05:55:40Z crit - APP: ciod: failed",
    );
    check_last(
        &[
            "2026-11-22 05:55:38 info starting up",
            "2026-11-22 05:55:39 warn low on space",
            "2026-11-22 05:55:40 error opening file",
        ],
        "application 2026-11-22T05:55:40Z err - -: opening file",
    );
    // A component that is one word here and several there, ids that are not always there.
    check_last(
        &[
            "2026-11-22 05:55:37.1 1702 INFO shop.api.wsgi [req-38101a0b-2096-447d-96ea-a692162415ae - -] 42 pages served",
            "2026-11-22 05:55:38.1 1702 INFO worker [-] started",
            "2026-11-22 05:55:39.1 2313 WARNING shop.db [-] slow query",
            "2026-11-22 05:55:40 1702 INFO worker [req-38101a0b-2096-447d-96ea-a692162415ae - -] job 7 done",
        ],
        "application 2026-11-22T05:55:40Z info - worker[1702]: job 7 done",
    );
    check_last(
        &[
            "11-22 05:55:37.1 D/Vold    ( 1702): mounted",
            "11-22 05:55:38.1 I/WindowManager( 1702): frozen for 3 ms",
            "11-22 05:55:39.1 W/Cache   ( 2313): full",
            "11-22 05:55:40.0 E/Vold    (  311): cannot mount",
        ],
        "application 2026-11-22T05:55:40Z err - Vold[311]: cannot mount",
    );
    // A name with blanks in some lines.
    check_last(
        &[
            "[11.22 05:55:37] chrome.exe - proxy.example:80 open through proxy",
            "[11.22 05:55:38] chrome.exe *64 - close, 7 bytes",
            "[11.22 05:55:39] mail.exe - could not connect to proxy",
            "[11.22 05:55:40] mail.exe *64 - close, 8 bytes",
        ],
        "application 2026-11-22T05:55:40Z - - mail.exe: close, 8 bytes",
    );
    // No stamp at all.
    check_last(
        &[
            "467 [main] INFO  org.example.Clock  - ready",
            "470 [pool 3] DEBUG root  - opened 3 files",
            "982 [main] WARN  org.example.Clock  - behind by 20 ms",
            "999 [pool 4] INFO  com.acme.Cache  - evicted a page",
        ],
        "application - info - com.acme.Cache: evicted a page",
    );
    check_last(
        &[
            "#000121 Cache <worker-1> evicted 3 pages",
            "#000122 Clock <main> behind by 20 ms",
            "#000123 Cache <worker-4> full",
            "#000124 Http <main> listening on port 80",
        ],
        "application - - - Http: listening on port 80",
    );
    // Stack traces do not win the vote.
    check_last(
        &[
            "2026-11-22 05:55:38 ERROR a.b.C: broke",
            "java.lang.X: y",
            "\tat a.b.C.d(C.java:1)",
            "\tat a.b.C.e(C.java:2)",
        ],
        "plain - - - -: \tat a.b.C.e(C.java:2) {fallback}",
    );
}
