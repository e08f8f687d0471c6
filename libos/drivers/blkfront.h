/* Between the two halves of the disk driver: the data path (blkfront.c) and the handshake (blkfront_handshake.c). */
#ifndef BLKFRONT_H
#define BLKFRONT_H

#include "internal.h"

bool blkfront_memory(void); /* take the pages; once */
int blkfront_open(domid_t remote, int *ring_grant, int *port);
void blkfront_connected(uint64_t sectors, bool can_flush, bool read_only);
void blkfront_close(bool grants_alive);
void blkfront_pause(bool paused);
void blkfront_gone(void); /* for good: requests fail instead of waiting */
bool blkfront_is_gone(void);

#endif
