/* What musl writes in assembly because it enters the kernel by hand, entering ours instead: src/thread/x86_64/clone.s,
 * syscall_cp.s, __unmapself.s and __set_thread_area.s, src/signal/x86_64/restore.s, src/process/x86_64/vfork.s. */
    .text

    .globl __set_thread_area
__set_thread_area:
    mov %rdi, %rdx
    mov $158, %edi                     /* arch_prctl */
    mov $0x1002, %esi                  /* ARCH_SET_FS */
    jmp flexcapsule_syscall

    .globl __clone                     /* (function, stack, flags, argument, parent_tid, tls, child_tid) */
__clone:
    jmp flexcapsule_clone

    .globl __unmapself                 /* (base, size): the stack we stand on */
__unmapself:
    jmp thread_exit_unmapping

/* A cancellation point: the flag is looked at between __cp_begin and __cp_end, where a cancelling signal may act. */
    .globl __syscall_cp_asm, __cp_begin, __cp_end, __cp_cancel
__syscall_cp_asm:                      /* (flag, number, a, b, c, d | stack: e, f) */
__cp_begin:
    mov (%rdi), %eax
    test %eax, %eax
    jnz __cp_cancel
    mov %rsi, %rdi
    mov %rdx, %rsi
    mov %rcx, %rdx
    mov %r8, %rcx
    mov %r9, %r8
    mov 8(%rsp), %r9
    push 16(%rsp)
    call flexcapsule_syscall
__cp_end:
    add $8, %rsp
    ret
__cp_cancel:
    jmp __cancel

    .globl __restore_rt, __restore     /* never entered: a handler returns to its caller */
__restore_rt:
__restore:
    ud2

    .globl vfork
    .weak vfork
vfork:
    mov $38, %edi                      /* ENOSYS */
    neg %rdi
    jmp __syscall_ret

    .section .note.GNU-stack, "", @progbits
