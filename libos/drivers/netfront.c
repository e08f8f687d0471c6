/* The network's data path (xen/include/public/io/netif.h). Every ring slot has a page of its own that stays granted for
 * as long as the backend lives: frames are copied in and out, nothing is granted or revoked per frame, and what the
 * backend does to a page after we copied it changes nothing.
 *
 * A frame that was handed to a backend which then vanished in a move is handed to the next one: its page still holds it. */
#include <errno.h>
#include <string.h>
#include <xen/grant_table.h>
#include <xen/io/netif.h>

#include "arch/x86_64/barrier.h"
#include "drivers/netfront.h"

#define SLOTS 32 /* of the ring's 256: 128 KiB each way, 48 KB of frames in flight */
#define FRAME_MAX 1514

static struct {
    netif_tx_front_ring_t tx;
    netif_rx_front_ring_t rx;
    int tx_ring_grant, rx_ring_grant;
    evtchn_port_t port;
    bool open, flowing, paused;
    unsigned generation; /* of the rings: which frame belongs to which */
} front;

static char *tx_pages, *rx_pages; /* SLOTS each */
static int tx_grants[SLOTS], rx_grants[SLOTS];
static uint16_t tx_bytes[SLOTS]; /* 0: the slot is free */
static uint8_t tx_order[SLOTS];  /* the busy slots, oldest first */
static unsigned tx_busy;
static struct waiters arrived, drained;
static uint64_t frames_dropped;

bool netfront_memory(void)
{
    void *tx_ring = pages_alloc(1), *rx_ring = pages_alloc(1);
    tx_pages = pages_alloc(SLOTS);
    rx_pages = pages_alloc(SLOTS);
    front.tx.sring = tx_ring;
    front.rx.sring = rx_ring;
    return tx_ring && rx_ring && tx_pages && rx_pages;
}

static void on_event(void *unused)
{
    (void)unused;
    wake_all(&arrived);
    wake_all(&drained);
}

static void push_rx(unsigned slot)
{
    netif_rx_request_t *request = RING_GET_REQUEST(&front.rx, front.rx.req_prod_pvt);
    request->id = (uint16_t)slot;
    request->gref = (uint32_t)rx_grants[slot];
    front.rx.req_prod_pvt++;
}

static void push_tx(unsigned slot)
{
    netif_tx_request_t *request = RING_GET_REQUEST(&front.tx, front.tx.req_prod_pvt);
    *request = (netif_tx_request_t){.gref = (uint32_t)tx_grants[slot], .id = (uint16_t)slot, .size = tx_bytes[slot]};
    front.tx.req_prod_pvt++;
}

static void notify_tx(void)
{
    int notify;
    RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(&front.tx, notify);
    if (notify)
        event_notify(front.port);
}

int netfront_open(domid_t remote, struct netfront_keys *keys)
{
    netif_tx_sring_t *tx_ring = front.tx.sring;
    netif_rx_sring_t *rx_ring = front.rx.sring;
    SHARED_RING_INIT(tx_ring);
    SHARED_RING_INIT(rx_ring);
    FRONT_RING_INIT(&front.tx, tx_ring, PAGE_SIZE);
    FRONT_RING_INIT(&front.rx, rx_ring, PAGE_SIZE);
    front.tx_ring_grant = grant_access(remote, tx_ring, false);
    front.rx_ring_grant = grant_access(remote, rx_ring, false);
    int port = event_alloc(remote, on_event, NULL);
    if (front.tx_ring_grant < 0 || front.rx_ring_grant < 0 || port < 0)
        return -ENOSPC;
    for (unsigned slot = 0; slot < SLOTS; slot++) {
        tx_grants[slot] = grant_access(remote, tx_pages + slot * PAGE_SIZE, true);
        rx_grants[slot] = grant_access(remote, rx_pages + slot * PAGE_SIZE, false);
        if (tx_grants[slot] < 0 || rx_grants[slot] < 0)
            return -ENOSPC;
        push_rx(slot);
    }
    RING_PUSH_REQUESTS(&front.rx);
    front.port = (evtchn_port_t)port;
    front.open = true;
    front.generation++;
    *keys = (struct netfront_keys){front.tx_ring_grant, front.rx_ring_grant, port};
    return 0;
}

/* What was under way when the old backend went, again and in order. */
void netfront_connected(void)
{
    for (unsigned i = 0; i < tx_busy; i++)
        push_tx(tx_order[i]);
    front.flowing = true;
    RING_PUSH_REQUESTS(&front.tx);
    event_notify(front.port);
    wake_all(&arrived);
    wake_all(&drained);
}

void netfront_close(bool grants_alive)
{
    front.flowing = false;
    if (!front.open)
        return;
    front.open = false;
    if (!grants_alive)
        return; /* a new domain: channel and grants are gone with the old one */
    event_close(front.port);
    grant_end(front.tx_ring_grant);
    grant_end(front.rx_ring_grant);
    for (unsigned slot = 0; slot < SLOTS; slot++) {
        grant_end(tx_grants[slot]);
        grant_end(rx_grants[slot]);
    }
}

void netfront_pause(bool paused)
{
    front.paused = paused;
    if (paused)
        return;
    if (front.flowing)
        notify_tx(); /* a cancelled suspend: what was put on the ring meanwhile */
    on_event(NULL);
}

static void forget_slot(unsigned slot)
{
    for (unsigned i = 0; i < tx_busy; i++)
        if (tx_order[i] == slot) {
            memmove(&tx_order[i], &tx_order[i + 1], --tx_busy - i);
            tx_bytes[slot] = 0;
            return;
        }
}

/* Responses free their slots. A number out of range, or of a slot that is not busy, frees nothing. */
static void reap_tx(void)
{
    RING_IDX produced = read_once(front.tx.sring->rsp_prod);
    if (produced - front.tx.rsp_cons > RING_SIZE(&front.tx)) {
        netfront_close(true);
        console_print("flexcapsule: the network's backend broke its ring (tx %u of %u): not used any more\n",
                      produced, front.tx.rsp_cons);
        return;
    }
    read_fence();
    for (; front.tx.rsp_cons != produced; front.tx.rsp_cons++) {
        netif_tx_response_t response = read_once(*RING_GET_RESPONSE(&front.tx, front.tx.rsp_cons));
        if (response.status != NETIF_RSP_NULL && response.id < SLOTS)
            forget_slot(response.id);
    }
    front.tx.sring->rsp_event = front.tx.rsp_cons + 1;
    memory_fence();
}

/* Before a suspend the backend is given a moment to answer for what it has: what stays unanswered is sent again by the
 * next backend, and the receiver may get it twice. */
void netfront_settle(void)
{
    uint64_t give_up = time_monotonic() + 5 * MS;
    while (front.flowing && (reap_tx(), tx_busy) && time_monotonic() < give_up)
        events_wait(time_to_host(give_up));
}

static int free_slot(void)
{
    for (int slot = 0; slot < SLOTS; slot++)
        if (!tx_bytes[slot])
            return slot;
    return -1;
}

/* A frame is kept while the network is away, as long as there are slots; a full ring is waited for, but not for long:
 * what is dropped here TCP sends again. */
int network_send(const void *frame, size_t bytes)
{
    uint64_t give_up = time_monotonic() + 20 * MS;
    int slot;
    if (bytes == 0 || bytes > FRAME_MAX)
        return -EMSGSIZE;
    while (front.flowing && !front.paused && (reap_tx(), free_slot()) < 0)
        if (!wait_on(&drained, give_up))
            break;
    if ((slot = free_slot()) < 0) {
        frames_dropped++;
        return -ENOBUFS;
    }
    memcpy(tx_pages + (size_t)slot * PAGE_SIZE, frame, bytes);
    tx_bytes[slot] = (uint16_t)bytes;
    tx_order[tx_busy++] = (uint8_t)slot;
    if (front.flowing && !front.paused) {
        push_tx((unsigned)slot);
        notify_tx();
    } else if (front.flowing) {
        push_tx((unsigned)slot); /* paused for a suspend that may be cancelled: notified then */
    }
    return 0;
}

static void take_frame(const netif_rx_response_t *response)
{
    static char frame[FRAME_MAX + 6] __attribute__((aligned(8)));
    unsigned slot = response->id;
    if (response->status > 0 && response->status <= FRAME_MAX && response->offset <= PAGE_SIZE - FRAME_MAX) {
        memcpy(frame, rx_pages + slot * PAGE_SIZE + response->offset, (size_t)response->status);
        stack_input(frame, (size_t)response->status,
                    response->flags & (NETRXF_data_validated | NETRXF_csum_blank));
    }
}

/* Returns whether any frame came. The stack may wait, and a move may come meanwhile: then the rings are others. */
static bool receive(void)
{
    RING_IDX produced = read_once(front.rx.sring->rsp_prod);
    if (produced - front.rx.rsp_cons > RING_SIZE(&front.rx)) {
        netfront_close(true);
        console_print("flexcapsule: the network's backend broke its ring (rx): not used any more\n");
        return false;
    }
    if (produced == front.rx.rsp_cons)
        return false;
    read_fence();
    netif_rx_response_t response = read_once(*RING_GET_RESPONSE(&front.rx, front.rx.rsp_cons));
    front.rx.rsp_cons++;
    if (response.id >= SLOTS)
        return true; /* no such buffer; ours are all accounted for elsewhere */
    int notify;
    unsigned generation = front.generation;
    take_frame(&response);
    if (front.flowing && generation == front.generation) {
        push_rx(response.id);
        RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(&front.rx, notify);
        if (notify)
            event_notify(front.port);
    }
    return true;
}

void netfront_receive_loop(void *unused)
{
    (void)unused;
    for (;;) {
        while (front.flowing && !front.paused) {
            reap_tx();
            if (!front.flowing || receive())
                continue;
            front.rx.sring->rsp_event = front.rx.rsp_cons + 1;
            memory_fence(); /* say "wake me" before looking for the last time */
            if (read_once(front.rx.sring->rsp_prod) == front.rx.rsp_cons)
                break;
        }
        wait_on(&arrived, NEVER);
    }
}
