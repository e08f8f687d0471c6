/* The two pages through which Xen speaks to a domain: start_info, written by the toolstack at start and on resume, and
 * shared_info, a page of Xen's own that must be out of our page tables when the domain is saved. Both are the
 * outermost entries of the suspend table. Contract: xen/include/public/xen.h, "start_info" and "shared_info". */
#include "arch/x86_64/hypercall.h"
#include "internal.h"

static struct start_info *info; /* the page whose frame goes into the suspend hypercall: never a copy of it */

/* The page under this symbol is ordinary memory of ours; Xen's page is mapped in its place. */
union shared_page shared_page __attribute__((aligned(4096)));

void startinfo_set(struct start_info *given) { info = given; }
const struct start_info *startinfo(void) { return info; }
mfn_t startinfo_frame(void) { return p2m_frame((pfn_t)info >> PAGE_SHIFT); }

/* The toolstack takes the two rings' places for page numbers of ours when it restores, and for machine frames when it
 * starts a domain. Before: frames to pages. After a cancel nobody turned them back, so we do. */
void startinfo_suspend(void)
{
    info->store_mfn = p2m_page(info->store_mfn);
    info->console.domU.mfn = p2m_page(info->console.domU.mfn);
}

void startinfo_resume(bool cancelled)
{
    if (!cancelled)
        return; /* the toolstack wrote the new frames and ports */
    info->store_mfn = p2m_frame(info->store_mfn);
    info->console.domU.mfn = p2m_frame(info->console.domU.mfn);
}

void sharedinfo_map(void)
{
    pagetable_map_frame(&shared_page, info->shared_info >> PAGE_SHIFT);
    SHARED.vcpu_info[0].evtchn_upcall_mask = 1; /* for ever: kernel/events.c says why */
}

void sharedinfo_suspend(void)
{
    pagetable_map((pfn_t)&shared_page >> PAGE_SHIFT, 1, MAP_WRITABLE); /* our own page again */
}

void sharedinfo_resume(bool cancelled)
{
    sharedinfo_map();
    if (!cancelled)
        p2m_publish();
}
