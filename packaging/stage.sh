#!/usr/bin/env bash
# Lays out everything a package installs below DIR, for any package format.
#   packaging/stage.sh DIR [BINARY]
set -euo pipefail
[ $# -ge 1 ] || { sed -n '2,3s/^# //p' "$0" >&2; exit 64; }
cd "$(dirname "$0")/.."
root=$1 binary=${2:-target/release/logwren}
umask 022

install -D -m 755 "$binary" "$root/usr/bin/logwren"
install -D -m 644 systemd/logwren.service "$root/usr/lib/systemd/system/logwren.service"
install -D -m 644 config/logwren.toml "$root/etc/logwren/logwren.toml"
install -d -m 755 "$root/etc/logwren/rules.d"
install -d -m 700 "$root/etc/logwren/credentials"

man="$root/usr/share/man/man1/logwren.1.gz"
install -d "${man%/*}" "$root/usr/share/bash-completion/completions" "$root/usr/share/zsh/vendor-completions" \
  "$root/usr/share/fish/vendor_completions.d"
"$binary" man | gzip -9n >"$man"
"$binary" completions bash >"$root/usr/share/bash-completion/completions/logwren"
"$binary" completions zsh >"$root/usr/share/zsh/vendor-completions/_logwren"
"$binary" completions fish >"$root/usr/share/fish/vendor_completions.d/logwren.fish"

doc="$root/usr/share/doc/logwren"
install -d "$doc/examples" "$doc/rules.d"
install -m 644 config/examples/*.toml "$doc/examples/"
install -m 644 config/rules.d/*.toml "$doc/rules.d/"
install -m 644 config/logwren.toml "$doc/logwren.toml"
install -m 644 README.md "$doc/README.md"
