/* The network's data path as a whole (xen/include/public/io/netif.h): one channel for the two rings, and whether frames
 * may flow. netfront_transmit.c and netfront_receive.c own a ring each. */
#include <errno.h>

#include "drivers/netfront.h"

static evtchn_port_t channel;
static bool open, connected, paused;

evtchn_port_t netfront_port(void) { return channel; }
bool netfront_connected_now(void) { return connected; }
bool netfront_flows(void) { return connected && !paused; }
bool netfront_memory(void) { return transmit_memory() && receive_memory(); }

static void on_event(void *unused)
{
    (void)unused;
    receive_wake();
    transmit_wake();
}

int netfront_open(domid_t remote, struct netfront_keys *keys)
{
    int port = event_alloc(remote, on_event, NULL);
    *keys = (struct netfront_keys){.tx_ring = transmit_open(remote), .rx_ring = receive_open(remote), .port = port};
    if (keys->tx_ring < 0 || keys->rx_ring < 0 || port < 0)
        return -ENOSPC;
    channel = (evtchn_port_t)port;
    open = true;
    return 0;
}

void netfront_connected(void)
{
    connected = true;
    receive_publish();
    transmit_again();
    event_notify(channel);
    on_event(NULL);
}

void netfront_close(bool grants_alive)
{
    connected = false;
    if (!open)
        return;
    open = false;
    if (!grants_alive)
        return; /* a new domain: channel and grants are gone with the old one */
    event_close(channel);
    transmit_close();
    receive_close();
}

/* The backend wrote indices that cannot be: nothing of what it says can be believed any more. */
void netfront_broken(void)
{
    netfront_close(true);
    console_print("flexcapsule: the network's backend broke its ring: not used any more\n");
}

void netfront_pause(bool now)
{
    paused = now;
    if (paused) {
        transmit_settle();
        return;
    }
    if (connected)
        transmit_publish(); /* a cancelled suspend: what was put on the ring meanwhile */
    on_event(NULL);
}
