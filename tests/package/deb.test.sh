#!/usr/bin/env bash
# The Debian packages: built, checked by lintian, installed, upgraded, removed and purged in a fresh Debian by piuparts, and
# by hand where data is in the folder. Needs root and a Debian mirror. Prints TAP; exit status 1 on a failure.
#
#   BUILD=build tests/package/deb.test.sh
#
# The fresh Debian is kept as $BUILD/bookworm.tar.gz.
set -u
cd "$(dirname "$0")/../.." || exit
. tests/lint/tap.sh

if [ "$(id -u)" -ne 0 ]; then
    skip 'the packages' 'not root'
    finish
    exit
fi
base=$BUILD/bookworm.tar.gz
root=$work/root
trap 'umount "$root/proc" 2>/dev/null; rm -rf "$work"' EXIT

builds() {
    env -u MAKEFLAGS -u MAKELEVEL make --no-print-directory BUILD="$BUILD" deb && debs=("$BUILD"/deb/*_*.deb) && [ ${#debs[@]} -ge 3 ]
}

lintian_is_silent() {
    lintian --allow-root --fail-on error,warning "$BUILD"/deb/*.changes >"$work/lintian" && cat "$work/lintian" && ! grep -q '^[EW]: ' "$work/lintian"
}

# The same packages under a later version, to upgrade to.
later() {
    mkdir -p "$work/later"
    local deb
    for deb in "$BUILD"/deb/*.deb; do
        case $deb in *dbgsym*) continue ;; esac
        dpkg-deb -R "$deb" "$work/unpacked" &&
            sed -i -E 's/^Version: .*/&+later/; s/(libtrivet-merge0 \(= [^)]*)\)/\1+later)/' "$work/unpacked/DEBIAN/control" &&
            dpkg-deb -b "$work/unpacked" "$work/later" || return
        rm -rf "$work/unpacked"
    done
}

has_base() {
    [ -s "$base" ] && return
    debootstrap --variant=minbase bookworm "$work/bootstrap" &&
        tar -C "$work/bootstrap" -czf "$base.new" . && mv "$base.new" "$base"
    rm -rf "$work/bootstrap"
}

# Installs, purges, and looks for what stayed behind; then the same by way of an upgrade.
piuparts_passes() {
    local packages=() deb repository=$work/repository
    for deb in "$BUILD"/deb/*.deb; do case $deb in *dbgsym*) ;; *) packages+=("$deb") ;; esac; done
    # One of them depends on another, which apt must find somewhere.
    mkdir -p "$repository" && cp "${packages[@]}" "$repository" && (cd "$repository" && dpkg-scanpackages . >Packages 2>/dev/null) || return
    chmod -R a+rX "$work"
    piuparts -d bookworm -b "$base" --no-eatmydata --warn-on-others --bindmount "$repository" \
        --extra-repo "deb [trusted=yes] file://$repository ./" "${packages[@]}" >"$work/piuparts.log" 2>&1 ||
        { tail -40 "$work/piuparts.log"; false; }
}

inside() {
    chroot "$root" env -u TMPDIR DEBIAN_FRONTEND=noninteractive HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"
}

installs() {
    mkdir -p "$root" && tar -C "$root" -xzf "$base" && cp /etc/resolv.conf "$root/etc/" 2>/dev/null
    mount -t proc proc "$root/proc"
    cp "$BUILD"/deb/trivet_*.deb "$root/tmp/"
    inside sh -c 'apt-get -qq update && apt-get install -qq -y --no-install-recommends /tmp/trivet_*.deb' &&
        test -d "$root/etc/trivet" # where README.md and trivet.conf(5) have the settings put
}

# As the unit starts it: its user, its folder.
runs_as_its_user() {
    # shellcheck disable=SC2016 # expanded inside
    inside sh -c 'test "$(stat -c %U:%a /var/lib/trivet)" = trivet:700 &&
        setpriv --reuid trivet --regid trivet --clear-groups env HOME=/var/lib/trivet trivet add --data /var/lib/trivet milk'
}

upgrades_with_data() {
    rm -f "$root"/tmp/*.deb && cp "$work"/later/trivet_*.deb "$root/tmp/" && inside sh -c 'dpkg -i /tmp/trivet_*.deb' &&
        inside trivet list --data /var/lib/trivet | grep milk
}

removal_keeps_data() {
    inside apt-get remove -qq -y trivet && test -s "$root/var/lib/trivet/trivet.db"
}

# Lists that someone wrote are not a package's to throw away; it says where they are.
purge_keeps_data() {
    inside apt-get purge -qq -y trivet | tee "$work/purge.log" && test -s "$root/var/lib/trivet/trivet.db" &&
        grep -q '/var/lib/trivet' "$work/purge.log" && [ ! -e "$root/etc/trivet" ]
}

check 'make deb' builds
check 'lintian has nothing to say' lintian_is_silent
check 'a later version of them' later
check 'a fresh Debian' has_base
check 'piuparts: installs and purges without a trace' piuparts_passes
check 'installs' installs
check 'its user can keep data where the service does' runs_as_its_user
check 'an upgrade keeps it' upgrades_with_data
check 'so does removal' removal_keeps_data
check 'and a purge' purge_keeps_data
finish
