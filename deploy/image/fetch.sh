#!/bin/bash
# Step 1 of build.sh: every package the image is made of, as a repository in $debs. Only this step uses the network.
#
# apt resolves against an empty machine in a directory of its own, so the build host's packages do not matter, and checks
# signatures. What it chose is written to a lock (sha256, file); later builds take exactly that, without the network.
set -euo pipefail
packages=$(grep -v '^#' "$here/packages.list" | xargs)
lock=$debs/lock

sources() {   # this machine's own Debian mirrors, for the wanted release
    local uris
    uris=${MIRROR:-$(apt-get indextargets --format '$(ORIGIN) $(REPO_URI)' 'Created-By: Packages' | sed -n 's/^Debian //p' | sort -u)}
    [ -n "$uris" ] || { echo "fetch.sh: this machine has no Debian sources; name a mirror with MIRROR=" >&2; exit 1; }
    for uri in $uris; do
        case $uri in
            *security*) printf 'deb %s %s main\ndeb-src %s %s main\n' "$uri" "$SUITE-security" "$uri" "$SUITE-security" ;;
            *) printf 'deb %s %s main\ndeb-src %s %s main\ndeb %s %s main\n' "$uri" "$SUITE" "$uri" "$SUITE" "$uri" "$SUITE-updates" ;;
        esac
    done
}

configure() {
    mkdir -p "$apt/lists/partial" "$debs/partial"
    sources > "$apt/sources.list"
    : > "$apt/status"
    cat > "$apt/apt.conf" <<-CONF
	Dir::State "$apt"; Dir::State::lists "$apt/lists"; Dir::State::status "$apt/status";
	Dir::Cache "$apt"; Dir::Cache::archives "$debs";
	Dir::Etc::sourcelist "$apt/sources.list"; Dir::Etc::sourceparts "/dev/null"; Dir::Etc::preferencesparts "/dev/null"; Dir::Etc::preferences "/dev/null";
	APT::Architecture "amd64"; APT::Architectures "amd64"; APT::Install-Recommends "false"; APT::Sandbox::User "root";
	Dpkg::Use-Pty "false"; Acquire::Retries "3";
	CONF
    export APT_CONFIG=$apt/apt.conf
}

hypervisor() {   # the hypervisor alone may be of another version than the tools: they speak the same 4.17 interface
    local name=xen-hypervisor-4.17-amd64 known
    known=$(apt-cache madison "$name" | awk '{print $3}' | sort -u | xargs)
    case $HYPERVISOR in
        newest) apt-get -qq download "$name" ;;
        rebuild) "$here/rebuild-hypervisor.sh" ;;
        *) if [[ " $known " == *" $HYPERVISOR "* ]]; then
                apt-get -qq download "$name=$HYPERVISOR"
            elif [ "$HYPERVISOR" = "$DEFAULT_HYPERVISOR" ]; then
                echo "fetch.sh: the archive no longer has $name $HYPERVISOR: rebuilding the newest source with shadow paging" >&2
                "$here/rebuild-hypervisor.sh"
            else
                echo "fetch.sh: the archive has no $name $HYPERVISOR; it has: $known (or say newest, or rebuild)" >&2
                return 1
            fi ;;
    esac
}

kernels() {
    local flavour
    for flavour in amd64 cloud-amd64; do
        apt-get -qq download "$(apt-cache depends "linux-image-$flavour" | sed -n 's/^ *Depends: *\(linux-image-[0-9]\S*\)$/\1/p' | head -1)"
    done
}

if [ -e "$lock" ] && (cd "$debs" && sha256sum --quiet --check lock); then
    echo "       $(wc -l < "$lock") packages from the cache"
    exit 0
fi
rm -rf --one-file-system "$debs"
apt=$work/apt
configure
apt-get -qq update
(cd "$debs" && hypervisor && kernels)
# shellcheck disable=SC2086  # a list of names
apt-get -qq -y --download-only install '?essential' $packages
(cd "$debs" && rmdir partial && rm -f lock && sha256sum -- *.deb > "$work/lock")
(cd "$debs" && apt-ftparchive packages . > Packages)
mv "$work/lock" "$lock"
echo "       $(wc -l < "$lock") packages, $(du -sh "$debs" | cut -f1)"
