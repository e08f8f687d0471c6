#!/bin/bash
# Step 3 of build.sh: the Linux app VM: Debian's kernel for clouds as Xen's loader takes it fastest (a plain ELF file), an
# initramfs of one program and one module, and both on a small disk that a lab gives to every cloud VM, read-only.
set -euo pipefail
guests=$work/image/guests tree=$work/guest-kernel boot=$work/guest-boot
mkdir -p "$guests/linux" "$boot/dev" "$boot/proc"
dpkg-deb -x "$debs"/linux-image-*-cloud-amd64_*.deb "$tree"

"$here/guest/vmlinux.py" "$tree"/boot/vmlinuz-* "$work/vmlinux"
strip --strip-all -o "$guests/linux/vmlinux" "$work/vmlinux"
gcc -std=gnu11 -Wall -Wextra -Werror -O2 -static -o "$boot/init" "$here/guest/echo.c"
strip "$boot/init"
cp "$tree"/lib/modules/*/kernel/drivers/net/xen-netfront.ko "$boot/"
(cd "$boot" && find . -exec touch -hd "@$SOURCE_DATE_EPOCH" {} + &&
    find . | sort | cpio --quiet --reproducible -o -H newc | gzip -9n) > "$guests/linux/initrd.img"
cp "$here/guest/linux.cfg" "$guests/linux/"
find "$guests" -exec touch -hd "@$SOURCE_DATE_EPOCH" {} +
mke2fs -q -F -t ext4 -O ^has_journal -U 5f1e7c0d-0000-4000-8000-677565737473 -E hash_seed=5f1e7c0d-0000-4000-8000-677565737473 \
    -m 0 -L guests -d "$guests" "$work/image/guests.img" 96M
rm -rf --one-file-system "$guests"
