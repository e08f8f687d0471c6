/* Ring indices that the other side makes up: a piece never leaves the ring and never exceeds what the indices allow. */
#include <stdint.h>

#include "check.h"
#include "lib/bytering.h"

size_t fuzz_seed(uint8_t *to, size_t room);
size_t fuzz_seed(uint8_t *to, size_t room)
{
    static const uint32_t indices[] = {5, 9, 1020, 1030, 0xfffffff0u, 3, 0, 1024};
    CHECK(room >= sizeof indices);
    memcpy(to, indices, sizeof indices);
    return sizeof indices;
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t bytes);
int LLVMFuzzerTestOneInput(const uint8_t *input, size_t bytes)
{
    for (; bytes >= 8; input += 8, bytes -= 8) {
        uint32_t consumer, producer;
        memcpy(&consumer, input, 4);
        memcpy(&producer, input + 4, 4);
        for (uint32_t size = 1024; size <= 2048; size *= 2) {
            long readable = bytering_readable(consumer, producer, size);
            long writable = bytering_writable(consumer, producer, size);
            CHECK((readable < 0) == (producer - consumer > size) && (writable < 0) == (readable < 0));
            if (readable < 0)
                continue;
            CHECK((consumer & (size - 1)) + (uint32_t)readable <= size && (uint32_t)readable <= producer - consumer);
            CHECK((producer & (size - 1)) + (uint32_t)writable <= size);
            CHECK((uint32_t)writable <= size - (producer - consumer));
            CHECK(readable > 0 || producer == consumer);
        }
    }
    return 0;
}
