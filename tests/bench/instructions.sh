#!/usr/bin/env bash
# Fails when a line of syslog costs more than so many instructions in steady state, from bytes to counted template, or
# when hostile lines cost more than their length. Instructions do not depend on how busy the machine is. Needs valgrind and
# a release build: the binary to measure is the first argument, target/release/logwren without one.
limit=1100 # instructions a line
set -euo pipefail
cd "$(dirname "$0")/../.."
binary=${1:-target/release/logwren}
[ -x "$binary" ] || { echo "error: no $binary"; echo "  hint: cargo build --release --locked"; exit 2; }
command -v valgrind >/dev/null || { echo "error: no valgrind"; echo "  hint: apt-get install valgrind"; exit 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Four hosts, nine programs, varying numbers, addresses and words; the same bytes on every machine.
generate() {
  awk -v lines="$1" 'BEGIN {
    seed = 1
    split("web-01 web-02 db-01 gw", hosts, " ")
    for (line = 0; line < lines; line++) {
      seed = (seed * 1103515245 + 12345) % 2147483648; a = int(seed / 65536)
      seed = (seed * 1103515245 + 12345) % 2147483648; b = int(seed / 65536)
      second = int(line / 50)
      printf "Nov %2d %02d:%02d:%02d %s ", 1 + int(second / 86400), int(second / 3600) % 24, int(second / 60) % 60,
        second % 60, hosts[1 + int(line / 20) % 4]
      kind = a % 9
      address = "10." a % 200 "." b % 250 "." (a + b) % 250
      if (kind == 0) print "sshd[" b "]: Failed password for invalid user admin from " address " port " 1024 + a " ssh2"
      else if (kind == 1) print "sshd[" b "]: pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=" address
      else if (kind == 2) print "CRON[" b "]: (root) CMD (   cd / && run-parts --report /etc/cron.hourly)"
      else if (kind == 3) print "kernel: [" b "." 100000 + a "] eth" a % 4 ": link up, " b " Mbps, full duplex, flow control rx/tx"
      else if (kind == 4) print "systemd[1]: Started Session " b " of user root."
      else if (kind == 5) print "postfix/smtpd[" b "]: connect from unknown[" address "]"
      else if (kind == 6) print "dhclient: DHCPREQUEST on eth0 to " address " port 67 (xid=0x" sprintf("%08x", a * b) ")"
      else if (kind == 7) print "named[" b "]: client " address "#" a ": query (cache) denied, view external, took " a % 90 "ms"
      else print "app[" b "]: request " a * b " served in " b % 900 " ms, status 200, bytes=" a
    }
  }' >"$work/$1.log"
}

# Forty lines of nothing but delimiters, quotes and openings of values, each as long as asked for and of a shape of its own.
delimiters() {
  awk -v bytes="$1" 'BEGIN {
    count = split(" |:|\"|\047a |=|[|/|a@|::1|1-|<|http://|0x|\\|{\"a\":|<1>|10.|a=\"|type=|\303\251", units, "|")
    for (line = 0; line < 2 * count; line++) {
      unit = units[1 + line % count]
      while (length(unit) < bytes) unit = unit unit
      print substr(unit, 1, bytes) " " sprintf("%c%c", 97 + line % 26, 97 + int(line / 26))
    }
  }' >"$work/delimiters-$1.log"
}

# Lines of words that nobody said before.
words() {
  awk -v lines="$1" 'BEGIN {
    seed = 1
    for (line = 0; line < lines; line++) {
      text = ""
      for (letter = 0; letter < 60; letter++) {
        seed = (seed * 1103515245 + 12345) % 2147483648
        text = text sprintf("%c", 97 + int(seed / 65536) % 26) (letter % 10 == 9 ? " " : "")
      }
      print text
    }
  }' >"$work/words-$1.log"
}

instructions() {
  valgrind --tool=callgrind --callgrind-out-file=/dev/null "$binary" templates "$1" 2>&1 >/dev/null |
    sed -n 's/.*Collected *: *\([0-9]*\).*/\1/p'
}

# Four times as much may cost a little more than four times: tables grow into colder shapes of themselves, time must not.
linear() {
  local what=$1 little=$2 much=$3 nothing
  : >"$work/nothing.log"
  nothing=$(instructions "$work/nothing.log")
  little=$(($(instructions "$little") - nothing))
  much=$(($(instructions "$much") - nothing))
  echo "four times as much of $what costs $((much * 100 / little)) % of the instructions; at most 500 %"
  [ "$much" -le $((little * 5)) ]
}

generate 20000
generate 60000
few=$(instructions "$work/20000.log")
many=$(instructions "$work/60000.log")
each=$(((many - few) / 40000))
echo "$each instructions a line; at most $limit"
[ "$each" -le "$limit" ]

delimiters 16384
delimiters 65536
linear "delimiters" "$work/delimiters-16384.log" "$work/delimiters-65536.log"
words 5000
words 20000
linear "words nobody said before" "$work/words-5000.log" "$work/words-20000.log"
