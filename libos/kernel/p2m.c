/* The list of machine frames, one per page. The domain builder laid it out; the toolstack reads it when it saves and
 * rewrites it when it restores. It never moves and never grows, so its generation count stays 0.
 *
 * An entry is one of three things:
 *   present  the frame's number;
 *   hidden   the number with a high bit set. The frame is ours, free and unmapped; the toolstack finds no such frame,
 *            takes the page for one without content (XTAB) and sends nothing. That is what makes unused memory cost
 *            nothing to move, with no word from the toolstack. If the move is cancelled the entry still knows its frame.
 *   absent   all ones: given back to Xen, or hidden before a move and therefore not recreated after it. */
#include <xen/memory.h>

#include "arch/x86_64/hypercall.h"
#include "internal.h"

#define CHUNK 512 /* pages per hypercall: 4 KiB of frame numbers */
#define ABSENT (~0UL)
#define HIDDEN (1UL << 62)

static unsigned long *list; /* volatile content: the toolstack's to rewrite while we are suspended */
static pfn_t count;

void p2m_start(void)
{
    list = (unsigned long *)startinfo()->mfn_list;
    count = startinfo()->nr_pages;
}

/* The linear form of the list (arch-x86/xen.h): the root of the address space, the address, the number of entries. The
 * cr3 field is not cleared by a restore and names the old host's frame, so it must be written anew each time. */
void p2m_publish(void)
{
    SHARED.arch.max_pfn = count;
    SHARED.arch.pfn_to_mfn_frame_list_list = 0;
    SHARED.arch.p2m_vaddr = (unsigned long)list;
    SHARED.arch.p2m_generation = 0;
    SHARED.arch.p2m_cr3 = pagetable_root_frame() << PAGE_SHIFT;
}

pfn_t p2m_count(void) { return count; }

mfn_t p2m_frame(pfn_t pfn)
{
    if (pfn >= count || list[pfn] & HIDDEN)
        panic("page %#lx of %#lx has no frame of its own", pfn, count);
    return list[pfn];
}

pfn_t p2m_page(mfn_t mfn) { return machine_to_phys_mapping[mfn]; }

enum page_presence p2m_presence(pfn_t pfn)
{
    if (list[pfn] == ABSENT)
        return PAGE_ABSENT;
    return list[pfn] & HIDDEN ? PAGE_HIDDEN : PAGE_PRESENT;
}

void p2m_hide(pfn_t pfn) { list[pfn] |= HIDDEN; }
void p2m_show(pfn_t pfn) { list[pfn] &= ~HIDDEN; }
void p2m_absent(pfn_t pfn) { list[pfn] = ABSENT; }

/* Ask Xen for frames where there are none; returns for how many pages, from the first on, it gave one. */
size_t p2m_populate(pfn_t pfn, size_t pages)
{
    static xen_pfn_t extents[CHUNK];
    size_t done = 0;
    while (done < pages) {
        size_t chunk = pages - done < CHUNK ? pages - done : CHUNK;
        for (size_t i = 0; i < chunk; i++)
            extents[i] = pfn + done + i;
        struct xen_memory_reservation wish = {.nr_extents = chunk, .domid = DOMID_SELF};
        set_xen_guest_handle(wish.extent_start, extents);
        long got = HYPERCALL2(memory_op, XENMEM_populate_physmap, &wish);
        for (long i = 0; i < got; i++)
            list[pfn + done + (size_t)i] = extents[i];
        done += got > 0 ? got : 0;
        if (got != (long)chunk)
            break;
    }
    return done;
}
