/* Barriers for memory shared with a backend that runs on another CPU. x86 keeps loads in order among themselves and
 * stores among themselves, so only the compiler needs telling for those; a store followed by a load needs the fence. */
#ifndef BARRIER_H
#define BARRIER_H

#define memory_fence() __asm__ volatile("mfence" ::: "memory")
#define read_fence() __asm__ volatile("" ::: "memory")
#define write_fence() __asm__ volatile("" ::: "memory")

#define xen_mb() memory_fence() /* the names that xen/io/ring.h wants */
#define xen_rmb() read_fence()
#define xen_wmb() write_fence()

/* A value in shared memory is read once, into a private copy, and checked there: reading it twice would let a hostile
 * backend change it between the check and the use. */
#define read_once(x) (*(const volatile __typeof__(x) *)&(x))
#define write_once(x, v) (*(volatile __typeof__(x) *)&(x) = (v))

#endif
