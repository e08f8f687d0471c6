/* Pipes, and eventfd, which is a pipe for a number. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>

#include "posix/posix.h"

#define PIPE_BYTES 4096 /* PIPE_BUF: writes up to this size are not torn */

struct pipe { size_t first, count; int readers, writers; char bytes[PIPE_BYTES]; };

static ssize_t pipe_read(struct open_file *file, void *buffer, size_t bytes)
{
    struct pipe *pipe = file->object;
    int error = bytes ? wait_ready(file, POLLIN) : 0;
    if (error)
        return error;
    bytes = bytes < pipe->count ? bytes : pipe->count;
    for (size_t i = 0; i < bytes; i++)
        ((char *)buffer)[i] = pipe->bytes[(pipe->first + i) % PIPE_BYTES];
    pipe->first = (pipe->first + bytes) % PIPE_BYTES;
    pipe->count -= bytes;
    io_changed();
    return (ssize_t)bytes;
}

static ssize_t pipe_write(struct open_file *file, const void *buffer, size_t bytes)
{
    struct pipe *pipe = file->object;
    size_t done = 0;
    while (done < bytes) {
        if (!pipe->readers) {
            signal_send(thread_current(), 13 /* SIGPIPE */);
            return done ? (ssize_t)done : -EPIPE;
        }
        size_t room = PIPE_BYTES - pipe->count;
        if (room < (bytes <= PIPE_BYTES ? bytes - done : 1)) {
            if (file->flags & O_NONBLOCK)
                return done ? (ssize_t)done : -EAGAIN;
            if (!io_wait(NEVER) && signals_pending())
                return done ? (ssize_t)done : -EINTR;
            continue;
        }
        size_t piece = bytes - done < room ? bytes - done : room;
        for (size_t i = 0; i < piece; i++)
            pipe->bytes[(pipe->first + pipe->count + i) % PIPE_BYTES] = ((const char *)buffer)[done + i];
        pipe->count += piece;
        done += piece;
        io_changed();
    }
    return (ssize_t)done;
}

static short read_end_ready(struct open_file *file)
{
    const struct pipe *pipe = file->object;
    return (short)((pipe->count ? POLLIN : 0) | (pipe->writers ? 0 : POLLHUP));
}

static short write_end_ready(struct open_file *file)
{
    const struct pipe *pipe = file->object;
    return (short)((pipe->count < PIPE_BYTES ? POLLOUT : 0) | (pipe->readers ? 0 : POLLERR));
}

static void drop(struct pipe *pipe)
{
    if (!pipe->readers && !pipe->writers)
        heap_free(pipe, sizeof *pipe);
}

static void release_reader(struct open_file *file)
{
    struct pipe *pipe = file->object;
    pipe->readers--;
    drop(pipe);
}

static void release_writer(struct open_file *file)
{
    struct pipe *pipe = file->object;
    pipe->writers--;
    drop(pipe);
}

static const struct file_kind read_end = {.read = pipe_read, .ready = read_end_ready, .release = release_reader};
static const struct file_kind write_end = {.write = pipe_write, .ready = write_end_ready, .release = release_writer};

long sys_pipe2(const long *a)
{
    int *ends = (int *)a[0], flags = (int)a[1];
    struct pipe *pipe = heap_alloc(sizeof *pipe);
    if (!pipe)
        return -ENOMEM;
    pipe->readers = pipe->writers = 1;
    struct open_file *reader = file_new(&read_end, pipe, O_RDONLY | (flags & O_NONBLOCK));
    struct open_file *writer = file_new(&write_end, pipe, O_WRONLY | (flags & O_NONBLOCK));
    if (!reader || !writer)
        return -ENOMEM;
    ends[0] = descriptor_install(reader, flags & O_CLOEXEC);
    ends[1] = descriptor_install(writer, flags & O_CLOEXEC);
    return ends[1] < 0 ? ends[1] : 0;
}

long sys_pipe(const long *a)
{
    long with_flags[6] = {a[0], 0};
    return sys_pipe2(with_flags);
}

struct counter { uint64_t value; bool semaphore; };

static short counter_ready(struct open_file *file)
{
    const struct counter *counter = file->object;
    return (short)(POLLOUT | (counter->value ? POLLIN : 0));
}

static ssize_t counter_read(struct open_file *file, void *buffer, size_t bytes)
{
    struct counter *counter = file->object;
    int error = bytes < 8 ? -EINVAL : wait_ready(file, POLLIN);
    if (error)
        return error;
    uint64_t taken = counter->semaphore ? 1 : counter->value;
    counter->value -= taken;
    memcpy(buffer, &taken, 8);
    return 8;
}

static ssize_t counter_write(struct open_file *file, const void *buffer, size_t bytes)
{
    struct counter *counter = file->object;
    uint64_t more;
    if (bytes < 8)
        return -EINVAL;
    memcpy(&more, buffer, 8);
    if (more > UINT64_MAX - 1 - counter->value)
        return more == UINT64_MAX ? -EINVAL : -EAGAIN;
    counter->value += more;
    io_changed();
    return 8;
}

static void release_counter(struct open_file *file) { heap_free(file->object, sizeof(struct counter)); }
static const struct file_kind counter_kind = {.read = counter_read, .write = counter_write, .ready = counter_ready,
                                              .release = release_counter};

long sys_eventfd2(const long *a)
{
    struct counter *counter = heap_alloc(sizeof *counter);
    struct open_file *file = counter ? file_new(&counter_kind, counter, O_RDWR | ((int)a[1] & O_NONBLOCK)) : NULL;
    if (!file)
        return -ENOMEM;
    *counter = (struct counter){.value = (unsigned)a[0], .semaphore = a[1] & EFD_SEMAPHORE};
    return descriptor_install(file, a[1] & EFD_CLOEXEC);
}

long sys_eventfd(const long *a)
{
    long with_flags[6] = {a[0], 0};
    return sys_eventfd2(with_flags);
}
