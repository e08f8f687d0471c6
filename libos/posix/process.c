/* The one process: who it is, what it may use, how it ends. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>

#include "posix/posix.h"


long sys_getpid(const long *a) { (void)a; return 1; }
long sys_getppid(const long *a) { (void)a; return 0; }
long sys_getpgid(const long *a) { (void)a; return 1; }
long sys_getsid(const long *a) { (void)a; return 1; }
long sys_setsid(const long *a) { (void)a; return 1; }
long sys_getuid(const long *a) { (void)a; return 0; }
long sys_umask(const long *a) { (void)a; return 022; }
long sys_sync(const long *a) { (void)a; return block_sectors() ? block_flush() : 0; }
long sys_membarrier(const long *a) { (void)a; return 0; } /* one vcpu */
long sys_prctl(const long *a) { return a[0] == 15 /* PR_SET_NAME */ ? 0 : -EINVAL; }

long sys_fsync(const long *a)
{
    struct open_file *file = file_of((int)a[0]);
    return !file ? -EBADF : file->kind->sync ? file->kind->sync(file) : 0;
}

long sys_exit_group(const long *a) { machine_off((int)a[0] & 255); }

long sys_uname(const long *a)
{
    struct utsname *to = (void *)a[0];
    memset(to, 0, sizeof *to);
    strcpy(to->sysname, "FlexCapsule");
    strcpy(to->nodename, "app");
    strcpy(to->release, "1");
    strcpy(to->version, "library OS");
    strcpy(to->machine, "x86_64");
    return 0;
}

static int limit_of(int resource, struct rlimit *to)
{
    to->rlim_cur = to->rlim_max = RLIM_INFINITY;
    if (resource == RLIMIT_NOFILE)
        to->rlim_cur = to->rlim_max = DESCRIPTORS_MAX;
    if (resource == RLIMIT_STACK)
        to->rlim_cur = to->rlim_max = 64 * 1024;
    return 0;
}

long sys_getrlimit(const long *a) { return limit_of((int)a[0], (struct rlimit *)a[1]); }
long sys_prlimit64(const long *a) { return a[2] ? -EPERM : a[3] ? limit_of((int)a[1], (struct rlimit *)a[3]) : 0; }

long sys_getrusage(const long *a)
{
    uint64_t busy = scheduler_busy_ns();
    *(struct rusage *)a[1] = (struct rusage){.ru_utime = {(time_t)(busy / SECOND), (long)(busy % SECOND / 1000)}};
    return 0;
}

long sys_getrandom(const long *a)
{
    entropy_fill((void *)a[0], (size_t)a[1]);
    return a[1];
}
