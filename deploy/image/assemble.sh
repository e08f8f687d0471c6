#!/bin/bash
# Step 2 of build.sh: from the packages in $debs to $work/image: disk.img (GRUB, one ext4 partition), and beside it the
# hypervisor, kernel and initramfs of the same disk, so that a lab can start them without a boot loader.
set -euo pipefail
image=$work/image root=$work/root

debian() {   # mmdebstrap's hooks talk; what they say matters only when it fails
    # An empty suite: the repository of locked packages has none, and every package in it is wanted.
    mmdebstrap --quiet --mode=root --variant=essential --format=directory --hook-dir=/usr/share/mmdebstrap/hooks/merged-usr \
        --include="$(grep -v '^#' "$here/packages.list" | xargs | tr ' ' ,)" \
        --dpkgopt='force-unsafe-io' \
        --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
        --dpkgopt='path-exclude=/usr/share/zoneinfo/*' --dpkgopt='path-exclude=/usr/share/info/*' \
        --dpkgopt='path-exclude=/lib/udev/hwdb.d/*' --dpkgopt='path-exclude=/usr/lib/udev/hwdb.d/*' \
        "" "$root" "deb [trusted=yes] copy://$debs ./" > "$work/mmdebstrap.log" 2>&1 ||
        { tr '\r' '\n' < "$work/mmdebstrap.log" | grep -v '^(Reading database' | tail -30 >&2; exit 1; }
}

trim() {   # what a management VM never runs; libvirt's other drivers would stop its start: they need users nobody made
    local drivers=$root/usr/lib/x86_64-linux-gnu/libvirt/connection-driver
    find "$drivers" -name 'libvirt_driver_*.so' ! -name '*libxl*' -delete
    rm -rf --one-file-system "$root"/usr/lib/python3*/{test,idlelib,tkinter,lib2to3,ensurepip} "$root"/var/lib/apt "$root"/var/cache/* \
        "$root"/var/log/* "$root"/etc/ssh/ssh_host_* "$root"/usr/lib/systemd/system "$root"/usr/share/{bash-completion,perl5/debconf}
    find "$root/usr/lib" -name __pycache__ -prune -exec rm -rf {} +
}

kernel() {   # unpacked, not installed: only the modules in modules.list come along
    local tree=$work/kernel
    dpkg-deb -x "$debs"/linux-image-*[0-9]-amd64_*.deb "$tree"
    release=$(basename "$tree"/lib/modules/*)
    depmod -b "$tree" "$release"
    module_files() { grep "^$1" "$here/modules.list" | while read -r _ name; do
        modprobe -d "$tree" -S "$release" --show-depends "$name" | awk '$1=="insmod"{print $2}'; done | sort -u; }
    copy_modules() { while read -r file; do install -D -m 644 "$file" "$1/lib/modules/$release/${file##*/}"; done
        cp "$tree/lib/modules/$release"/modules.{order,builtin,builtin.modinfo} "$1/lib/modules/$release/"
        depmod -b "$1" "$release"; }
    module_files '[br]oot' | copy_modules "$root/usr"
    rm -rf --one-file-system "$work/initramfs"; mkdir -p "$work"/initramfs/{bin,dev,proc,sys,root}
    module_files boot | copy_modules "$work/initramfs"
    cp "$root/bin/busybox" "$work/initramfs/bin/"
    chroot "$root" ldd /sbin/e2fsck | grep -o '/[^ ]*' | while read -r file; do   # it and its libraries, where they say they are
        install -D "$root/$file" "$work/initramfs/$file"; done
    install "$root/sbin/e2fsck" "$work/initramfs/bin/"
    install -m 755 "$here/initramfs-init" "$work/initramfs/init"
    (cd "$work/initramfs" && find . -exec touch -hd "@$SOURCE_DATE_EPOCH" {} + &&
        find . | sort | cpio --quiet --reproducible -o -H newc | gzip -9n) > "$image/initrd.img"
    cp "$tree"/boot/vmlinuz-* "$image/vmlinuz"
}

hypervisor() {   # decompressed: QEMU's loader wants the ELF file itself
    dpkg-deb -x "$debs"/xen-hypervisor-*.deb "$work/xen"
    zcat "$work"/xen/boot/xen-4.17-amd64.gz > "$image/xen"
    cp "$work"/xen/boot/*.config "$image/xen.config" 2>/dev/null || true
}

settings() {
    cp -r --no-preserve=ownership "$here"/overlay/. "$root/"
    ln -sf /bin/busybox "$root/sbin/init"
    for applet in vi less ping wget udhcpc tar; do [ -e "$root/usr/bin/$applet" ] || ln -s /bin/busybox "$root/usr/bin/$applet"; done
    echo flexcapsule > "$root/etc/hostname"
    ln -sf /run/resolv.conf "$root/etc/resolv.conf"
    mkdir -p "$root"/{boot/grub,srv/guests,root/.ssh} && chmod 700 "$root/root/.ssh"
    cp "$image"/{xen,vmlinuz,initrd.img} "$root/boot/"
    cp "$here/grub.cfg" "$root/boot/grub/grub.cfg"
}

agent() {   # and everything Python as bytecode: under emulation, compiling it would take longer than starting it
    if [ "$AGENT" != seed ]; then
        (cd "$PACKAGE" && find agent errors.py -name '*.py' -exec install -D -m 644 {} "$root/usr/lib/flexcapsule/autoscaler/{}" \;)
        chroot "$root" python3 -m compileall -q --invalidation-mode unchecked-hash /usr/lib/flexcapsule
    fi
    chroot "$root" python3 -m compileall -q --invalidation-mode unchecked-hash /usr/lib/python3.11 /usr/lib/python3
}

disk() {   # sector 0: boot.img; from sector 1: core.img, which reads grub.cfg; from 1 MiB: the file system
    find "$root" -exec touch -hd "@$SOURCE_DATE_EPOCH" {} +
    rm -f "$image/disk.img"
    truncate -s "$((IMAGE_MB + 1))M" "$image/disk.img"
    mke2fs -q -F -t ext4 -O ^has_journal,^metadata_csum_seed -U 5f1e7c0d-0000-4000-8000-466c65784361 -E hash_seed=5f1e7c0d-0000-4000-8000-466c65784361,offset=1048576,lazy_itable_init=0 \
        -m 0 -L flexcapsule -d "$root" "$image/disk.img" "${IMAGE_MB}M"
    printf 'label: dos\nlabel-id: 0x466c6578\nstart=2048, type=83, bootable\n' | sfdisk -q --wipe never "$image/disk.img"
    grub-mkimage -O i386-pc -p '(hd0,msdos1)/boot/grub' -o "$work/core.img" biosdisk part_msdos ext2 normal multiboot2 gzio serial configfile
    dd if=/usr/lib/grub/i386-pc/boot.img of="$image/disk.img" bs=440 count=1 conv=notrunc status=none
    dd if="$work/core.img" of="$image/disk.img" seek=1 conv=notrunc status=none
}

rm -rf --one-file-system "$root"
for part in debian trim hypervisor kernel settings agent disk; do "$part"; done
