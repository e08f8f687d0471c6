/* Cooperative threads on one vcpu. A thread runs until it waits, yields or makes a system call after a millisecond of
 * running. When nobody is ready the domain sleeps until the nearest deadline or an event. */
#include <string.h>

#include "arch/x86_64/hypercall.h"
#include "internal.h"

#define STACK_PAGES 4 /* kernel threads; the application's threads bring their own */
#define BREATH (1 * MS)

#define THREADS_MAX 128
#define CONTROL_WORDS (0x037fUL << 32 | 0x1f80) /* x87 control word, MXCSR: the ABI's initial values */

struct thread {
    void *saved_sp;
    struct thread *next;     /* in the ready queue or a queue of waiters */
    struct thread *all_next; /* of those alive */
    struct waiters *waiting_on;
    uint64_t deadline; /* of the present wait; NEVER when there is none */
    bool timed_out, interruptible, interrupted;
    int id; /* 0: this record is free */
    void *stack; /* freed at the end; NULL when not ours */
    size_t stack_pages;
    void *tls, *clear_tid;
};

extern void switch_stack(void **saved_sp, void *next_sp);
extern char thread_trampoline[];

static struct thread pool[THREADS_MAX];
static struct waiters ready;
static struct thread *all, *current, *dead;
static int last_id;
static void *loaded_tls;
static uint64_t ran_since, idle_ns;

static void queue_put(struct waiters *queue, struct thread *thread)
{
    thread->next = NULL;
    if (queue->last)
        queue->last->next = thread;
    else
        queue->first = thread;
    queue->last = thread;
}

static void queue_remove(struct waiters *queue, struct thread *thread)
{
    struct thread **link = &queue->first, *previous = NULL;
    for (; *link != thread; link = &(*link)->next)
        previous = *link;
    *link = thread->next;
    if (queue->last == thread)
        queue->last = previous;
}

static void make_ready(struct thread *thread, bool timed_out)
{
    if (thread->waiting_on)
        queue_remove(thread->waiting_on, thread);
    thread->waiting_on = NULL;
    thread->deadline = NEVER;
    thread->timed_out = timed_out;
    queue_put(&ready, thread);
}

/* Deadlines stand in the threads themselves: a domain has tens of threads, and this list is shorter than a heap's code. */
static uint64_t wake_overdue(void)
{
    uint64_t nearest = NEVER, now = time_monotonic();
    for (struct thread *thread = all; thread; thread = thread->all_next)
        if (thread->deadline <= now)
            make_ready(thread, true);
        else if (thread->deadline < nearest)
            nearest = thread->deadline;
    return nearest;
}

static struct thread *next_ready(void)
{
    for (;;) {
        events_handle();
        uint64_t nearest = wake_overdue();
        struct thread *thread = ready.first;
        if (thread) {
            queue_remove(&ready, thread);
            return thread;
        }
        uint64_t since = time_monotonic();
        events_wait(nearest == NEVER ? 0 : time_to_host(nearest));
        idle_ns += time_monotonic() - since;
    }
}

static void bury_dead(void)
{
    if (!dead)
        return;
    if (dead->stack)
        pages_free(dead->stack, dead->stack_pages);
    dead->id = 0;
    dead = NULL;
}

static void switch_away(void)
{
    if (dead && dead != current)
        bury_dead();
    struct thread *old = current, *new = next_ready();
    ran_since = time_monotonic();
    if (new != old) {
        current = new;
        if (new->tls && new->tls != loaded_tls)
            thread_set_tls(new->tls);
        switch_stack(&old->saved_sp, new->saved_sp);
    }
}

static struct thread *thread_prepare(void *stack_top, void (*function)(void *), void *argument)
{
    struct thread *thread = pool;
    while (thread < pool + THREADS_MAX && thread->id)
        thread++;
    if (thread == pool + THREADS_MAX)
        return NULL;
    void **sp = stack_top;
    *--sp = NULL;                     /* two words keep the stack aligned as at a call */
    *--sp = NULL;
    *--sp = (void *)thread_trampoline;
    *--sp = NULL;                     /* rbp, rbx */
    *--sp = NULL;
    *--sp = (void *)(uintptr_t)function; /* r12, r13 */
    *--sp = argument;
    *--sp = NULL;                     /* r14, r15 */
    *--sp = NULL;
    *--sp = (void *)CONTROL_WORDS;
    *thread = (struct thread){.saved_sp = sp, .id = ++last_id, .deadline = NEVER, .all_next = all};
    all = thread;
    return thread;
}

struct thread *thread_create(const char *name, void (*function)(void *), void *argument)
{
    char *stack = pages_alloc(STACK_PAGES);
    struct thread *thread = stack ? thread_prepare(stack + STACK_PAGES * PAGE_SIZE, function, argument) : NULL;
    if (!thread)
        panic("no memory for thread %s", name);
    pagetable_map((pfn_t)stack >> PAGE_SHIFT, 1, MAP_READ_ONLY); /* an overflow faults instead of spoiling */
    thread->stack = stack;
    thread->stack_pages = STACK_PAGES;
    queue_put(&ready, thread);
    return thread;
}

struct thread *thread_create_on(void *stack_top, void *tls, void (*function)(void *), void *argument)
{
    struct thread *thread = thread_prepare((void *)((uintptr_t)stack_top & ~15UL), function, argument);
    if (thread) {
        thread->tls = tls;
        queue_put(&ready, thread);
    }
    return thread;
}

struct thread *thread_current(void) { return current; }
int thread_id(const struct thread *thread) { return thread->id; }
void *thread_tls(void) { return current->tls; }
void thread_set_exit(struct thread *thread, void *clear_tid) { thread->clear_tid = clear_tid; }
uint64_t scheduler_busy_ns(void) { return time_monotonic() - idle_ns; }

/* A kernel thread has no thread-local storage and leaves the last one loaded, as a switch costs a hypercall. */
void thread_set_tls(void *tls)
{
    current->tls = loaded_tls = tls;
    HYPERCALL2(set_segment_base, SEGBASE_FS, tls);
}

struct thread *thread_by_id(int id)
{
    struct thread *thread = all;
    while (thread && thread->id != id)
        thread = thread->all_next;
    return thread;
}

void thread_exit(void)
{
    struct thread **link = &all;
    if (dead)
        bury_dead();
    if (current->clear_tid) {
        *(volatile int *)current->clear_tid = 0;
        futex_wake_address(current->clear_tid, 1);
    }
    while (*link != current)
        link = &(*link)->all_next;
    *link = current->all_next;
    dead = current;
    switch_away();
    __builtin_unreachable();
}

void thread_exit_unmapping(void *stack, size_t bytes)
{
    current->stack = stack;
    current->stack_pages = bytes >> PAGE_SHIFT;
    thread_exit();
}

void thread_yield(void)
{
    queue_put(&ready, current);
    switch_away();
}

void thread_breathe(void)
{
    if (time_monotonic() - ran_since >= BREATH)
        thread_yield();
}

static bool wait_as(struct waiters *waiters, uint64_t until, bool interruptible)
{
    if (interruptible && current->interrupted) {
        current->interrupted = false;
        return true;
    }
    current->interruptible = interruptible;
    current->waiting_on = waiters;
    current->deadline = until;
    queue_put(waiters, current);
    switch_away();
    current->interruptible = false;
    return !current->timed_out;
}

bool wait_on(struct waiters *waiters, uint64_t until) { return wait_as(waiters, until, false); }

bool wait_interruptible(struct waiters *waiters, uint64_t until)
{
    bool woken = wait_as(waiters, until, true);
    current->interrupted = false;
    return woken;
}

/* The wait ends as if woken; who waited looks at its pending signals. Not waiting: the next such wait ends at once. */
void thread_interrupt(struct thread *thread)
{
    if (thread->waiting_on && thread->interruptible)
        make_ready(thread, false);
    else
        thread->interrupted = true;
}

void wake_one(struct waiters *waiters)
{
    if (waiters->first)
        make_ready(waiters->first, false);
}

void wake_all(struct waiters *waiters)
{
    while (waiters->first)
        make_ready(waiters->first, false);
}

void thread_sleep(uint64_t until)
{
    struct waiters nobody = {0};
    wait_on(&nobody, until);
}

void scheduler_start(void)
{
    all = current = &pool[0];
    *current = (struct thread){.id = ++last_id, .deadline = NEVER};
}
