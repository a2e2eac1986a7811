#!/usr/bin/env bash
# Installs the tools that `cargo bench --bench analyze` compares with, on Debian, as root. Those that no registry has are
# built from a checkout, and left out, with a word, where none is named.
#
#   LOGJUICER=checkout-of-logjuicer DRAIN3_INI=examples/drain3.ini-of-Drain3 tests/bench/peers.sh DIRECTORY
#   LOGWREN_PEERS=DIRECTORY cargo bench --bench analyze -- peers
set -euo pipefail
folder=${1:?"say where to: tests/bench/peers.sh DIRECTORY"}
mkdir -p "$folder/bin"
folder=$(realpath "$folder")

apt-get update -q
DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
  fail2ban lnav logcheck-database python3-venv swatch

cargo install logdrain-cli --version 0.3.2 --locked --root "$folder"

python3 -m venv "$folder/drain3"
"$folder/drain3/bin/pip" install --quiet --disable-pip-version-check drain3==0.9.11
if [ -n "${DRAIN3_INI:-}" ]; then
  cp "$DRAIN3_INI" "$folder/drain3.ini"
else
  echo "left out: Drain3; DRAIN3_INI names the example config of its repository"
fi

if [ -n "${LOGJUICER:-}" ]; then
  cargo build --release --locked --manifest-path "$LOGJUICER/Cargo.toml" -p logjuicer-cli --target-dir "$folder/build"
  cp "$folder/build/release/logjuicer" "$folder/bin/"
else
  echo "left out: logjuicer; LOGJUICER names a checkout of it"
fi
