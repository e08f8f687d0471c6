#include "lib/bytering.h"

static long to_the_edge(uint32_t count, uint32_t index, uint32_t size)
{
    uint32_t edge = size - (index & (size - 1));
    return count < edge ? count : edge;
}

long bytering_readable(uint32_t consumer, uint32_t producer, uint32_t size)
{
    uint32_t count = producer - consumer;
    return count > size ? -1 : to_the_edge(count, consumer, size);
}

long bytering_writable(uint32_t consumer, uint32_t producer, uint32_t size)
{
    uint32_t count = producer - consumer;
    return count > size ? -1 : to_the_edge(size - count, producer, size);
}
