/* Time from the record that Xen keeps in shared_info (xen/include/public/xen.h, vcpu_time_info). While suspended there
 * is no record; the last reading stands in. */
#include "arch/x86_64/barrier.h"
#include "internal.h"
#include "lib/clock.h"

static struct clocks clocks;
static uint64_t before; /* monotonic time when we were suspended; 0 while running */

static uint64_t read_tsc(void)
{
    uint32_t low, high;
    __asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high));
    return (uint64_t)high << 32 | low;
}

/* Xen makes the version odd while it writes, as a seqlock. */
static uint64_t host_now(void)
{
    const struct vcpu_time_info *record = &SHARED.vcpu_info[0].time;
    uint32_t version;
    uint64_t now;
    do {
        version = read_once(record->version) & ~1U;
        read_fence();
        now = record->system_time
            + clock_scale(read_tsc() - record->tsc_timestamp, record->tsc_to_system_mul, record->tsc_shift);
        read_fence();
    } while (read_once(record->version) != version);
    return now;
}

static uint64_t host_epoch(void)
{
    uint32_t version;
    uint64_t epoch;
    do {
        version = read_once(SHARED.wc_version) & ~1U;
        read_fence();
        epoch = ((uint64_t)SHARED.wc_sec_hi << 32 | SHARED.wc_sec) * SECOND + SHARED.wc_nsec;
        read_fence();
    } while (read_once(SHARED.wc_version) != version);
    return epoch;
}

void time_start(void) { clocks_start(&clocks, host_now(), host_epoch()); }
uint64_t time_monotonic(void) { return before ? before : clocks_monotonic(&clocks, host_now()); }
uint64_t time_real(void) { return clocks_real(&clocks, time_monotonic()); }
uint64_t time_to_host(uint64_t monotonic) { return monotonic - clocks.monotonic_offset; }

void time_suspend(void) { before = time_monotonic(); }

void time_resume(bool cancelled)
{
    if (!cancelled)
        clocks_move(&clocks, before, host_now(), host_epoch());
    before = 0;
}
