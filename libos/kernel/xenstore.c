/* XenStore: requests and watches over one shared ring. Requests are sent whole under a lock, one at a time, and a thread
 * takes in the answers and the watch events. While suspended the lock is held, so no request is ever cut in two; in a new
 * domain the connection is new: half an answer is thrown away and every watch is set again. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xen/io/xs_wire.h>

#include "arch/x86_64/barrier.h"
#include "internal.h"
#include "lib/bytering.h"
#include "lib/xswire.h"

#define WATCHES_MAX 12
#define IGNORED 0 /* the request number of whose answer nobody waits for */

static struct {
    char path[128];
    watch_handler *handler;
    void *argument;
} watches[WATCHES_MAX]; /* the token of a watch is its index */

static struct xenstore_domain_interface *ring;
static evtchn_port_t port;
static struct xswire_reader reader;
static struct mutex lock;
static struct waiters ring_moved, answered;
static uint32_t request, answer_to;

static void on_event(void *unused)
{
    (void)unused;
    wake_all(&ring_moved);
}

static void bind_ring(void)
{
    ring = (void *)(p2m_page(startinfo()->store_mfn) << PAGE_SHIFT);
    port = startinfo()->store_evtchn;
    event_bind(port, on_event, NULL);
}

/* When `patient`, other threads run while the ring is full; else the domain sleeps (resume must not let others run). */
static void put(const void *bytes, size_t count, bool patient)
{
    for (const char *from = bytes; count;) {
        uint32_t producer = ring->req_prod;
        long room = bytering_writable(read_once(ring->req_cons), producer, XENSTORE_RING_SIZE);
        if (room < 0)
            panic("XenStore's request ring is broken");
        if (room == 0) {
            event_notify(port);
            if (patient)
                wait_on(&ring_moved, time_monotonic() + SECOND);
            else
                events_wait(time_to_host(time_monotonic() + 10 * MS));
            continue;
        }
        if ((size_t)room > count)
            room = (long)count;
        memcpy(ring->req + (producer & (XENSTORE_RING_SIZE - 1)), from, (size_t)room);
        write_fence();
        write_once(ring->req_prod, producer + (uint32_t)room);
        from += room;
        count -= (size_t)room;
    }
    event_notify(port);
}

static void handle_message(void)
{
    const char *path, *token;
    if (reader.header.type != XS_WATCH_EVENT) {
        if (reader.header.request != IGNORED && reader.header.request == request) {
            answer_to = request;
            wake_all(&answered);
        }
        return;
    }
    if (xswire_watch_event(&reader, &path, &token) != 0)
        return;
    unsigned index = (unsigned)atoi(token);
    if (index < WATCHES_MAX && watches[index].handler)
        watches[index].handler(watches[index].argument);
}

/* The answer stays in the reader until the asking thread has taken it: no further byte is read before. */
static void take_in(void *unused)
{
    (void)unused;
    for (;;) {
        uint32_t consumer = ring->rsp_cons;
        long count = bytering_readable(consumer, read_once(ring->rsp_prod), XENSTORE_RING_SIZE);
        if (count < 0)
            panic("XenStore's answer ring is broken");
        if (count == 0 || (answer_to == request && answer_to != IGNORED)) {
            wait_on(&ring_moved, NEVER);
            continue;
        }
        int complete;
        read_fence();
        long taken = xswire_take(&reader, ring->rsp + (consumer & (XENSTORE_RING_SIZE - 1)), (size_t)count, &complete);
        if (taken < 0)
            panic("XenStore announced a message of %u bytes", reader.header.length);
        memory_fence(); /* read before it is given back */
        write_once(ring->rsp_cons, consumer + (uint32_t)taken);
        event_notify(port);
        if (complete)
            handle_message();
    }
}

static void send_request(uint32_t type, uint32_t number, uint32_t transaction, const char *a, size_t a_bytes,
                         const char *b, size_t b_bytes, bool patient)
{
    struct xswire_header header = {type, number, transaction, (uint32_t)(a_bytes + b_bytes)};
    put(&header, sizeof header, patient);
    put(a, a_bytes, patient);
    put(b, b_bytes, patient);
}

/* Ask, wait, copy the answer. Returns its length or a negative error. */
int xenstore_ask(uint32_t type, uint32_t transaction, const char *a, size_t a_bytes, const char *b, size_t b_bytes,
                 char *answer, size_t size)
{
    if (a_bytes + b_bytes > XSWIRE_PAYLOAD_MAX)
        return -E2BIG;
    mutex_lock(&lock);
    if (++request == IGNORED)
        ++request;
    answer_to = IGNORED;
    send_request(type, request, transaction, a, a_bytes, b, b_bytes, true);
    while (answer_to != request)
        wait_on(&answered, NEVER);
    int length = (int)reader.header.length;
    if (reader.header.type == XS_ERROR)
        length = xenstore_error(reader.payload);
    else if (reader.header.type != type)
        length = -EIO;
    else if (answer && size) {
        if ((size_t)length >= size)
            length = (int)size - 1;
        memcpy(answer, reader.payload, (size_t)length);
        answer[length] = 0;
    }
    answer_to = IGNORED;
    wake_all(&ring_moved);
    mutex_unlock(&lock);
    return length;
}

static void send_watch(unsigned index, uint32_t number, bool patient)
{
    char token[16];
    int length = snprintf(token, sizeof token, "%u", index);
    const char *path = watches[index].path;
    send_request(XS_WATCH, number, 0, path, strlen(path) + 1, token, (size_t)length + 1, patient);
}

int xenstore_watch(const char *path, watch_handler *handler, void *argument)
{
    for (unsigned index = 0; index < WATCHES_MAX; index++)
        if (!watches[index].handler) {
            if (strlen(path) >= sizeof watches[index].path)
                return -ENAMETOOLONG;
            strcpy(watches[index].path, path);
            watches[index].handler = handler;
            watches[index].argument = argument;
            mutex_lock(&lock);
            send_watch(index, IGNORED, true); /* its answer is not awaited: the first event comes either way */
            mutex_unlock(&lock);
            return 0;
        }
    return -ENOSPC;
}

void xenstore_unwatch(const char *path, watch_handler *handler, void *argument)
{
    for (unsigned index = 0; index < WATCHES_MAX; index++)
        if (watches[index].handler == handler && watches[index].argument == argument
            && !strcmp(watches[index].path, path)) {
            char token[16];
            int length = snprintf(token, sizeof token, "%u", index);
            watches[index].handler = NULL;
            xenstore_ask(XS_UNWATCH, 0, path, strlen(path) + 1, token, (size_t)length + 1, NULL, 0);
        }
}

void xenstore_suspend(void) { mutex_lock(&lock); }

void xenstore_resume(bool cancelled)
{
    if (!cancelled) {
        bind_ring();
        reader.have = 0;
        ring->rsp_cons = read_once(ring->rsp_prod);
        for (unsigned index = 0; index < WATCHES_MAX; index++)
            if (watches[index].handler)
                send_watch(index, IGNORED, false);
    }
    wake_all(&ring_moved);
    mutex_unlock(&lock);
}

void xenstore_start(void)
{
    bind_ring();
    thread_create("xenstore", take_in, NULL);
}
