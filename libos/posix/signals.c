/* Signals as far as one address space and cooperative threads go: a signal is delivered when the thread it is for
 * returns from a system call, or is waiting in one. Outside come SIGTERM (the toolstack's shutdown) and SIGINT (control-C
 * on the console); inside, raise, kill, abort and pthread_kill. Faults are panics, not signals. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <ucontext.h>

#include "posix/posix.h"

#define BIT(n) (1UL << ((n) - 1))
#define RECORDS 128 /* as many as threads */

struct action { void (*handler)(int); unsigned long flags; void (*restorer)(void); unsigned long mask; };

static struct action actions[65];
static struct record { const struct thread *thread; int id; unsigned long blocked, pending; } records[RECORDS];
static unsigned long shared_pending; /* for whichever thread comes first */
static struct thread *main_thread;

static struct record *record_of(const struct thread *thread)
{
    struct record *free_one = NULL;
    for (struct record *r = records; r < records + RECORDS; r++) {
        if (r->thread == thread && r->id == thread_id(thread))
            return r;
        if (!free_one && (!r->thread || thread_id(r->thread) != r->id))
            free_one = r;
    }
    *free_one = (struct record){.thread = thread, .id = thread_id(thread)};
    return free_one;
}

static bool ignored(int number)
{
    void (*handler)(int) = actions[number].handler;
    return handler == SIG_IGN
        || (handler == SIG_DFL && (number == SIGCHLD || number == SIGURG || number == SIGWINCH || number == SIGCONT));
}

static int next_signal(struct record *record)
{
    unsigned long open = (record->pending | shared_pending) & ~record->blocked;
    return open ? __builtin_ctzl(open) + 1 : 0;
}

bool signals_pending(void) { return next_signal(record_of(thread_current())) != 0; }

void signal_send(struct thread *to, int number)
{
    if (ignored(number))
        return;
    if (to)
        record_of(to)->pending |= BIT(number);
    else
        shared_pending |= BIT(number);
    thread_interrupt(to ? to : main_thread);
}

static void run_handler(struct record *record, int number, const struct action *action)
{
    siginfo_t why = {.si_signo = number, .si_code = SI_USER};
    ucontext_t context = {0};
    unsigned long before = record->blocked;
    memcpy(&context.uc_sigmask, &before, sizeof before);
    record->blocked |= action->mask | (action->flags & SA_NODEFER ? 0 : BIT(number));
    if (action->flags & SA_RESETHAND)
        actions[number].handler = SIG_DFL;
    if (action->flags & SA_SIGINFO)
        ((void (*)(int, siginfo_t *, void *))(void *)action->handler)(number, &why, &context);
    else
        action->handler(number);
    memcpy(&record->blocked, &context.uc_sigmask, sizeof before); /* a handler may have changed it */
}

void signals_deliver(void)
{
    struct record *record = record_of(thread_current());
    for (int number; (number = next_signal(record));) {
        struct action action = actions[number];
        record->pending &= ~BIT(number);
        shared_pending &= ~BIT(number);
        if (ignored(number))
            continue;
        if (action.handler == SIG_DFL) {
            if (number == SIGABRT || number == SIGSEGV || number == SIGBUS || number == SIGILL || number == SIGFPE)
                panic("the application got signal %d", number);
            machine_off(128 + number); /* as a shell reports a death by signal */
        }
        run_handler(record, number, &action);
    }
}

long sys_rt_sigaction(const long *a)
{
    long number = a[0];
    if (number < 1 || number > 64 || ((number == SIGKILL || number == SIGSTOP) && a[1]))
        return -EINVAL;
    if (a[2])
        *(struct action *)a[2] = actions[number];
    if (a[1])
        actions[number] = *(struct action *)a[1];
    return 0;
}

long sys_rt_sigprocmask(const long *a)
{
    struct record *record = record_of(thread_current());
    unsigned long before = record->blocked, set = a[1] ? *(unsigned long *)a[1] : 0;
    if (a[1] && a[0] == SIG_BLOCK)
        record->blocked |= set;
    else if (a[1] && a[0] == SIG_UNBLOCK)
        record->blocked &= ~set;
    else if (a[1])
        record->blocked = set;
    record->blocked &= ~(BIT(SIGKILL) | BIT(SIGSTOP));
    if (a[2])
        *(unsigned long *)a[2] = before;
    return 0;
}

long sys_rt_sigpending(const long *a)
{
    *(unsigned long *)a[0] = record_of(thread_current())->pending | shared_pending;
    return 0;
}

long sys_rt_sigsuspend(const long *a)
{
    struct record *record = record_of(thread_current());
    unsigned long before = record->blocked;
    record->blocked = *(unsigned long *)a[0];
    while (!signals_pending())
        io_wait(NEVER);
    signals_deliver();
    record->blocked = before;
    return -EINTR;
}

long sys_pause(const long *a)
{
    (void)a;
    while (!signals_pending())
        io_wait(NEVER);
    return -EINTR;
}

static long send_to(struct thread *thread, long number)
{
    if (number < 0 || number > 64)
        return -EINVAL;
    if (number == SIGKILL)
        machine_off(128 + SIGKILL);
    if (number)
        signal_send(thread, (int)number);
    return 0;
}

long sys_kill(const long *a) { return a[0] == 1 || a[0] == 0 || a[0] == -1 ? send_to(NULL, a[1]) : -ESRCH; }

long sys_tkill(const long *a)
{
    struct thread *thread = thread_by_id((int)a[0]);
    return thread ? send_to(thread, a[1]) : -ESRCH;
}

long sys_tgkill(const long *a)
{
    long rest[6] = {a[1], a[2]};
    return a[0] == 1 ? sys_tkill(rest) : -ESRCH;
}

long sys_sigaltstack(const long *a)
{
    if (a[1])
        *(stack_t *)a[1] = (stack_t){.ss_flags = SS_DISABLE};
    return 0; /* handlers run on the stack they find: a fault never runs one */
}

static void poweroff_asked(void) { signal_send(NULL, SIGTERM); }

void signals_start(void)
{
    main_thread = thread_current();
    lifecycle_on_poweroff(poweroff_asked);
}
