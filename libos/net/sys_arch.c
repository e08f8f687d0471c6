/* What lwIP needs of an operating system: semaphores, mutexes, mailboxes, threads, time and memory. */
#include <lwip/opt.h>
#include <lwip/sys.h>
#include <string.h>

#include "internal.h"

struct stack_semaphore { unsigned count; struct waiters waiters; };
struct stack_mutex { struct mutex mutex; };
struct stack_mailbox {
    unsigned first, count, size;
    struct waiters readers, writers;
    void *messages[];
};

static uint64_t until_ms(u32_t ms) { return ms ? time_monotonic() + ms * MS : NEVER; }
static u32_t waited_ms(uint64_t since) { return (u32_t)((time_monotonic() - since) / MS); }

err_t sys_sem_new(sys_sem_t *sem, u8_t count)
{
    *sem = heap_alloc(sizeof **sem);
    if (!*sem)
        return ERR_MEM;
    (*sem)->count = count;
    return ERR_OK;
}

void sys_sem_free(sys_sem_t *sem) { heap_free(*sem, sizeof **sem); }

void sys_sem_signal(sys_sem_t *sem)
{
    (*sem)->count++;
    wake_one(&(*sem)->waiters);
}

u32_t sys_arch_sem_wait(sys_sem_t *sem, u32_t timeout_ms)
{
    uint64_t since = time_monotonic(), until = until_ms(timeout_ms);
    while (!(*sem)->count)
        if (!wait_on(&(*sem)->waiters, until))
            return SYS_ARCH_TIMEOUT;
    (*sem)->count--;
    return waited_ms(since);
}

err_t sys_mutex_new(sys_mutex_t *mutex)
{
    *mutex = heap_alloc(sizeof **mutex);
    return *mutex ? ERR_OK : ERR_MEM;
}

void sys_mutex_free(sys_mutex_t *mutex) { heap_free(*mutex, sizeof **mutex); }
void sys_mutex_lock(sys_mutex_t *mutex) { mutex_lock(&(*mutex)->mutex); }
void sys_mutex_unlock(sys_mutex_t *mutex) { mutex_unlock(&(*mutex)->mutex); }

static size_t mailbox_bytes(unsigned size) { return sizeof(struct stack_mailbox) + size * sizeof(void *); }

err_t sys_mbox_new(sys_mbox_t *box, int size)
{
    *box = heap_alloc(mailbox_bytes((unsigned)size));
    if (!*box)
        return ERR_MEM;
    (*box)->size = (unsigned)size;
    return ERR_OK;
}

void sys_mbox_free(sys_mbox_t *box) { heap_free(*box, mailbox_bytes((*box)->size)); }

err_t sys_mbox_trypost(sys_mbox_t *handle, void *message)
{
    struct stack_mailbox *box = *handle;
    if (box->count == box->size)
        return ERR_MEM;
    box->messages[(box->first + box->count++) % box->size] = message;
    wake_one(&box->readers);
    return ERR_OK;
}

err_t sys_mbox_trypost_fromisr(sys_mbox_t *box, void *message) { return sys_mbox_trypost(box, message); }

void sys_mbox_post(sys_mbox_t *box, void *message)
{
    while (sys_mbox_trypost(box, message) != ERR_OK)
        wait_on(&(*box)->writers, NEVER);
}

u32_t sys_arch_mbox_tryfetch(sys_mbox_t *handle, void **message)
{
    struct stack_mailbox *box = *handle;
    if (!box->count)
        return SYS_MBOX_EMPTY;
    if (message)
        *message = box->messages[box->first];
    box->first = (box->first + 1) % box->size;
    box->count--;
    wake_one(&box->writers);
    return 0;
}

/* lwIP's own thread comes by here after whatever it did: those who poll sockets should look again. */
u32_t sys_arch_mbox_fetch(sys_mbox_t *box, void **message, u32_t timeout_ms)
{
    uint64_t since = time_monotonic(), until = until_ms(timeout_ms);
    io_changed();
    while (sys_arch_mbox_tryfetch(box, message) != 0)
        if (!wait_on(&(*box)->readers, until))
            return SYS_ARCH_TIMEOUT;
    return waited_ms(since);
}

sys_thread_t sys_thread_new(const char *name, lwip_thread_fn function, void *argument, int stack, int priority)
{
    (void)stack, (void)priority;
    return thread_create(name, function, argument);
}

void sys_init(void) {}
u32_t sys_now(void) { return (u32_t)(time_monotonic() / MS); }
u32_t sys_jiffies(void) { return sys_now(); }

unsigned stack_random(void)
{
    unsigned random;
    entropy_fill(&random, sizeof random);
    return random;
}

void stack_assert(const char *what, const char *file, int line) { panic("lwIP: %s (%s:%d)", what, file, line); }

/* The size stands before the memory, as our heap wants it back. */
void *stack_malloc(unsigned long bytes)
{
    size_t *block = heap_alloc(bytes + 16);
    if (!block)
        return NULL;
    block[0] = bytes + 16;
    return block + 2;
}

void *stack_calloc(unsigned long count, unsigned long bytes) { return stack_malloc(count * bytes); }

void stack_free(void *memory)
{
    size_t *block = (size_t *)memory - 2;
    if (memory)
        heap_free(block, block[0]);
}
