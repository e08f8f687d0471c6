#include "lib/bitmap.h"

size_t bitmap_find_clear(const unsigned long *bits, size_t count, size_t from, size_t length)
{
    size_t run = 0;
    for (size_t i = from; i < count; i++) {
        if (i % 64 == 0 && bits[i / 64] == ~0UL) {
            run = 0;
            i += 63;
        } else if (bitmap_get(bits, i)) {
            run = 0;
        } else if (++run == length) {
            return i + 1 - length;
        }
    }
    return count;
}
