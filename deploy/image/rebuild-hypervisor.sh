#!/bin/bash
# Build the hypervisor alone from Debian's newest source that the mirror has, with SHADOW_PAGING on, as a package of the
# same name in the current directory. For the day when the archive keeps only versions built without it. Called by
# fetch.sh, which has configured apt; a few minutes on two cores; needs gcc, make, flex, bison, python3 (installed by name).
set -euo pipefail
out=$PWD build=$work/xen-source name=xen-hypervisor-4.17-amd64
mkdir -p "$build"
cd "$build"

source_tree() {
    local version
    for version in $(apt-cache showsrc xen | sed -n 's/^Version: //p' | grep '^4\.17\.' | sort -rV); do
        apt-get -qq source --download-only "xen=$version" && break
        echo "rebuild-hypervisor.sh: the mirror does not have the source of xen $version" >&2
    done
    dpkg-source --no-check -x xen_*.dsc tree >&2
}

tools() {   # on the build host, with the build host's own apt
    local missing=""
    for tool in flex bison make gcc; do command -v "$tool" >/dev/null || missing+=" $tool"; done
    # shellcheck disable=SC2086  # a list of names
    [ -z "$missing" ] || env -u APT_CONFIG DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $missing >&2
}

hypervisor() {   # as debian/rules does it, with one option changed
    local arguments=(XEN_COMPILE_ARCH=x86_64 XEN_TARGET_ARCH=x86_64 -C tree/xen)
    cp tree/debian/xen-kconfig tree/xen/.config
    sed -i '/SHADOW_PAGING/d' tree/xen/.config
    echo CONFIG_SHADOW_PAGING=y >> tree/xen/.config
    make "${arguments[@]}" olddefconfig
    grep -q '^CONFIG_SHADOW_PAGING=y' tree/xen/.config || { echo "rebuild-hypervisor.sh: this source has no SHADOW_PAGING" >&2; exit 1; }
    make "${arguments[@]}" -j "$(nproc)" build
}

package() {
    local version
    version=$(dpkg-parsechangelog -l tree/debian/changelog -S Version)+shadow
    mkdir -p package/DEBIAN package/boot
    cp tree/xen/xen.gz package/boot/xen-4.17-amd64.gz
    cp tree/xen/.config package/boot/xen-4.17-amd64.config
    printf 'Package: %s\nVersion: %s\nArchitecture: amd64\nMaintainer: built here\nDescription: Xen with shadow paging\n' "$name" "$version" \
        > package/DEBIAN/control
    dpkg-deb --root-owner-group -b package "$out/${name}_${version}_amd64.deb"
}

source_tree
tools
export XEN_BUILD_DATE XEN_BUILD_TIME XEN_BUILD_HOST=flexcapsule XEN_BUILD_POSIX_DATE=$SOURCE_DATE_EPOCH
XEN_BUILD_DATE=$(date -u -d "@$SOURCE_DATE_EPOCH") XEN_BUILD_TIME=$(date -u -d "@$SOURCE_DATE_EPOCH" +%T)
hypervisor > "$build/log" 2>&1 || { tail -20 "$build/log" >&2; exit 1; }
package >&2
