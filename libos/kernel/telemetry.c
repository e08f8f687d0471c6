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

static void report_once(void)
{
    struct memory_count memory = memory_count();
    struct xenstore_key changed[FIGURES];
    char now[FIGURES][sizeof changed->value];
    uint64_t received, sent;
    size_t count = 0;
    stack_count(&received, &sent);
    const uint64_t numbers[LOAD] = {
        [USED] = (memory.total - memory.ballooned - memory.free) * PAGE_SIZE,
        [FREE] = memory.free * PAGE_SIZE,
        [BUSY] = scheduler_busy_ns(),
        [RECEIVED] = received,
        [SENT] = sent,
        [MOVES] = lifecycle_moves(),
    };
    for (int i = 0; i < LOAD; i++)
        snprintf(now[i], sizeof now[i], "%lu", (unsigned long)numbers[i]);
    snprintf(now[LOAD], sizeof now[LOAD], "%u.%03u", (unsigned)load, (unsigned)(load * 1000) % 1000);
    bool anew = moves_reported != lifecycle_moves(); /* another XenStore: it has none of it */
    moves_reported = lifecycle_moves();
    for (int i = 0; i < FIGURES; i++)
        if (anew || strcmp(figures[i].written, now[i])) {
            changed[count].name = figures[i].name;
            strcpy(changed[count++].value, now[i]);
        }
    bool written = xenstore_write_all("data/flexcapsule", changed, count) == 0;
    for (int i = 0; i < FIGURES; i++)
        strcpy(figures[i].written, written ? now[i] : "");
}

static void report(void *interval)
{
    for (;;) {
        report_once();
        thread_sleep(time_monotonic() + (uintptr_t)interval * MS);
        lifecycle_await_settled();
    }
}

void telemetry_start(void)
{
    double every_s = setting("report") ? strtod(setting("report"), NULL) : 1;
    if (every_s > 0)
        thread_create("telemetry", report, (void *)(uintptr_t)(every_s * 1000));
}
