/* From the library OS to main: a stack as the C library expects it (arguments, environment, auxiliary vector), and the
 * C library's own start. Everything comes from the domain's configuration. */
#include <elf.h>
#include <string.h>

#include "lib/cmdline.h"
#include "posix/posix.h"

#define STACK_PAGES 32 /* of the main thread: 128 KiB */

extern int main(int argc, char **argv, char **envp);
extern int __libc_start_main(int (*)(int, char **, char **), int, char **, void (*)(void), void (*)(void), void (*)(void));
extern const Elf64_Ehdr __ehdr_start;

static char text[MAX_GUEST_CMDLINE];
static struct cmdline line;

const char *setting(const char *name) { return cmdline_setting(&line, name); }

void settings_start(void)
{
    memcpy(text, start_command_line(), sizeof text - 1);
    if (cmdline_parse(&line, text) > 0)
        console_print("flexcapsule: the command line has more words than fit; the last ones are dropped\n");
}

static void enter_main(void *unused)
{
    static uint64_t seed[2];
    static char *words[96];
    static char name[] = "app";
    int at = 0;
    (void)unused;
    signals_start();
    stack_await_address();
    words[at++] = name;
    for (int i = 0; i < line.argument_count; i++)
        words[at++] = line.arguments[i];
    int argc = at;
    words[at++] = NULL;
    for (int i = 0; i < line.environment_count; i++)
        words[at++] = line.environment[i];
    words[at++] = NULL;
    entropy_fill(seed, sizeof seed);
    const unsigned long auxiliary[] = {
        AT_PHDR, (unsigned long)&__ehdr_start + __ehdr_start.e_phoff, AT_PHNUM, __ehdr_start.e_phnum,
        AT_PHENT, __ehdr_start.e_phentsize, AT_PAGESZ, PAGE_SIZE, AT_RANDOM, (unsigned long)seed, AT_NULL, 0};
    memcpy(&words[at], auxiliary, sizeof auxiliary);
    __libc_start_main(main, argc, words, NULL, NULL, NULL);
}

/* The start-up thread has done its work and ends; main runs on a stack of its own, with a guard page below. */
void posix_start(void)
{
    tree_start();
    devices_start();
    char *stack = pages_alloc(STACK_PAGES);
    if (!stack || !thread_create_on(stack + STACK_PAGES * PAGE_SIZE, NULL, enter_main, NULL))
        panic("no memory for the application's stack");
    pagetable_map((pfn_t)stack >> PAGE_SHIFT, 1, MAP_READ_ONLY);
    thread_exit();
}
