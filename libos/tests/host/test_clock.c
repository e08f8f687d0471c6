/* Clocks across moves: hosts whose uptime and wall clock differ either way. */
#include <stdint.h>

#include "check.h"
#include "lib/clock.h"

#define S 1000000000ull

static void ticks_become_nanoseconds(void)
{
    /* 2.5 GHz: 0.4 ns a tick = 0.8 * 2^-1, as Xen would say it: shift -1, multiplier 0.8 * 2^32 */
    uint32_t multiplier = (uint32_t)(0.8 * 4294967296.0);
    CHECK(clock_scale(2500000000ull, multiplier, -1) / 1000 == S / 1000 - 1);
    CHECK(clock_scale(3, 1u << 31, 2) == 6);
    CHECK(clock_scale(UINT64_MAX / 2, UINT32_MAX, 0) > UINT64_MAX / 4); /* no overflow in between */
}

static void monotonic_time_goes_on_over_any_uptime(void)
{
    struct clocks c;
    clocks_start(&c, 500 * S, 1000 * S);
    CHECK(clocks_monotonic(&c, 500 * S) == 0 && clocks_monotonic(&c, 507 * S) == 7 * S);
    clocks_move(&c, 7 * S, 3 * S, 1504 * S); /* a host that has just started */
    CHECK(clocks_monotonic(&c, 3 * S) == 7 * S && clocks_monotonic(&c, 4 * S) == 8 * S);
    clocks_move(&c, 8 * S, 90000 * S, 0); /* and an old one */
    CHECK(clocks_monotonic(&c, 90001 * S) == 9 * S);
}

static void real_time_jumps_forward_but_never_back(void)
{
    struct clocks c;
    clocks_start(&c, 500 * S, 1000 * S); /* real time 1500 s */
    CHECK(clocks_real(&c, 0) == 1500 * S && clocks_real(&c, 7 * S) == 1507 * S);
    clocks_move(&c, 7 * S, 3 * S, 1514 * S); /* the new host says 1517 s: right away */
    CHECK(clocks_real(&c, 7 * S) == 1517 * S);
    clocks_move(&c, 10 * S, 3 * S, 1515 * S); /* 1518 s, but 1520 s has been seen: 2 s ahead, worn off in 4000 s */
    CHECK(clocks_real(&c, 10 * S) == 1520 * S);
    CHECK(clocks_real(&c, 2010 * S) == 1520 * S + 1999 * S);
    CHECK(clocks_real(&c, 4010 * S) == 1518 * S + 4000 * S && clocks_real(&c, 9010 * S) == 1518 * S + 9000 * S);
}

static void no_step_backwards_in_many_moves(void)
{
    struct clocks c;
    uint64_t host = 77 * S, last_real = 0, last_monotonic = 0, random = 12345;
    clocks_start(&c, host, 5000 * S);
    for (int move = 0; move < 2000; move++) {
        for (int i = 0; i < 5; i++) {
            host += random % S;
            uint64_t monotonic = clocks_monotonic(&c, host), real = clocks_real(&c, monotonic);
            CHECK(monotonic >= last_monotonic && real >= last_real);
            last_monotonic = monotonic, last_real = real;
        }
        random = random * 6364136223846793005ull + 1442695040888963407ull;
        host = random % (100000 * S);
        clocks_move(&c, last_monotonic, host, 5000 * S + last_monotonic + random % (8 * S) - 4 * S - host);
    }
}

int main(void)
{
    RUN(ticks_become_nanoseconds);
    RUN(monotonic_time_goes_on_over_any_uptime);
    RUN(real_time_jumps_forward_but_never_back);
    RUN(no_step_backwards_in_many_moves);
    return 0;
}
