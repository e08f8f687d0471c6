/* The grant table: pages that a backend may read or write. Version 1, one frame, 512 entries (xen/include/public/
 * grant_table.h). The frame is Xen's own, so it leaves our page tables while the domain is saved; in a new domain it is
 * empty, and every frontend grants its pages anew. */
#include <errno.h>
#include <string.h>
#include <xen/grant_table.h>

#include "arch/x86_64/barrier.h"
#include "arch/x86_64/hypercall.h"
#include "internal.h"
#include "lib/bitmap.h"

#define ENTRIES (PAGE_SIZE / sizeof(struct grant_entry_v1))

static union { grant_entry_v1_t entry[ENTRIES]; char page[PAGE_SIZE]; } table __attribute__((aligned(4096)));
static unsigned long taken[ENTRIES / 64];

static void map_table(void)
{
    xen_pfn_t frame = 0;
    struct gnttab_setup_table setup = {.dom = DOMID_SELF, .nr_frames = 1};
    set_xen_guest_handle(setup.frame_list, &frame);
    if (HYPERCALL3(grant_table_op, GNTTABOP_setup_table, &setup, 1) != 0 || setup.status != GNTST_okay)
        panic("no grant table: status %d", setup.status);
    pagetable_map_frame(&table, frame);
}

static void forget_grants(void)
{
    memset(taken, 0, sizeof taken);
    taken[0] = (1UL << GNTTAB_NR_RESERVED_ENTRIES) - 1; /* the toolstack's, for console and store */
}

void grants_start(void)
{
    forget_grants();
    map_table();
}

int grant_access(domid_t remote, const void *page, bool read_only)
{
    size_t reference = bitmap_find_clear(taken, ENTRIES, 0, 1);
    if (reference >= ENTRIES)
        return -ENOSPC;
    bitmap_set(taken, reference);
    table.entry[reference].frame = p2m_frame((pfn_t)page >> PAGE_SHIFT);
    table.entry[reference].domid = remote;
    write_fence(); /* the flags make it valid, so they come last */
    write_once(table.entry[reference].flags, GTF_permit_access | (read_only ? GTF_readonly : 0));
    return reference;
}

/* A backend that still maps the page keeps the entry busy; then the entry is given up rather than the page exposed
 * under a new meaning. */
void grant_end(int reference)
{
    uint16_t *flags = &table.entry[reference].flags, seen = read_once(*flags);
    if (seen & (GTF_reading | GTF_writing))
        return;
    if (__atomic_compare_exchange_n(flags, &seen, 0, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        bitmap_clear(taken, reference);
}

void grants_suspend(void) { pagetable_map((pfn_t)&table >> PAGE_SHIFT, 1, MAP_WRITABLE); }

void grants_resume(bool cancelled)
{
    if (!cancelled)
        forget_grants();
    map_table();
}
