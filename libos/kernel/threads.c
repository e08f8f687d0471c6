/* Threads come and go: records, stacks, identities. Who runs when is the scheduler's. */
#include "kernel/thread.h"

#define STACK_PAGES 4 /* kernel threads; the application's threads bring their own */
#define THREADS_MAX 128
#define CONTROL_WORDS (0x037fUL << 32 | 0x1f80) /* x87 control word, MXCSR: the ABI's initial values */

extern char thread_trampoline[]; /* arch/x86_64/entry.S */

static struct thread pool[THREADS_MAX], *all, *dead;
static int last_id;

struct thread *threads_all(void) { return all; }
int thread_id(const struct thread *thread) { return thread->id; }
void thread_set_exit(struct thread *thread, void *clear_tid) { thread->clear_tid = clear_tid; }

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
    scheduler_add(thread);
    return thread;
}

struct thread *thread_create_on(void *stack_top, void *tls, void (*function)(void *), void *argument)
{
    struct thread *thread = thread_prepare((void *)((uintptr_t)stack_top & ~15UL), function, argument);
    if (thread) {
        thread->tls = tls;
        scheduler_add(thread);
    }
    return thread;
}

struct thread *thread_by_id(int id)
{
    struct thread *thread = all;
    while (thread && thread->id != id)
        thread = thread->all_next;
    return thread;
}

/* A thread's stack is freed by whoever runs after it: it stood on it to the end. */
void threads_bury(const struct thread *but)
{
    if (!dead || dead == but)
        return;
    if (dead->stack)
        pages_free(dead->stack, dead->stack_pages);
    dead->id = 0;
    dead = NULL;
}

void thread_exit(void)
{
    struct thread *current = thread_current(), **link = &all;
    threads_bury(NULL);
    if (current->clear_tid) {
        *(volatile int *)current->clear_tid = 0;
        futex_wake_address(current->clear_tid, 1);
    }
    while (*link != current)
        link = &(*link)->all_next;
    *link = current->all_next;
    dead = current;
    scheduler_switch();
    __builtin_unreachable();
}

void thread_exit_unmapping(void *stack, size_t bytes)
{
    thread_current()->stack = stack;
    thread_current()->stack_pages = bytes >> PAGE_SHIFT;
    thread_exit();
}

/* What runs already becomes a thread. */
struct thread *thread_adopt(void)
{
    all = &pool[0];
    *all = (struct thread){.id = ++last_id, .deadline = NEVER};
    return all;
}
