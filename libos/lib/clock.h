/* Clocks, as arithmetic: from Xen's time record to nanoseconds, and how two clocks go on across a move. Host-tested. */
#ifndef LIB_CLOCK_H
#define LIB_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

/* Nanoseconds that `tsc_delta` ticks last, by the multiplier and shift of struct vcpu_time_info (xen/xen.h). */
uint64_t clock_scale(uint64_t tsc_delta, uint32_t multiplier, int8_t shift);

/* Xen's clock is the host's uptime, so after a move it is another clock. Monotonic time is Xen's plus an offset chosen
 * so that it goes on from where it stood. Real time is monotonic plus an offset read from the new host; where that would
 * step backwards, the lead is kept and worn off by 1/2000 (0.05 %, the customary slew of adjtime). */
struct clocks {
    uint64_t monotonic_offset, real_offset; /* modulo 2^64: differences of clocks may be negative */
    uint64_t lead, lead_since;              /* by how much real time was ahead, and at which monotonic time */
};

uint64_t clocks_monotonic(const struct clocks *clocks, uint64_t host);
uint64_t clocks_real(const struct clocks *clocks, uint64_t monotonic);
void clocks_start(struct clocks *clocks, uint64_t host, uint64_t host_epoch);
void clocks_move(struct clocks *clocks, uint64_t monotonic_before, uint64_t host, uint64_t host_epoch);

#endif
