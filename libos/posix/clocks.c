/* Time, as system calls. */
#include <errno.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/times.h>
#include <time.h>

#include "posix/posix.h"

static uint64_t ns_of(const struct timespec *t) { return (uint64_t)t->tv_sec * SECOND + (uint64_t)t->tv_nsec; }
static struct timespec timespec_of(uint64_t ns) { return (struct timespec){(time_t)(ns / SECOND), (long)(ns % SECOND)}; }

uint64_t until_of(const void *timespec)
{
    return timespec ? time_monotonic() + ns_of(timespec) : NEVER;
}

static int clock_read(clockid_t clock, uint64_t *ns)
{
    switch (clock) {
    case CLOCK_REALTIME: case CLOCK_REALTIME_COARSE: *ns = time_real(); return 0;
    case CLOCK_MONOTONIC: case CLOCK_MONOTONIC_RAW: case CLOCK_MONOTONIC_COARSE: case CLOCK_BOOTTIME:
        *ns = time_monotonic();
        return 0;
    case CLOCK_PROCESS_CPUTIME_ID: case CLOCK_THREAD_CPUTIME_ID: *ns = scheduler_busy_ns(); return 0;
    default: return -EINVAL;
    }
}

long sys_clock_gettime(const long *a)
{
    uint64_t ns;
    int error = clock_read((clockid_t)a[0], &ns);
    thread_breathe(); /* a loop that watches the clock lets events in */
    if (!error)
        *(struct timespec *)a[1] = timespec_of(ns);
    return error;
}

long sys_clock_getres(const long *a)
{
    uint64_t ns;
    int error = clock_read((clockid_t)a[0], &ns);
    if (!error && a[1])
        *(struct timespec *)a[1] = timespec_of(1);
    return error;
}

long sys_gettimeofday(const long *a)
{
    uint64_t now = time_real();
    if (a[0])
        *(struct timeval *)a[0] = (struct timeval){(time_t)(now / SECOND), (suseconds_t)(now % SECOND / 1000)};
    return 0;
}

long sys_time(const long *a)
{
    long now = (long)(time_real() / SECOND);
    if (a[0])
        *(long *)a[0] = now;
    return now;
}

static long sleep_until(uint64_t until, struct timespec *left)
{
    static struct waiters sleepers;
    while (time_monotonic() < until) {
        if (signals_pending()) {
            if (left)
                *left = timespec_of(until - time_monotonic());
            return -EINTR;
        }
        wait_interruptible(&sleepers, until);
    }
    return 0;
}

static bool sound(const struct timespec *t) { return t->tv_sec >= 0 && t->tv_nsec >= 0 && t->tv_nsec < (long)SECOND; }

long sys_nanosleep(const long *a)
{
    const struct timespec *wish = (void *)a[0];
    return sound(wish) ? sleep_until(until_of(wish), (struct timespec *)a[1]) : -EINVAL;
}

long sys_clock_nanosleep(const long *a)
{
    const struct timespec *wish = (void *)a[2];
    uint64_t now, until;
    int error = clock_read((clockid_t)a[0], &now);
    if (error || !sound(wish))
        return error ? error : -EINVAL;
    if (!(a[1] & TIMER_ABSTIME))
        return sleep_until(until_of(wish), (struct timespec *)a[3]);
    until = ns_of(wish) > now ? time_monotonic() + (ns_of(wish) - now) : 0;
    return sleep_until(until, NULL);
}

long sys_times(const long *a)
{
    clock_t busy = (clock_t)(scheduler_busy_ns() / (SECOND / 100));
    if (a[0])
        *(struct tms *)a[0] = (struct tms){.tms_utime = busy};
    return (long)(time_monotonic() / (SECOND / 100));
}

long sys_sysinfo(const long *a)
{
    struct memory_count count = memory_count();
    *(struct sysinfo *)a[0] = (struct sysinfo){.uptime = time_monotonic() / SECOND, .totalram = count.total,
                                               .freeram = count.free, .procs = 1, .mem_unit = PAGE_SIZE};
    return 0;
}
