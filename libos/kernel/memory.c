/* Whole pages. Three bits say everything of a page that the frame list (kernel/p2m.c) does not:
 *   used       handed out;
 *   mapped     our page tables map it writable. A free page need not be; mapping it is part of handing it out;
 *   ballooned  given back to Xen on the toolstack's wish (then used too, by nobody).
 * After a move nothing here needs mending: an unmapped free page is looked up in the frame list when it is wanted, and
 * that list is the truth in the new domain as it was in the old one. */
#include <string.h>
#include <xen/memory.h>

#include "arch/x86_64/hypercall.h"
#include "internal.h"
#include "lib/bitmap.h"

#define CHUNK 512 /* pages at a time: a batch of page-table updates, or a claim between two yields */

static unsigned long *used, *mapped, *ballooned;
static struct memory_count count;
static void *spare_table; /* a zeroed page kept for the next page table, as a table is needed to map a page */

static void restock_spare(void);

static bool make_present(pfn_t pfn)
{
    switch (p2m_presence(pfn)) {
    case PAGE_HIDDEN:
        p2m_show(pfn);
        return true;
    case PAGE_ABSENT:
        return p2m_populate(pfn, 1) == 1;
    default:
        return true;
    }
}

static bool make_mapped(pfn_t pfn, size_t pages)
{
    for (pfn_t end = pfn + pages; pfn < end;) {
        if (bitmap_get(mapped, pfn)) {
            pfn++;
            continue;
        }
        while (!pagetable_has_table(pfn)) {
            if (!spare_table)
                return false;
            pagetable_add_table(pfn, (pfn_t)spare_table >> PAGE_SHIFT);
            spare_table = NULL;
            restock_spare();
        }
        pfn_t run = pfn;
        while (run < end && !bitmap_get(mapped, run) && pagetable_has_table(run) && make_present(run)) {
            bitmap_set(mapped, run);
            run++;
        }
        if (run == pfn)
            return false;
        pagetable_map(pfn, run - pfn, MAP_WRITABLE);
        pfn = run;
    }
    return true;
}

/* The next page table's page must itself be mappable without a new table. */
static void restock_spare(void)
{
    for (pfn_t pfn = 1; !spare_table && (pfn = bitmap_find_clear(used, p2m_count(), pfn, 1)) < p2m_count(); pfn++) {
        if (!pagetable_has_table(pfn) || !make_mapped(pfn, 1))
            continue;
        bitmap_set(used, pfn);
        count.free--;
        spare_table = memset((void *)(pfn << PAGE_SHIFT), 0, PAGE_SIZE);
    }
}

void *pages_alloc(size_t pages)
{
    pfn_t pfn = pages ? bitmap_find_clear(used, p2m_count(), 1, pages) : p2m_count();
    if (pfn >= p2m_count())
        return NULL;
    for (size_t i = 0; i < pages; i++)
        bitmap_set(used, pfn + i); /* first: mapping may need a table, which must not be taken from this run */
    if (!make_mapped(pfn, pages)) {
        for (size_t i = 0; i < pages; i++)
            bitmap_clear(used, pfn + i);
        return NULL;
    }
    count.free -= pages;
    return memset((void *)(pfn << PAGE_SHIFT), 0, pages * PAGE_SIZE);
}

bool pages_used(const void *address, size_t pages)
{
    pfn_t pfn = (pfn_t)address >> PAGE_SHIFT;
    for (size_t i = 0; i < pages; i++)
        if (pfn + i >= p2m_count() || !bitmap_get(used, pfn + i))
            return false;
    return true;
}

void pages_free(void *address, size_t pages)
{
    pfn_t pfn = (pfn_t)address >> PAGE_SHIFT;
    if (!pages_used(address, pages))
        panic("%zu pages at %p freed twice", pages, address);
    for (size_t i = 0; i < pages; i++) {
        bitmap_clear(used, pfn + i);
        if (!pagetable_writable(pfn + i)) /* a guard page, or protected by the application */
            pagetable_map(pfn + i, 1, MAP_WRITABLE);
    }
    count.free += pages;
}

struct memory_count memory_count(void)
{
    count.mapped_free = 0;
    for (pfn_t pfn = 1; pfn < p2m_count(); pfn++)
        count.mapped_free += !bitmap_get(used, pfn) && bitmap_get(mapped, pfn);
    return count;
}

/* From the top down, so that what is allocated first (the lowest) stays mapped. */
size_t memory_hide(size_t keep)
{
    size_t mapped_free = memory_count().mapped_free, hidden = 0;
    for (pfn_t pfn = p2m_count() - 1; pfn > 0; pfn--) {
        if (bitmap_get(used, pfn))
            continue;
        if (bitmap_get(mapped, pfn) && mapped_free - hidden > keep) {
            pfn_t low = pfn;
            while (low > 1 && pfn - low < CHUNK - 1 && !bitmap_get(used, low - 1) && bitmap_get(mapped, low - 1)
                   && mapped_free - hidden - (pfn - low) - 1 > keep)
                low--;
            pagetable_map(low, pfn - low + 1, MAP_NOTHING);
            for (pfn_t page = low; page <= pfn; page++)
                bitmap_clear(mapped, page);
            hidden += pfn - low + 1;
        }
        if (!bitmap_get(mapped, pfn) && p2m_presence(pfn) == PAGE_PRESENT)
            p2m_hide(pfn);
    }
    return hidden;
}

size_t memory_claim(void)
{
    size_t claimed = 0;
    for (pfn_t pfn = 1; pfn < p2m_count(); pfn++) {
        pfn_t end = pfn;
        while (end < p2m_count() && end - pfn < CHUNK && !bitmap_get(used, end) && p2m_presence(end) == PAGE_ABSENT)
            end++;
        if (end == pfn)
            continue;
        size_t got = p2m_populate(pfn, end - pfn);
        for (size_t i = 0; i < got; i++)
            p2m_hide(pfn + i);
        claimed += got;
        if (got < end - pfn)
            break; /* the host has no more: what is missing stays absent, and is asked for again when it is wanted */
        pfn = end;
        thread_yield();
    }
    return claimed;
}

static void give(pfn_t pfn)
{
    p2m_show(pfn);
    xen_pfn_t frame = p2m_frame(pfn);
    p2m_absent(pfn);
    struct xen_memory_reservation gift = {.nr_extents = 1, .domid = DOMID_SELF};
    set_xen_guest_handle(gift.extent_start, &frame);
    if (HYPERCALL2(memory_op, XENMEM_decrease_reservation, &gift) != 1)
        panic("Xen would not take page %#lx back", pfn);
}

/* Pages that a move brought back though they were given away: the toolstack had sent them before. */
void memory_give_again(void)
{
    for (pfn_t pfn = 1; pfn < p2m_count(); pfn++)
        if (bitmap_get(ballooned, pfn) && p2m_presence(pfn) != PAGE_ABSENT)
            give(pfn);
}

/* Only free pages go. */
size_t memory_give_back(size_t pages)
{
    size_t gone = 0;
    for (pfn_t pfn = p2m_count() - 1; pfn > 0 && gone < pages; pfn--) {
        if (bitmap_get(used, pfn))
            continue;
        if (bitmap_get(mapped, pfn))
            pagetable_map(pfn, 1, MAP_NOTHING);
        bitmap_clear(mapped, pfn);
        if (p2m_presence(pfn) != PAGE_ABSENT)
            give(pfn);
        bitmap_set(used, pfn);
        bitmap_set(ballooned, pfn);
        gone++;
    }
    count.free -= gone;
    count.ballooned += gone;
    return gone;
}

size_t memory_take_back(size_t pages)
{
    size_t got = 0;
    for (pfn_t pfn = 1; pfn < p2m_count() && got < pages; pfn++) {
        if (!bitmap_get(ballooned, pfn))
            continue;
        if (p2m_presence(pfn) == PAGE_ABSENT && p2m_populate(pfn, 1) != 1)
            break;
        if (p2m_presence(pfn) == PAGE_PRESENT)
            p2m_hide(pfn);
        bitmap_clear(ballooned, pfn);
        bitmap_clear(used, pfn);
        got++;
    }
    count.free += got;
    count.ballooned -= got;
    return got;
}

/* The builder packed the image and its gifts (ramdisk, frame list, rings, page tables) from 1 MiB up to the end of the
 * page tables; below and behind is free. */
void memory_start(pfn_t first_unmapped)
{
    extern char image_start[], image_data_start[];
    pfn_t taken_end = (startinfo()->pt_base >> PAGE_SHIFT) + startinfo()->nr_pt_frames;
    size_t words = (p2m_count() + 63) / 64;
    unsigned long *bits = (unsigned long *)(taken_end << PAGE_SHIFT);
    taken_end += PAGES_OF(3 * words * sizeof *bits);
    if (taken_end >= first_unmapped)
        panic("no room for the page bitmaps behind the page tables");
    memset(bits, 0, 3 * words * sizeof *bits);
    used = bits, mapped = bits + words, ballooned = bits + 2 * words;
    for (pfn_t pfn = 0; pfn < first_unmapped; pfn++) {
        bitmap_set(mapped, pfn);
        if (pfn == 0 || (pfn >= (pfn_t)image_start >> PAGE_SHIFT && pfn < taken_end))
            bitmap_set(used, pfn);
        count.free += !bitmap_get(used, pfn);
    }
    for (pfn_t pfn = first_unmapped; pfn < p2m_count(); pfn++)
        p2m_hide(pfn);
    count.free += p2m_count() - first_unmapped;
    count.total = p2m_count();
    pagetable_map((pfn_t)image_start >> PAGE_SHIFT, (image_data_start - image_start) >> PAGE_SHIFT, MAP_READ_ONLY);
    restock_spare();
}
