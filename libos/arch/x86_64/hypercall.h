/* Hypercalls of a 64-bit paravirtual guest: a call into the page that Xen filled in at start (xen/include/public/
 * arch-x86/xen-x86_64.h: rdi, rsi, rdx, r10, r8 hold the arguments, rax the result, rcx and r11 are lost). */
#ifndef HYPERCALL_H
#define HYPERCALL_H

#include <xen/xen.h>

extern char hypercall_page[];

/* Xen may write through a pointer argument and, on resume, rewrites rdx: every argument register counts as changed. */
static inline long hypercall(unsigned number, unsigned long a, unsigned long b, unsigned long c, unsigned long d)
{
    long result;
    void *entry = hypercall_page + number * 32;
    register unsigned long r10 __asm__("r10") = d;
    __asm__ volatile("call *%[entry]"
                     : "=a"(result), "+D"(a), "+S"(b), "+d"(c), "+r"(r10)
                     : [entry] "r"(entry)
                     : "rcx", "r11", "r8", "memory");
    return result;
}

#define HYPERCALL1(name, a) hypercall(__HYPERVISOR_##name, (unsigned long)(a), 0, 0, 0)
#define HYPERCALL2(name, a, b) hypercall(__HYPERVISOR_##name, (unsigned long)(a), (unsigned long)(b), 0, 0)
#define HYPERCALL3(name, a, b, c) \
    hypercall(__HYPERVISOR_##name, (unsigned long)(a), (unsigned long)(b), (unsigned long)(c), 0)
#define HYPERCALL4(name, a, b, c, d) \
    hypercall(__HYPERVISOR_##name, (unsigned long)(a), (unsigned long)(b), (unsigned long)(c), (unsigned long)(d))

#endif
