/* XenStore's wire format (xen/include/public/io/xs_wire.h): a header of four words and a payload of at most 4096 bytes.
 * Messages are taken out of a stream piece by piece; nothing of what arrived is believed before it is checked. */
#ifndef LIB_XSWIRE_H
#define LIB_XSWIRE_H

#include <stddef.h>
#include <stdint.h>

#define XSWIRE_PAYLOAD_MAX 4096 /* XENSTORE_PAYLOAD_MAX */

struct xswire_header { uint32_t type, request, transaction, length; };
struct xswire_reader {
    size_t have; /* bytes of the present message, header included */
    struct xswire_header header;
    char payload[XSWIRE_PAYLOAD_MAX + 1]; /* a 0 always follows the payload */
};

/* Take up to `bytes` bytes. Returns how many were taken; *complete tells whether a message is ready in the reader (the
 * next call starts another). -1: the stream cannot be a XenStore's, and nothing after this point can be understood. */
long xswire_take(struct xswire_reader *reader, const char *from, size_t bytes, int *complete);

/* A watch event is two strings, path and token. Returns 0, or -1 if they are not both there. */
int xswire_watch_event(const struct xswire_reader *reader, const char **path, const char **token);

#endif
