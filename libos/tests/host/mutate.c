/* Drives a fuzz target without libFuzzer: its own seeds, mutated by a fixed generator, so that every run is the same. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS 20000

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t bytes);
size_t fuzz_seed(uint8_t *to, size_t room); /* a valid input to start from */

static uint64_t state = 88172645463325252u; /* Marsaglia, xorshift64 */
static uint64_t next(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    return state ^= state << 17;
}

int main(void)
{
    static uint8_t seed[8192];
    size_t bytes = fuzz_seed(seed, sizeof seed);
    LLVMFuzzerTestOneInput(seed, bytes);
    for (int round = 0; round < ROUNDS; round++) {
        size_t length = next() % 4 ? bytes : next() % (bytes + 1);
        uint8_t *input = malloc(length ? length : 1); /* exact, so that the sanitizer sees the first byte beyond */
        memcpy(input, seed, length);
        for (unsigned changes = next() % 6; changes && length; changes--)
            input[next() % length] = next() % 3 ? (uint8_t)next() : (uint8_t)"0f\0\xff/T"[next() % 6];
        LLVMFuzzerTestOneInput(input, length);
        free(input);
    }
    printf("ok %d mutations\n", ROUNDS);
    return 0;
}
