/* The "newc" cpio archive, the format of Linux's initramfs: an ASCII header of 110 bytes, the name, the content, each
 * padded to 4. Read in place. Host-tested and fuzzed: an archive is given by whoever starts the domain. */
#ifndef LIB_CPIO_H
#define LIB_CPIO_H

#include <stddef.h>
#include <stdint.h>

struct cpio_entry {
    const char *name; /* ended by 0, without leading "/" or "./" */
    const void *content;
    size_t size;
    uint32_t mode, modified_s;
};

/* The entry at *offset, which moves on. 1: an entry; 0: the end; -1: no sound archive from here on. */
int cpio_next(const void *archive, size_t bytes, size_t *offset, struct cpio_entry *entry);

#endif
