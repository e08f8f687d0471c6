/* What every frontend says to its backend through XenStore (xen/include/public/io/xenbus.h): where the other end is and
 * which state it is in. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xen/io/xenbus.h>

#include "drivers/xenbus.h"

int xenbus_read_number(const char *directory, const char *key, long absent, long *value)
{
    char path[160], text[24];
    snprintf(path, sizeof path, "%s/%s", directory, key);
    int length = xenstore_read(path, text, sizeof text);
    *value = length > 0 ? strtol(text, NULL, 10) : absent;
    return length;
}

int xenbus_state(const char *directory)
{
    long state;
    xenbus_read_number(directory, "state", XenbusStateUnknown, &state);
    return (int)state;
}

/* The path names the backend's domain, too; asking for it separately would lengthen the silence after a move. */
int xenbus_find_backend(const char *frontend, char *backend, size_t size, domid_t *remote)
{
    char path[96];
    unsigned home;
    long id;
    snprintf(path, sizeof path, "%s/backend", frontend);
    int length = xenstore_read(path, backend, size);
    if (length <= 0)
        return length < 0 ? length : -1;
    if (sscanf(backend, "/local/domain/%u/", &home) == 1)
        id = home;
    else
        xenbus_read_number(frontend, "backend-id", 0, &id);
    *remote = (domid_t)id;
    return 0;
}

void xenbus_set_state(const char *frontend, int state)
{
    char path[96];
    snprintf(path, sizeof path, "%s/state", frontend);
    xenstore_printf(path, "%d", state);
}

static void on_change(void *link_)
{
    struct xenbus_link *link = link_;
    link->changed = true;
    wake_all(&link->waiters);
}

/* Forget the old backend's path, which names a domain number that a move has changed, and watch the new one's. */
void xenbus_watch_backend(struct xenbus_link *link, const char *backend)
{
    if (*link->watched)
        xenstore_unwatch(link->watched, on_change, link);
    snprintf(link->watched, sizeof link->watched, "%s/state", backend);
    xenstore_watch(link->watched, on_change, link);
}

void xenbus_poke(struct xenbus_link *link) { on_change(link); }

void xenbus_await_change(struct xenbus_link *link)
{
    while (!link->changed)
        wait_on(&link->waiters, NEVER);
    link->changed = false;
}
