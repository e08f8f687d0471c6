/* Small pieces of memory for the library OS itself: powers of two from 32 to 2048 bytes, carved out of pages and kept in
 * lists by size; larger ones are pages. The application's malloc is the C library's and comes through mmap. */
#include <string.h>

#include "internal.h"

#define SMALLEST 32
#define CLASSES 7 /* 32 ... 2048 */

struct piece { struct piece *next; };
static struct piece *spare[CLASSES];

static unsigned class_of(size_t bytes)
{
    unsigned class = 0;
    while (class < CLASSES && (size_t)SMALLEST << class < bytes)
        class++;
    return class;
}

void *heap_alloc(size_t bytes)
{
    unsigned class = class_of(bytes);
    if (class == CLASSES)
        return pages_alloc(PAGES_OF(bytes));
    size_t size = (size_t)SMALLEST << class;
    if (!spare[class]) {
        char *page = pages_alloc(1);
        for (size_t at = 0; page && at < PAGE_SIZE; at += size) {
            struct piece *piece = (struct piece *)(page + at);
            piece->next = spare[class];
            spare[class] = piece;
        }
    }
    struct piece *piece = spare[class];
    if (piece) {
        spare[class] = piece->next;
        memset(piece, 0, size);
    }
    return piece;
}

void heap_free(void *memory, size_t bytes)
{
    unsigned class = class_of(bytes);
    if (!memory)
        return;
    if (class == CLASSES) {
        pages_free(memory, PAGES_OF(bytes));
        return;
    }
    struct piece *piece = memory;
    piece->next = spare[class];
    spare[class] = piece;
}
