/* Between the parts of the network driver: the handshake (netfront_handshake.c) tells the data path (netfront.c, and a ring
 * each in netfront_transmit.c and netfront_receive.c) when there is somebody at the other end. */
#ifndef NETFRONT_H
#define NETFRONT_H

#include "internal.h"

#define NETFRONT_SLOTS 32 /* of a ring's 256: 128 KiB of pages, 48 KB of frames in flight, each way */
#define NETFRONT_FRAME_MAX 1514

struct netfront_keys { int tx_ring, rx_ring, port; }; /* what the backend must be told */

/* netfront.c */
bool netfront_memory(void);                                    /* take the pages; once */
int netfront_open(domid_t remote, struct netfront_keys *keys); /* fresh rings, all pages granted anew */
void netfront_connected(void);                                 /* the backend has rings and channel: let frames flow */
void netfront_close(bool grants_alive);
void netfront_broken(void);
void netfront_pause(bool paused);
bool netfront_connected_now(void);
bool netfront_flows(void); /* connected, and not stopped for a suspend */
evtchn_port_t netfront_port(void);

/* netfront_transmit.c */
bool transmit_memory(void);
int transmit_open(domid_t remote);
void transmit_close(void);
void transmit_publish(void);
void transmit_again(void);
void transmit_reap(void);
void transmit_settle(void);
void transmit_wake(void);

/* netfront_receive.c */
bool receive_memory(void);
int receive_open(domid_t remote);
void receive_publish(void);
void receive_close(void);
void receive_wake(void);
void receive_loop(void *unused);

#endif
