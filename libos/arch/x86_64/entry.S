/* The first instructions, the ELF notes by which Xen knows the image (xen/include/public/elfnote.h), the thread
 * switch and the trap stubs. Traps end in panic and never return; events never arrive as upcalls (kernel/events.c), so
 * nothing here saves a state to come back to. */
#include <xen/elfnote.h>

#define NOTE(type, ...)                                   \
    .pushsection .note.Xen, "a", @note;                   \
    .balign 4; .long 4, 9f - 8f, type; .asciz "Xen";      \
    8: __VA_ARGS__; 9: .balign 4;                         \
    .popsection

NOTE(XEN_ELFNOTE_GUEST_OS,       .asciz "FlexCapsule OS")
NOTE(XEN_ELFNOTE_GUEST_VERSION,  .asciz "1")
NOTE(XEN_ELFNOTE_LOADER,         .asciz "generic")
NOTE(XEN_ELFNOTE_XEN_VERSION,    .asciz "xen-3.0")
NOTE(XEN_ELFNOTE_FEATURES,       .asciz "!writable_page_tables|pae_pgdir_above_4gb")
NOTE(XEN_ELFNOTE_PAE_MODE,       .asciz "yes")
NOTE(XEN_ELFNOTE_VIRT_BASE,      .quad 0)            /* virtual address == pseudo-physical address */
NOTE(XEN_ELFNOTE_PADDR_OFFSET,   .quad 0)
NOTE(XEN_ELFNOTE_ENTRY,          .quad _start)
NOTE(XEN_ELFNOTE_HYPERCALL_PAGE, .quad hypercall_page)
NOTE(XEN_ELFNOTE_SUSPEND_CANCEL, .long 1)            /* a suspend may return 1: we go on where we are */

    .bss
    .balign 4096
boot_stack:
    .skip 16384
boot_stack_top:

    .text
    .globl _start
_start:
    cld
    lea boot_stack_top(%rip), %rsp
    xor %ebp, %ebp                     /* the backtrace ends here */
    mov %rsi, %rdi                     /* start_info */
    call kernel_start
    ud2

    .balign 4096
    .globl hypercall_page
hypercall_page:
    .skip 4096

/* void switch_stack(void **saved_sp, void *next_sp): what the C ABI keeps across a call, and nothing more: SSE
 * registers are the caller's to save, their control words are not. */
    .globl switch_stack
switch_stack:
    push %rbp
    push %rbx
    push %r12
    push %r13
    push %r14
    push %r15
    sub $8, %rsp
    stmxcsr (%rsp)
    fnstcw 4(%rsp)
    mov %rsp, (%rdi)
    mov %rsi, %rsp
    ldmxcsr (%rsp)
    fldcw 4(%rsp)
    add $8, %rsp
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbx
    pop %rbp
    ret

/* Where a new thread first arrives: r12 holds its function, r13 its argument (see thread_prepare). */
    .globl thread_trampoline
thread_trampoline:
    xor %ebp, %ebp
    mov %r13, %rdi
    call *%r12
    call thread_exit
    ud2

/* Trap stubs. Xen pushes rcx and r11, then the error code where there is one, then the usual frame. */
    .macro TRAP vector, has_error
trap_\vector:
    mov (%rsp), %rcx
    mov 8(%rsp), %r11
    add $16, %rsp
    .if !\has_error
    push $0
    .endif
    push $\vector
    push %r15
    push %r14
    push %r13
    push %r12
    push %r11
    push %r10
    push %r9
    push %r8
    push %rdi
    push %rsi
    push %rbp
    push %rdx
    push %rcx
    push %rbx
    push %rax
    mov %rsp, %rdi
    and $-16, %rsp
    cld
    call panic_trap
    ud2
    .endm

    .irp v, 0, 1, 2, 3, 4, 5, 6, 7, 9, 16, 18, 19
    TRAP \v, 0
    .endr
    .irp v, 8, 10, 11, 12, 13, 14, 17
    TRAP \v, 1
    .endr

    .section .rodata
    .balign 8
    .globl trap_entries
trap_entries:                          /* indexed by vector; 0 where there is no stub */
    .irp v, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14
    .quad trap_\v
    .endr
    .quad 0
    .irp v, 16, 17, 18, 19
    .quad trap_\v
    .endr

    .section .note.GNU-stack, "", @progbits
