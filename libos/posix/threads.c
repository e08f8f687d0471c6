/* Threads of the application: the C library's pthreads on ours, and the futex that they wait on. */
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <time.h>

#include "posix/posix.h"

#define FUTEX_WAIT 0 /* linux/futex.h, which is not in the C library */
#define FUTEX_WAKE 1
#define FUTEX_REQUEUE 3
#define FUTEX_CMP_REQUEUE 4
#define FUTEX_WAIT_BITSET 9
#define FUTEX_PRIVATE_FLAG 128
#define FUTEX_CLOCK_REALTIME 256

/* Who waits, each in a record on its own stack. */
struct futex_wait {
    struct futex_wait *next;
    volatile int *address;
    struct waiters waiters;
    bool woken;
};
static struct futex_wait *waits;

static void unlink_wait(const struct futex_wait *wait)
{
    struct futex_wait **link = &waits;
    while (*link && *link != wait)
        link = &(*link)->next;
    if (*link)
        *link = wait->next;
}

static long futex_wait(volatile int *address, int expected, uint64_t until)
{
    struct futex_wait wait = {.address = address};
    if (*address != expected)
        return -EAGAIN;
    struct futex_wait **last = &waits;
    while (*last)
        last = &(*last)->next;
    *last = &wait; /* at the end: woken in order */
    bool in_time = wait_interruptible(&wait.waiters, until);
    if (wait.woken)
        return 0;
    unlink_wait(&wait);
    return in_time ? -EINTR : -ETIMEDOUT;
}

static int wake(volatile int *address, int count)
{
    int woken = 0;
    for (struct futex_wait *wait = waits, *next; wait && woken < count; wait = next) {
        next = wait->next;
        if (wait->address != address)
            continue;
        unlink_wait(wait);
        wait->woken = true;
        wake_all(&wait->waiters);
        woken++;
    }
    return woken;
}

void futex_wake_address(volatile int *address, int count) { wake(address, count); }

static int requeue(volatile int *from, volatile int *to, int count)
{
    int moved = 0;
    for (struct futex_wait *wait = waits; wait && moved < count; wait = wait->next)
        if (wait->address == from)
            wait->address = to, moved++;
    return moved;
}

static uint64_t futex_deadline(int operation, const struct timespec *t)
{
    if (!t || (operation & 127) == FUTEX_WAIT)
        return until_of(t);
    uint64_t at = (uint64_t)t->tv_sec * SECOND + (uint64_t)t->tv_nsec; /* FUTEX_WAIT_BITSET's is absolute */
    uint64_t now = operation & FUTEX_CLOCK_REALTIME ? time_real() : time_monotonic();
    return at > now ? time_monotonic() + (at - now) : 0;
}

long sys_futex(const long *a)
{
    volatile int *address = (volatile int *)a[0];
    int operation = (int)a[1];
    switch (operation & ~(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME)) {
    case FUTEX_WAIT: case FUTEX_WAIT_BITSET:
        return futex_wait(address, (int)a[2], futex_deadline(operation, (void *)a[3]));
    case FUTEX_WAKE: return wake(address, (int)a[2]);
    case FUTEX_CMP_REQUEUE:
        if (*address != (int)a[5])
            return -EAGAIN;
        /* fall through */
    case FUTEX_REQUEUE: {
        int woken = wake(address, (int)a[2]);
        return woken + requeue(address, (volatile int *)a[4], (int)a[3]);
    }
    default: return -ENOSYS;
    }
}

struct first_call { int (*function)(void *); void *argument; };

static void enter(void *from)
{
    struct first_call call = *(struct first_call *)from;
    call.function(call.argument); /* the C library's start routine: exits by itself */
}

long flexcapsule_clone(int (*function)(void *), void *stack, int flags, void *argument, int *parent_tid, void *tls,
                       int *child_tid)
{
    if (!(flags & CLONE_VM))
        return -ENOSYS; /* another address space: fork */
    struct first_call *call = (struct first_call *)(((uintptr_t)stack & ~15UL) - sizeof *call);
    *call = (struct first_call){function, argument};
    struct thread *thread = thread_create_on(call, flags & CLONE_SETTLS ? tls : NULL, enter, call);
    if (!thread)
        return -EAGAIN;
    if (flags & CLONE_PARENT_SETTID)
        *parent_tid = thread_id(thread);
    if (flags & CLONE_CHILD_CLEARTID)
        thread_set_exit(thread, child_tid);
    return thread_id(thread);
}

long sys_set_tid_address(const long *a)
{
    thread_set_exit(thread_current(), (void *)a[0]);
    return thread_id(thread_current());
}

long sys_gettid(const long *a)
{
    (void)a;
    return thread_id(thread_current());
}

long sys_exit(const long *a)
{
    (void)a;
    thread_exit();
}

long sys_sched_yield(const long *a)
{
    (void)a;
    thread_yield();
    return 0;
}

long sys_sched_getaffinity(const long *a)
{
    if ((size_t)a[1] < 8)
        return -EINVAL;
    memset((void *)a[2], 0, (size_t)a[1]);
    *(char *)a[2] = 1;
    return 8;
}

long sys_arch_prctl(const long *a)
{
    if (a[0] != 0x1002 /* ARCH_SET_FS */)
        return -EINVAL;
    thread_set_tls((void *)a[1]);
    return 0;
}
