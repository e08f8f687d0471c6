/* The disk's handshake, as the network's: nothing before a suspend, everything again after a move. The first disk only. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <xen/io/xenbus.h>

#include "drivers/blkfront.h"
#include "drivers/xenbus.h"

static struct xenbus_link link;
static char device[48], backend[112];
static bool moved, connected;

/* The state last, as the network does it. */
static int write_keys(int grant, int port)
{
    struct xenstore_key keys[] = {
        {"ring-ref", ""}, {"event-channel", ""}, {"protocol", "x86_64-abi"}, {"state", ""}};
    snprintf(keys[0].value, sizeof keys[0].value, "%d", grant);
    snprintf(keys[1].value, sizeof keys[1].value, "%d", port);
    snprintf(keys[3].value, sizeof keys[3].value, "%d", XenbusStateInitialised);
    return xenstore_write_all(device, keys, DIMENSION(keys));
}

static void connect_rings(void)
{
    long sectors, flush, info;
    xenbus_read_number(backend, "sectors", 0, &sectors);
    xenbus_read_number(backend, "feature-flush-cache", 0, &flush);
    xenbus_read_number(backend, "info", 0, &info);
    if (sectors <= 0)
        return;
    xenbus_set_state(device, XenbusStateConnected);
    connected = true;
    blkfront_connected((uint64_t)sectors, flush == 1, info & 4 /* VDISK_READONLY */);
}

static void open_ring(void)
{
    domid_t remote;
    int grant, port;
    blkfront_close(!moved);
    moved = connected = false;
    if (xenbus_find_backend(device, backend, sizeof backend, &remote) != 0)
        return;
    xenbus_watch_backend(&link, backend);
    if (blkfront_open(remote, &grant, &port) != 0)
        panic("no grants or channels left for the disk");
    while (!moved && xenbus_state(backend) < XenbusStateInitWait)
        xenbus_await_change(&link);
    if (!moved)
        write_keys(grant, port);
}

/* A backend that closes is gone, connected before or not; so is one that was connected and is not in XenStore any more. */
static void follow(void)
{
    long state;
    int found = xenbus_read_number(backend, "state", XenbusStateUnknown, &state);
    if (moved || blkfront_is_gone())
        return;
    if (state == XenbusStateConnected && !connected) {
        connect_rings();
    } else if (state == XenbusStateClosing || state == XenbusStateClosed || (found == -ENOENT && connected)) {
        blkfront_gone();
        xenbus_set_state(device, XenbusStateClosed);
    }
}

/* One turn of the handshake, which begins anew whenever a move came in between. */
static void turn(void)
{
    if (moved && !blkfront_is_gone())
        open_ring();
    follow();
}

static void attend(void *unused)
{
    (void)unused;
    for (;;) {
        turn();
        if (!moved || blkfront_is_gone())
            xenbus_await_change(&link);
    }
}

void block_suspend(void) { blkfront_pause(true); }

void block_resume(bool cancelled)
{
    if (!cancelled) {
        blkfront_close(false);
        moved = true;
        xenbus_poke(&link);
    }
    blkfront_pause(false);
}

/* Waits for the disk, so that the application finds it: its size is known only when the backend is connected. */
void block_start(void)
{
    char names[64] = "";
    domid_t remote;
    if (xenstore_list("device/vbd", names, sizeof names) <= 0 || !*names)
        return;
    snprintf(device, sizeof device, "device/vbd/%.24s", names); /* the first name ends with a 0 */
    if (xenbus_find_backend(device, backend, sizeof backend, &remote) != 0)
        return;
    if (!blkfront_memory())
        panic("no memory for the disk's buffers");
    open_ring();
    for (turn(); !connected && !blkfront_is_gone(); turn())
        if (!moved)
            xenbus_await_change(&link);
    thread_create("blkfront", attend, NULL);
}
