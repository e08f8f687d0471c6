/* From the first instruction to the application, as a list. */
#include "internal.h"

const char *start_command_line(void) { return (const char *)startinfo()->cmd_line; }

const void *start_archive(size_t *bytes)
{
    const struct start_info *info = startinfo();
    *bytes = info->mod_len;
    if (!info->mod_len)
        return NULL;
    return (const void *)(info->flags & SIF_MOD_START_PFN ? info->mod_start << PAGE_SHIFT : info->mod_start);
}

void kernel_start(struct start_info *info)
{
    startinfo_set(info);
    p2m_start();
    pfn_t first_unmapped = pagetable_start();
    sharedinfo_map();
    p2m_publish();
    traps_start();
    events_start();
    time_start();
    console_start();
    memory_start(first_unmapped);
    grants_start();
    settings_start();
    scheduler_start();
    xenstore_start();
    entropy_start();
    lifecycle_start();
    balloon_start();
    block_start();
    network_start();
    stack_start();
    telemetry_start();
    posix_start(); /* the C library, then main; does not return */
}
