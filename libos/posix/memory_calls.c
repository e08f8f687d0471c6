/* mmap and its kin: pages of the one address space. What is mapped is private and already there; a file's pages are a
 * copy. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "posix/posix.h"

static void copy_file(void *to, size_t bytes, struct open_file *file, off_t offset)
{
    const struct node *node = file->object;
    size_t left = offset < (off_t)node->size ? node->size - (size_t)offset : 0;
    if (left)
        memcpy(to, node->content + offset, bytes < left ? bytes : left);
}

static void protect(void *address, size_t pages, int protection)
{
    enum protection to = protection & PROT_WRITE ? MAP_WRITABLE : protection ? MAP_READ_ONLY : MAP_NOTHING;
    pagetable_map((pfn_t)address >> PAGE_SHIFT, pages, to);
}

/* Said once: whoever runs the application can tell a want of memory from any other failure (agent/verdict.py reads it). */
static long refuse(size_t pages)
{
    static bool said;
    if (!said)
        console_print("out of memory: %zu KiB asked for, %zu KiB free\n", pages * (PAGE_SIZE / 1024),
                      memory_count().free * (PAGE_SIZE / 1024));
    said = true;
    return -ENOMEM;
}

long sys_mmap(const long *a)
{
    void *place = (void *)a[0];
    size_t bytes = (size_t)a[1], pages = PAGES_OF(bytes);
    int flags = (int)a[3];
    struct open_file *file = flags & MAP_ANONYMOUS ? NULL : file_of((int)a[4]);
    if (!bytes || bytes > (size_t)1 << 46)
        return bytes ? -ENOMEM : -EINVAL;
    if (!(flags & MAP_ANONYMOUS) && (!file || file->kind != &file_regular))
        return file ? -ENODEV : -EBADF;
    if (file && (flags & MAP_TYPE) != MAP_PRIVATE && a[2] & PROT_WRITE)
        return -ENOSYS; /* writes would have to reach the file */
    if (flags & MAP_FIXED) { /* only over memory that the caller has already */
        if (!pages_used(place, pages))
            return -ENOMEM;
        protect(place, pages, PROT_WRITE);
        memset(place, 0, pages * PAGE_SIZE);
    } else if (!(place = pages_alloc(pages))) {
        return refuse(pages);
    }
    if (file)
        copy_file(place, bytes, file, a[5]);
    if (!(a[2] & PROT_WRITE))
        protect(place, pages, (int)a[2]);
    return (long)place;
}

long sys_munmap(const long *a)
{
    if (a[0] & (long)(PAGE_SIZE - 1) || !a[1] || !pages_used((void *)a[0], PAGES_OF((size_t)a[1])))
        return -EINVAL;
    pages_free((void *)a[0], PAGES_OF((size_t)a[1]));
    return 0;
}

long sys_mprotect(const long *a)
{
    if (!pages_used((void *)a[0], PAGES_OF((size_t)a[1])))
        return -ENOMEM;
    protect((void *)a[0], PAGES_OF((size_t)a[1]), (int)a[2]);
    return 0;
}

long sys_mremap(const long *a)
{
    size_t old = PAGES_OF((size_t)a[1]), new = PAGES_OF((size_t)a[2]);
    char *place = (char *)a[0];
    if (!new || !pages_used(place, old))
        return -EINVAL;
    if (new <= old) {
        if (new < old)
            pages_free(place + new * PAGE_SIZE, old - new);
        return a[0];
    }
    if (!(a[3] & MREMAP_MAYMOVE))
        return -ENOMEM;
    char *moved = pages_alloc(new);
    if (!moved)
        return refuse(new);
    memcpy(moved, place, old * PAGE_SIZE);
    pages_free(place, old);
    return (long)moved;
}

/* MADV_DONTNEED promises zeroes at the next look (private memory); MADV_FREE, by which malloc hints, promises nothing. */
long sys_madvise(const long *a)
{
    if (a[2] == MADV_DONTNEED)
        memset((void *)a[0], 0, (size_t)a[1]);
    return 0;
}

long sys_brk(const long *a)
{
    (void)a;
    return 0; /* no break to move: malloc takes mmap instead */
}
