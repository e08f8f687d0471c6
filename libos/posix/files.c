/* Open files of the tree: what read, write and seek mean for them. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "posix/posix.h"

static ssize_t read_content(struct open_file *file, void *buffer, size_t bytes)
{
    const struct node *node = file->object;
    if (file->offset >= (off_t)node->size)
        return 0;
    size_t left = node->size - (size_t)file->offset;
    bytes = bytes < left ? bytes : left;
    memcpy(buffer, node->content + file->offset, bytes);
    file->offset += (off_t)bytes;
    return (ssize_t)bytes;
}

static ssize_t write_content(struct open_file *file, const void *buffer, size_t bytes)
{
    struct node *node = file->object;
    if (file->flags & O_APPEND)
        file->offset = (off_t)node->size;
    size_t end = (size_t)file->offset + bytes;
    int error = node->read_only ? -EROFS : end > node->size ? node_resize(node, end) : 0;
    if (error)
        return error;
    memcpy(node->content + file->offset, buffer, bytes);
    file->offset += (off_t)bytes;
    node->changed_ns = (int64_t)time_real();
    return (ssize_t)bytes;
}

static ssize_t read_directory(struct open_file *file, void *buffer, size_t bytes)
{
    (void)file, (void)buffer, (void)bytes;
    return -EISDIR;
}

static void release(struct open_file *file)
{
    struct node *node = file->object;
    node->opened--;
    node_drop(node);
}

static int stat_node(struct open_file *file, struct stat *to)
{
    node_stat(file->object, to);
    return 0;
}

const struct file_kind file_regular = {.read = read_content, .write = write_content, .release = release, .stat = stat_node,
                                       .seekable = true};
const struct file_kind file_directory = {.read = read_directory, .release = release, .stat = stat_node, .seekable = true};

/* Create is decided here, once, for open, openat and creat. */
static int find_or_create(const char *path, int flags, mode_t mode, struct node **node)
{
    int error = tree_find(path, !(flags & O_NOFOLLOW), node);
    if (!error)
        return (flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL) ? -EEXIST : 0;
    if (error != -ENOENT || !(flags & O_CREAT))
        return error;
    struct node *directory;
    const char *name;
    size_t length;
    if ((error = tree_parent(path, &directory, &name, &length)) != 0)
        return error;
    *node = tree_add(directory, name, strcspn(name, "/"), S_IFREG | (mode & 0777));
    return *node ? 0 : -ENOSPC;
}

static long open_path(const char *path, int flags, mode_t mode)
{
    struct node *node;
    int error = find_or_create(path, flags, mode, &node);
    bool writes = (flags & O_ACCMODE) != O_RDONLY;
    if (error)
        return error;
    if (S_ISLNK(node->mode))
        return -ELOOP;
    if (S_ISDIR(node->mode) ? writes : flags & O_DIRECTORY)
        return S_ISDIR(node->mode) ? -EISDIR : -ENOTDIR;
    if (node->read_only && writes)
        return -EROFS;
    if (flags & O_TRUNC && writes && S_ISREG(node->mode))
        node_resize(node, 0);
    const struct file_kind *kind = node->device ? node->device : S_ISDIR(node->mode) ? &file_directory : &file_regular;
    struct open_file *file = file_new(kind, node, flags & ~(O_CREAT | O_EXCL | O_TRUNC | O_CLOEXEC));
    if (!file)
        return -ENOMEM;
    node->opened++;
    return descriptor_install(file, flags & O_CLOEXEC);
}

long sys_open(const long *a) { return open_path((const char *)a[0], (int)a[1], (mode_t)a[2]); }
long sys_creat(const long *a) { return open_path((const char *)a[0], O_CREAT | O_WRONLY | O_TRUNC, (mode_t)a[1]); }

/* Paths relative to an open directory are not offered: only AT_FDCWD, or an absolute path. */
long sys_openat(const long *a)
{
    const char *path = (const char *)a[1];
    return (int)a[0] == AT_FDCWD || *path == '/' ? open_path(path, (int)a[2], (mode_t)a[3]) : -ENOSYS;
}

long sys_lseek(const long *a)
{
    struct open_file *file = file_of((int)a[0]);
    if (!file)
        return -EBADF;
    if (!file->kind->seekable)
        return -ESPIPE;
    struct stat status = {0};
    if (a[2] == SEEK_END)
        file->kind->stat(file, &status);
    off_t base = a[2] == SEEK_SET ? 0 : a[2] == SEEK_CUR ? file->offset : status.st_size;
    if (a[2] < SEEK_SET || a[2] > SEEK_END || base + a[1] < 0)
        return -EINVAL;
    return file->offset = base + a[1];
}

static long resize_open(int fd, off_t size)
{
    struct open_file *file = file_of(fd);
    if (!file || file->kind != &file_regular)
        return file ? -EINVAL : -EBADF;
    if (size < 0 || (file->flags & O_ACCMODE) == O_RDONLY)
        return -EINVAL;
    return node_resize(file->object, (size_t)size);
}

long sys_ftruncate(const long *a) { return resize_open((int)a[0], a[1]); }

long sys_fallocate(const long *a)
{
    struct open_file *file = file_of((int)a[0]);
    if (a[1] != 0)
        return -EOPNOTSUPP;
    if (file && file->kind == &file_regular && a[2] + a[3] <= (off_t)((struct node *)file->object)->size)
        return 0;
    return resize_open((int)a[0], a[2] + a[3]);
}

long sys_truncate(const long *a)
{
    struct node *node;
    int error = tree_find((const char *)a[0], true, &node);
    if (!error && !S_ISREG(node->mode))
        error = -EISDIR;
    return error ? error : a[1] < 0 ? -EINVAL : node_resize(node, (size_t)a[1]);
}

/* The offset counts entries handed out: ".", "..", then the children. */
long sys_getdents64(const long *a)
{
    struct open_file *file = file_of((int)a[0]);
    char *to = (char *)a[1], *end = to + a[2];
    if (!file || file->kind != &file_directory)
        return file ? -ENOTDIR : -EBADF;
    struct node *directory = file->object, *child = directory->first_child;
    for (off_t skip = 2; child && skip < file->offset; skip++)
        child = child->sibling;
    for (;;) {
        const struct node *node = file->offset == 0 ? directory : file->offset == 1 ? directory->parent : child;
        if (!node)
            break;
        const char *name = file->offset == 0 ? "." : file->offset == 1 ? ".." : node->name;
        size_t length = file->offset < 2 ? strlen(name) : node->name_length;
        size_t record = (offsetof(struct dirent, d_name) + length + 1 + 7) & ~7UL;
        if (to + record > end)
            return to == (char *)a[1] ? -EINVAL : to - (char *)a[1];
        struct dirent *entry = (struct dirent *)to;
        entry->d_ino = node->number;
        entry->d_off = ++file->offset;
        entry->d_reclen = (unsigned short)record;
        entry->d_type = (unsigned char)(node->mode >> 12);
        memcpy(entry->d_name, name, length);
        entry->d_name[length] = 0;
        to += record;
        child = node == child ? child->sibling : child;
    }
    return to - (char *)a[1];
}
