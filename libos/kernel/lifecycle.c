/* The domain's life as the toolstack directs it: power off, reboot, suspend. A suspend is asked for in two ways
 * (docs/misc/xenstore-paths.pandoc): "suspend" in control/shutdown, to be acknowledged by writing "" there, or an event
 * on the channel published in device/suspend/event-channel, which needs no acknowledgement and is faster.
 * After a move clients wait for the network only, and each of its questions to XenStore costs two switches between domains:
 * whatever else has to be said or populated waits until the network has settled. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <xen/sched.h>

#include "arch/x86_64/hypercall.h"
#include "internal.h"
#include "lib/suspend.h"

static struct waiters asked;
static bool channel_fired, control_changed;
static int channel; /* < 0: none, XenStore will do */
static unsigned moves;
static struct waiters settled;
static uint64_t settled_by; /* 0: nothing is waited for */
static void (*on_poweroff)(void);
static unsigned off_reason = SHUTDOWN_poweroff;

#define SETTLED_WITHIN (500 * MS)

static void channel_resume(bool cancelled);
static void settling_resume(bool cancelled);

/* The order is the contract. Devices do nothing but stop their data path (the handshake comes after the move, from their
 * own threads: quiescing a device costs round trips during which the network is dead); then nothing may be under way in
 * XenStore; then time stands still; then Xen's own pages leave the page tables; last, start_info is made portable. */
static const struct suspend_step steps[] = {
    {"network", network_suspend, network_resume},
    {"settling", NULL, settling_resume},
    {"block", block_suspend, block_resume},
    {"balloon", NULL, balloon_resume},
    {"entropy", NULL, entropy_resume},
    {"suspend channel", NULL, channel_resume},
    {"xenstore", xenstore_suspend, xenstore_resume},
    {"console", NULL, console_resume},
    {"events", NULL, events_resume},
    {"time", time_suspend, time_resume},
    {"grants", grants_suspend, grants_resume},
    {"shared_info", sharedinfo_suspend, sharedinfo_resume},
    {"start_info", startinfo_suspend, startinfo_resume},
};

static long stop(void)
{
    struct sched_shutdown shutdown = {.reason = SHUTDOWN_suspend};
    return HYPERCALL3(sched_op, SCHEDOP_shutdown, &shutdown, startinfo_frame());
}

static void on_channel(void *unused)
{
    (void)unused;
    channel_fired = true;
    wake_all(&asked);
}

static void on_control(void *unused)
{
    (void)unused;
    control_changed = true;
    wake_all(&asked);
}

static void publish_channel(void)
{
    channel = event_alloc(0, on_channel, NULL);
    if (channel >= 0 && xenstore_printf("device/suspend/event-channel", "%d", channel) != 0) {
        event_close((evtchn_port_t)channel); /* the toolstack made no room for it: it will use control/shutdown */
        channel = -1;
    }
}

static void channel_resume(bool cancelled)
{
    if (!cancelled)
        channel = -1; /* published anew by the lifecycle thread: it may not wait here */
    channel_fired = false;
}

static void settling_resume(bool cancelled)
{
    if (!cancelled && network_present())
        settled_by = time_monotonic() + SETTLED_WITHIN;
}

void lifecycle_settled(void)
{
    settled_by = 0;
    wake_all(&settled);
}

void lifecycle_await_settled(void)
{
    while (settled_by > time_monotonic())
        wait_on(&settled, settled_by);
}

static void suspend(void)
{
    bool cancelled = suspend_walk(steps, DIMENSION(steps), stop);
    moves++;
    if (cancelled)
        return;
    lifecycle_await_settled();
    xenstore_watch_again();
    publish_channel();
}

static bool understood(const char *command)
{
    return !strcmp(command, "suspend") || !strcmp(command, "poweroff") || !strcmp(command, "reboot")
        || !strcmp(command, "halt");
}

/* Read and emptied in one: a request to suspend that is withdrawn at the last moment is either ours, or was never there.
 * What is not understood is left for the toolstack to see. Returns whether there is something to obey. */
static bool acknowledge(char *command, size_t size)
{
    uint32_t transaction;
    bool ours;
    int ended;
    do {
        if (xenstore_begin(&transaction) != 0)
            return false;
        ours = xenstore_read_in(transaction, "control/shutdown", command, size) > 0 && understood(command)
            && xenstore_write_in(transaction, "control/shutdown", "") == 0;
        ended = xenstore_end(transaction, ours);
    } while (ended == -EAGAIN);
    return ours && ended == 0;
}

static void obey(void)
{
    char command[16] = "";
    if (!acknowledge(command, sizeof command))
        return; /* the watch fires on being set, and again when we acknowledge */
    if (!strcmp(command, "suspend")) {
        suspend();
    } else {
        off_reason = !strcmp(command, "reboot") ? SHUTDOWN_reboot : SHUTDOWN_poweroff;
        if (on_poweroff)
            on_poweroff();
        else
            machine_off(0);
    }
}

static void attend(void *unused)
{
    (void)unused;
    xenstore_watch("control/shutdown", on_control, NULL);
    publish_channel();
    /* Announcements; the toolstack may have made the nodes read-only, and is then none the wiser. */
    xenstore_write("control/feature-suspend", "1");
    xenstore_write("control/feature-poweroff", "1");
    xenstore_write("control/feature-reboot", "1");
    for (;;) {
        while (!channel_fired && !control_changed)
            wait_on(&asked, NEVER);
        if (channel_fired)
            suspend();
        control_changed = false;
        obey();
    }
}

void lifecycle_on_poweroff(void (*asked_to)(void)) { on_poweroff = asked_to; }
unsigned lifecycle_moves(void) { return moves; }

void machine_off(int status)
{
    struct sched_shutdown shutdown = {.reason = off_reason};
    xenstore_printf("data/flexcapsule/exit-status", "%d", status);
    console_flush();
    for (;;)
        HYPERCALL2(sched_op, SCHEDOP_shutdown, &shutdown);
}

void lifecycle_start(void) { thread_create("lifecycle", attend, NULL); }
