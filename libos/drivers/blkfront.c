/* The disk's data path (xen/include/public/io/blkif.h). A few slots, each with a page of its own that stays granted; a
 * request is at most that page. Requests that were under way when the domain moved are made again to the next backend:
 * their pages still hold what is to be written, and reading or writing a sector twice is doing it once. */
#include <errno.h>
#include <string.h>
#include <xen/io/blkif.h>

#include "arch/x86_64/barrier.h"
#include "drivers/blkfront.h"

#define SLOTS 8
#define SECTOR 512 /* the unit of blkif's sector numbers, whatever the disk's own sectors are */

enum slot_state { SLOT_FREE, SLOT_BUSY, SLOT_DONE };
static struct slot { enum slot_state state; int grant, result; uint8_t operation, sectors; uint64_t sector; } slots[SLOTS];

static blkif_front_ring_t ring;
static char *pages;
static int ring_grant;
static evtchn_port_t channel;
static bool open, flowing, paused, gone, flushes, read_only;
static uint64_t size;
static struct waiters answered, freed;

bool blkfront_memory(void)
{
    ring.sring = pages_alloc(1);
    pages = pages_alloc(SLOTS);
    return ring.sring && pages;
}

static void push(unsigned number)
{
    const struct slot *slot = &slots[number];
    blkif_request_t *request = RING_GET_REQUEST(&ring, ring.req_prod_pvt);
    *request = (blkif_request_t){.operation = slot->operation, .id = number, .sector_number = slot->sector};
    if (slot->sectors) {
        request->nr_segments = 1;
        request->seg[0] = (struct blkif_request_segment){
            .gref = (uint32_t)slot->grant, .first_sect = 0, .last_sect = (uint8_t)(slot->sectors - 1)};
    }
    ring.req_prod_pvt++;
}

static void publish(void)
{
    int notify;
    RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(&ring, notify);
    if (notify)
        event_notify(channel);
}

/* Until none is left after "wake me" was said: who takes the last answer in may not be who waits for it. It comes to an
 * end, as there are no more answers than requests. */
static void take_answers(void)
{
    RING_IDX produced;
    while ((produced = read_once(ring.sring->rsp_prod)) != ring.rsp_cons) {
        if (produced - ring.rsp_cons > ring.req_prod_pvt - ring.rsp_cons) {
            blkfront_gone();
            console_print("flexcapsule: the disk's backend broke its ring: not used any more\n");
            return;
        }
        read_fence();
        for (; ring.rsp_cons != produced; ring.rsp_cons++) {
            blkif_response_t response = read_once(*RING_GET_RESPONSE(&ring, ring.rsp_cons));
            if (response.id >= SLOTS || slots[response.id].state != SLOT_BUSY)
                continue; /* an answer to nothing we asked */
            slots[response.id].state = SLOT_DONE;
            slots[response.id].result = response.status == BLKIF_RSP_OKAY ? 0
                                      : response.status == BLKIF_RSP_EOPNOTSUPP ? -EOPNOTSUPP : -EIO;
        }
        ring.sring->rsp_event = ring.rsp_cons + 1;
        memory_fence();
    }
}

static void on_event(void *unused)
{
    (void)unused;
    wake_all(&answered);
}

int blkfront_open(domid_t remote, int *grant, int *port)
{
    blkif_sring_t *shared = ring.sring;
    SHARED_RING_INIT(shared);
    FRONT_RING_INIT(&ring, shared, PAGE_SIZE);
    ring_grant = grant_access(remote, shared, false);
    int new_channel = event_alloc(remote, on_event, NULL);
    for (unsigned i = 0; i < SLOTS; i++)
        if ((slots[i].grant = grant_access(remote, pages + i * PAGE_SIZE, false)) < 0)
            return -ENOSPC;
    if (ring_grant < 0 || new_channel < 0)
        return -ENOSPC;
    channel = (evtchn_port_t)new_channel;
    open = true;
    *grant = ring_grant;
    *port = new_channel;
    return 0;
}

void blkfront_connected(uint64_t sectors, bool can_flush, bool only_read)
{
    size = sectors;
    flushes = can_flush;
    read_only = only_read;
    for (unsigned i = 0; i < SLOTS; i++)
        if (slots[i].state == SLOT_BUSY)
            push(i);
    flowing = true;
    publish();
    wake_all(&answered);
    wake_all(&freed);
}

void blkfront_close(bool grants_alive)
{
    flowing = false;
    if (!open)
        return;
    open = false;
    if (!grants_alive)
        return;
    event_close(channel);
    grant_end(ring_grant);
    for (unsigned i = 0; i < SLOTS; i++)
        grant_end(slots[i].grant);
}

void blkfront_gone(void)
{
    gone = true;
    blkfront_close(true);
    wake_all(&answered);
    wake_all(&freed);
}

bool blkfront_is_gone(void) { return gone; }

void blkfront_pause(bool now)
{
    paused = now;
    if (!paused && flowing)
        publish();
    on_event(NULL);
}

/* Returns a free slot's number, waiting for one if need be. */
static int take_slot(void)
{
    while (!gone) {
        for (int i = 0; i < SLOTS; i++)
            if (slots[i].state == SLOT_FREE)
                return i;
        wait_on(&freed, NEVER);
    }
    return -EIO;
}

static int perform(int number)
{
    struct slot *slot = &slots[number];
    slot->state = SLOT_BUSY;
    if (flowing) {
        push((unsigned)number);
        if (!paused)
            publish();
    }
    while (slot->state == SLOT_BUSY && !gone) {
        if (flowing)
            take_answers();
        if (slot->state == SLOT_BUSY)
            wait_on(&answered, NEVER);
        else
            wake_all(&answered); /* what was taken in may be another thread's answer */
    }
    return slot->state == SLOT_DONE ? slot->result : -EIO;
}

static void release(int number)
{
    slots[number].state = SLOT_FREE;
    wake_one(&freed);
}

uint64_t block_sectors(void) { return size; }

int block_transfer(uint64_t sector, void *page, size_t sectors, bool write)
{
    if (!sectors || sectors > PAGE_SIZE / SECTOR || sector >= size || sectors > size - sector)
        return -EINVAL;
    if (write && read_only)
        return -EROFS;
    int number = take_slot();
    if (number < 0)
        return number;
    char *shared = pages + (size_t)number * PAGE_SIZE;
    slots[number].operation = write ? BLKIF_OP_WRITE : BLKIF_OP_READ;
    slots[number].sector = sector;
    slots[number].sectors = (uint8_t)sectors;
    if (write)
        memcpy(shared, page, sectors * SECTOR);
    int result = perform(number);
    if (!write && !result)
        memcpy(page, shared, sectors * SECTOR);
    release(number);
    return result;
}

/* A backend without a flush writes through, or says so by refusing: both are as safe as it gets. */
int block_flush(void)
{
    int number = flushes ? take_slot() : -1;
    if (number < 0)
        return gone ? -EIO : 0;
    slots[number].operation = BLKIF_OP_FLUSH_DISKCACHE;
    slots[number].sector = slots[number].sectors = 0;
    int result = perform(number);
    release(number);
    return result == -EOPNOTSUPP ? 0 : result;
}
