#!/bin/sh
# Install what pip cannot, by Debian package name: `packages.sh base|live|lab|libvirt|libos|fuzz|monitoring`. Does nothing where it is there already.
# Not root, or not Debian: says what to install and goes on, so that the next step's own error is not the first sign.
set -eu
missing() { for package in "$@"; do dpkg -s "$package" >/dev/null 2>&1 || printf '%s ' "$package"; done; }
case "${1:-base}" in
    base) python3 -c 'import ensurepip, venv' 2>/dev/null && wanted="" || wanted="python3-venv" ;;
    live) command -v dpkg >/dev/null && wanted=$(missing libvirt-dev pkg-config python3-dev gcc haproxy) || wanted="libvirt-dev pkg-config haproxy" ;;
    lab) packages="qemu-system-x86 qemu-utils mmdebstrap apt-utils fdisk e2fsprogs cpio kmod lz4 xz-utils grub-common grub-pc-bin
             gcc libc6-dev iproute2 procps openssh-client socat libvirt-clients"
         # shellcheck disable=SC2086  # a list of names
         command -v dpkg >/dev/null && wanted=$(missing $packages) || wanted=$packages ;;
    libvirt) packages="libvirt-daemon libvirt-daemon-driver-qemu libvirt-clients qemu-system-x86 iproute2 gcc libc6-dev e2fsprogs cpio"
         # shellcheck disable=SC2086  # a list of names
         command -v dpkg >/dev/null && wanted=$(missing $packages) || wanted=$packages ;;
    libos) packages="libxen-dev dpkg-dev gcc make xz-utils cpio tcl"
         # shellcheck disable=SC2086  # a list of names
         command -v dpkg >/dev/null && wanted=$(missing $packages) || wanted=$packages ;;
    fuzz) packages="clang libclang-rt-14-dev" # the second is what clang only recommends: sanitizers and libFuzzer
         # shellcheck disable=SC2086  # a list of names
         command -v dpkg >/dev/null && wanted=$(missing $packages) || wanted=$packages ;;
    monitoring) command -v dpkg >/dev/null && wanted=$(missing prometheus chromium python3-seccomp systemd) || wanted="prometheus chromium python3-seccomp systemd" ;;
    *) echo "usage: packages.sh base|live|lab|libvirt|libos|fuzz|monitoring" >&2; exit 2 ;;
esac
[ -n "$wanted" ] || exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "installing Debian packages: $wanted"
    apt-get update -qq
    # shellcheck disable=SC2086  # a list of names
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $wanted >/dev/null
else
    echo "please install: $wanted" >&2
fi
