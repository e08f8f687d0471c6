/* README.md's table is posix/syscalls.def, which is also what the dispatcher is made of. Here: every system call that is
 * not in it returns ENOSYS and does nothing else, and those of it that take no arguments answer. The rest is exercised by
 * tests/guest/posix. */
#include <errno.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char *const status[512] = {
#define SYSCALL(name, status, handler, missing) [SYS_##name] = #status,
#include "posix/syscalls.def"
};

int main(void)
{
    static const int plain[] = {SYS_getpid, SYS_gettid, SYS_getuid, SYS_sched_yield, SYS_sync, SYS_umask, SYS_getppid};
    int wrong = 0, missing = 0;
    for (long number = -1; number < 600; number++) {
        if (number >= 0 && number < 512 && status[number])
            continue;
        errno = 0;
        missing++;
        if (syscall(number, -1L, -1L, -1L, -1L, -1L, -1L) != -1 || errno != ENOSYS) {
            printf("system call %ld is not in the table and did something (errno %d)\n", number, errno);
            wrong++;
        }
    }
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        if (!status[plain[i]] || (syscall(plain[i]) == -1 && errno == ENOSYS)) {
            printf("system call %d is in the table and does nothing\n", plain[i]);
            wrong++;
        }
    if (wrong)
        printf("FAIL syscalls: %d\n", wrong);
    else
        printf("PASS syscalls\n");
    return wrong != 0;
}
