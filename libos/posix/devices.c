/* Devices that are files: the console, null, zero, urandom; and /etc/resolv.conf, which says what the network was told. */
#include <errno.h>
#include <string.h>

#include "posix/posix.h"

static char typed[1024]; /* what the console said and nobody has read yet */
static size_t typed_bytes;

/* Control-C is a signal, as on a terminal. A carriage return is how a console says newline. */
static void hear(void)
{
    char c;
    while (typed_bytes < sizeof typed && console_read(&c, 1) == 1)
        if (c == 3)
            signal_send(NULL, 2 /* SIGINT */);
        else
            typed[typed_bytes++] = c == '\r' ? '\n' : c;
    io_changed();
}

static ssize_t console_take(struct open_file *file, void *buffer, size_t bytes)
{
    int error = bytes ? wait_ready(file, POLLIN) : 0;
    if (error)
        return error;
    bytes = bytes < typed_bytes ? bytes : typed_bytes;
    memcpy(buffer, typed, bytes);
    typed_bytes -= bytes;
    memmove(typed, typed + bytes, typed_bytes);
    return (ssize_t)bytes;
}

static ssize_t console_put(struct open_file *file, const void *buffer, size_t bytes)
{
    (void)file;
    const char *from = buffer;
    for (size_t at = 0; at < bytes;) { /* a terminal in raw mode needs the carriage return */
        const char *newline = memchr(from + at, '\n', bytes - at);
        size_t piece = newline ? (size_t)(newline - from) - at : bytes - at;
        console_write(from + at, piece);
        if (newline)
            console_write("\r\n", 2);
        at += piece + (newline != NULL);
    }
    return (ssize_t)bytes;
}

static short console_ready(struct open_file *file)
{
    (void)file;
    return (short)(POLLOUT | (typed_bytes ? POLLIN : 0));
}

static int stat_device(struct open_file *file, struct stat *to)
{
    if (file->object)
        node_stat(file->object, to);
    else
        to->st_mode = S_IFCHR | 0600;
    return 0;
}

static void release(struct open_file *file)
{
    struct node *node = file->object;
    if (node)
        node->opened--;
}

static ssize_t nothing(struct open_file *file, void *buffer, size_t bytes)
{
    (void)file, (void)buffer, (void)bytes;
    return 0;
}

static ssize_t zeroes(struct open_file *file, void *buffer, size_t bytes)
{
    (void)file;
    memset(buffer, 0, bytes);
    return (ssize_t)bytes;
}

static ssize_t random_bytes(struct open_file *file, void *buffer, size_t bytes)
{
    (void)file;
    entropy_fill(buffer, bytes);
    return (ssize_t)bytes;
}

static ssize_t swallow(struct open_file *file, const void *buffer, size_t bytes)
{
    (void)file, (void)buffer;
    return (ssize_t)bytes;
}

/* Where the C library looks for name servers: made anew at each look, as DHCP may answer late. */
static ssize_t name_servers(struct open_file *file, void *buffer, size_t bytes)
{
    char text[96];
    size_t length = stack_name_servers(text, sizeof text), at = (size_t)file->offset;
    if (at >= length)
        return 0;
    bytes = bytes < length - at ? bytes : length - at;
    memcpy(buffer, text + at, bytes);
    file->offset += (off_t)bytes;
    return (ssize_t)bytes;
}

const struct file_kind device_console = {.read = console_take, .write = console_put, .ready = console_ready,
                                         .release = release, .stat = stat_device};
static const struct file_kind device_null = {.read = nothing, .write = swallow, .release = release, .stat = stat_device};
static const struct file_kind device_zero = {.read = zeroes, .write = swallow, .release = release, .stat = stat_device};
static const struct file_kind device_random = {.read = random_bytes, .write = swallow, .release = release,
                                               .stat = stat_device};
static const struct file_kind device_resolver = {.read = name_servers, .release = release, .stat = stat_device};

static struct node *directory_named(const char *name)
{
    struct node *directory = tree_child(tree_root(), name, strlen(name));
    return directory ? directory : tree_add(tree_root(), name, strlen(name), S_IFDIR | 0755);
}

/* What the archive brought stays. */
static void add(struct node *directory, const char *name, const struct file_kind *kind)
{
    if (!directory || tree_child(directory, name, strlen(name)))
        return;
    struct node *node = tree_add(directory, name, strlen(name), S_IFCHR | 0666);
    if (node)
        node->device = kind;
}

/* Descriptors 0, 1 and 2 are the console. */
void devices_start(void)
{
    struct node *directory = directory_named("dev");
    add(directory, "console", &device_console);
    add(directory, "tty", &device_console);
    add(directory, "null", &device_null);
    add(directory, "zero", &device_zero);
    add(directory, "urandom", &device_random);
    add(directory, "random", &device_random);
    if (block_sectors())
        add(directory, "disk", &device_disk);
    add(directory_named("etc"), "resolv.conf", &device_resolver);
    for (int fd = 0; fd < 3; fd++)
        descriptor_install(file_new(&device_console, NULL, 2 /* O_RDWR */), false);
    console_on_input(hear);
}
