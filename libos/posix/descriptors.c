/* Descriptors: small numbers for open files, and the calls that are the same for every kind of file. */
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <termios.h>

#include "posix/posix.h"

static struct open_file *table[DESCRIPTORS_MAX];
static bool close_on_exec[DESCRIPTORS_MAX];

struct open_file *file_of(int descriptor)
{
    return descriptor >= 0 && descriptor < DESCRIPTORS_MAX ? table[descriptor] : NULL;
}

struct open_file *file_new(const struct file_kind *kind, void *object, int flags)
{
    struct open_file *file = heap_alloc(sizeof *file);
    if (file)
        *file = (struct open_file){.kind = kind, .object = object, .flags = flags};
    return file;
}

void file_release(struct open_file *file)
{
    if (--file->references > 0)
        return;
    if (file->kind->release)
        file->kind->release(file);
    heap_free(file, sizeof *file);
    io_changed();
}

static int install_from(int lowest, struct open_file *file, bool on_exec)
{
    for (int fd = lowest; fd >= 0 && fd < DESCRIPTORS_MAX; fd++)
        if (!table[fd]) {
            table[fd] = file;
            close_on_exec[fd] = on_exec;
            file->references++;
            return fd;
        }
    if (!file->references) {
        file->references = 1;
        file_release(file);
    }
    return -EMFILE;
}

int descriptor_install(struct open_file *file, bool on_exec) { return install_from(0, file, on_exec); }

long sys_close(const long *a)
{
    struct open_file *file = file_of((int)a[0]);
    if (!file)
        return -EBADF;
    table[a[0]] = NULL;
    file_release(file);
    return 0;
}

static ssize_t read_from(struct open_file *file, void *buffer, size_t bytes)
{
    if (!file)
        return -EBADF;
    return file->kind->read && (file->flags & O_ACCMODE) != O_WRONLY ? file->kind->read(file, buffer, bytes) : -EBADF;
}

static ssize_t write_to(struct open_file *file, const void *buffer, size_t bytes)
{
    if (!file)
        return -EBADF;
    return file->kind->write && (file->flags & O_ACCMODE) != O_RDONLY ? file->kind->write(file, buffer, bytes) : -EBADF;
}

/* The file is held while a thread waits inside: another may close the descriptor meanwhile. */
static long held(int fd, ssize_t (*act)(struct open_file *, const struct iovec *), const struct iovec *pieces, long count)
{
    struct open_file *file = file_of(fd);
    long total = 0;
    if (!file)
        return -EBADF;
    file->references++;
    for (long i = 0; i < count; i++) {
        if (!pieces[i].iov_len && count > 1)
            continue;
        ssize_t done = act(file, &pieces[i]);
        if (done < 0) {
            total = total ? total : done;
            break;
        }
        total += done;
        if ((size_t)done < pieces[i].iov_len)
            break;
    }
    file_release(file);
    return total;
}

static ssize_t read_piece(struct open_file *f, const struct iovec *p) { return read_from(f, p->iov_base, p->iov_len); }
static ssize_t write_piece(struct open_file *f, const struct iovec *p) { return write_to(f, p->iov_base, p->iov_len); }

long sys_read(const long *a)
{
    struct iovec one = {(void *)a[1], (size_t)a[2]};
    return held((int)a[0], read_piece, &one, 1);
}

long sys_write(const long *a)
{
    struct iovec one = {(void *)a[1], (size_t)a[2]};
    return held((int)a[0], write_piece, &one, 1);
}

long sys_readv(const long *a) { return held((int)a[0], read_piece, (void *)a[1], a[2]); }
long sys_writev(const long *a) { return held((int)a[0], write_piece, (void *)a[1], a[2]); }

static long at_offset(const long *a, ssize_t (*act)(struct open_file *, const struct iovec *), const struct iovec *pieces,
                      long count)
{
    struct open_file *file = file_of((int)a[0]);
    if (!file || !file->kind->seekable)
        return file ? -ESPIPE : -EBADF;
    off_t saved = file->offset; /* of a disk two threads must not share it; a regular file never waits */
    file->offset = a[3];
    long result = held((int)a[0], act, pieces, count);
    file->offset = saved;
    return result;
}

long sys_pread64(const long *a)
{
    struct iovec one = {(void *)a[1], (size_t)a[2]};
    return at_offset(a, read_piece, &one, 1);
}

long sys_pwrite64(const long *a)
{
    struct iovec one = {(void *)a[1], (size_t)a[2]};
    return at_offset(a, write_piece, &one, 1);
}

long sys_preadv(const long *a) { return at_offset(a, read_piece, (void *)a[1], a[2]); }
long sys_pwritev(const long *a) { return at_offset(a, write_piece, (void *)a[1], a[2]); }

long sys_dup(const long *a)
{
    struct open_file *file = file_of((int)a[0]);
    return file ? install_from(0, file, false) : -EBADF;
}

long sys_dup3(const long *a)
{
    struct open_file *file = file_of((int)a[0]);
    if (!file || a[1] < 0 || a[1] >= DESCRIPTORS_MAX)
        return -EBADF;
    if (a[0] == a[1])
        return -EINVAL;
    file->references++;
    if (table[a[1]])
        file_release(table[a[1]]);
    table[a[1]] = file;
    close_on_exec[a[1]] = a[2] & O_CLOEXEC;
    return a[1];
}

long sys_dup2(const long *a)
{
    long with_flags[6] = {a[0], a[1], 0};
    return a[0] == a[1] && file_of((int)a[0]) ? a[1] : sys_dup3(with_flags);
}

long sys_fcntl(const long *a)
{
    struct open_file *file = file_of((int)a[0]);
    if (!file)
        return -EBADF;
    switch (a[1]) {
    case F_DUPFD: return install_from((int)a[2], file, false);
    case F_DUPFD_CLOEXEC: return install_from((int)a[2], file, true);
    case F_GETFD: return close_on_exec[a[0]] ? FD_CLOEXEC : 0;
    case F_SETFD: close_on_exec[a[0]] = a[2] & FD_CLOEXEC; return 0;
    case F_GETFL: return file->flags;
    case F_SETFL:
        file->flags = (file->flags & ~(O_NONBLOCK | O_APPEND)) | ((int)a[2] & (O_NONBLOCK | O_APPEND));
        return 0;
    case F_SETLK: case F_SETLKW: return 0; /* one process: nobody else can hold a lock */
    case F_GETLK: ((struct flock *)a[2])->l_type = F_UNLCK; return 0;
    default: return -EINVAL;
    }
}

long sys_ioctl(const long *a)
{
    struct open_file *file = file_of((int)a[0]);
    if (!file)
        return -EBADF;
    if (a[1] == FIONBIO) {
        file->flags = *(int *)a[2] ? file->flags | O_NONBLOCK : file->flags & ~O_NONBLOCK;
        return 0;
    }
    if (a[1] == TIOCGWINSZ && file->kind == &device_console) { /* by which the C library knows a terminal */
        *(struct winsize *)a[2] = (struct winsize){.ws_row = 24, .ws_col = 80};
        return 0;
    }
    return -ENOTTY;
}

long sys_fstat(const long *a)
{
    struct open_file *file = file_of((int)a[0]);
    struct stat *to = (void *)a[1];
    if (!file)
        return -EBADF;
    *to = (struct stat){.st_mode = S_IFIFO | 0600, .st_nlink = 1, .st_blksize = PAGE_SIZE};
    return file->kind->stat ? file->kind->stat(file, to) : 0;
}
