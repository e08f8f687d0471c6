/* The ChaCha20 block function (RFC 8439, section 2.3). */
#ifndef LIB_CHACHA_H
#define LIB_CHACHA_H

#include <stdint.h>

/* state: 16 words as in the RFC (constants, key, counter, nonce); out: 64 bytes as 16 words. */
void chacha20_block(const uint32_t state[16], uint32_t out[16]);

#endif
