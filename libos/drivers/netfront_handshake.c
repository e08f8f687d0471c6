/* The network's handshake: find the backend, tell it of rings and channel, follow its state. After a move the same again
 * with the new host's backend; the data path waits meanwhile. Linux's netfront does it the same way: nothing before the
 * suspend, everything after.
 * Both rings stay empty until the backend says Connected. Linux's backend binds the channel and may run its receiving
 * thread before it has noted the channel's number; a buffer on the ring at that moment makes the thread acknowledge
 * nothing, and the channel stays masked for ever (seen once in some forty starts on a busy host, Linux 6.1). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xen/io/xenbus.h>

#include "drivers/netfront.h"
#include "drivers/xenbus.h"

#define DEVICE "device/vif/0"

static struct xenbus_link link;
static char backend[112];
static uint8_t mac[6];
static bool present, moved, told, flowing; /* told: the backend has our keys */

bool network_present(void) { return present; }
const uint8_t *network_mac(void) { return mac; }

static void read_mac(void)
{
    char text[32] = "";
    unsigned byte[6] = {0};
    xenstore_read(DEVICE "/mac", text, sizeof text);
    sscanf(text, "%x:%x:%x:%x:%x:%x", &byte[0], &byte[1], &byte[2], &byte[3], &byte[4], &byte[5]);
    for (int i = 0; i < 6; i++)
        mac[i] = (uint8_t)byte[i];
}

/* The state comes last: the backend looks at the others when it sees it, so that no transaction is needed. */
static int write_keys(const struct netfront_keys *keys)
{
    const struct { const char *name; int value; } wish[] = {
        {"tx-ring-ref", keys->tx_ring}, {"rx-ring-ref", keys->rx_ring}, {"event-channel", keys->port},
        {"request-rx-copy", 1},         {"feature-rx-notify", 1},       {"state", XenbusStateConnected}};
    struct xenstore_key told_keys[DIMENSION(wish)];
    for (size_t i = 0; i < DIMENSION(wish); i++) {
        told_keys[i].name = wish[i].name;
        snprintf(told_keys[i].value, sizeof told_keys[i].value, "%d", wish[i].value);
    }
    return xenstore_write_all(DEVICE, told_keys, DIMENSION(wish));
}

static void open_rings(void)
{
    struct netfront_keys keys;
    domid_t remote;
    netfront_close(!moved);
    moved = told = flowing = false;
    if (xenbus_find_backend(DEVICE, backend, sizeof backend, &remote) != 0)
        return;
    xenbus_watch_backend(&link, backend);
    if (netfront_open(remote, &keys) != 0)
        panic("no grants or channels left for the network");
    while (xenbus_state(backend) != XenbusStateInitWait && xenbus_state(backend) != XenbusStateConnected && !moved)
        xenbus_await_change(&link);
    told = !moved && write_keys(&keys) == 0;
}

/* The backend says Connected only once its side is on the bridge: an announcement before that would be lost. */
static void follow(void)
{
    switch (xenbus_state(backend)) {
    case XenbusStateConnected:
        if (told && !moved && !flowing) {
            flowing = true;
            netfront_connected();
            stack_announce();
            lifecycle_settled();
        }
        break;
    case XenbusStateClosing:
    case XenbusStateClosed:
        netfront_close(true);
        xenbus_set_state(DEVICE, XenbusStateClosed);
        break;
    default:
        break;
    }
}

static void attend(void *unused)
{
    (void)unused;
    for (;;) {
        if (moved)
            open_rings();
        follow();
        if (!moved)
            xenbus_await_change(&link);
    }
}

void network_suspend(void) { netfront_pause(true); }

void network_resume(bool cancelled)
{
    if (!cancelled) {
        netfront_close(false);
        moved = true;
        xenbus_poke(&link);
    }
    netfront_pause(false);
}

void network_start(void)
{
    domid_t remote;
    present = xenbus_find_backend(DEVICE, backend, sizeof backend, &remote) == 0;
    if (!present)
        return;
    if (!netfront_memory())
        panic("no memory for the network's buffers");
    read_mac();
    open_rings();
    thread_create("netfront", attend, NULL);
    thread_create("receive", receive_loop, NULL);
}
