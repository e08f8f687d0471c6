/* Rings of bytes shared with another domain (console, XenStore): size a power of two, free-running indices. The other
 * side owns one index and may write nonsense into it. */
#ifndef LIB_BYTERING_H
#define LIB_BYTERING_H

#include <stddef.h>
#include <stdint.h>

/* How many bytes can be read / written in one piece at the current place; -1 if the indices are impossible. Both
 * indices are passed as values: read the other side's once. */
long bytering_readable(uint32_t consumer, uint32_t producer, uint32_t size);
long bytering_writable(uint32_t consumer, uint32_t producer, uint32_t size);

#endif
