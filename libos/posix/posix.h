/* The map of posix/: what stands behind the C library's system calls. Every handler takes its arguments as an array of
 * six longs and returns a result or a negative errno value, as a Linux kernel would. */
#ifndef POSIX_H
#define POSIX_H

#include <poll.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "internal.h"

typedef long syscall_handler(const long *a);

/* posix/syscalls.c: the table is posix/syscalls.def, which names the handlers of all files here */
#define SYSCALL(name, status, handler, missing) syscall_handler handler;
#include "posix/syscalls.def"
#undef SYSCALL
long flexcapsule_syscall(long number, long a, long b, long c, long d, long e, long f);

/* posix/descriptors.c: numbers, and what they stand for */
struct open_file;
struct file_kind {
    ssize_t (*read)(struct open_file *file, void *buffer, size_t bytes);        /* may wait, unless O_NONBLOCK */
    ssize_t (*write)(struct open_file *file, const void *buffer, size_t bytes); /* likewise */
    short (*ready)(struct open_file *file); /* POLLIN, POLLOUT, POLLERR, POLLHUP: what holds now */
    void (*release)(struct open_file *file);
    int (*stat)(struct open_file *file, struct stat *to);
    int (*sync)(struct open_file *file);
    bool seekable;
};
struct open_file {
    const struct file_kind *kind;
    int references, flags; /* O_... */
    off_t offset;
    void *object; /* a node, a pipe, ... */
    int number;   /* a socket's in lwIP */
    bool connecting;
};
#define DESCRIPTORS_MAX 256
struct open_file *file_of(int descriptor); /* NULL: EBADF */
struct open_file *file_new(const struct file_kind *kind, void *object, int flags);
int descriptor_install(struct open_file *file, bool close_on_exec);
void file_release(struct open_file *file);

/* posix/wait.c: waiting for readiness */
bool io_wait(uint64_t until); /* until something changed (true), or the time came or a signal did (false) */
short file_ready(struct open_file *file);
int wait_ready(struct open_file *file, short events); /* 0, -EAGAIN (O_NONBLOCK) or -EINTR */

/* posix/tree.c: the tree of files; posix/archive.c fills it from the ramdisk */
struct node {
    char *name; /* not ended by 0 */
    size_t name_length;
    struct node *parent, *first_child, *sibling;
    mode_t mode;
    ino_t number;
    char *content; /* of a file or a symbolic link */
    size_t size, capacity;
    int64_t changed_ns;
    int opened;     /* open files that hold it */
    bool read_only; /* from the archive */
    bool unlinked;
    const struct file_kind *device;
};
void tree_start(void);
struct node *tree_root(void);
int tree_find(const char *path, bool follow, struct node **found); /* 0 or -ENOENT, -ENOTDIR, -ELOOP */
int tree_parent(const char *path, struct node **directory, const char **name, size_t *length);
struct node *tree_child(struct node *directory, const char *name, size_t length);
struct node *tree_add(struct node *directory, const char *name, size_t length, mode_t mode);
void tree_remove(struct node *node);
void node_drop(struct node *node); /* frees it once it is unlinked and nobody has it open */
int node_resize(struct node *node, size_t size);
void node_stat(const struct node *node, struct stat *to);
struct node *directory_current(void);
void archive_unpack(const void *archive, size_t bytes);

/* posix/files.c */
extern const struct file_kind file_regular, file_directory;
/* posix/devices.c */
extern const struct file_kind device_console;
void devices_start(void);
/* posix/disk.c: /dev/disk, the block device as one file */
extern const struct file_kind device_disk;
/* posix/sockets.c */
extern const struct file_kind file_socket;
int connect_outcome(struct open_file *file, int outcome);
/* posix/signals.c */
void signals_start(void);
void signals_deliver(void); /* before a system call returns */
bool signals_pending(void); /* one that is not blocked or ignored */
void signal_send(struct thread *to, int number);
/* posix/threads.c */
long flexcapsule_clone(int (*function)(void *), void *stack, int flags, void *argument, int *parent_tid, void *tls,
                       int *child_tid);
/* posix/clocks.c */
uint64_t until_of(const void *timespec); /* a relative time; NULL: NEVER */

#endif
