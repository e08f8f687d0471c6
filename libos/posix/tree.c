/* The tree of files, in memory. Files from the archive are read-only; all others live until the domain ends. */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "posix/posix.h"

#define LINKS_MAX 8 /* symbolic links followed in one path */

static struct node root = {.mode = S_IFDIR | 0755, .number = 1, .parent = &root}, *current = &root;
static ino_t last_number = 1;

struct node *tree_root(void) { return &root; }
struct node *directory_current(void) { return current; }

struct node *tree_child(struct node *directory, const char *name, size_t length)
{
    if (length == 1 && name[0] == '.')
        return directory;
    if (length == 2 && name[0] == '.' && name[1] == '.')
        return directory->parent;
    struct node *child = directory->first_child;
    while (child && (child->name_length != length || memcmp(child->name, name, length) != 0))
        child = child->sibling;
    return child;
}

struct node *tree_add(struct node *directory, const char *name, size_t length, mode_t mode)
{
    struct node *node = heap_alloc(sizeof *node);
    char *copy = node ? heap_alloc(length + 1) : NULL;
    if (!copy) {
        heap_free(node, sizeof *node);
        return NULL;
    }
    memcpy(copy, name, length);
    *node = (struct node){.name = copy, .name_length = length, .parent = directory, .sibling = directory->first_child,
                          .mode = mode, .number = ++last_number, .changed_ns = (int64_t)time_real()};
    directory->first_child = node;
    directory->changed_ns = node->changed_ns;
    return node;
}

void node_drop(struct node *node)
{
    if (!node->unlinked || node->opened > 0)
        return;
    if (!node->read_only)
        heap_free(node->content, node->capacity);
    heap_free(node->name, node->name_length + 1);
    heap_free(node, sizeof *node);
}

void tree_remove(struct node *node)
{
    struct node **link = &node->parent->first_child;
    while (*link != node)
        link = &(*link)->sibling;
    *link = node->sibling;
    node->parent->changed_ns = (int64_t)time_real();
    node->unlinked = true;
    node_drop(node);
}

/* Grows by half at least, in whole pages beyond a small size, so that appending is cheap. */
int node_resize(struct node *node, size_t size)
{
    if (node->read_only)
        return -EROFS;
    if (size > node->capacity) {
        size_t capacity = size > node->capacity + node->capacity / 2 ? size : node->capacity + node->capacity / 2;
        capacity = capacity <= 2048 ? 2048 : PAGES_OF(capacity) * PAGE_SIZE;
        char *content = heap_alloc(capacity);
        if (!content)
            return -ENOSPC;
        memcpy(content, node->content ? node->content : "", node->size);
        heap_free(node->content, node->capacity);
        node->content = content;
        node->capacity = capacity;
    } else if (size < node->size) {
        memset(node->content + size, 0, node->size - size); /* what is cut off must read as 0 if it comes back */
    }
    node->size = size;
    return 0;
}

void node_stat(const struct node *node, struct stat *to)
{
    struct timespec changed = {node->changed_ns / (int64_t)SECOND, node->changed_ns % (int64_t)SECOND};
    *to = (struct stat){.st_dev = 1, .st_ino = node->number, .st_mode = node->mode, .st_nlink = node->unlinked ? 0 : 1,
                        .st_size = (off_t)node->size, .st_blksize = PAGE_SIZE, .st_blocks = (blkcnt_t)((node->size + 511) / 512),
                        .st_atim = changed, .st_mtim = changed, .st_ctim = changed};
}

/* Walk `path` from `at`. With `last`, stop before the last name and give it back. */
static int walk(struct node *at, const char *path, bool follow, int links, struct node **found, const char **last,
                size_t *last_length)
{
    if (!*path)
        return -ENOENT;
    if (*path == '/')
        at = &root;
    for (;;) {
        path += strspn(path, "/");
        size_t length = strcspn(path, "/");
        const char *rest = path + length + strspn(path + length, "/");
        if (length > NAME_MAX)
            return -ENAMETOOLONG;
        if (last && !*rest) {
            *last = path, *last_length = length, *found = at;
            return S_ISDIR(at->mode) ? 0 : -ENOTDIR;
        }
        if (!length) {
            *found = at;
            return 0;
        }
        if (!S_ISDIR(at->mode))
            return -ENOTDIR;
        struct node *next = tree_child(at, path, length);
        if (!next)
            return -ENOENT;
        if (S_ISLNK(next->mode) && (*rest || follow)) {
            char target[1024];
            if (links == LINKS_MAX || next->size >= sizeof target)
                return -ELOOP;
            memcpy(target, next->content, next->size);
            target[next->size] = 0;
            int error = walk(at, target, true, links + 1, &next, NULL, NULL);
            if (error)
                return error;
        }
        at = next;
        path = rest;
    }
}

int tree_find(const char *path, bool follow, struct node **found)
{
    return walk(current, path, follow, 0, found, NULL, NULL);
}

int tree_parent(const char *path, struct node **directory, const char **name, size_t *length)
{
    int error = walk(current, path, false, 0, directory, name, length);
    return error ? error : *length ? 0 : -EEXIST;
}

long sys_chdir(const long *a)
{
    struct node *node;
    int error = tree_find((const char *)a[0], true, &node);
    if (!error && !S_ISDIR(node->mode))
        error = -ENOTDIR;
    if (!error) {
        node->opened++; /* stays even if removed */
        current->opened--;
        current = node;
    }
    return error;
}

long sys_getcwd(const long *a)
{
    char *buffer = (char *)a[0];
    size_t size = (size_t)a[1], at = size;
    if (size < 2)
        return -ERANGE;
    buffer[--at] = 0;
    if (current == &root)
        buffer[--at] = '/';
    for (struct node *node = current; node != &root; node = node->parent) {
        if (node->name_length + 1 > at)
            return -ERANGE;
        at -= node->name_length;
        memcpy(buffer + at, node->name, node->name_length);
        buffer[--at] = '/';
    }
    memmove(buffer, buffer + at, size - at);
    return (long)(size - at);
}

void tree_start(void)
{
    size_t bytes;
    const void *archive = start_archive(&bytes);
    root.changed_ns = (int64_t)time_real();
    tree_add(&root, "tmp", 3, S_IFDIR | 01777);
    if (archive)
        archive_unpack(archive, bytes);
}
