/* The console ring (xen/include/public/io/console.h). Before threads run, and in a panic, output that finds no room
 * waits for a moment and is then dropped: nobody may be listening. */
#include <stdio.h>
#include <string.h>
#include <xen/io/console.h>

#include "arch/x86_64/barrier.h"
#include "internal.h"
#include "lib/bytering.h"

#define PATIENCE (500 * MS)

static struct xencons_interface *ring;
static evtchn_port_t port;
static struct waiters drained;
static void (*on_input)(void);

static void on_event(void *unused)
{
    (void)unused;
    wake_all(&drained);
    if (on_input && read_once(ring->in_prod) != ring->in_cons)
        on_input();
}

static void bind_ring(void)
{
    ring = (void *)(p2m_page(startinfo()->console.domU.mfn) << PAGE_SHIFT);
    port = startinfo()->console.domU.evtchn;
    event_bind(port, on_event, NULL);
}

void console_write(const char *text, size_t bytes)
{
    uint64_t give_up = time_monotonic() + PATIENCE;
    while (bytes) {
        uint32_t producer = ring->out_prod;
        long room = bytering_writable(read_once(ring->out_cons), producer, sizeof ring->out);
        if (room < 0)
            return; /* the console's backend writes nonsense; the application need not die of it */
        if (room == 0) {
            event_notify(port);
            if (time_monotonic() >= give_up)
                return;
            if (thread_current())
                wait_on(&drained, give_up);
            else
                events_wait(time_to_host(give_up));
            continue;
        }
        if ((size_t)room > bytes)
            room = (long)bytes;
        memcpy(ring->out + (producer & (sizeof ring->out - 1)), text, (size_t)room);
        write_fence();
        write_once(ring->out_prod, producer + (uint32_t)room);
        text += room;
        bytes -= (size_t)room;
    }
    event_notify(port);
}

size_t console_read(char *buffer, size_t bytes)
{
    uint32_t consumer = ring->in_cons;
    long count = bytering_readable(consumer, read_once(ring->in_prod), sizeof ring->in);
    if (count <= 0)
        return 0;
    if ((size_t)count > bytes)
        count = (long)bytes;
    read_fence();
    memcpy(buffer, ring->in + (consumer & (sizeof ring->in - 1)), (size_t)count);
    memory_fence();
    write_once(ring->in_cons, consumer + (uint32_t)count);
    event_notify(port);
    return (size_t)count;
}

void console_on_input(void (*heard)(void)) { on_input = heard; }

void console_print(const char *format, ...)
{
    char line[256];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    console_write(line, length < (int)sizeof line ? (size_t)length : sizeof line - 1);
}

/* Let the backend take what is in the ring before the domain goes away. */
void console_flush(void)
{
    uint64_t give_up = time_monotonic() + PATIENCE;
    while (ring && read_once(ring->out_cons) != ring->out_prod && time_monotonic() < give_up)
        events_wait(time_to_host(time_monotonic() + 5 * MS));
}

void console_start(void) { bind_ring(); }

void console_resume(bool cancelled)
{
    if (!cancelled)
        bind_ring();
    wake_all(&drained);
}
