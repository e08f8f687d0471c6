#!/bin/bash
# Build the cloud VM image: Xen, a Linux management VM, and the Linux app VM that measurements are controlled with.
#
#   build.sh            build, or do nothing where this very image is built already; prints the image's directory
#   build.sh --where    print the directory only
#
# Settings, all from the environment (empty = default):
#   HYPERVISOR   Debian version of the hypervisor package; `newest`; or `rebuild` = newest source with SHADOW_PAGING on
#   AGENT        `seed`: leave the agent out, a lab's seed disk carries it; default: this checkout's, in the image
#   SUITE        Debian release to take packages from         MIRROR    where from; default: this machine's apt sources
#   CACHE        default ${XDG_CACHE_HOME:-~/.cache}/flexcapsule      IMAGE_MB  size of the root file system
#
# Three steps, each a file here: fetch.sh is the only one that uses the network, and does nothing when the cache holds what
# its lock names; assemble.sh makes the disk; guest/build.sh makes the app VM. Same inputs, same directory name.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# 4.17.5 is the last 4.17 that Debian built with SHADOW_PAGING, without which no paravirtual guest can migrate live.
export DEFAULT_HYPERVISOR=4.17.5+72-g01140da4e8-1
export HYPERVISOR=${HYPERVISOR:-$DEFAULT_HYPERVISOR}
export SUITE=${SUITE:-bookworm} MIRROR=${MIRROR:-} IMAGE_MB=${IMAGE_MB:-640}
export CACHE=${CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/flexcapsule}
export AGENT=${AGENT:-image} PACKAGE=$here/..   # installed from a wheel, the builder is a folder of the package
[ -d "$PACKAGE/agent" ] || PACKAGE=$here/../../autoscaler
export LC_ALL=C.UTF-8 SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-1767225600} TZ=UTC

identity=$(cd "$here" && { echo "$HYPERVISOR $SUITE $IMAGE_MB $SOURCE_DATE_EPOCH"; find . -type f -print0 | sort -z | xargs -0 sha256sum
    [ "$AGENT" = seed ] || (cd "$PACKAGE" && find agent errors.py -name '*.py' -print0 | sort -z | xargs -0 sha256sum); } |
    sha256sum | cut -c1-12)
image=$CACHE/images/$identity
[ "${1:-}" != --where ] || { echo "$image"; exit 0; }
[ ! -e "$image/manifest.json" ] || { echo "$image"; exit 0; }
[ "$(id -u)" = 0 ] || { echo "build.sh: needs root (it makes a Debian root file system)" >&2; exit 1; }

mkdir -p -m 700 "$CACHE"
exec 9>"$CACHE/build.lock"
flock 9   # a second build waits, then finds the work done
[ ! -e "$image/manifest.json" ] || { echo "$image"; exit 0; }
rm -rf --one-file-system "$CACHE"/build.?????? "$image"   # what builds left that were killed: the lock says none is at work
work=$(mktemp -d "$CACHE/build.XXXXXX")
debs=$CACHE/debs/$({ echo "$SUITE $HYPERVISOR"; cat "$here/packages.list" "$here/rebuild-hypervisor.sh"; } | sha256sum | cut -c1-12)
export work here debs
trap 'rm -rf --one-file-system "$work"' EXIT
trap 'exit 143' TERM INT
say() { printf '%4ds  %s\n' "$SECONDS" "$*" >&2; }
step() {   # in the background, so that an end asked for is heeded at once; its whole process group goes with it
    setsid "$@" >&2 & child=$!
    trap 'kill -TERM -- "-$child" 2>/dev/null; exit 143' TERM INT
    wait "$child"
}
forget() {   # all but the newest three of a kind, unless a lab's record names it
    # shellcheck disable=SC2012  # names are digests
    ls -dt "$CACHE/$1"/* | tail -n +4 | while read -r old; do
        grep -qs "$old" "$CACHE"/labs/*/lab.json || rm -rf --one-file-system "$old"; done
}
mkdir -p "$work/image" "$CACHE/images"

say "packages of $SUITE, hypervisor $HYPERVISOR"
step "$here/fetch.sh"
say "root file system, kernel, disk (without network)"
step unshare --net "$here/assemble.sh"
say "Linux app VM"
step unshare --net "$here/guest/build.sh"
"$here/manifest.py" "$work" "$debs" "$SUITE" "$SECONDS" > "$work/image/manifest.json.part"
mv "$work/image/manifest.json.part" "$work/image/manifest.json"
mv "$work/image" "$image"
forget images
forget debs
say "built, $(du -sh "$image" | cut -f1)"
echo "$image"
