/* A lock that is held across waits; without a wait in between no lock is needed at all. */
#include "internal.h"

void mutex_lock(struct mutex *mutex)
{
    while (mutex->owner)
        wait_on(&mutex->waiters, NEVER);
    mutex->owner = thread_current();
}

void mutex_unlock(struct mutex *mutex)
{
    mutex->owner = NULL;
    wake_one(&mutex->waiters);
}
