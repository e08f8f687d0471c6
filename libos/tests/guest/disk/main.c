/* The block device: sizes, odd offsets, flush, and that a second look finds what was written. With an argument, keeps
 * writing and checking for that many seconds, so that the domain can be moved meanwhile. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define CHECK(x) do { if (!(x)) { printf("FAIL disk line %d: %s (errno %d)\n", __LINE__, #x, errno); exit(1); } } while (0)

static void fill(unsigned char *to, size_t bytes, unsigned seed)
{
    for (size_t i = 0; i < bytes; i++)
        to[i] = (unsigned char)((seed = seed * 1103515245u + 12345u) >> 16);
}

static void round_trip(int fd, off_t offset, size_t bytes, unsigned seed)
{
    static unsigned char wrote[20000], read_back[20000];
    fill(wrote, bytes, seed);
    CHECK(pwrite(fd, wrote, bytes, offset) == (ssize_t)bytes && fsync(fd) == 0);
    CHECK(pread(fd, read_back, bytes, offset) == (ssize_t)bytes && !memcmp(wrote, read_back, bytes));
}

int main(int argc, char **argv)
{
    struct stat status;
    int fd = open("/dev/disk", O_RDWR);
    CHECK(fd >= 0 && fstat(fd, &status) == 0 && status.st_size >= 1 << 20);
    CHECK(lseek(fd, 0, SEEK_END) == status.st_size && read(fd, &status, 1) == 0 && lseek(fd, 0, SEEK_SET) == 0);
    round_trip(fd, 0, 512, 1);
    round_trip(fd, 4096, 16384, 2);
    round_trip(fd, 1000, 3, 3);
    round_trip(fd, 12345, 9999, 4);
    round_trip(fd, 511, 4098, 5);
    time_t end = time(NULL) + (argc > 1 ? atoi(argv[1]) : 0);
    unsigned rounds = 0;
    if (argc > 1)
        printf("writing\n");
    for (; time(NULL) < end; rounds++)
        round_trip(fd, (off_t)(rounds * 7919 % 900000), 1 + rounds * 31 % 8000, rounds);
    printf("PASS disk: %u rounds\n", rounds);
    return 0;
}
