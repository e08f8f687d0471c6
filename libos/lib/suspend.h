/* Suspend and resume as one table, walked forward before the domain stops and backward after, whether it went anywhere
 * or the move was cancelled. Host-tested against a fake hypervisor. */
#ifndef LIB_SUSPEND_H
#define LIB_SUSPEND_H

#include <stdbool.h>
#include <stddef.h>

struct suspend_step {
    const char *name;
    void (*suspend)(void); /* NULL: nothing to do */
    void (*resume)(bool cancelled);
};

/* `stop` is the hypercall: 1 means cancelled, 0 a new domain (xen/include/public/sched.h). Returns whether cancelled. */
bool suspend_walk(const struct suspend_step *steps, size_t count, long (*stop)(void));

#endif
