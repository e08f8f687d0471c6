#include "lib/cpio.h"

#include <string.h>

#define HEADER 110
enum field { MODE = 1, MODIFIED = 5, FILE_SIZE = 6, NAME_SIZE = 11 };

static int64_t number(const char *header, enum field field)
{
    int64_t value = 0;
    for (const char *digit = header + 6 + 8 * field, *end = digit + 8; digit < end; digit++) {
        int c = *digit | 32;
        if (*digit >= '0' && *digit <= '9')
            value = value * 16 + (*digit - '0');
        else if (c >= 'a' && c <= 'f')
            value = value * 16 + (c - 'a' + 10);
        else
            return -1;
    }
    return value;
}

static size_t padded(size_t n) { return (n + 3) & ~(size_t)3; }

int cpio_next(const void *archive, size_t bytes, size_t *offset, struct cpio_entry *entry)
{
    const char *header = (const char *)archive + *offset;
    size_t left = bytes - *offset;
    if (left < HEADER || memcmp(header, "070701", 6) != 0)
        return -1;
    int64_t name_size = number(header, NAME_SIZE), size = number(header, FILE_SIZE), mode = number(header, MODE),
            modified = number(header, MODIFIED);
    if (name_size <= 0 || size < 0 || mode < 0 || modified < 0)
        return -1;
    size_t content = padded(HEADER + (size_t)name_size);
    if (content > left || (size_t)size > left - content || header[HEADER + name_size - 1] != 0)
        return -1;
    const char *name = header + HEADER;
    if (!strcmp(name, "TRAILER!!!"))
        return 0;
    while (*name == '/' || (name[0] == '.' && name[1] == '/'))
        name++;
    *entry = (struct cpio_entry){name, header + content, (size_t)size, (uint32_t)mode, (uint32_t)modified};
    size_t next = content + padded((size_t)size);
    *offset += next < left ? next : left;
    return 1;
}
