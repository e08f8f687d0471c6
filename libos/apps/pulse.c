/* Pulse: proves continuity across migration. Arguments: [PORT [INTERVAL_MS [KEPT_MIB]]], 7, 5 and 0 by default: KEPT_MIB
 * of memory are written once and kept, as an application's own would be.
 *
 * UDP: "beat" asks for a datagram "beat COUNT" every INTERVAL_MS, for 30 s or until "hush"; "state" is answered with
 *      "state COUNT MONOTONIC_NS REAL_NS MOVES".
 * TCP: what arrives is sent back.
 * COUNT never skips or repeats and neither clock goes backwards, however often the domain moves: if a clock does, pulse
 * says so on the console and ends with status 1. */
#include <errno.h>
#include <flexcapsule.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CLIENTS_MAX 16
#define ASKED_FOR_NS 30000000000u

static int clients[CLIENTS_MAX];
static struct sockaddr_in listener;
static uint64_t count, beat_until;
static int udp, tcp;

static uint64_t now_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int bound(int type, int port)
{
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, type, 0), on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (fd < 0 || bind(fd, (struct sockaddr *)&any, sizeof any) != 0 || (type == SOCK_STREAM && listen(fd, 16) != 0)) {
        perror("pulse: socket");
        exit(2);
    }
    return fd;
}

static void watch_clocks(uint64_t *monotonic, uint64_t *real)
{
    static uint64_t last_monotonic, last_real;
    *monotonic = now_ns(CLOCK_MONOTONIC);
    *real = now_ns(CLOCK_REALTIME);
    if (*monotonic < last_monotonic || *real < last_real) {
        printf("pulse: a clock went backwards at beat %lu\n", (unsigned long)count);
        exit(1);
    }
    last_monotonic = *monotonic;
    last_real = *real;
}

static void beat(void)
{
    char text[32];
    uint64_t monotonic, real;
    watch_clocks(&monotonic, &real);
    if (monotonic > beat_until)
        return;
    int length = snprintf(text, sizeof text, "beat %lu", (unsigned long)++count);
    sendto(udp, text, (size_t)length, 0, (struct sockaddr *)&listener, sizeof listener);
}

static void hear_udp(void)
{
    char said[64] = "", text[96];
    struct sockaddr_in from;
    socklen_t size = sizeof from;
    uint64_t monotonic, real;
    if (recvfrom(udp, said, sizeof said - 1, MSG_DONTWAIT, (struct sockaddr *)&from, &size) < 0)
        return;
    watch_clocks(&monotonic, &real);
    if (!strncmp(said, "beat", 4)) {
        listener = from;
        beat_until = monotonic + ASKED_FOR_NS;
    } else if (!strncmp(said, "hush", 4)) {
        beat_until = 0;
    } else if (!strncmp(said, "state", 5)) {
        int length = snprintf(text, sizeof text, "state %lu %lu %lu %u", (unsigned long)count, (unsigned long)monotonic,
                              (unsigned long)real, flexcapsule_moves());
        sendto(udp, text, (size_t)length, 0, (struct sockaddr *)&from, size);
    }
}

static void welcome(void)
{
    int fd = accept(tcp, NULL, NULL);
    for (int i = 0; i < CLIENTS_MAX && fd >= 0; i++)
        if (clients[i] < 0) {
            clients[i] = fd;
            return;
        }
    if (fd >= 0)
        close(fd);
}

static void answer(int i)
{
    char bytes[1024];
    ssize_t got = read(clients[i], bytes, sizeof bytes);
    if (got > 0 && write(clients[i], bytes, (size_t)got) == got)
        return;
    if (got != 0)
        printf("pulse: a client's connection broke: %s\n", strerror(errno));
    close(clients[i]);
    clients[i] = -1;
}

static void keep(size_t bytes)
{
    unsigned char *kept = malloc(bytes);
    if (!kept) {
        printf("pulse: no %lu bytes to keep\n", (unsigned long)bytes);
        exit(2);
    }
    for (size_t i = 0; i < bytes; i++)
        kept[i] = (unsigned char)(i * 2654435761u >> 24); /* no page like another */
}

int main(int argc, char **argv)
{
    int port = argc > 1 ? atoi(argv[1]) : 7;
    uint64_t interval = (uint64_t)(argc > 2 ? atoi(argv[2]) : 5) * 1000000u, next = now_ns(CLOCK_MONOTONIC);
    if (argc > 3)
        keep((size_t)atoi(argv[3]) << 20);
    udp = bound(SOCK_DGRAM, port);
    tcp = bound(SOCK_STREAM, port);
    for (int i = 0; i < CLIENTS_MAX; i++)
        clients[i] = -1;
    printf("pulse: on port %d, a beat every %lu ms\n", port, (unsigned long)(interval / 1000000u));
    for (;;) {
        struct pollfd fds[2 + CLIENTS_MAX] = {{.fd = udp, .events = POLLIN}, {.fd = tcp, .events = POLLIN}};
        uint64_t now = now_ns(CLOCK_MONOTONIC), wait = next > now ? next - now : 0;
        struct timespec timeout = {(time_t)(wait / 1000000000u), (long)(wait % 1000000000u)};
        for (int i = 0; i < CLIENTS_MAX; i++)
            fds[2 + i] = (struct pollfd){.fd = clients[i], .events = POLLIN};
        ppoll(fds, 2 + CLIENTS_MAX, &timeout, NULL);
        if (fds[0].revents)
            hear_udp();
        if (fds[1].revents)
            welcome();
        for (int i = 0; i < CLIENTS_MAX; i++)
            if (clients[i] >= 0 && fds[2 + i].revents)
                answer(i);
        if (now_ns(CLOCK_MONOTONIC) >= next) {
            beat();
            next += interval;
            if (next < now) /* after a pause: no burst of what was missed */
                next = now + interval;
        }
    }
}
