#include "lib/clock.h"

#define SLEW 2000

uint64_t clock_scale(uint64_t tsc_delta, uint32_t multiplier, int8_t shift)
{
    uint64_t scaled = shift < 0 ? tsc_delta >> -shift : tsc_delta << shift;
    return (uint64_t)((unsigned __int128)scaled * multiplier >> 32);
}

uint64_t clocks_monotonic(const struct clocks *clocks, uint64_t host) { return host + clocks->monotonic_offset; }

uint64_t clocks_real(const struct clocks *clocks, uint64_t monotonic)
{
    uint64_t worn = (monotonic - clocks->lead_since) / SLEW;
    return monotonic + clocks->real_offset + (worn < clocks->lead ? clocks->lead - worn : 0);
}

/* `host_epoch`: real time when the host's clock read 0. Monotonic time starts at 0. */
void clocks_start(struct clocks *clocks, uint64_t host, uint64_t host_epoch)
{
    *clocks = (struct clocks){.monotonic_offset = -host, .real_offset = host_epoch + host};
}

void clocks_move(struct clocks *clocks, uint64_t monotonic_before, uint64_t host, uint64_t host_epoch)
{
    uint64_t real_before = clocks_real(clocks, monotonic_before), real_now = host_epoch + host;
    clocks->monotonic_offset = monotonic_before - host;
    clocks->real_offset = real_now - monotonic_before;
    clocks->lead = real_before > real_now ? real_before - real_now : 0;
    clocks->lead_since = monotonic_before;
}
