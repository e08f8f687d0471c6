/* Between kernel/threads.c, which makes and buries threads, and kernel/scheduler.c, which runs them. */
#ifndef THREAD_H
#define THREAD_H

#include "internal.h"

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

/* kernel/threads.c */
struct thread *threads_all(void);
struct thread *thread_adopt(void);
void threads_bury(const struct thread *but);

/* kernel/scheduler.c */
void scheduler_add(struct thread *thread);
void scheduler_switch(void);

#endif
