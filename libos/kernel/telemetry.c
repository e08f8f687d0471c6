/* Figures for the controller, in XenStore under data/flexcapsule/ (README.md lists them), every report=SECONDS (1 by
 * default, 0 for never). Only what changed is written: an idle domain costs a few messages a second at most. */
#include <flexcapsule.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

struct figure { const char *name; char written[24]; };
enum { USED, FREE, BUSY, RECEIVED, SENT, MOVES, LOAD, FIGURES };
static struct figure figures[FIGURES] = {
    {"used-bytes", ""}, {"free-bytes", ""}, {"busy-ns", ""}, {"received-bytes", ""},
    {"sent-bytes", ""}, {"moves", ""},      {"load", ""}};
static double load;
static unsigned moves_reported;

void flexcapsule_load(double now) { load = now; }
unsigned flexcapsule_moves(void) { return lifecycle_moves(); }

static void publish(int figure, const char *value)
{
    char path[64];
    if (!strcmp(figures[figure].written, value))
        return;
    snprintf(path, sizeof path, "data/flexcapsule/%s", figures[figure].name);
    if (xenstore_write(path, value) == 0)
        snprintf(figures[figure].written, sizeof figures[figure].written, "%s", value);
}

static void publish_number(int figure, uint64_t number)
{
    char text[24];
    snprintf(text, sizeof text, "%lu", (unsigned long)number);
    publish(figure, text);
}

static void report_once(void)
{
    struct memory_count memory = memory_count();
    uint64_t received, sent;
    char text[24];
    stack_count(&received, &sent);
    if (moves_reported != lifecycle_moves()) /* another XenStore: it has none of it */
        for (int i = 0; i < FIGURES; i++)
            *figures[i].written = 0;
    moves_reported = lifecycle_moves();
    publish_number(USED, (memory.total - memory.ballooned - memory.free) * PAGE_SIZE);
    publish_number(FREE, memory.free * PAGE_SIZE);
    publish_number(BUSY, scheduler_busy_ns());
    publish_number(RECEIVED, received);
    publish_number(SENT, sent);
    publish_number(MOVES, lifecycle_moves());
    snprintf(text, sizeof text, "%u.%03u", (unsigned)load, (unsigned)(load * 1000) % 1000);
    publish(LOAD, text);
}

static void report(void *interval)
{
    for (;;) {
        report_once();
        thread_sleep(time_monotonic() + (uintptr_t)interval * MS);
    }
}

void telemetry_start(void)
{
    double every_s = setting("report") ? strtod(setting("report"), NULL) : 1;
    if (every_s > 0)
        thread_create("telemetry", report, (void *)(uintptr_t)(every_s * 1000));
}
