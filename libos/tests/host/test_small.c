/* The small ones: bitmap, command line, ChaCha20, byte rings, XenStore messages, archives. */
#include <stdint.h>

#include "check.h"
#include "lib/bitmap.h"
#include "lib/bytering.h"
#include "lib/chacha.h"
#include "lib/cmdline.h"
#include "lib/cpio.h"
#include "lib/xswire.h"

static void first_clear_run(void)
{
    unsigned long bits[4] = {0};
    for (size_t i = 0; i < 256; i++)
        if (i < 70 || (i >= 73 && i < 130))
            bitmap_set(bits, i);
    CHECK(bitmap_find_clear(bits, 256, 0, 1) == 70 && bitmap_find_clear(bits, 256, 0, 3) == 70);
    CHECK(bitmap_find_clear(bits, 256, 0, 4) == 130 && bitmap_find_clear(bits, 256, 72, 2) == 130);
    CHECK(bitmap_find_clear(bits, 256, 0, 126) == 130 && bitmap_find_clear(bits, 256, 0, 127) == 256);
    bitmap_clear(bits, 69);
    CHECK(bitmap_find_clear(bits, 256, 0, 4) == 69);
}

/* The same answer as looking at every place, for many bitmaps. */
static void clear_runs_agree_with_brute_force(void)
{
    uint64_t random = 7;
    for (int round = 0; round < 500; round++) {
        unsigned long bits[3];
        for (int i = 0; i < 3; i++) {
            random = random * 6364136223846793005ull + 1442695040888963407ull;
            bits[i] = round % 3 ? random | random << 7 : ~0ul;
        }
        for (size_t length = 1; length < 9; length++) {
            size_t expected = 192;
            for (size_t at = 0; at + length <= 192 && expected == 192; at++) {
                size_t run = 0;
                while (run < length && !bitmap_get(bits, at + run))
                    run++;
                if (run == length)
                    expected = at;
            }
            CHECK(bitmap_find_clear(bits, 192, 0, length) == expected);
        }
    }
}

static void command_line(void)
{
    char text[] = "ip=10.9.0.5/24  NAME=value \"TITLE=two words\" dns=1.1.1.1 -- serve --port=80 \"a b\" -- c";
    struct cmdline line;
    CHECK(cmdline_parse(&line, text) == 0);
    CHECK(!strcmp(cmdline_setting(&line, "ip"), "10.9.0.5/24") && !strcmp(cmdline_setting(&line, "dns"), "1.1.1.1"));
    CHECK(!cmdline_setting(&line, "gateway") && line.environment_count == 2 && !strcmp(line.environment[1], "TITLE=two words"));
    CHECK(line.argument_count == 5 && !strcmp(line.arguments[1], "--port=80") && !strcmp(line.arguments[2], "a b"));
    CHECK(!strcmp(line.arguments[3], "--") && !line.arguments[5]);
}

static void command_line_without_dashes(void)
{
    char text[] = "A=1 run A=2", empty[] = " ", many[400] = "";
    struct cmdline line;
    CHECK(cmdline_parse(&line, text) == 0 && line.environment_count == 1 && line.argument_count == 2);
    CHECK(cmdline_parse(&line, empty) == 0 && line.argument_count == 0 && !line.arguments[0]);
    for (int i = 0; i < 100; i++)
        strcat(many, "x ");
    CHECK(cmdline_parse(&line, many) == 69 && line.argument_count == 31 && !line.arguments[31]);
}

/* RFC 8439, section 2.3.2. */
static void chacha_test_vector(void)
{
    const uint32_t in[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574, 0x03020100, 0x07060504, 0x0b0a0908, 0x0f0e0d0c,
                             0x13121110, 0x17161514, 0x1b1a1918, 0x1f1e1d1c, 1, 0x09000000, 0x4a000000, 0};
    const uint32_t out[16] = {0xe4e7f110, 0x15593bd1, 0x1fdd0f50, 0xc47120a3, 0xc7f4d1c7, 0x0368c033, 0x9aaa2204, 0x4e6cd4c3,
                              0x466482d2, 0x09aa9f07, 0x05d7c214, 0xa2028bd9, 0xd19c12b5, 0xb94e16de, 0xe883d0cb, 0x4e3c50a2};
    uint32_t got[16];
    chacha20_block(in, got);
    CHECK(!memcmp(got, out, sizeof out));
}

static void ring_pieces(void)
{
    CHECK(bytering_readable(5, 9, 1024) == 4 && bytering_readable(1020, 1030, 1024) == 4);
    CHECK(bytering_readable(0xfffffff0u, 8, 1024) == 16 && bytering_readable(0, 1025, 1024) == -1);
    CHECK(bytering_writable(0, 1024, 1024) == 0 && bytering_writable(3, 1026, 1024) == 1 && bytering_writable(9, 5, 1024) == -1);
}

static void messages_in_one_byte_pieces(void)
{
    static struct xswire_reader reader;
    const struct xswire_header header = {15, 0, 0, 8};
    char stream[24];
    const char *path, *token;
    int complete;
    memcpy(stream, &header, 16);
    memcpy(stream + 16, "a/bc\0" "12\0", 8);
    for (int i = 0; i < 24; i++)
        CHECK(xswire_take(&reader, stream + i, 1, &complete) == 1 && complete == (i == 23));
    CHECK(xswire_watch_event(&reader, &path, &token) == 0 && !strcmp(path, "a/bc") && !strcmp(token, "12"));
    reader.header.length = 7; /* the token's end is missing */
    CHECK(xswire_watch_event(&reader, &path, &token) == -1);
    const struct xswire_header empty = {2, 1, 0, 0}, huge = {2, 1, 0, 4097};
    CHECK(xswire_take(&reader, (const char *)&empty, 16, &complete) == 16 && complete);
    CHECK(xswire_take(&reader, (const char *)&huge, 16, &complete) == -1);
}

static void archive_that_is_none(void)
{
    struct cpio_entry entry;
    size_t offset = 0;
    CHECK(cpio_next("\x1f\x8b gzip, not cpio", 18, &offset, &entry) == -1 && cpio_next("", 0, &offset, &entry) == -1);
}

int main(void)
{
    RUN(first_clear_run);
    RUN(clear_runs_agree_with_brute_force);
    RUN(command_line);
    RUN(command_line_without_dashes);
    RUN(chacha_test_vector);
    RUN(ring_pieces);
    RUN(messages_in_one_byte_pieces);
    RUN(archive_that_is_none);
    return 0;
}
