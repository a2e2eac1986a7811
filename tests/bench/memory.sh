#!/usr/bin/env bash
# Fails when memory grows with what comes in: a million names that nobody had before, words without end, a huge line.
# Needs a release build: the binary to measure is the first argument, target/release/logwren without one.
#
#   LINES=10000000 HUGE=1000000000 tests/bench/memory.sh     # the same by the tens of millions
limit=32 # MiB, peak resident
set -euo pipefail
cd "$(dirname "$0")/../.."
binary=${1:-target/release/logwren}
lines=${LINES:-1000000}
huge=${HUGE:-67108864}
[ -x "$binary" ] || { echo "error: no $binary"; echo "  hint: cargo build --release --locked"; exit 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkfifo "$work/in"

# Numbered lines: what comes before a name, how many names, what comes behind.
names() {
  awk -v lines="$lines" -v before="$1" -v words="$2" -v behind="$3" 'BEGIN {
    for (line = 0; line < lines; line++) {
      text = before
      for (word = 0; word < words; word++) {
        # Every number has other letters; odd steps mix them.
        rest = (line * words + word) * 7919 + 26 ^ 5
        while (rest > 0) { text = text sprintf("%c", 97 + rest % 26); rest = int(rest / 26) }
        if (word < words - 1) text = text " "
      }
      print text behind
    }
  }'
}

check() {
  local what=$1 expected=$2 templates=$3 peak cpu
  shift 3
  "$binary" templates - <"$work/in" >"$work/out" 2>"$work/said" &
  local pid=$!
  exec 3>"$work/in"
  "$@" >&3
  # All but the last of it is read: the pipe holds little. Its end is still to come.
  sleep 0.5
  peak=$(awk '/VmHWM/ { print $2 }' "/proc/$pid/status")
  cpu=$(awk -v ticks="$(getconf CLK_TCK)" '{ print ($14 + $15) / ticks }' "/proc/$pid/stat")
  exec 3>&-
  wait "$pid" || { cat "$work/said"; echo "error: $what: not read to its end"; exit 1; }
  local read found
  read=$(awk 'NR > 1 { sum += $1 } END { print sum + 0 }' "$work/out")
  found=$(($(wc -l <"$work/out") - 1))
  echo "$what: $read lines, $found templates, $((peak / 1024)) MiB at its peak, $cpu CPU-s"
  sed 's/^/  /' "$work/said"
  [ "$read" -eq "$expected" ] || { echo "error: not $expected lines"; exit 1; }
  [ "$found" -le "$templates" ] || { echo "error: more than $templates templates"; exit 1; }
  [ "$peak" -le $((limit * 1024)) ] || { echo "error: more than $limit MiB"; exit 1; }
}

huge_line() {
  head -c "$huge" /dev/zero | tr '\0' x
  echo
}

check "names" "$lines" 1 names "Nov 22 05:55:40 web-03 sshd[7]: Invalid user " 1 " from 10.0.0.1"
check "words without end" "$lines" 4000 names "" 2 ""
check "one word a line" "$lines" 4000 names "" 1 ""
check "a huge line" 1 1 huge_line
