#include "lib/suspend.h"

bool suspend_walk(const struct suspend_step *steps, size_t count, long (*stop)(void))
{
    for (size_t i = 0; i < count; i++)
        if (steps[i].suspend)
            steps[i].suspend();
    bool cancelled = stop() != 0;
    for (size_t i = count; i-- > 0;)
        if (steps[i].resume)
            steps[i].resume(cancelled);
    return cancelled;
}
