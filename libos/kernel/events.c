/* Event channels, polled. The upcall mask stays set and every channel stays masked: Xen never interrupts us. Pending
 * bits are looked at by the scheduler, and an idle domain sleeps in SCHEDOP_poll, which wakes for masked channels too and
 * carries its own timeout (xen/include/public/sched.h). So there is no interrupt context anywhere: no handler can break
 * into a half-done update, SSE state needs no saving, and the timer needs no virtual interrupt.
 * The price: code that computes without a system call delays events (see thread_breathe). */
#include <errno.h>
#include <xen/event_channel.h>
#include <xen/sched.h>

#include "arch/x86_64/barrier.h"
#include "arch/x86_64/hypercall.h"
#include "internal.h"

#define CHANNELS_MAX 16 /* store, console, suspend, two per device */

static struct {
    evtchn_port_t port;
    event_handler *handler;
    void *argument;
} channels[CHANNELS_MAX];
static evtchn_port_t ports[CHANNELS_MAX]; /* the same, packed, as SCHEDOP_poll wants them */
static unsigned channel_count;

void event_bind(evtchn_port_t port, event_handler *handler, void *argument)
{
    if (channel_count == CHANNELS_MAX)
        panic("more than %d event channels", CHANNELS_MAX);
    channels[channel_count].port = ports[channel_count] = port;
    channels[channel_count].handler = handler;
    channels[channel_count++].argument = argument;
}

int event_alloc(domid_t remote, event_handler *handler, void *argument)
{
    struct evtchn_alloc_unbound wish = {.dom = DOMID_SELF, .remote_dom = remote};
    long error = HYPERCALL2(event_channel_op, EVTCHNOP_alloc_unbound, &wish);
    if (error)
        return error;
    event_bind(wish.port, handler, argument);
    return wish.port;
}

void event_close(evtchn_port_t port)
{
    struct evtchn_close wish = {.port = port};
    for (unsigned i = 0; i < channel_count; i++)
        if (ports[i] == port) {
            channels[i] = channels[--channel_count];
            ports[i] = ports[channel_count];
            HYPERCALL2(event_channel_op, EVTCHNOP_close, &wish);
            return;
        }
}

void event_notify(evtchn_port_t port)
{
    struct evtchn_send wish = {.port = port};
    HYPERCALL2(event_channel_op, EVTCHNOP_send, &wish); /* fails when the backend is gone: its state will tell */
}

bool events_handle(void)
{
    bool any = false;
    for (unsigned i = 0; i < channel_count; i++) {
        unsigned long *word = &SHARED.evtchn_pending[ports[i] / 64], bit = 1UL << (ports[i] % 64);
        if (!(read_once(*word) & bit))
            continue;
        /* Cleared before the ring is looked at: what comes later sets it again. */
        __atomic_fetch_and(word, ~bit, __ATOMIC_SEQ_CST);
        any = true;
        channels[i].handler(channels[i].argument);
    }
    return any;
}

void events_wait(uint64_t until_host_ns)
{
    struct sched_poll poll = {.nr_ports = channel_count, .timeout = until_host_ns};
    set_xen_guest_handle(poll.ports, ports);
    HYPERCALL2(sched_op, SCHEDOP_poll, &poll);
}

void events_start(void)
{
    for (unsigned i = 0; i < DIMENSION(SHARED.evtchn_mask); i++)
        SHARED.evtchn_mask[i] = ~0UL; /* a restore sets them too */
}

/* In a new domain every channel is gone but the two that the toolstack made, which console and store bind again. */
void events_resume(bool cancelled)
{
    if (!cancelled) {
        channel_count = 0;
        events_start();
    }
}
