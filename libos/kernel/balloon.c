/* Memory that costs nothing to move, in two ways.
 * Hiding: once a second, free pages beyond a small reserve are unmapped and hidden in the frame list (kernel/p2m.c). A
 * live migration then carries what is in use, without anybody having announced it, and a cancelled one finds every page
 * where it was. After a move the pages that were left behind are populated again.
 * Ballooning: memory/target, in KiB, is the toolstack's wish; what is above it is given back to Xen for good. */
#include <stdlib.h>

#include "internal.h"

#define EVERY (1 * SECOND)
#define RESERVE 128 /* pages that stay mapped, so that ordinary allocation costs no hypercall: 512 KiB */

static struct waiters wanted;
static bool target_changed, moved;

static void on_target(void *unused)
{
    (void)unused;
    target_changed = true;
    wake_all(&wanted);
}

static void follow_target(void)
{
    char text[24];
    if (xenstore_read("memory/target", text, sizeof text) <= 0)
        return;
    unsigned long target = strtoul(text, NULL, 10) >> (PAGE_SHIFT - 10);
    struct memory_count count = memory_count();
    size_t present = count.total - count.ballooned;
    if (target == 0)
        return;
    if (target < present)
        memory_give_back(present - target);
    else if (target > present && count.ballooned)
        memory_take_back(target - present);
}

static void tend(void *unused)
{
    (void)unused;
    xenstore_watch("memory/target", on_target, NULL);
    for (;;) {
        wait_on(&wanted, time_monotonic() + EVERY);
        if (moved) {
            moved = false;
            lifecycle_await_settled();
            memory_give_again();
            memory_claim();
        }
        if (target_changed) {
            target_changed = false;
            follow_target();
        }
        memory_hide(RESERVE);
    }
}

/* Nothing is to be done before a move: this thread only ever waits between two steps, never inside one. */
void balloon_resume(bool cancelled)
{
    if (!cancelled) {
        moved = true;
        wake_all(&wanted);
    }
}

void balloon_start(void) { thread_create("balloon", tend, NULL); }
