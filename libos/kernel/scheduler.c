/* Cooperative threads on one vcpu. A thread runs until it waits, yields or makes a system call after a millisecond of
 * running. When nobody is ready the domain sleeps until the nearest deadline or an event. */
#include "arch/x86_64/hypercall.h"
#include "kernel/thread.h"

#define BREATH (1 * MS)

extern void switch_stack(void **saved_sp, void *next_sp); /* arch/x86_64/entry.S */

static struct waiters ready;
static struct thread *current;
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
    for (struct thread *thread = threads_all(); thread; thread = thread->all_next)
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

void scheduler_switch(void)
{
    threads_bury(current);
    struct thread *old = current, *new = next_ready();
    ran_since = time_monotonic();
    if (new != old) {
        current = new;
        if (new->tls && new->tls != loaded_tls)
            thread_set_tls(new->tls);
        switch_stack(&old->saved_sp, new->saved_sp);
    }
}

/* A kernel thread has no thread-local storage and leaves the last one loaded, as a switch costs a hypercall. */
void thread_set_tls(void *tls)
{
    current->tls = loaded_tls = tls;
    HYPERCALL2(set_segment_base, SEGBASE_FS, tls);
}

void scheduler_add(struct thread *thread) { queue_put(&ready, thread); }
struct thread *thread_current(void) { return current; }
void *thread_tls(void) { return current->tls; }
uint64_t scheduler_busy_ns(void) { return time_monotonic() - idle_ns; }

void thread_yield(void)
{
    queue_put(&ready, current);
    scheduler_switch();
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
    scheduler_switch();
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
    current = thread_adopt();
}
