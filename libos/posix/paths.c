/* Calls that name a file by its path. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "posix/posix.h"

static long stat_path(const char *path, bool follow, struct stat *to)
{
    struct node *node;
    int error = tree_find(path, follow, &node);
    if (!error)
        node_stat(node, to);
    return error;
}

long sys_stat(const long *a) { return stat_path((const char *)a[0], true, (struct stat *)a[1]); }
long sys_lstat(const long *a) { return stat_path((const char *)a[0], false, (struct stat *)a[1]); }

static bool here(long directory, const char *path) { return (int)directory == AT_FDCWD || *path == '/'; }

long sys_newfstatat(const long *a)
{
    const char *path = (const char *)a[1];
    long by_number[6] = {a[0], a[2]};
    if (!*path && a[3] & AT_EMPTY_PATH)
        return sys_fstat(by_number);
    return here(a[0], path) ? stat_path(path, !(a[3] & AT_SYMLINK_NOFOLLOW), (struct stat *)a[2]) : -ENOSYS;
}

static long access_path(const char *path, int mode)
{
    struct node *node;
    int error = tree_find(path, true, &node);
    return error ? error : mode & W_OK && node->read_only ? -EROFS : 0;
}

long sys_access(const long *a) { return access_path((const char *)a[0], (int)a[1]); }
long sys_faccessat(const long *a)
{
    return here(a[0], (const char *)a[1]) ? access_path((const char *)a[1], (int)a[2]) : -ENOSYS;
}

static long make(const char *path, mode_t mode, struct node **made)
{
    struct node *directory, *existing;
    const char *name;
    size_t length;
    int error = tree_parent(path, &directory, &name, &length);
    if (error)
        return error;
    existing = tree_child(directory, name, length);
    if (existing)
        return -EEXIST;
    *made = tree_add(directory, name, length, mode);
    return *made ? 0 : -ENOSPC;
}

long sys_mkdir(const long *a)
{
    struct node *made;
    return make((const char *)a[0], S_IFDIR | ((mode_t)a[1] & 01777), &made);
}

long sys_mkdirat(const long *a)
{
    long rest[6] = {a[1], a[2]};
    return here(a[0], (const char *)a[1]) ? sys_mkdir(rest) : -ENOSYS;
}

long sys_symlink(const long *a)
{
    struct node *made;
    const char *target = (const char *)a[0];
    long error = make((const char *)a[1], S_IFLNK | 0777, &made);
    if (!error && (error = node_resize(made, strlen(target))) == 0)
        memcpy(made->content, target, made->size);
    return error;
}

long sys_readlink(const long *a)
{
    struct node *node;
    int error = tree_find((const char *)a[0], false, &node);
    if (error || !S_ISLNK(node->mode))
        return error ? error : -EINVAL;
    size_t length = node->size < (size_t)a[2] ? node->size : (size_t)a[2];
    memcpy((char *)a[1], node->content, length);
    return (long)length;
}

/* The archive's files cannot be removed: they would be back at the next start, which nobody expects of a removal. */
static long remove_path(const char *path, bool directory)
{
    struct node *node;
    int error = tree_find(path, false, &node);
    if (error)
        return error;
    if (S_ISDIR(node->mode) != directory)
        return directory ? -ENOTDIR : -EISDIR;
    if (node->first_child)
        return -ENOTEMPTY;
    if (node->read_only || node->device)
        return -EROFS;
    if (node == tree_root() || node == directory_current())
        return -EBUSY;
    tree_remove(node);
    return 0;
}

long sys_unlink(const long *a) { return remove_path((const char *)a[0], false); }
long sys_rmdir(const long *a) { return remove_path((const char *)a[0], true); }
long sys_unlinkat(const long *a)
{
    return here(a[0], (const char *)a[1]) ? remove_path((const char *)a[1], a[2] & AT_REMOVEDIR) : -ENOSYS;
}

static bool inside(const struct node *node, const struct node *ancestor)
{
    for (; node != tree_root(); node = node->parent)
        if (node == ancestor)
            return true;
    return false;
}

static void move_node(struct node *node, struct node *directory, char *name, size_t length)
{
    struct node **link = &node->parent->first_child;
    while (*link != node)
        link = &(*link)->sibling;
    *link = node->sibling;
    heap_free(node->name, node->name_length + 1);
    node->name = name;
    node->name_length = length;
    node->parent = directory;
    node->sibling = directory->first_child;
    directory->first_child = node;
}

long sys_rename(const long *a)
{
    struct node *node, *directory, *old;
    const char *name;
    size_t length;
    int error = tree_find((const char *)a[0], false, &node);
    if (error || (error = tree_parent((const char *)a[1], &directory, &name, &length)) != 0)
        return error;
    old = tree_child(directory, name, length);
    if (old == node)
        return 0;
    if (node->read_only || node->device || node == tree_root() || (old && (old->read_only || old->device)))
        return -EROFS;
    if (inside(directory, node))
        return -EINVAL;
    if (old && S_ISDIR(old->mode) != S_ISDIR(node->mode))
        return S_ISDIR(old->mode) ? -EISDIR : -ENOTDIR;
    if (old && old->first_child)
        return -ENOTEMPTY;
    char *copy = heap_alloc(length + 1);
    if (!copy)
        return -ENOSPC;
    memcpy(copy, name, length);
    if (old)
        tree_remove(old);
    move_node(node, directory, copy, length);
    return 0;
}

long sys_renameat(const long *a)
{
    long rest[6] = {a[1], a[3]};
    return here(a[0], (const char *)a[1]) && here(a[2], (const char *)a[3]) ? sys_rename(rest) : -ENOSYS;
}

long sys_chmod(const long *a)
{
    struct node *node;
    int error = tree_find((const char *)a[0], true, &node);
    if (!error)
        node->mode = (node->mode & S_IFMT) | ((mode_t)a[1] & 07777);
    return error;
}

static void fill(struct statfs *to)
{
    struct memory_count count = memory_count();
    *to = (struct statfs){.f_type = 0x01021994 /* TMPFS_MAGIC */, .f_bsize = PAGE_SIZE, .f_blocks = count.total,
                          .f_bfree = count.free, .f_bavail = count.free, .f_namelen = 255, .f_frsize = PAGE_SIZE};
}

long sys_statfs(const long *a)
{
    struct node *node;
    int error = tree_find((const char *)a[0], true, &node);
    if (!error)
        fill((struct statfs *)a[1]);
    return error;
}

long sys_fstatfs(const long *a)
{
    if (!file_of((int)a[0]))
        return -EBADF;
    fill((struct statfs *)a[1]);
    return 0;
}
