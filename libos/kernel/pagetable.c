/* Page tables. Virtual and pseudo-physical addresses are the same, so a table is read where it lies, and everything is
 * walked anew each time: after a move every entry holds another frame. Tables are read-only to us; Xen writes them on
 * request (mmu_update, update_va_mapping). All of them hang under the one root that the domain builder pinned, which is
 * what makes the toolstack treat them as tables when it saves. */
#include <xen/memory.h>

#include "arch/x86_64/hypercall.h"
#include "internal.h"

#define PTE_PRESENT 1UL
#define PTE_WRITABLE 2UL
#define PTE_USER 4UL /* needed: a 64-bit paravirtual kernel runs in ring 3; Xen adds it itself, but be explicit */
#define PTE_ACCESSED 0x20UL
#define PTE_DIRTY 0x40UL
#define PTE_FRAME 0x000ffffffffff000UL
#define TABLE_FLAGS (PTE_PRESENT | PTE_WRITABLE | PTE_USER | PTE_ACCESSED)
#define PAGE_FLAGS (PTE_PRESENT | PTE_USER | PTE_ACCESSED | PTE_DIRTY)
#define BATCH 128

static unsigned long *root;

static unsigned long *table_under(const unsigned long *table, unsigned slot)
{
    unsigned long entry = table[slot];
    return entry & PTE_PRESENT ? (unsigned long *)(p2m_page((entry & PTE_FRAME) >> PAGE_SHIFT) << PAGE_SHIFT) : NULL;
}

/* The table of `level` (1: leaves) that covers a page; NULL when there is none. */
static unsigned long *table_at(pfn_t pfn, int level)
{
    unsigned long *table = root;
    for (int above = 4; above > level && table; above--)
        table = table_under(table, (pfn >> (9 * (above - 1))) & 511);
    return table;
}

static unsigned long machine_address(const void *p)
{
    return p2m_frame((pfn_t)p >> PAGE_SHIFT) << PAGE_SHIFT | ((unsigned long)p & (PAGE_SIZE - 1));
}

static void update(struct mmu_update *updates, size_t count)
{
    if (count && HYPERCALL4(mmu_update, updates, count, 0, DOMID_SELF) != 0)
        panic("Xen refused %zu page-table updates", count);
}

static void flush_tlb(void)
{
    struct mmuext_op op = {.cmd = MMUEXT_TLB_FLUSH_LOCAL};
    if (HYPERCALL4(mmuext_op, &op, 1, 0, DOMID_SELF) != 0)
        panic("Xen refused a TLB flush");
}

bool pagetable_has_table(pfn_t pfn) { return table_at(pfn, 1) != NULL; }

/* Hang one more table under the lowest one there is. Xen accepts a page as a table only when nobody can write it. */
void pagetable_add_table(pfn_t pfn, pfn_t table)
{
    int level = 4;
    while (level > 2 && table_at(pfn, level - 1))
        level--;
    const unsigned long *above = table_at(pfn, level);
    pagetable_map(table, 1, MAP_READ_ONLY);
    struct mmu_update one = {.ptr = machine_address(&above[(pfn >> (9 * (level - 1))) & 511]) | MMU_NORMAL_PT_UPDATE,
                             .val = p2m_frame(table) << PAGE_SHIFT | TABLE_FLAGS};
    update(&one, 1);
}

/* Map pages to their own frames, in batches; a run may cross tables, each of which must exist. */
void pagetable_map(pfn_t pfn, size_t pages, enum protection protection)
{
    static struct mmu_update updates[BATCH]; /* no upcalls, one vcpu: nobody else is in here */
    unsigned long flags = protection == MAP_WRITABLE ? PAGE_FLAGS | PTE_WRITABLE : PAGE_FLAGS;
    size_t filled = 0;
    for (; pages; pfn++, pages--) {
        unsigned long *table = table_at(pfn, 1);
        if (!table)
            panic("no page table for page %#lx", pfn);
        updates[filled].ptr = machine_address(&table[pfn & 511]) | MMU_NORMAL_PT_UPDATE;
        updates[filled].val = protection == MAP_NOTHING ? 0 : p2m_frame(pfn) << PAGE_SHIFT | flags;
        if (++filled == BATCH || pages == 1) {
            update(updates, filled);
            filled = 0;
        }
    }
    if (protection != MAP_WRITABLE)
        flush_tlb(); /* a mapping that only gained rights needs none: a stale entry faults in hardware and is re-read */
}

bool pagetable_writable(pfn_t pfn)
{
    const unsigned long *table = table_at(pfn, 1);
    return table && table[pfn & 511] & PTE_WRITABLE;
}

/* Put a frame of Xen's own (shared_info, grant table) where a page of ours is. */
void pagetable_map_frame(const void *address, mfn_t mfn)
{
    unsigned long entry = mfn << PAGE_SHIFT | PAGE_FLAGS | PTE_WRITABLE;
    if (HYPERCALL3(update_va_mapping, address, entry, UVMF_INVLPG) != 0)
        panic("Xen refused to map frame %#lx", mfn);
}

/* The builder mapped a start of memory and no more: where it ends. */
static pfn_t mapped_end(void)
{
    pfn_t pfn = (pfn_t)root >> PAGE_SHIFT;
    for (const unsigned long *table; pfn < p2m_count(); pfn++)
        if (!(table = table_at(pfn, 1)) || !(table[pfn & 511] & PTE_PRESENT))
            break;
    return pfn;
}

/* Returns the first page that is not mapped. Address 0 is made to fault. */
pfn_t pagetable_start(void)
{
    root = (unsigned long *)startinfo()->pt_base;
    pagetable_map(0, 1, MAP_NOTHING);
    return mapped_end();
}

mfn_t pagetable_root_frame(void) { return p2m_frame((pfn_t)root >> PAGE_SHIFT); }
