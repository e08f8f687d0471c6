/* The ramdisk's files become nodes of the tree, their content staying where the domain builder put it. */
#include <errno.h>
#include <string.h>

#include "lib/cpio.h"
#include "posix/posix.h"

static struct node *directory_for(const char *name, const char **last, size_t *length)
{
    struct node *at = tree_root();
    for (const char *slash; (slash = strchr(name, '/')); name = slash + 1) {
        struct node *next = tree_child(at, name, (size_t)(slash - name));
        if (!next && slash != name)
            next = tree_add(at, name, (size_t)(slash - name), S_IFDIR | 0755);
        at = next ? next : at;
        if (!S_ISDIR(at->mode))
            return NULL;
    }
    *last = name;
    *length = strlen(name);
    return at;
}

static void unpack_entry(const struct cpio_entry *entry)
{
    const char *name;
    size_t length;
    struct node *directory = directory_for(entry->name, &name, &length);
    if (!directory || length == 0 || !strcmp(name, ".") || tree_child(directory, name, length))
        return;
    if (!S_ISDIR(entry->mode) && !S_ISREG(entry->mode) && !S_ISLNK(entry->mode))
        return;
    struct node *node = tree_add(directory, name, length, entry->mode);
    if (!node)
        panic("no memory for the archive's file %s", entry->name);
    node->changed_ns = (int64_t)entry->modified_s * (int64_t)SECOND;
    if (!S_ISDIR(entry->mode)) {
        node->content = (char *)entry->content;
        node->size = entry->size;
        node->read_only = true;
    }
}

void archive_unpack(const void *archive, size_t bytes)
{
    struct cpio_entry entry;
    size_t offset = 0;
    int more;
    while ((more = cpio_next(archive, bytes, &offset, &entry)) > 0)
        unpack_entry(&entry);
    if (more < 0)
        console_print("flexcapsule: the ramdisk is no cpio archive (newc) from byte %zu on; the rest is ignored\n", offset);
}
