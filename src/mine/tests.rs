//! What the miner promises, seen from outside.

use proptest::prelude::*;

use super::*;
use crate::model::{TemplateId, TemplateRow, Timestamp};

fn miner() -> Miner {
    Miner::new(&Config::default(), 7)
}

/// Rows as the store would hand them back.
fn rows(miner: &Miner, merges: &[Merge]) -> Vec<TemplateRow> {
    let row = |id, text: &str, merged_into| TemplateRow {
        id,
        text: text.to_owned(),
        count: 1,
        first_seen: Timestamp::EPOCH,
        last_seen: Timestamp::EPOCH,
        merged_into,
    };
    let live = miner.templates().map(|(id, text)| row(id, text, None));
    live.chain(merges.iter().map(|merge| row(merge.gone, "", Some(merge.into)))).collect()
}

/// Mines the lines and returns their ids, merges followed, and all merges.
fn mine_all(miner: &mut Miner, lines: &[&str]) -> (Vec<TemplateId>, Vec<Merge>) {
    let mut merges = Vec::new();
    let ids: Vec<TemplateId> = lines
        .iter()
        .map(|line| {
            let mined = miner.mine(line);
            if let Some(Change::Merged { gone }) = mined.change {
                merges.push(Merge { gone, into: mined.template });
                merges.extend_from_slice(miner.further_merges());
            }
            mined.template
        })
        .collect();
    (ids.into_iter().map(|id| miner.current(id).expect("an id that was handed out")).collect(), merges)
}

#[track_caller]
fn check_same(lines: &[&str], text: &str) {
    let mut miner = miner();
    let (ids, _) = mine_all(&mut miner, lines);
    assert!(ids.windows(2).all(|pair| pair[0] == pair[1]), "{:?}", miner.templates().collect::<Vec<_>>());
    assert_eq!(miner.text(ids[0]), Some(text));
}

#[track_caller]
fn check_different(lines: &[&str]) {
    let mut miner = miner();
    let (mut ids, _) = mine_all(&mut miner, lines);
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), lines.len(), "{:?}", miner.templates().collect::<Vec<_>>());
}

#[test]
fn values_do_not_part_lines() {
    check_same(
        &[
            "Failed password for root from 10.0.0.1 port 22 ssh2",
            "Failed password for root from 192.168.0.9 port 9999 ssh2",
        ],
        "Failed password for root from <IP> port <NUM> ssh<NUM>",
    );
    check_same(&["took 12ms", "took 3s"], "took <DUR>");
    check_same(&["read /etc/passwd", "read /var/log/x/y.log"], "read <PATH>");
    check_same(&["list 1 2 3", "list 1 2 3 4 5 6"], "list <NUM>");
    check_same(&["load: 0.5", "load: 1"], "load: <NUM>");
}

#[test]
fn words_part_lines_until_there_are_many() {
    check_different(&["scan started", "scan stopped"]);
    check_different(&["link eth0 is up", "link eth0 is down"]);
    check_different(&["state changed from IDLE to BUSY", "state changed from BUSY to IDLE"]);
    check_same(
        &[
            "session opened for alice at the console",
            "session opened for bob at the console",
            "session opened for carol at the console",
            "session opened for dave at the console",
            "session opened for eve at the console",
            "session opened for mallory at the console",
        ],
        "session opened for <*> at the console",
    );
    check_same(&["Invalid user alice from 10.0.0.1", "Invalid user bob from 10.0.0.2"], "Invalid user <*> from <IP>");
}

#[test]
fn keys_stay_when_their_values_open() {
    check_same(
        &[
            "login ok tty=ssh rhost=a",
            "login ok tty=ssh rhost=b",
            "login ok tty=ssh rhost=c",
            "login ok tty=ssh rhost=d",
            "login ok tty=ssh rhost=e",
        ],
        "login ok tty=ssh rhost=<*>",
    );
}

#[test]
fn members_of_a_json_object_are_places() {
    check_same(
        &[
            "done: {\"user\":\"alice\",\"event\":\"login\",\"n\":1} at the console",
            "done: {\"user\":\"bob\",\"event\":\"login\",\"n\":20} at the console",
            "done: {\"user\":\"eve m\",\"event\":\"login\",\"n\":300} at the console",
        ],
        "done: {\"user\":<*>,\"event\":\"login\",\"n\":<NUM>} at the console",
    );
    check_different(&["{\"user\":\"eve\",\"event\":\"login\"}", "{\"user\":\"eve\",\"event\":\"disk failure\"}"]);
}

#[test]
fn an_older_version_read_values_otherwise() {
    let row = |id: u64, text: &str| TemplateRow {
        id: TemplateId(id),
        text: text.to_owned(),
        count: 1,
        first_seen: Timestamp::from_seconds(id as i64),
        last_seen: Timestamp::EPOCH,
        merged_into: None,
    };
    let mut miner = miner();
    let merges = miner.restore(&[row(3, "open ../b/c"), row(2, "open ./a"), row(4, "close"), row(5, "open /x <*>")]);
    assert_eq!(merges, [Merge { gone: TemplateId(3), into: TemplateId(2) }]);
    assert_eq!(miner.current(TemplateId(3)), Some(TemplateId(2)));
    assert_eq!(miner.text(TemplateId(3)), Some("open <PATH>"));
    assert_eq!(miner.mine("open ./never/seen").template, TemplateId(2));
    assert_eq!(miner.templates().count(), 3);
}

#[test]
fn two_texts_of_one_id_are_two_templates() {
    // Nobody looked for a real one: an earlier run hands back a template under the id of another text.
    let text = "disk sda is on fire";
    let row = TemplateRow {
        id: TemplateId::of(text),
        text: "all is well today".to_owned(),
        count: 1,
        first_seen: Timestamp::EPOCH,
        last_seen: Timestamp::EPOCH,
        merged_into: None,
    };
    let mut miner = miner();
    miner.restore(&[row]);
    let mined = miner.mine(text);
    assert_eq!(mined.change, Some(Change::New));
    assert_eq!(miner.text(mined.template), Some(text));
    assert_eq!(miner.text(TemplateId::of(text)), Some("all is well today"));
    let mut restarted = self::miner();
    restarted.restore(&rows(&miner, &[]));
    assert_eq!(restarted.mine(text).template, mined.template);
}

#[test]
fn a_quoted_phrase_is_one_place_and_keeps_its_words() {
    check_different(&["reply was \"disk failure imminent\" at last", "reply was \"all is well\" at last"]);
    let lines: Vec<String> = ["a b", "c", "d e f", "g h", "i", "k l m n o"]
        .iter()
        .map(|name| format!("opened file \"{name}\" for reading"))
        .collect();
    check_same(&lines.iter().map(String::as_str).collect::<Vec<_>>(), "opened file \"<STR>\" for reading");
}

#[test]
fn the_id_is_the_birth_text_and_stays() {
    let mut miner = miner();
    let first = miner.mine("Invalid user alice from 10.0.0.1");
    assert_eq!(first.template, TemplateId::of("Invalid user alice from <IP>"));
    assert_eq!((first.change, first.new_shape), (Some(Change::New), true));
    let second = miner.mine("Invalid user bob from 10.0.0.1");
    assert_eq!(second, Mined { template: first.template, change: Some(Change::Generalized), new_shape: true });
    let third = miner.mine("Invalid user carol from 10.0.0.1");
    assert_eq!(third, Mined { template: first.template, change: None, new_shape: true });
    let fourth = miner.mine("Invalid user carol from 10.9.9.9");
    assert_eq!(fourth, Mined { template: first.template, change: None, new_shape: false });
}

#[test]
fn merges_are_said_and_followed() {
    let mut miner = miner();
    let names = ["anna", "bert", "cleo", "dora", "emil"];
    let lines: Vec<String> = names.iter().map(|name| format!("the door was opened by {name} again")).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let ids: Vec<TemplateId> = lines.iter().map(|line| miner.mine(line).template).collect();
    let last = miner.mine(lines[4]);
    assert_eq!(last.template, ids[0]);
    for id in &ids {
        assert_eq!(miner.text(*id), Some("the door was opened by <*> again"));
        assert_eq!(miner.current(*id), Some(ids[0]));
    }
    let mut miner = self::miner();
    let (_, merges) = mine_all(&mut miner, &lines);
    assert_eq!(merges, ids[1..4].iter().map(|gone| Merge { gone: *gone, into: ids[0] }).collect::<Vec<_>>());
}

const LIFE: &[&str] = &[
    "Accepted publickey for root from 10.0.0.1 port 22 ssh2: RSA SHA256:Jv4xP0a9sZbQwErTyUiOpAsDfGhJkLzXcVbNm123456",
    "pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=a.b.example.org user=root",
    "pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=10.0.0.7 user=root",
    "Invalid user alice from 10.0.0.1",
    "Invalid user bob from 10.0.0.1",
    "Started Session 12 of user root.",
    "unit \"some thing\" entered state IDLE",
    "unit \"other\" entered state BUSY",
    "",
    "   ",
    "<NUM> looks like <*> a mask",
    "job anna ended today",
    "job bert ended today",
    "job cleo ended today",
    "job dora ended today",
    "job emil ended today",
    "job fred ended today",
    "u4k9x 00:1b:44:11:3a:b7 fe80::1 2005-06-03 15:42:50,123 -5 +3 4.0K 1h30m 0xff deadbeef",
];

#[test]
fn a_restart_changes_nothing() {
    let mut before = miner();
    let (_, merges) = mine_all(&mut before, LIFE);
    let (ids, more) = mine_all(&mut before, LIFE);
    assert!(more.is_empty());
    let mut rows = rows(&before, &merges);
    rows.reverse();
    let mut after = Miner::new(&Config::default(), 99);
    after.restore(&rows);
    assert_eq!(mine_all(&mut after, LIFE).0, ids);
    for merge in merges {
        assert_eq!(after.current(merge.gone), before.current(merge.gone));
    }
    let texts = |miner: &Miner| {
        let mut texts: Vec<String> = miner.templates().map(|(id, text)| format!("{id} {text}")).collect();
        texts.sort();
        texts
    };
    assert_eq!(texts(&after), texts(&before));
}

#[test]
fn the_seed_decides_nothing() {
    let ids = |seed| mine_all(&mut Miner::new(&Config::default(), seed), LIFE).0;
    assert_eq!(ids(1), ids(2));
}

#[test]
fn a_message_cannot_open_places() {
    let mut miner = miner();
    let lines = ["<*> <*> <*>", "kernel <*> error", "user=<*> said \"<STR>\" twice"];
    let (ids, merges) = mine_all(&mut miner, &lines);
    assert_eq!(miner.text(ids[1]), Some("kernel <ID> error"));
    let mut restarted = self::miner();
    restarted.restore(&rows(&miner, &merges));
    for mut miner in [miner, restarted] {
        for line in ["disk failure detected", "kernel panic now", "user=root said \"no\" twice"] {
            assert!(!ids.contains(&miner.mine(line).template), "{line}");
        }
        assert_eq!(mine_all(&mut miner, &lines).0, ids);
    }
}

#[test]
fn a_circle_of_merges_ends() {
    let row = |id: u64, into: u64| TemplateRow {
        id: TemplateId(id),
        text: String::new(),
        count: 0,
        first_seen: Timestamp::EPOCH,
        last_seen: Timestamp::EPOCH,
        merged_into: Some(TemplateId(into)),
    };
    let mut miner = miner();
    miner.restore(&[row(1, 2), row(2, 1), row(3, 3), row(4, 5)]);
    assert_eq!(miner.current(TemplateId(1)), None);
    assert_eq!(miner.templates().count(), 0);
}

#[test]
fn many_names_take_no_room() {
    let mut miner = Miner::new(&Config { max_templates: 200, max_shapes: 4_096 }, 7);
    let mut name = 1_u64;
    for _ in 0..30_000 {
        name = name.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let letters: String = (0..8).map(|at| char::from(b'a' + (name >> (at * 7 + 8)) as u8 % 26)).collect();
        miner.mine(&format!("session for {letters} closed normally"));
    }
    let health = miner.health();
    assert_eq!(health.templates, 1);
    assert!(health.shapes <= 4_096 && health.evicted_shapes > 20_000, "{health:?}");
    assert!(!health.crowded);
}

#[test]
fn an_explosion_is_coarse_counted_and_bounded() {
    let mut miner = Miner::new(&Config { max_templates: 200, max_shapes: 4_096 }, 7);
    let known = miner.mine("known before").template;
    let mut word = 1_u64;
    let mut line = String::new();
    for length in (3..20).cycle().take(6_000) {
        line.clear();
        for _ in 0..length {
            word = word.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            line.extend((0..6).map(|at| char::from(b'a' + (word >> (at * 8 + 8)) as u8 % 26)).chain([' ']));
        }
        miner.mine(&line);
    }
    let health = miner.health();
    assert!(health.crowded && health.coarsened > 5_000, "{health:?}");
    assert!(health.templates <= 200 + 20, "{health:?}");
    // What was known before is as exact as it was.
    assert_eq!(miner.mine("known before").template, known);
    assert_eq!(
        miner.mine("known afterwards"),
        Mined { template: known, change: Some(Change::Generalized), new_shape: true }
    );
}

/// Words of letters that nobody said before.
struct Junk(u64);

impl Junk {
    fn line(&mut self, words: usize) -> String {
        let mut line = String::new();
        for _ in 0..words {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            line.extend((0..6).map(|at| char::from(b'g' + (self.0 >> (at * 8 + 8)) as u8 % 20)).chain([' ']));
        }
        line
    }
}

/// Source 0 says junk with these numbers of words over and over; source 1 says ordinary lines between them. Returns how
/// many templates there are in the end and how source 0 is kept apart.
#[track_caller]
fn check_explosion(lengths: std::ops::Range<usize>, lines: u64, expected: Detail) -> Miner {
    let mut miner = miner();
    let mut alone = self::miner();
    let mut junk = Junk(1);
    for (line, length) in (1..=lines).zip(lengths.cycle()) {
        miner.enter(0, line);
        miner.mine(&junk.line(length));
        if let Some(message) = LIFE.get(line as usize / 7 % LIFE.len()) {
            for miner in [&mut miner, &mut alone] {
                miner.enter(1, line);
                miner.mine(message);
            }
        }
    }
    assert_eq!(miner.growth(0).detail(), expected, "{:?}", miner.growth(0));
    assert_eq!(miner.growth(1).detail(), Detail::Full);
    assert!(!miner.health().crowded, "{:?}", miner.health());
    for message in LIFE.iter().copied().chain(["never said before", "nor this one"]) {
        for miner in [&mut miner, &mut alone] {
            miner.enter(1, lines);
        }
        let (with, without) = (miner.mine(message), alone.mine(message));
        assert_eq!((with.template, with.change), (without.template, without.change), "{message}");
        assert_eq!(miner.text(with.template), alone.text(without.template));
    }
    miner
}

#[test]
fn a_source_that_explodes_harms_no_other() {
    check_explosion(8..20, 1_000, Detail::Full);
    check_explosion(8..20, 1_500, Detail::TwoWords);
    check_explosion(8..20, 4_000, Detail::Length);
    check_explosion(1..2, 5_000, Detail::TwoWords);
    check_explosion(2..3, 5_000, Detail::Length);
}

#[test]
fn templates_of_a_source_that_explodes_are_few_and_stay() {
    let mut miner = check_explosion(3..40, 6_000, Detail::Length);
    let before = miner.len();
    assert!(before < 3_500, "{before}");
    let line = Junk(99).line(12);
    miner.enter(0, 6_001);
    let id = miner.mine(&line).template;
    assert_eq!(miner.text(id), Some("<*> <*> <*> <*> <*> <*> <*> <*> <*> <*> <*> <*>"));
    let mut restarted = Miner::new(&Config::default(), 5);
    restarted.restore(&rows(&miner, &[]));
    assert_eq!(restarted.len(), before);
    restarted.enter(1, 1);
    assert_ne!(restarted.mine(&line).template, id, "another source keeps its own");
    restarted.set_growth(0, Growth::remembered(miner.growth(0).detail(), 0));
    restarted.enter(0, 1);
    let junk = Junk(98).line(12);
    assert_eq!(restarted.mine(&junk).template, id);
    assert_eq!(restarted.len(), before + 1);
}

#[test]
fn coarse_templates_have_a_head_and_are_known_after_a_restart() {
    let mut miner = check_explosion(8..20, 1_500, Detail::TwoWords);
    miner.enter(0, 1_501);
    let id = miner.mine("disk 7 said many things that nobody understood").template;
    assert_eq!(miner.text(id), Some("disk <NUM> <*> <*> <*> <*> <*> <*>"));
    assert_eq!(id, TemplateId::of("disk <NUM> <*> <*> <*> <*> <*> <*>"));
    let mut restarted = Miner::new(&Config::default(), 5);
    restarted.restore(&rows(&miner, &[]));
    for miner in [&mut miner, &mut restarted] {
        miner.set_growth(0, Growth::remembered(Detail::TwoWords, 0));
        miner.enter(0, 2);
        assert_eq!(miner.mine("disk 8 says now what you never heard").template, id);
        miner.enter(1, 2);
        assert_eq!(miner.mine("disk 8 says now what you never heard").change, Some(Change::New));
    }
    // A word too long for a name stands for nothing.
    miner.enter(0, 1_502);
    let long = miner.mine(&format!("{} of old", "w".repeat(9_000))).template;
    assert!(miner.text(long).expect("has one").len() < 100);
}

#[test]
fn long_words_fill_no_memory() {
    let mut miner = miner();
    let mut junk = Junk(3);
    for line in 1..=2_000 {
        miner.enter(0, line);
        miner.mine(&junk.line(1_200).replace(' ', "x"));
    }
    let bytes: usize = miner.templates().map(|(_, text)| text.len()).sum();
    assert!(bytes < 1 << 20, "{bytes} bytes of text");
}

#[test]
fn the_seed_decides_nothing_in_an_explosion() {
    let mined = |seed| {
        let mut miner = Miner::new(&Config { max_templates: 400, max_shapes: 1_024 }, seed);
        let mut junk = Junk(5);
        let mut ids = Vec::new();
        for line in 1..=3_000 {
            miner.enter(0, line);
            ids.push(miner.mine(&junk.line(line as usize % 9 + 1)).template);
        }
        ids
    };
    assert_eq!(mined(1), mined(2));
}

#[test]
fn the_nearest_other_template_is_found() {
    let mut miner = miner();
    miner.mine("Accepted password for root from 10.0.0.1 port 22");
    miner.mine("the quick brown fox");
    let id = miner.mine("Failed password for root from 10.0.0.1 port 22").template;
    let near = miner.nearest("Failed password for root from 10.0.0.1 port 22");
    assert_eq!(near.map(|(_, text)| text), Some("Accepted password for root from <IP> port <NUM>"));
    assert_ne!(near.map(|(near, _)| near), Some(id));
    assert_eq!(miner.nearest("nothing in common here"), None);
    assert_eq!(miner.nearest(""), None);
}

#[test]
fn delimiters_cost_linear_time() {
    for unit in [
        " ",
        "\"",
        " \"",
        "'a ",
        ":",
        "::",
        "/",
        " /",
        "<",
        "a@",
        "-",
        "1-",
        "a:",
        "1.",
        "=",
        " a=",
        "http://",
        "0x",
        "é",
        ",\"a\":",
        "{\"a\":\"",
        " \"/a b",
        "'/a ",
        "~",
        "./",
        "[::1",
        "[::]:",
        "aa:",
        "aaaa.",
        "1 Jan ",
        "Jan 1, ",
        "P1",
        "“",
        "<a@b",
        "<1 ",
        "=on ",
        "a: = ",
        "a=true",
    ] {
        let mut miner = miner();
        let line = unit.repeat(64 * 1024 / unit.len());
        miner.mine(&line);
        assert!(miner.mine(&line).change.is_none(), "{unit:?}");
        Miner::mask(&line);
    }
}

proptest! {
    #[test]
    fn any_text_is_mined(text: String, other in "[ -~]{0,300}") {
        let mut miner = miner();
        for text in [&text, &other] {
            let first = miner.mine(text);
            let again = miner.mine(text);
            prop_assert_eq!(again, Mined { template: first.template, change: None, new_shape: false });
            prop_assert!(miner.text(first.template).is_some());
            miner.nearest(text);
        }
    }

    #[test]
    fn a_masked_text_with_larger_parts_is_masked(
        text in "(17|2005|5|Jun|June|Fri|AM|UTC|\\+0200|20:55:07|3:55|/a|\\./b|\\.\\./|C:/|~u/|c d\\.e|\\[::1\\]:80|\\[::\\]|:::8|aa:|0a1b\\.|PT5M|5\\.5S|MB|a@b\\.c|u@1\\.service|\\{\"a\":|,\"b\":|=f|=true|=no|: on|=null|X\\{abcdef|<1 sec| sec|<5ms|http://x|<NUM>|<PATH>|[ ,:;=\"'<>/.-]){0,24}"
    ) {
        let once = Miner::mask(&text);
        prop_assert_eq!(Miner::mask(&once), once);
    }

    /// Shapes know nothing of digits: what two messages that differ in digits are read as must not either.
    #[test]
    fn digits_decide_nothing(
        text in "(#{1,5}|#|Jun|Fri|AM|UTC|:|/a|\\./b|\\[::#\\]:#|aa:|a#|##-##|##\\.##|PT#M|MB|a@b#\\.c|u@#\\.service|\\{\"a\":|,\"b#\":|=f|[ ,=\"'<>/.-]){0,16}",
        left in "[0-9]", right in "[0-9]",
    ) {
        let mut miner = miner();
        let first = miner.mine(&text.replace('#', &left));
        let second = miner.mine(&text.replace('#', &right));
        prop_assert_eq!((second.template, second.new_shape), (first.template, false));
        // Without the shape.
        let mut other = self::miner();
        other.mine(&text.replace('#', &left));
        prop_assert_eq!(other.mine(&format!("{} ", text.replace('#', &right))).template, first.template);
    }

    #[test]
    fn a_masked_text_is_masked(
        text in "([a-zA-Z0-9]{1,9}|[0-9]{1,4}|0x[0-9a-f]{2}|/[a-z]{1,3}|[a-f0-9]{2}:|[ .:,;=/_+@\"'()<>\\[\\]-]){0,40}"
    ) {
        let once = Miner::mask(&text);
        prop_assert_eq!(Miner::mask(&once), once);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn a_restart_keeps_ids(
        lines in proptest::collection::vec("(user|job|[a-d]{1,2}|[0-9]{1,3}|x=[a-c],?|\"[ab] [ab]\"|\\{\"k\":(1|\"[a-g]( b)?\"|[a-c]),\"u\":\"[a-d]\"\\})( (user|job|[a-d]{1,2}|[0-9]{1,3}|x=[a-c]|\"[ab] [ab]\")){0,4}", 1..40)
    ) {
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let mut before = miner();
        let (_, merges) = mine_all(&mut before, &lines);
        let mut after = miner();
        after.restore(&rows(&before, &merges));
        let known: Vec<TemplateId> = before.templates().map(|(id, _)| id).collect();
        for id in mine_all(&mut after, &lines).0 {
            prop_assert!(known.contains(&id), "nothing is born again");
        }
    }
}
