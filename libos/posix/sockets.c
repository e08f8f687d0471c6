/* BSD sockets: IPv4, TCP and UDP, over lwIP. The waiting is done here, so that signals end it and poll sees the same. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "net/socket_calls.h"
#include "posix/posix.h"

static short ready(struct open_file *file)
{
    bool readable, writable, sound = net_ready(file->number, &readable, &writable);
    return (short)((readable ? POLLIN : 0) | (writable ? POLLOUT : 0) | (sound ? 0 : POLLERR));
}

static bool waits(struct open_file *file, int flags) { return !(file->flags & O_NONBLOCK) && !(flags & MSG_DONTWAIT); }

static ssize_t receive(struct open_file *file, void *bytes, size_t count, int flags, struct net_address *from)
{
    for (;;) {
        long got = net_receive(file->number, bytes, count, from, flags & MSG_PEEK);
        if (got == -ENOTCONN)
            return 0; /* the other side has gone: the end, as Linux says it */
        if (got != -EAGAIN || !waits(file, flags))
            return got;
        int error = wait_ready(file, POLLIN);
        if (error)
            return error;
    }
}

/* A blocking stream socket takes everything, in pieces as room appears. */
static ssize_t transmit(struct open_file *file, const void *bytes, size_t count, int flags, const struct net_address *to)
{
    size_t done = 0;
    for (;;) {
        long sent = net_send(file->number, (const char *)bytes + done, count - done, to, flags & MSG_MORE);
        if (sent >= 0)
            done += (size_t)sent;
        if (done == count)
            return (ssize_t)done;
        if (sent < 0 && sent != -EAGAIN && sent != -ENOMEM) {
            if ((sent == -EPIPE || sent == -ENOTCONN || sent == -ECONNRESET) && !(flags & MSG_NOSIGNAL))
                signal_send(thread_current(), 13 /* SIGPIPE */);
            return done ? (ssize_t)done : sent == -ENOTCONN ? -EPIPE : sent;
        }
        if (!waits(file, flags))
            return done ? (ssize_t)done : -EAGAIN;
        if (sent == -ENOMEM)
            thread_sleep(time_monotonic() + MS);
        int error = wait_ready(file, POLLOUT);
        if (error)
            return done ? (ssize_t)done : error;
    }
}

static ssize_t read_socket(struct open_file *f, void *bytes, size_t count) { return receive(f, bytes, count, 0, NULL); }
static ssize_t write_socket(struct open_file *f, const void *bytes, size_t n) { return transmit(f, bytes, n, 0, NULL); }
static void release(struct open_file *file) { net_close(file->number); }

static int stat_socket(struct open_file *file, struct stat *to)
{
    (void)file;
    to->st_mode = S_IFSOCK | 0600;
    return 0;
}

const struct file_kind file_socket = {.read = read_socket, .write = write_socket, .ready = ready, .release = release,
                                      .stat = stat_socket};

static long new_socket(long number, int type)
{
    struct open_file *file;
    if (number < 0)
        return number;
    file = file_new(&file_socket, NULL, O_RDWR | (type & SOCK_NONBLOCK ? O_NONBLOCK : 0));
    if (!file) {
        net_close((int)number);
        return -ENOMEM;
    }
    file->number = (int)number;
    return descriptor_install(file, type & SOCK_CLOEXEC);
}

static struct open_file *socket_of(long descriptor, int *error)
{
    struct open_file *file = file_of((int)descriptor);
    *error = !file ? -EBADF : file->kind != &file_socket ? -ENOTSOCK : 0;
    return *error ? NULL : file;
}

static int take_address(struct net_address *to, const void *from, long bytes)
{
    const struct sockaddr_in *address = from;
    if (bytes < (long)sizeof *address)
        return -EINVAL;
    if (address->sin_family != AF_INET)
        return -EAFNOSUPPORT;
    *to = (struct net_address){address->sin_addr.s_addr, address->sin_port};
    return 0;
}

static void give_address(void *to, socklen_t *room, const struct net_address *from)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = from->port, .sin_addr.s_addr = from->host};
    if (!to || !room)
        return;
    __builtin_memcpy(to, &address, *room < sizeof address ? *room : sizeof address);
    *room = sizeof address;
}

long sys_socket(const long *a)
{
    int type = (int)a[1] & 15;
    if (a[0] != AF_INET)
        return -EAFNOSUPPORT;
    if (type != SOCK_STREAM && type != SOCK_DGRAM)
        return -EPROTONOSUPPORT;
    return new_socket(net_socket(type, 0), (int)a[1]);
}

long sys_bind(const long *a)
{
    struct net_address to;
    int error;
    struct open_file *file = socket_of(a[0], &error);
    if (error || (error = take_address(&to, (void *)a[1], a[2])) != 0)
        return error;
    return net_bind(file->number, &to);
}

long sys_listen(const long *a)
{
    int error;
    struct open_file *file = socket_of(a[0], &error);
    return error ? error : net_listen(file->number, (int)a[1]);
}

/* lwIP calls a refused connection reset; Linux calls it refused. */
int connect_outcome(struct open_file *file, int outcome)
{
    bool refused = file->connecting && outcome == ECONNRESET;
    file->connecting = false;
    return refused ? ECONNREFUSED : outcome;
}

long sys_connect(const long *a)
{
    struct net_address to;
    int error, outcome = 0;
    unsigned bytes = sizeof outcome;
    struct open_file *file = socket_of(a[0], &error);
    if (error || (error = take_address(&to, (void *)a[1], a[2])) != 0)
        return error;
    long result = net_connect(file->number, &to);
    file->connecting = true;
    if (result != -EINPROGRESS || file->flags & O_NONBLOCK)
        return result;
    if ((error = wait_ready(file, POLLOUT)) != 0)
        return error;
    net_option_get(file->number, SOL_SOCKET, SO_ERROR, &outcome, &bytes);
    return -connect_outcome(file, outcome);
}

long sys_accept4(const long *a)
{
    struct net_address from;
    int error;
    struct open_file *file = socket_of(a[0], &error);
    while (file) {
        long accepted = net_accept(file->number, &from);
        if (accepted >= 0)
            give_address((void *)a[1], (socklen_t *)a[2], &from);
        if (accepted != -EAGAIN || file->flags & O_NONBLOCK)
            return new_socket(accepted, (int)a[3]);
        if ((error = wait_ready(file, POLLIN)) != 0)
            break;
    }
    return error;
}

long sys_accept(const long *a)
{
    long with_flags[6] = {a[0], a[1], a[2], 0};
    return sys_accept4(with_flags);
}

long sys_sendto(const long *a)
{
    struct net_address to;
    int error;
    struct open_file *file = socket_of(a[0], &error);
    if (error || (a[4] && (error = take_address(&to, (void *)a[4], a[5])) != 0))
        return error;
    return transmit(file, (void *)a[1], (size_t)a[2], (int)a[3], a[4] ? &to : NULL);
}

long sys_recvfrom(const long *a)
{
    struct net_address from = {0};
    int error;
    struct open_file *file = socket_of(a[0], &error);
    if (error)
        return error;
    ssize_t got = receive(file, (void *)a[1], (size_t)a[2], (int)a[3], &from);
    if (got >= 0)
        give_address((void *)a[4], (socklen_t *)a[5], &from);
    return got;
}
