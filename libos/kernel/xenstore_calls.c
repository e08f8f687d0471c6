/* XenStore's requests, each one question and its answer (docs/misc/xenstore.txt). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xen/io/xs_wire.h>

#include "internal.h"

int xenstore_error(const char *name)
{
    static const struct { const char *name; int error; } known[] = {
        {"ENOENT", ENOENT}, {"EACCES", EACCES}, {"EAGAIN", EAGAIN}, {"EEXIST", EEXIST}, {"EINVAL", EINVAL},
        {"ENOSPC", ENOSPC}, {"EQUOTA", ENOSPC}, {"EBUSY", EBUSY},   {"EROFS", EROFS},   {"E2BIG", E2BIG}};
    for (size_t i = 0; i < DIMENSION(known); i++)
        if (!strcmp(known[i].name, name))
            return -known[i].error;
    return -EIO;
}

int xenstore_read_in(uint32_t transaction, const char *path, char *value, size_t size)
{
    return xenstore_ask(XS_READ, transaction, path, strlen(path) + 1, "", 0, value, size);
}

int xenstore_read(const char *path, char *value, size_t size) { return xenstore_read_in(0, path, value, size); }

int xenstore_write_in(uint32_t transaction, const char *path, const char *value)
{
    int result = xenstore_ask(XS_WRITE, transaction, path, strlen(path) + 1, value, strlen(value), NULL, 0);
    return result < 0 ? result : 0;
}

int xenstore_write(const char *path, const char *value) { return xenstore_write_in(0, path, value); }

int xenstore_printf(const char *path, const char *format, ...)
{
    char value[128];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(value, sizeof value, format, arguments);
    va_end(arguments);
    return xenstore_write(path, value);
}

int xenstore_list(const char *path, char *names, size_t size)
{
    return xenstore_ask(XS_DIRECTORY, 0, path, strlen(path) + 1, "", 0, names, size);
}

int xenstore_remove(const char *path) { return xenstore_ask(XS_RM, 0, path, strlen(path) + 1, "", 0, NULL, 0); }

int xenstore_begin(uint32_t *transaction)
{
    char number[16];
    int result = xenstore_ask(XS_TRANSACTION_START, 0, "", 1, "", 0, number, sizeof number);
    *transaction = (uint32_t)strtoul(result < 0 ? "0" : number, NULL, 10);
    return result < 0 ? result : 0;
}

/* A transaction that a move interrupted does not exist in the new XenStore; that too means: do it again. */
int xenstore_end(uint32_t transaction, bool commit)
{
    int result = xenstore_ask(XS_TRANSACTION_END, transaction, commit ? "T" : "F", 2, "", 0, NULL, 0);
    return result == -ENOENT ? -EAGAIN : result < 0 ? result : 0;
}
