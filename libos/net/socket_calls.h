/* lwIP's sockets with Linux's meaning of flags and options, and plain addresses: lwIP's own headers define the same names
 * as the C library's, differently, and the two cannot be included together. Nothing here waits: sockets are non-blocking
 * below, and posix/sockets.c does the waiting. Results are 0 or a count, or a negative errno value. */
#ifndef SOCKET_CALLS_H
#define SOCKET_CALLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct net_address { uint32_t host; uint16_t port; }; /* both in network order */

long net_socket(int type, int protocol);
long net_close(int socket);
long net_bind(int socket, const struct net_address *to);
long net_connect(int socket, const struct net_address *to);
long net_listen(int socket, int backlog);
long net_accept(int socket, struct net_address *from);
long net_send(int socket, const void *bytes, size_t count, const struct net_address *to, bool more);
long net_receive(int socket, void *bytes, size_t count, struct net_address *from, bool peek);
long net_name(int socket, struct net_address *name, bool peer);
long net_shutdown(int socket, int how);
bool net_ready(int socket, bool *readable, bool *writable); /* false: broken */
long net_option_set(int socket, int level, int option, const void *value, unsigned bytes);
long net_option_get(int socket, int level, int option, void *value, unsigned *bytes);

#endif
