/* What lwIP asks of its compiler and platform. */
#ifndef ARCH_CC_H
#define ARCH_CC_H

#include <stdint.h>
#include <sys/time.h>

unsigned stack_random(void);
void stack_assert(const char *what, const char *file, int line) __attribute__((noreturn));
#define LWIP_RAND() stack_random()
#define LWIP_PLATFORM_ASSERT(what) stack_assert(what, __FILE__, __LINE__)
#define LWIP_PLATFORM_DIAG(x)

/* Debian's lwIP leaves the length field of an address to its port; ours keeps the one in lwIP's own headers. */
#define IP4ADDR_SOCKADDR_SET_LEN(sin) ((sin)->sin_len = sizeof *(sin))
#define IPADDR_SOCKADDR_GET_LEN(address) ((address)->sa.sa_len)

#endif
