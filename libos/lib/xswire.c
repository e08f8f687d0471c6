#include "lib/xswire.h"

#include <string.h>

long xswire_take(struct xswire_reader *reader, const char *from, size_t bytes, int *complete)
{
    size_t taken = 0;
    *complete = 0;
    while (taken < bytes) {
        size_t head = sizeof reader->header, wanted;
        char *to;
        if (reader->have < head) {
            to = (char *)&reader->header + reader->have;
            wanted = head - reader->have;
        } else {
            to = reader->payload + (reader->have - head);
            wanted = head + reader->header.length - reader->have;
        }
        size_t piece = wanted < bytes - taken ? wanted : bytes - taken;
        memcpy(to, from + taken, piece);
        taken += piece;
        reader->have += piece;
        if (reader->have < head)
            continue;
        if (reader->header.length > XSWIRE_PAYLOAD_MAX)
            return -1;
        if (reader->have == head + reader->header.length) {
            reader->payload[reader->header.length] = 0;
            reader->have = 0;
            *complete = 1;
            break;
        }
    }
    return (long)taken;
}

int xswire_watch_event(const struct xswire_reader *reader, const char **path, const char **token)
{
    const char *end = reader->payload + reader->header.length;
    const char *gap = memchr(reader->payload, 0, reader->header.length);
    if (!gap || gap + 1 >= end || !memchr(gap + 1, 0, (size_t)(end - gap - 1)))
        return -1;
    *path = reader->payload;
    *token = gap + 1;
    return 0;
}
