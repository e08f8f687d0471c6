/* The archive reader: every entry lies inside the archive, and it always comes to an end. */
#include <stdint.h>

#include "check.h"
#include "lib/cpio.h"

static size_t put(uint8_t *to, const char *name, unsigned mode, const char *content)
{
    size_t size = strlen(content), at = (size_t)sprintf((char *)to, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x",
        1, mode, 0, 0, 1, 5, (unsigned)size, 0, 0, 0, 0, (unsigned)strlen(name) + 1, 0);
    strcpy((char *)to + at, name);
    for (at += strlen(name) + 1; at % 4; at++)
        to[at] = 0;
    memcpy(to + at, content, size);
    for (at += size; at % 4; at++)
        to[at] = 0;
    return at;
}

size_t fuzz_seed(uint8_t *to, size_t room);
size_t fuzz_seed(uint8_t *to, size_t room)
{
    CHECK(room > 1000);
    size_t at = put(to, "./etc", 040755, "");
    at += put(to + at, "etc/greeting", 0100644, "good day\n");
    return at + put(to + at, "TRAILER!!!", 0, "");
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t bytes);
int LLVMFuzzerTestOneInput(const uint8_t *input, size_t bytes)
{
    const char *start = (const char *)input;
    struct cpio_entry entry;
    size_t offset = 0, before = 0;
    while (cpio_next(input, bytes, &offset, &entry) > 0) {
        CHECK(offset > before && offset <= bytes);
        CHECK(entry.name >= start && entry.name + strlen(entry.name) < start + bytes);
        CHECK((const char *)entry.content >= start && entry.size <= (size_t)(start + bytes - (const char *)entry.content));
        before = offset;
    }
    return 0;
}
