/* The end that nobody wanted: say why and where, then tell Xen that the domain crashed (the toolstack's on_crash takes
 * over; `xl list` shows it as crashed, never as powered off). The numbers are for `addr2line -e IMAGE`. */
#include <stdio.h>
#include <xen/sched.h>

#include "arch/x86_64/hypercall.h"
#include "internal.h"

#define DEPTH 16

struct trap_frame {
    unsigned long rax, rbx, rcx, rdx, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15;
    unsigned long vector, error, rip, cs, rflags, rsp, ss;
};

extern const unsigned long trap_entries[20];
static bool panicking;

static void backtrace(const unsigned long *frame)
{
    console_print("called from:");
    for (int depth = 0; depth < DEPTH && frame && !((unsigned long)frame & 7); depth++) {
        if (!pages_used(frame, 1) || !pages_used(frame + 1, 1) || !frame[1])
            break;
        console_print(" %#lx", frame[1]);
        frame = (const unsigned long *)frame[0];
    }
    console_print("\n");
}

static void crash(void)
{
    struct sched_shutdown shutdown = {.reason = SHUTDOWN_crash};
    console_flush();
    for (;;)
        HYPERCALL2(sched_op, SCHEDOP_shutdown, &shutdown);
}

void panic(const char *format, ...)
{
    char why[160];
    va_list arguments;
    if (panicking)
        crash();
    panicking = true;
    va_start(arguments, format);
    vsnprintf(why, sizeof why, format, arguments);
    va_end(arguments);
    console_print("\npanic: %s\n", why);
    backtrace(__builtin_frame_address(0));
    crash();
    __builtin_unreachable();
}

/* From the trap stubs. What fault it was and where; a page fault's address is in cr2, which Xen keeps in vcpu_info. */
void panic_trap(const struct trap_frame *frame)
{
    static const char *const names[20] = {
        "division by zero", "debug", "NMI", "breakpoint", "overflow", "bounds", "invalid instruction", "no FPU",
        "double fault", "coprocessor", "invalid TSS", "no segment", "stack fault", "protection fault", "page fault",
        "", "x87 error", "alignment", "machine check", "SSE error"};
    if (panicking)
        crash();
    panicking = true;
    console_print("\npanic: %s at %#lx", names[frame->vector], frame->rip);
    if (frame->vector == 14)
        console_print(", %s address %#lx", frame->error & 2 ? "writing" : "reading",
                      SHARED.vcpu_info[0].arch.cr2);
    console_print(", error %#lx\nrax %lx rbx %lx rcx %lx rdx %lx rsi %lx rdi %lx rbp %lx rsp %lx\n", frame->error,
                  frame->rax, frame->rbx, frame->rcx, frame->rdx, frame->rsi, frame->rdi, frame->rbp, frame->rsp);
    backtrace((const unsigned long *)frame->rbp);
    crash();
    __builtin_unreachable();
}

void traps_start(void)
{
    static struct trap_info table[21]; /* ends with a zero entry */
    unsigned used = 0;
    for (unsigned vector = 0; vector < 20; vector++)
        if (trap_entries[vector]) {
            table[used].vector = (uint8_t)vector;
            table[used].cs = FLAT_KERNEL_CS;
            table[used++].address = trap_entries[vector];
        }
    if (HYPERCALL1(set_trap_table, table) != 0)
        panic("Xen refused the trap table");
}
