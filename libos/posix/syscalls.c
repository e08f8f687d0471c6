/* The C library's way in. What is not in the table returns ENOSYS, quietly: the C library and most programs try and fall
 * back, and README.md lists it. */
#include <errno.h>
#include <sys/syscall.h>

#include "posix/posix.h"

#define SYSCALLS_MAX 512
static syscall_handler *const handlers[SYSCALLS_MAX] = {
#define SYSCALL(name, status, handler, missing) [SYS_##name] = handler,
#include "posix/syscalls.def"
};

long flexcapsule_syscall(long number, long a, long b, long c, long d, long e, long f)
{
    const long arguments[6] = {a, b, c, d, e, f};
    if (number < 0 || number >= SYSCALLS_MAX || !handlers[number])
        return -ENOSYS;
    long result = handlers[number](arguments);
    signals_deliver();
    return result;
}
