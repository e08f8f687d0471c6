/* Receiving. The backend copies frames into pages that stay granted; they are copied out before anybody looks at them, so
 * what the backend does to a page afterwards changes nothing. */
#include <errno.h>
#include <string.h>
#include <xen/grant_table.h>
#include <xen/io/netif.h>

#include "arch/x86_64/barrier.h"
#include "drivers/netfront.h"

#define SLOTS NETFRONT_SLOTS
#define FRAME_MAX NETFRONT_FRAME_MAX

static netif_rx_front_ring_t ring;
static int ring_grant, grants[SLOTS];
static char *pages;
static unsigned generation; /* of the ring: which buffer belongs to which */
static struct waiters arrived;

bool receive_memory(void)
{
    ring.sring = pages_alloc(1);
    pages = pages_alloc(SLOTS);
    return ring.sring && pages;
}

static void push(unsigned slot)
{
    netif_rx_request_t *request = RING_GET_REQUEST(&ring, ring.req_prod_pvt);
    request->id = (uint16_t)slot;
    request->gref = (uint32_t)grants[slot];
    ring.req_prod_pvt++;
}

/* A fresh ring for `remote`; returns its grant. Its buffers are shown to the backend by receive_publish. */
int receive_open(domid_t remote)
{
    netif_rx_sring_t *shared = ring.sring;
    SHARED_RING_INIT(shared);
    FRONT_RING_INIT(&ring, shared, PAGE_SIZE);
    generation++;
    ring_grant = grant_access(remote, shared, false);
    for (unsigned slot = 0; slot < SLOTS; slot++) {
        if ((grants[slot] = grant_access(remote, pages + slot * PAGE_SIZE, false)) < 0)
            return -ENOSPC;
        push(slot);
    }
    return ring_grant;
}

void receive_publish(void) { RING_PUSH_REQUESTS(&ring); }

void receive_close(void)
{
    grant_end(ring_grant);
    for (unsigned slot = 0; slot < SLOTS; slot++)
        grant_end(grants[slot]);
}

void receive_wake(void) { wake_all(&arrived); }

static void take_frame(const netif_rx_response_t *response)
{
    static char frame[FRAME_MAX + 6] __attribute__((aligned(8)));
    unsigned slot = response->id;
    if (response->status > 0 && response->status <= FRAME_MAX && response->offset <= PAGE_SIZE - FRAME_MAX) {
        memcpy(frame, pages + slot * PAGE_SIZE + response->offset, (size_t)response->status);
        stack_input(frame, (size_t)response->status,
                    response->flags & (NETRXF_data_validated | NETRXF_csum_blank));
    }
}

/* Returns whether any frame came. The stack may wait, and a move may come meanwhile: then the rings are others. */
static bool receive(void)
{
    RING_IDX produced = read_once(ring.sring->rsp_prod);
    if (produced - ring.rsp_cons > RING_SIZE(&ring)) {
        netfront_broken();
        console_print("flexcapsule: the network's backend broke its ring (rx): not used any more\n");
        return false;
    }
    if (produced == ring.rsp_cons)
        return false;
    read_fence();
    netif_rx_response_t response = read_once(*RING_GET_RESPONSE(&ring, ring.rsp_cons));
    ring.rsp_cons++;
    if (response.id >= SLOTS)
        return true; /* no such buffer; ours are all accounted for elsewhere */
    int notify;
    unsigned before = generation;
    take_frame(&response);
    if (netfront_connected_now() && before == generation) {
        push(response.id);
        RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(&ring, notify);
        if (notify)
            event_notify(netfront_port());
    }
    return true;
}

void receive_loop(void *unused)
{
    (void)unused;
    for (;;) {
        while (netfront_flows()) {
            transmit_reap();
            if (!netfront_flows())
                continue;
            if (receive()) {
                thread_breathe(); /* a backend that always has one more may not keep the others from running */
                continue;
            }
            ring.sring->rsp_event = ring.rsp_cons + 1;
            memory_fence(); /* say "wake me" before looking for the last time */
            if (read_once(ring.sring->rsp_prod) == ring.rsp_cons)
                break;
        }
        wait_on(&arrived, NEVER);
    }
}
