/* Bits in an array of words, and the first run of clear ones. */
#ifndef LIB_BITMAP_H
#define LIB_BITMAP_H

#include <stdbool.h>
#include <stddef.h>

static inline bool bitmap_get(const unsigned long *bits, size_t i) { return bits[i / 64] >> (i % 64) & 1; }
static inline void bitmap_set(unsigned long *bits, size_t i) { bits[i / 64] |= 1UL << (i % 64); }
static inline void bitmap_clear(unsigned long *bits, size_t i) { bits[i / 64] &= ~(1UL << (i % 64)); }

/* The first place at or after `from` where `length` clear bits stand together; `count` (the number of bits) if none. */
size_t bitmap_find_clear(const unsigned long *bits, size_t count, size_t from, size_t length);

#endif
