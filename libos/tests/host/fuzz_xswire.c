/* XenStore's stream, fed in pieces of varying size: never out of bounds, never more taken than given. */
#include <stdint.h>

#include "check.h"
#include "lib/xswire.h"

size_t fuzz_seed(uint8_t *to, size_t room);
size_t fuzz_seed(uint8_t *to, size_t room)
{
    static const struct xswire_header event = {15, 0, 0, 20}, answer = {2, 1, 0, 5};
    CHECK(room > 100);
    memcpy(to, &event, 16);
    memcpy(to + 16, "control/shutdown\0" "3\0", 20);
    memcpy(to + 36, &answer, 16);
    memcpy(to + 52, "value", 5);
    return 57;
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t bytes);
int LLVMFuzzerTestOneInput(const uint8_t *input, size_t bytes)
{
    static struct xswire_reader reader;
    const char *path, *token;
    size_t at = 0, piece = bytes ? input[0] % 61 + 1 : 1;
    reader.have = 0;
    while (at < bytes) {
        int complete;
        size_t give = bytes - at < piece ? bytes - at : piece;
        long taken = xswire_take(&reader, (const char *)input + at, give, &complete);
        if (taken < 0)
            return 0;
        CHECK(taken > 0 && (size_t)taken <= give);
        at += (size_t)taken;
        if (complete) {
            CHECK(reader.header.length <= XSWIRE_PAYLOAD_MAX && reader.payload[reader.header.length] == 0);
            if (xswire_watch_event(&reader, &path, &token) == 0)
                CHECK(strlen(path) + strlen(token) + 2 <= reader.header.length);
        }
    }
    return 0;
}
