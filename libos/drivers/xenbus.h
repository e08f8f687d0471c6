#ifndef XENBUS_H
#define XENBUS_H

#include "internal.h"

/* A frontend's interest in its backend: one thread waits here for the backend's state, or for a move, to change. */
struct xenbus_link {
    char watched[128];
    bool changed;
    struct waiters waiters;
};

int xenbus_read_number(const char *directory, const char *key, long absent, long *value);
int xenbus_state(const char *directory);
int xenbus_find_backend(const char *frontend, char *backend, size_t size, domid_t *remote);
void xenbus_set_state(const char *frontend, int state);
void xenbus_watch_backend(struct xenbus_link *link, const char *backend);
void xenbus_poke(struct xenbus_link *link);
void xenbus_await_change(struct xenbus_link *link); /* may wait */

#endif
