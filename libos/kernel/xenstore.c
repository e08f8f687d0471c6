/* XenStore: requests and watches over one shared ring. Requests are sent whole under a lock, one question at a time, and a
 * thread takes in the answers and the watch events. While suspended the lock is held, so no request is ever cut in two; in
 * a new domain the connection is new: half an answer is thrown away and every watch is set again.
 * What costs is waking the other domain: the bell is rung once per question, however many messages it consists of. */
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
static uint32_t request; /* the present question's number */
static bool answer_held; /* it stays in the reader until the asking thread has taken it */
static unsigned answers_due; /* of the present question, which may be several messages of one number */
static int failed;           /* the first of them that was refused */

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

static void put(const void *bytes, size_t count)
{
    for (const char *from = bytes; count;) {
        uint32_t producer = ring->req_prod;
        long room = bytering_writable(read_once(ring->req_cons), producer, XENSTORE_RING_SIZE);
        if (room < 0)
            panic("XenStore's request ring is broken");
        if (room == 0) {
            event_notify(port);
            wait_on(&ring_moved, time_monotonic() + SECOND);
            continue;
        }
        room = (size_t)room > count ? (long)count : room;
        memcpy(ring->req + (producer & (XENSTORE_RING_SIZE - 1)), from, (size_t)room);
        write_fence();
        write_once(ring->req_prod, producer + (uint32_t)room);
        from += room;
        count -= (size_t)room;
    }
}

static void handle_message(void)
{
    const char *path, *token;
    if (reader.header.type != XS_WATCH_EVENT) {
        if (reader.header.request == IGNORED || reader.header.request != request || !answers_due)
            return;
        if (reader.header.type == XS_ERROR && !failed)
            failed = xenstore_error(reader.payload);
        if (--answers_due == 0) {
            answer_held = true;
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

static void take_in(void *unused)
{
    (void)unused;
    for (;;) {
        uint32_t consumer = ring->rsp_cons;
        long count = bytering_readable(consumer, read_once(ring->rsp_prod), XENSTORE_RING_SIZE);
        if (count < 0)
            panic("XenStore's answer ring is broken");
        if (count == 0 || answer_held) {
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
        memory_fence(); /* given back before looking whether the other side found no room until now */
        if (read_once(ring->rsp_prod) - consumer >= XENSTORE_RING_SIZE)
            event_notify(port);
        if (complete)
            handle_message();
    }
}

static void send_request(uint32_t type, uint32_t number, uint32_t transaction, const char *a, size_t a_bytes,
                         const char *b, size_t b_bytes)
{
    struct xswire_header header = {type, number, transaction, (uint32_t)(a_bytes + b_bytes)};
    put(&header, sizeof header);
    put(a, a_bytes);
    put(b, b_bytes);
}

static void begin_question(unsigned messages)
{
    mutex_lock(&lock);
    if (++request == IGNORED)
        ++request;
    answers_due = messages;
    failed = 0;
}

static void await_answers(void)
{
    event_notify(port);
    while (answers_due)
        wait_on(&answered, NEVER);
}

static void end_question(void)
{
    answer_held = false;
    wake_all(&ring_moved);
    mutex_unlock(&lock);
}

/* Ask, wait, copy the answer. Returns its length or a negative error. */
int xenstore_ask(uint32_t type, uint32_t transaction, const char *a, size_t a_bytes, const char *b, size_t b_bytes,
                 char *answer, size_t size)
{
    if (a_bytes + b_bytes > XSWIRE_PAYLOAD_MAX)
        return -E2BIG;
    begin_question(1);
    send_request(type, request, transaction, a, a_bytes, b, b_bytes);
    await_answers();
    int length = (int)reader.header.length;
    if (failed)
        length = failed;
    else if (reader.header.type != type)
        length = -EIO;
    else if (answer && size) {
        if ((size_t)length >= size)
            length = (int)size - 1;
        memcpy(answer, reader.payload, (size_t)length);
        answer[length] = 0;
    }
    end_question();
    return length;
}

/* In their order, and the answers are awaited together. Returns 0 or the first refusal; the others are written then too. */
int xenstore_write_all(const char *directory, const struct xenstore_key *keys, size_t count)
{
    begin_question((unsigned)count);
    for (const struct xenstore_key *key = keys; key < keys + count; key++) {
        char path[128];
        int length = snprintf(path, sizeof path, "%s/%s", directory, key->name);
        send_request(XS_WRITE, request, 0, path, (size_t)length + 1, key->value, strlen(key->value));
    }
    await_answers();
    int result = failed;
    end_question();
    return result;
}

/* Its answer is not awaited: a watch's first event comes either way. Taking one back goes with what is said next. */
static void send_watch(uint32_t type, unsigned index)
{
    char token[16], *path = watches[index].path;
    int length = snprintf(token, sizeof token, "%u", index);
    mutex_lock(&lock);
    send_request(type, IGNORED, 0, path, strlen(path) + 1, token, (size_t)length + 1);
    if (type != XS_UNWATCH)
        event_notify(port);
    mutex_unlock(&lock);
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
            send_watch(XS_WATCH, index);
            return 0;
        }
    return -ENOSPC;
}

void xenstore_unwatch(const char *path, watch_handler *handler, void *argument)
{
    for (unsigned index = 0; index < WATCHES_MAX; index++)
        if (watches[index].handler == handler && watches[index].argument == argument
            && !strcmp(watches[index].path, path)) {
            send_watch(XS_UNWATCH, index);
            watches[index].handler = NULL;
        }
}

void xenstore_suspend(void) { mutex_lock(&lock); }

void xenstore_resume(bool cancelled)
{
    if (!cancelled) {
        bind_ring();
        reader.have = 0;
        ring->rsp_cons = read_once(ring->rsp_prod);
    }
    wake_all(&ring_moved);
    mutex_unlock(&lock);
}

/* Whatever changed meanwhile is not missed: each one's first event comes at once. Those set since the move are refused. */
void xenstore_watch_again(void)
{
    for (unsigned index = 0; index < WATCHES_MAX; index++)
        if (watches[index].handler)
            send_watch(XS_WATCH, index);
}

void xenstore_start(void)
{
    bind_ring();
    thread_create("xenstore", take_in, NULL);
}
