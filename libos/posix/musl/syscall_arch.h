/* Replaces musl's arch/x86_64/syscall_arch.h by standing before it in the include path: a system call is a function
 * call. (The SYSCALL instruction would reach Xen, which takes it for a hypercall.) */
#define __SYSCALL_LL_E(x) (x)
#define __SYSCALL_LL_O(x) (x)

long flexcapsule_syscall(long number, long a, long b, long c, long d, long e, long f);

static __inline long __syscall0(long n) { return flexcapsule_syscall(n, 0, 0, 0, 0, 0, 0); }
static __inline long __syscall1(long n, long a) { return flexcapsule_syscall(n, a, 0, 0, 0, 0, 0); }
static __inline long __syscall2(long n, long a, long b) { return flexcapsule_syscall(n, a, b, 0, 0, 0, 0); }
static __inline long __syscall3(long n, long a, long b, long c) { return flexcapsule_syscall(n, a, b, c, 0, 0, 0); }
static __inline long __syscall4(long n, long a, long b, long c, long d) { return flexcapsule_syscall(n, a, b, c, d, 0, 0); }
static __inline long __syscall5(long n, long a, long b, long c, long d, long e) { return flexcapsule_syscall(n, a, b, c, d, e, 0); }
static __inline long __syscall6(long n, long a, long b, long c, long d, long e, long f) { return flexcapsule_syscall(n, a, b, c, d, e, f); }

#define IPC_64 0
