#!/usr/bin/env python3
"""Measures what the miner promises, in one run, and prints a Markdown table. Whole processes; CPU is user + system.

  cargo build --release --locked
  tests/bench/table.py --corpus DIR [--loghub DIR] [--drain3 PYTHON INI] [--rounds 5] [--binary target/release/logwren]

DIR of the corpus holds syslog.log and, for the novelty rows, syslog.log.labels: a little-endian u16 a line, 0 for a line
of a template that was injected and never said before. DIR of LogHub holds */*_2k.log with their *_structured.csv. PYTHON
is an interpreter that has the package drain3, INI its example config. What is not given is not measured. The programs
take turns, A B C A B C, and medians are compared, so that a busy machine slows all of them. Nothing here is a test:
tests/bench/instructions.sh is.
"""
import argparse, collections, csv, os, pathlib, statistics, subprocess, sys, tempfile, threading, time

DRAIN3 = pathlib.Path(__file__).with_name("drain3_run.py")


def run(command, **options):
    """CPU seconds, wall seconds and peak resident KiB of a process."""
    begin = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)
    peak = [0]

    # What wait4 says of memory begins with our own: a child is a copy of us before it is itself.
    def watch():
        while process.returncode is None:
            try:
                for line in open(f"/proc/{process.pid}/status"):
                    if line.startswith("VmHWM"):
                        peak[0] = max(peak[0], int(line.split()[1]))
            except OSError:
                return
            time.sleep(0.01)

    watcher = threading.Thread(target=watch)
    watcher.start()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    watcher.join()
    if process.returncode != 0:
        sys.exit(f"error: {command[0]} ended with {process.returncode}: {' '.join(map(str, command))}")
    return usage.ru_utime + usage.ru_stime, time.monotonic() - begin, peak[0]


def speed(args, rows):
    log = args.corpus / "syslog.log"
    lines = sum(block.count(b"\n") for block in iter(lambda file=open(log, "rb"): file.read(1 << 20), b""))
    size = log.stat().st_size
    help_text = subprocess.run([args.binary, "templates", "--help"], capture_output=True, text=True).stdout
    programs = {"wc": ["wc", "-l", log]}
    threads = [1, 2] if "--threads" in help_text else [None]
    for count in threads:
        programs[count] = [args.binary, "templates", log] + ([] if count is None else ["--threads", str(count)])
    if args.drain3:
        python, ini = args.drain3
        for count in (0, args.drain3_lines):
            programs["drain3", count] = [python, DRAIN3, ini, log, str(count)]
    seen = collections.defaultdict(list)
    for turn in range(args.rounds):
        for name, command in programs.items():
            seen[name].append(run(command))
            print(f"round {turn + 1}: {name}: {seen[name][-1][0]:.2f} CPU-s", file=sys.stderr)
    cpu = {name: statistics.median(one[0] for one in runs) for name, runs in seen.items()}
    wall = {name: statistics.median(one[1] for one in runs) for name, runs in seen.items()}
    each = cpu[threads[0]] / lines
    if args.drain3:
        start, there = cpu["drain3", 0], cpu["drain3", args.drain3_lines]
        drain3 = (there - start) / args.drain3_lines
        rows.append(("against Drain3, its own drain3.ini, CPU per line", f"{drain3 / each:.0f}x",
                     f"{1 / drain3:,.0f} lines/CPU-s over {args.drain3_lines:,} lines, start of {start:.2f} s left out"))
    rows.append(("CPU of `wc -l` on the same file", f"{cpu[threads[0]] / cpu['wc']:.1f}x", f"{cpu['wc']:.3f} CPU-s"))
    rows.append(("absolute, one core", f"{1 / each / 1e6:.2f} M lines/CPU-s",
                 f"{lines:,} lines, {size / 1e6:.0f} MB, {cpu[threads[0]]:.2f} CPU-s"))
    if len(threads) > 1:
        rows.append(("CPU of two threads against one", f"{cpu[2] / cpu[1]:.2f}x",
                     f"wall {wall[1] / wall[2]:.2f}x faster at load {os.getloadavg()[0]:.1f}"))
    peak = max(one[2] for count in threads for one in seen[count])
    rows.append(("peak resident memory", f"{peak / 1024:.1f} MiB", "VmHWM"))


def assignments(args, log):
    """The template id of each line of a log, as the binary says."""
    with tempfile.TemporaryDirectory() as directory:
        path = pathlib.Path(directory) / "a.csv"
        run([args.binary, "templates", log, "--assignments", path])
        with open(path) as file:
            next(file)
            return [sys.intern(line.rstrip("\n").split(",")[1]) for line in file]


def agreement(groups, truth):
    """GA: lines whose group is exactly a true one. FGA: F1 of groups that are exactly true ones."""
    sizes = collections.Counter(truth)
    found = collections.defaultdict(collections.Counter)
    for group, event in zip(groups, truth, strict=True):
        found[group][event] += 1
    exact = [sum(events.values()) for events in found.values() if len(events) == 1 and dict(events).items() <= sizes.items()]
    return sum(exact) / len(truth), 2 * len(exact) / (len(found) + len(sizes))


def accuracy(args, rows):
    scores = []
    for table in sorted(args.loghub.glob("**/*_structured.csv")):
        with open(table, newline="") as file:
            truth = [row["EventId"] for row in csv.DictReader(file)]
        lines = table.with_name(table.name.removesuffix("_structured.csv")).read_bytes().removesuffix(b"\n").split(b"\n")
        # These sets carry their labels in the first column: it is no part of the log.
        if table.name.startswith(("BGL", "Thunderbird", "Spirit")):
            lines = [line.partition(b" ")[2] for line in lines]
        with tempfile.NamedTemporaryFile(suffix=".log") as log:
            log.write(b"\n".join(lines) + b"\n")
            log.flush()
            scores.append((table.name.split("_")[0], *agreement(assignments(args, log.name), truth)))
    for name, ga, fga in scores:
        print(f"{name}: GA {ga:.3f}, FGA {fga:.3f}", file=sys.stderr)
    for row, at in (("grouping accuracy (GA), raw lines", 1), ("F1 of grouping (FGA), raw lines", 2)):
        worst = min(scores, key=lambda score: score[at])
        rows.append((row, f"{statistics.mean(score[at] for score in scores):.4f}",
                     f"mean of {len(scores)} sets; worst {worst[0]} {worst[at]:.3f}"))


def novelty(args, rows):
    log = args.corpus / "syslog.log"
    labels = memoryview((args.corpus / "syslog.log.labels").read_bytes()).cast("H")
    ids = assignments(args, log)
    if len(ids) != len(labels):
        sys.exit(f"error: {len(ids)} assignments for {len(labels)} labels")
    warm = len(ids) // 10
    known = set(ids[:warm])
    new = right = 0
    for at in range(warm, len(ids)):
        if ids[at] not in known:
            known.add(ids[at])
            new += 1
            right += labels[at] == 0
    rows.append(("new-template precision after 10 % warm-up", f"{right / max(new, 1):.3f}", f"{right} of {new} new ids"))
    injected = sum(label == 0 for label in labels[warm:])
    rows.append(("injected lines with a template of their own", f"{right / max(injected, 1):.3f}",
                 f"{right} of {injected}; the others joined an injected one"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default="target/release/logwren")
    parser.add_argument("--corpus", type=pathlib.Path)
    parser.add_argument("--loghub", type=pathlib.Path)
    parser.add_argument("--drain3", nargs=2, metavar=("PYTHON", "INI"))
    parser.add_argument("--drain3-lines", type=int, default=40_000)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    rows = []
    if args.corpus:
        speed(args, rows)
    if args.loghub:
        accuracy(args, rows)
    if args.corpus and (args.corpus / "syslog.log.labels").exists():
        novelty(args, rows)
    print("| what | measured | how |\n|---|---|---|")
    for row in rows:
        print("| " + " | ".join(row) + " |")


main()
