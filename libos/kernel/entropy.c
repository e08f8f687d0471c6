/* Random bytes: ChaCha20 over a key that is stirred with what differs from domain to domain and from start to start: the
 * time stamp counter, the real time, the domain's address in XenStore and, where the CPU has one, its generator (RDRAND).
 * After every move the key is stirred again, so that two domains restored from one image part ways. Without RDRAND this
 * is only as good as its sources: README.md says so. */
#include <string.h>

#include "internal.h"
#include "lib/chacha.h"

static uint32_t state[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574}; /* "expand 32-byte k" */

static uint64_t ticks(void)
{
    uint32_t low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (uint64_t)high << 32 | low;
}

static bool has_rdrand(void)
{
    uint32_t eax = 1, ebx, ecx = 0, edx;
    __asm__ volatile("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
    return ecx >> 30 & 1;
}

static void next_block(uint32_t out[16])
{
    chacha20_block(state, out);
    if (++state[12] == 0)
        state[13]++;
}

/* The new key depends on the old one and on what was stirred in. */
static void stir(const void *bytes, size_t count)
{
    uint32_t block[16];
    for (const uint8_t *from = bytes; count; ) {
        size_t piece = count < 32 ? count : 32;
        for (size_t i = 0; i < piece; i++)
            ((uint8_t *)&state[4])[i] ^= from[i];
        next_block(block);
        memcpy(&state[4], block, 32);
        from += piece;
        count -= piece;
    }
}

static void stir_sources(void)
{
    uint64_t sources[4] = {ticks(), time_real(), startinfo()->store_mfn, startinfo()->shared_info};
    stir(sources, sizeof sources);
    for (int i = 0; i < 4 && has_rdrand(); i++) {
        uint64_t random;
        __asm__ volatile("rdrand %0" : "=r"(random));
        stir(&random, sizeof random);
    }
}

void entropy_fill(void *buffer, size_t bytes)
{
    uint32_t block[16];
    uint64_t now = ticks();
    stir(&now, sizeof now);
    for (uint8_t *to = buffer; bytes; ) {
        size_t piece = bytes < sizeof block ? bytes : sizeof block;
        next_block(block);
        memcpy(to, block, piece);
        to += piece;
        bytes -= piece;
    }
    stir("", 1); /* what was given out cannot be computed back from what is kept */
}

void entropy_resume(bool cancelled)
{
    (void)cancelled;
    stir_sources();
}

void entropy_start(void)
{
    char place[64];
    int length = xenstore_read("vm", place, sizeof place); /* the domain's UUID */
    if (length > 0)
        stir(place, (size_t)length);
    stir_sources();
}
