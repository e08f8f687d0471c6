/* The block device as one file, /dev/disk: any offset and length; fsync is a flush. Nothing is cached, so what write
 * returned for has been handed to the backend, and what fsync returned for has been flushed by it. */
#include <errno.h>
#include <string.h>

#include "posix/posix.h"

#define SECTOR 512
#define CHUNK PAGE_SIZE

static off_t disk_bytes(void) { return (off_t)block_sectors() * SECTOR; }

/* One piece inside one aligned chunk, by way of whole sectors; what a write covers only in part is read first. */
static int piece(off_t offset, char *bytes, size_t count, bool write)
{
    char chunk[CHUNK];
    uint64_t sector = (uint64_t)offset / SECTOR;
    size_t skip = (size_t)offset % SECTOR, sectors = (skip + count + SECTOR - 1) / SECTOR;
    int error = 0;
    if (!write || skip || count % SECTOR)
        error = block_transfer(sector, chunk, sectors, false);
    if (!error && !write)
        memcpy(bytes, chunk + skip, count);
    if (!error && write) {
        memcpy(chunk + skip, bytes, count);
        error = block_transfer(sector, chunk, sectors, true);
    }
    return error;
}

static ssize_t transfer(struct open_file *file, char *bytes, size_t count, bool write)
{
    size_t done = 0;
    off_t start = file->offset;
    if (start >= disk_bytes())
        return write && count ? -ENOSPC : 0;
    if (count > (size_t)(disk_bytes() - start))
        count = (size_t)(disk_bytes() - start);
    while (done < count) {
        off_t offset = start + (off_t)done;
        size_t to_edge = CHUNK - (size_t)offset % CHUNK, now = count - done < to_edge ? count - done : to_edge;
        int error = piece(offset, bytes + done, now, write);
        if (error && !done)
            return error;
        if (error)
            break;
        done += now;
    }
    file->offset = start + (off_t)done;
    return (ssize_t)done;
}

static ssize_t read_disk(struct open_file *file, void *bytes, size_t count) { return transfer(file, bytes, count, false); }
static ssize_t write_disk(struct open_file *file, const void *bytes, size_t count)
{
    return transfer(file, (char *)bytes, count, true);
}

static int sync_disk(struct open_file *file)
{
    (void)file;
    return block_flush();
}

static int stat_disk(struct open_file *file, struct stat *to)
{
    node_stat(file->object, to);
    to->st_size = disk_bytes();
    return 0;
}

static void release(struct open_file *file) { ((struct node *)file->object)->opened--; }

const struct file_kind device_disk = {.read = read_disk, .write = write_disk, .release = release, .stat = stat_disk,
                                      .sync = sync_disk, .seekable = true};
