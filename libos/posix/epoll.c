/* epoll over the same look-and-wait as poll. Level-triggered; EPOLLET is taken for level-triggered too (a program that
 * drains what it is told of cannot tell), EPOLLONESHOT works. */
#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>

#include "posix/posix.h"

#define INTERESTS_MAX 128

struct epoll_set { struct { int fd; uint32_t events; epoll_data_t data; struct open_file *file; } of[INTERESTS_MAX]; int count, next; };

static void release(struct open_file *file) { heap_free(file->object, sizeof(struct epoll_set)); }

static int find(const struct epoll_set *set, int fd)
{
    for (int i = 0; i < set->count; i++)
        if (set->of[i].fd == fd)
            return i;
    return -1;
}

/* EPOLL* and POLL* are the same bits (Linux's uapi, and musl's headers). What was closed is dropped, as Linux does. */
static int collect(struct epoll_set *set, struct epoll_event *to, int room)
{
    int found = 0;
    for (int looked = 0; looked < set->count && found < room;) {
        int i = set->next++ % set->count; /* going round: nobody starves behind a busy one */
        if (file_of(set->of[i].fd) != set->of[i].file) {
            set->of[i] = set->of[--set->count];
            continue;
        }
        looked++;
        uint32_t events = set->of[i].events;
        uint32_t holds = (uint32_t)file_ready(set->of[i].file) & (events | EPOLLERR | EPOLLHUP);
        if (!holds || !(events & ~(uint32_t)EPOLLONESHOT))
            continue;
        to[found++] = (struct epoll_event){.events = holds, .data = set->of[i].data};
        if (events & EPOLLONESHOT)
            set->of[i].events = EPOLLONESHOT;
    }
    return found;
}

static short ready(struct open_file *file)
{
    struct epoll_set *set = file->object;
    for (int i = 0; i < set->count; i++)
        if (file_of(set->of[i].fd) == set->of[i].file && (uint32_t)file_ready(set->of[i].file) & set->of[i].events)
            return POLLIN;
    return 0;
}

static const struct file_kind kind = {.release = release, .ready = ready};

long sys_epoll_create1(const long *a)
{
    struct epoll_set *set = heap_alloc(sizeof *set);
    struct open_file *file = set ? file_new(&kind, set, 0) : NULL;
    return file ? descriptor_install(file, a[0] & EPOLL_CLOEXEC) : -ENOMEM;
}

long sys_epoll_create(const long *a)
{
    long flags[6] = {0};
    return a[0] > 0 ? sys_epoll_create1(flags) : -EINVAL;
}

long sys_epoll_ctl(const long *a)
{
    struct open_file *file = file_of((int)a[0]), *target = file_of((int)a[2]);
    const struct epoll_event *event = (void *)a[3];
    if (!file || !target)
        return -EBADF;
    if (file->kind != &kind || file == target)
        return -EINVAL;
    struct epoll_set *set = file->object;
    int i = find(set, (int)a[2]);
    if (i >= 0 && set->of[i].file != target) { /* the number was closed and used again */
        set->of[i] = set->of[--set->count];
        i = -1;
    }
    if (a[1] == EPOLL_CTL_ADD ? i >= 0 : i < 0)
        return i >= 0 ? -EEXIST : -ENOENT;
    if (a[1] == EPOLL_CTL_DEL) {
        set->of[i] = set->of[--set->count];
        return 0;
    }
    if (i < 0 && (i = set->count++) >= INTERESTS_MAX)
        return set->count--, -ENOSPC;
    set->of[i].fd = (int)a[2];
    set->of[i].file = target;
    set->of[i].events = event->events & ~(uint32_t)EPOLLET;
    set->of[i].data = event->data;
    io_changed();
    return 0;
}

long sys_epoll_wait(const long *a)
{
    struct open_file *file = file_of((int)a[0]);
    uint64_t until = (int)a[3] < 0 ? NEVER : time_monotonic() + (uint64_t)a[3] * MS;
    if (!file || file->kind != &kind || a[2] <= 0)
        return file ? -EINVAL : -EBADF;
    thread_breathe();
    for (;;) {
        int found = collect(file->object, (struct epoll_event *)a[1], (int)a[2]);
        if (found)
            return found;
        if (!io_wait(until))
            return signals_pending() ? -EINTR : collect(file->object, (struct epoll_event *)a[1], (int)a[2]);
    }
}
