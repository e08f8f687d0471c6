/* The suspend table against a fake hypervisor: mirror order, once each, the outcome passed on, cancelled or not. */
#include "check.h"
#include "lib/suspend.h"

static char trace[64];
static long answer; /* of the fake hypervisor */

static void note(char c)
{
    size_t n = strlen(trace);
    trace[n] = c;
    trace[n + 1] = 0;
}

#define STEP(name, upper, lower)                                                       \
    static void name##_suspend(void) { note(upper); }                                  \
    static void name##_resume(bool cancelled) { note(lower); note(cancelled ? '!' : '.'); }
STEP(network, 'N', 'n')
STEP(store, 'S', 's')
STEP(time, 'T', 't')
STEP(page, 'P', 'p')

static long stop(void)
{
    note('|');
    return answer;
}

static const struct suspend_step steps[] = {{"network", network_suspend, network_resume},
                                            {"balloon", NULL, NULL},
                                            {"store", store_suspend, store_resume},
                                            {"time", time_suspend, time_resume},
                                            {"console", NULL, time_resume},
                                            {"page", page_suspend, page_resume}};

static void a_move_walks_forward_and_back(void)
{
    answer = 0;
    *trace = 0;
    CHECK(!suspend_walk(steps, 6, stop));
    CHECK(!strcmp(trace, "NSTP|p.t.t.s.n."));
}

static void a_cancelled_move_walks_the_same_way(void)
{
    answer = 1;
    *trace = 0;
    CHECK(suspend_walk(steps, 6, stop));
    CHECK(!strcmp(trace, "NSTP|p!t!t!s!n!"));
}

static void an_empty_table_only_stops(void)
{
    answer = 0;
    *trace = 0;
    suspend_walk(steps, 0, stop);
    CHECK(!strcmp(trace, "|"));
}

int main(void)
{
    RUN(a_move_walks_forward_and_back);
    RUN(a_cancelled_move_walks_the_same_way);
    RUN(an_empty_table_only_stops);
    return 0;
}
