/* poll, select and epoll, and every blocking read: look whether something is ready; if not, wait until anything changed
 * anywhere and look again. With tens of descriptors looking costs less than keeping lists of who waits for what. */
#include <errno.h>
#include <fcntl.h>
#include <sys/select.h>
#include <time.h>

#include "posix/posix.h"

static struct waiters lookers;

void io_changed(void) { wake_all(&lookers); }

bool io_wait(uint64_t until)
{
    if (signals_pending())
        return false;
    return wait_interruptible(&lookers, until) && !signals_pending();
}

short file_ready(struct open_file *file) { return file->kind->ready ? file->kind->ready(file) : POLLIN | POLLOUT; }

int wait_ready(struct open_file *file, short events)
{
    while (!(file_ready(file) & (events | POLLERR | POLLHUP))) {
        if (file->flags & O_NONBLOCK)
            return -EAGAIN;
        if (!io_wait(NEVER) && signals_pending())
            return -EINTR;
    }
    return 0;
}

static int look(struct pollfd *fds, size_t count)
{
    int ready = 0;
    for (size_t i = 0; i < count; i++) {
        struct open_file *file = fds[i].fd < 0 ? NULL : file_of(fds[i].fd);
        fds[i].revents = 0;
        if (fds[i].fd < 0)
            continue;
        fds[i].revents = file ? file_ready(file) & (fds[i].events | POLLERR | POLLHUP) : POLLNVAL;
        ready += fds[i].revents != 0;
    }
    return ready;
}

static long poll_until(struct pollfd *fds, size_t count, uint64_t until)
{
    thread_breathe();
    for (;;) {
        int ready = look(fds, count);
        if (ready)
            return ready;
        if (!io_wait(until)) {
            if (signals_pending())
                return -EINTR;
            return look(fds, count);
        }
    }
}

static uint64_t until_ms(long ms) { return ms < 0 ? NEVER : time_monotonic() + (uint64_t)ms * MS; }

long sys_poll(const long *a) { return poll_until((struct pollfd *)a[0], (size_t)a[1], until_ms((int)a[2])); }
long sys_ppoll(const long *a) { return poll_until((struct pollfd *)a[0], (size_t)a[1], until_of((void *)a[2])); }

static long select_until(int count, fd_set *readers, fd_set *writers, fd_set *others, uint64_t until)
{
    struct pollfd list[64];
    int used = 0;
    for (int fd = 0; fd < count && fd < DESCRIPTORS_MAX; fd++) {
        short events = (short)((readers && FD_ISSET(fd, readers) ? POLLIN : 0)
                               | (writers && FD_ISSET(fd, writers) ? POLLOUT : 0));
        if (!events)
            continue;
        if (!file_of(fd))
            return -EBADF;
        if (used == (int)DIMENSION(list))
            return -ENOMEM;
        list[used++] = (struct pollfd){.fd = fd, .events = events};
    }
    long result = poll_until(list, (size_t)used, until);
    if (result < 0)
        return result;
    if (readers)
        FD_ZERO(readers);
    if (writers)
        FD_ZERO(writers);
    if (others)
        FD_ZERO(others);
    result = 0;
    for (int i = 0; i < used; i++) {
        short broken = list[i].revents & (POLLERR | POLLHUP);
        if (readers && list[i].events & POLLIN && list[i].revents & (POLLIN | broken))
            FD_SET(list[i].fd, readers), result++;
        if (writers && list[i].events & POLLOUT && list[i].revents & (POLLOUT | broken))
            FD_SET(list[i].fd, writers), result++;
    }
    return result;
}

long sys_select(const long *a)
{
    const struct timeval *t = (void *)a[4];
    uint64_t until = t ? time_monotonic() + (uint64_t)t->tv_sec * SECOND + (uint64_t)t->tv_usec * 1000 : NEVER;
    return select_until((int)a[0], (fd_set *)a[1], (fd_set *)a[2], (fd_set *)a[3], until);
}

long sys_pselect6(const long *a)
{
    return select_until((int)a[0], (fd_set *)a[1], (fd_set *)a[2], (fd_set *)a[3], until_of((void *)a[4]));
}
