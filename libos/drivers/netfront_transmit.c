/* Sending. Every slot has a page of its own that stays granted for as long as the backend lives: a frame is copied in, and
 * nothing is granted or revoked per frame. A frame that was handed to a backend which then vanished in a move is handed to
 * the next one: its page still holds it. */
#include <errno.h>
#include <string.h>
#include <xen/grant_table.h>
#include <xen/io/netif.h>

#include "arch/x86_64/barrier.h"
#include "drivers/netfront.h"

#define SLOTS NETFRONT_SLOTS

static netif_tx_front_ring_t ring;
static int ring_grant, grants[SLOTS];
static char *pages;
static uint16_t frame_bytes[SLOTS]; /* 0: the slot is free */
static uint8_t order[SLOTS];        /* the busy slots, oldest first */
static unsigned busy;
static struct waiters drained;

bool transmit_memory(void)
{
    ring.sring = pages_alloc(1);
    pages = pages_alloc(SLOTS);
    return ring.sring && pages;
}

/* A fresh ring for `remote`; returns its grant. */
int transmit_open(domid_t remote)
{
    netif_tx_sring_t *shared = ring.sring;
    SHARED_RING_INIT(shared);
    FRONT_RING_INIT(&ring, shared, PAGE_SIZE);
    ring_grant = grant_access(remote, shared, false);
    for (unsigned slot = 0; slot < SLOTS; slot++)
        if ((grants[slot] = grant_access(remote, pages + slot * PAGE_SIZE, true)) < 0)
            return -ENOSPC;
    return ring_grant;
}

void transmit_close(void)
{
    grant_end(ring_grant);
    for (unsigned slot = 0; slot < SLOTS; slot++)
        grant_end(grants[slot]);
}

static void push(unsigned slot)
{
    netif_tx_request_t *request = RING_GET_REQUEST(&ring, ring.req_prod_pvt);
    *request = (netif_tx_request_t){.gref = (uint32_t)grants[slot], .id = (uint16_t)slot, .size = frame_bytes[slot]};
    ring.req_prod_pvt++;
}

void transmit_publish(void)
{
    int notify;
    RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(&ring, notify);
    if (notify)
        event_notify(netfront_port());
}

/* What was under way when the old backend went, again and in order. */
void transmit_again(void)
{
    for (unsigned i = 0; i < busy; i++)
        push(order[i]);
    transmit_publish();
}

void transmit_wake(void) { wake_all(&drained); }

static void forget_slot(unsigned slot)
{
    for (unsigned i = 0; i < busy; i++)
        if (order[i] == slot) {
            memmove(&order[i], &order[i + 1], --busy - i);
            frame_bytes[slot] = 0;
            return;
        }
}

/* Responses, never more than requests, free their slots. A number out of range, or of a slot that is not busy, frees none. */
void transmit_reap(void)
{
    RING_IDX produced;
    while ((produced = read_once(ring.sring->rsp_prod)) != ring.rsp_cons) {
        if (produced - ring.rsp_cons > ring.req_prod_pvt - ring.rsp_cons) {
            netfront_broken();
            console_print("flexcapsule: the network's backend broke its ring (tx %u of %u): not used any more\n",
                          produced, ring.rsp_cons);
            return;
        }
        read_fence();
        for (; ring.rsp_cons != produced; ring.rsp_cons++) {
            netif_tx_response_t response = read_once(*RING_GET_RESPONSE(&ring, ring.rsp_cons));
            if (response.status != NETIF_RSP_NULL && response.id < SLOTS)
                forget_slot(response.id);
        }
        ring.sring->rsp_event = ring.rsp_cons + 1;
        memory_fence(); /* say "wake me" before looking for the last time */
    }
}

/* Before a suspend the backend is given a moment to answer for what it has: what stays unanswered is sent again by the
 * next backend, and the receiver may get it twice. */
void transmit_settle(void)
{
    uint64_t give_up = time_monotonic() + 5 * MS;
    while (netfront_connected_now() && (transmit_reap(), busy) && time_monotonic() < give_up)
        events_wait(time_to_host(give_up));
}

static int free_slot(void)
{
    for (int slot = 0; slot < SLOTS; slot++)
        if (!frame_bytes[slot])
            return slot;
    return -1;
}

/* A frame is kept while the network is away, as long as there are slots; a full ring is waited for, but not for long:
 * what is dropped here TCP sends again. */
int network_send(const void *frame, size_t bytes)
{
    uint64_t give_up = time_monotonic() + 20 * MS;
    int slot;
    if (bytes == 0 || bytes > NETFRONT_FRAME_MAX)
        return -EMSGSIZE;
    while (netfront_flows() && (transmit_reap(), free_slot()) < 0)
        if (!wait_on(&drained, give_up))
            break;
    if ((slot = free_slot()) < 0)
        return -ENOBUFS;
    memcpy(pages + (size_t)slot * PAGE_SIZE, frame, bytes);
    frame_bytes[slot] = (uint16_t)bytes;
    order[busy++] = (uint8_t)slot;
    if (netfront_flows()) {
        push((unsigned)slot);
        transmit_publish();
    } else if (netfront_connected_now()) {
        push((unsigned)slot); /* paused for a suspend that may be cancelled: notified then */
    }
    return 0;
}

