#!/bin/sh
# fetch.sh NAME DIRECTORY: Debian's source package NAME, by name, checked against the digests beside this file, unpacked
# with Debian's patches (and none of ours) into DIRECTORY/NAME. Which mirror it comes from is the machine's own
# configuration: the binary sources it has, asked for sources instead, in lists of our own, so that the machine's
# stay untouched.
set -eu
name=$1 here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$2" && cd "$2"
exec 9> .lock && flock 9  # `make -j` asks for several at once, and apt has one lock for its lists
[ ! -e "$name/.complete" ] || exit 0
command -v apt-get >/dev/null && command -v dpkg-source >/dev/null || {
    echo "libos: needs apt-get and dpkg-source to fetch the source of $name: deploy/setup/packages.sh libos" >&2; exit 1; }
files=$(sed -n "s/^[0-9a-f]*  \($name\/.*\)$/\1/p" "$here/digests.sha256")
[ -n "$files" ] || { echo "libos: no digests for the source of $name in sources/digests.sha256" >&2; exit 1; }
if ! (mkdir -p archives && cd archives && grep "  $name/" "$here/digests.sha256" | sha256sum --check --status 2>/dev/null); then
    mkdir -p apt/parts apt/lists/partial "archives/$name"
    for list in /etc/apt/sources.list.d/debian*.sources; do
        [ ! -e "$list" ] || sed 's/^Types:.*/Types: deb-src/' "$list" > "apt/parts/$(basename "$list")"
    done
    [ ! -e /etc/apt/sources.list ] || sed -n 's/^deb /deb-src /p' /etc/apt/sources.list > apt/parts/debian.list
    options="-o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts=$PWD/apt/parts -o Dir::State::Lists=$PWD/apt/lists -o APT::Sandbox::User=root"
    version=$(sed -n "s/^# $name //p" "$here/digests.sha256")
    # shellcheck disable=SC2086  # options are words
    apt-get $options update -qq && (cd "archives/$name" && apt-get $options source -qq --download-only "$name=$version") || {
        echo "libos: could not get the source package $name=$version" >&2; exit 1; }
    (cd archives && grep "  $name/" "$here/digests.sha256" | sha256sum --check --quiet) || {
        echo "libos: the source of $name is not the one this was built with (sources/digests.sha256)" >&2; exit 1; }
fi
rm -rf "$name"
dpkg-source --no-check --no-copy -x archives/"$name"/*.dsc "$name" >/dev/null
touch "$name/.complete"
