/* Between the two halves of the network driver: the data path (netfront.c) owns the rings, the handshake
 * (netfront_handshake.c) tells it when there is somebody at the other end. */
#ifndef NETFRONT_H
#define NETFRONT_H

#include "internal.h"

struct netfront_keys { int tx_ring, rx_ring, port; }; /* what the backend must be told */

int netfront_open(domid_t remote, struct netfront_keys *keys); /* fresh rings, all pages granted anew */
void netfront_connected(void);                                 /* the backend maps the rings: let frames flow */
void netfront_close(bool grants_alive);
void netfront_pause(bool paused);
void netfront_settle(void);
bool netfront_memory(void); /* take the pages; once */
void netfront_receive_loop(void *unused);

#endif
