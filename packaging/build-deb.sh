#!/usr/bin/env bash
# Makes target/debian/logwren_VERSION_ARCH.deb with nothing but dpkg-deb, which every Debian has.
#   packaging/build-deb.sh [BINARY]      without BINARY, builds it first
set -euo pipefail
cd "$(dirname "$0")/.."
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}
umask 022

if [ $# -ge 1 ]; then binary=$1; else cargo build --locked --profile dist; binary=target/dist/logwren; fi
# The version is the one of Cargo.toml with the Debian revision of the changelog.
version=$(sed -nE '1s/.*\((.*)\).*/\1/p' packaging/changelog)
case $version in "$("$binary" --version | cut -d' ' -f2)"-*) ;; *) echo "packaging/changelog is of $version, the binary is not" >&2; exit 1 ;; esac
arch=$(dpkg --print-architecture)

root=$(mktemp -d); trap 'rm -rf "$root"' EXIT
chmod 755 "$root"
packaging/stage.sh "$root" "$binary"
doc="$root/usr/share/doc/logwren"
gzip -9n <packaging/changelog >"$doc/changelog.Debian.gz"
install -m 644 packaging/debian/copyright "$doc/copyright"

# The newest symbol version of libc that the binary asks for is the oldest libc it runs with.
libc=$(objdump -T "$root/usr/bin/logwren" | grep -oE 'GLIBC_[0-9]+\.[0-9]+' | sort -Vu | tail -1 | cut -d_ -f2)
install -d "$root/DEBIAN"
for script in conffiles postinst prerm postrm; do
  install -m "$([ "$script" = conffiles ] && echo 644 || echo 755)" "packaging/debian/$script" "$root/DEBIAN/$script"
done
sed -e "s/@VERSION@/$version/; s/@ARCH@/$arch/; s/@LIBC@/${libc:?}/" -e "s/@SIZE@/$(du -sk --exclude=DEBIAN "$root" | cut -f1)/" \
  packaging/debian/control >"$root/DEBIAN/control"
(cd "$root" && find . -path ./DEBIAN -prune -o -type f ! -path './etc/*' -printf '%P\0' | LC_ALL=C sort -z | xargs -0 md5sum >DEBIAN/md5sums)
install -d target/debian
dpkg-deb --root-owner-group --build "$root" "target/debian/logwren_${version}_${arch}.deb"
