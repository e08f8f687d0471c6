/* Pulse: a counter that proves continuity across migration. Arguments: [PORT [INTERVAL_MS]], 7000 and 5 by default.
 *
 * UDP: who sends a datagram to PORT is sent a beat every INTERVAL_MS from then on: "pulse COUNT MONOTONIC_NS REAL_NS MOVES\n".
 * TCP: every line received on PORT is answered with "echo COUNT LINE\n", COUNT being the lines answered on this connection.
 * COUNT never skips and never repeats, and neither clock goes backwards, however often the domain moves; if one does,
 * pulse says so on the console and ends with status 1. */
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

static struct { int fd; unsigned long answered; char line[512]; size_t held; } clients[CLIENTS_MAX];
static struct sockaddr_in listener;
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

static void beat(void)
{
    static uint64_t count, last_monotonic, last_real;
    char text[128];
    uint64_t monotonic = now_ns(CLOCK_MONOTONIC), real = now_ns(CLOCK_REALTIME);
    if (monotonic < last_monotonic || real < last_real) {
        printf("pulse: a clock went backwards at beat %lu\n", (unsigned long)count);
        exit(1);
    }
    last_monotonic = monotonic;
    last_real = real;
    int length = snprintf(text, sizeof text, "pulse %lu %lu %lu %u\n", (unsigned long)++count, (unsigned long)monotonic,
                          (unsigned long)real, flexcapsule_moves());
    if (listener.sin_family)
        sendto(udp, text, (size_t)length, 0, (struct sockaddr *)&listener, sizeof listener);
}

static void hear_udp(void)
{
    char ignored[256];
    struct sockaddr_in from;
    socklen_t size = sizeof from;
    if (recvfrom(udp, ignored, sizeof ignored, MSG_DONTWAIT, (struct sockaddr *)&from, &size) >= 0)
        listener = from;
}

static void welcome(void)
{
    int fd = accept(tcp, NULL, NULL);
    for (int i = 0; i < CLIENTS_MAX && fd >= 0; i++)
        if (clients[i].fd < 0) {
            memset(&clients[i], 0, sizeof clients[i]);
            clients[i].fd = fd;
            return;
        }
    if (fd >= 0)
        close(fd);
}

static void answer(int i)
{
    char text[600];
    ssize_t got = read(clients[i].fd, clients[i].line + clients[i].held, sizeof clients[i].line - clients[i].held);
    if (got <= 0) {
        close(clients[i].fd);
        clients[i].fd = -1;
        return;
    }
    clients[i].held += (size_t)got;
    for (char *end; (end = memchr(clients[i].line, '\n', clients[i].held));) {
        size_t whole = (size_t)(end - clients[i].line) + 1;
        int length = snprintf(text, sizeof text, "echo %lu %.*s", ++clients[i].answered, (int)whole, clients[i].line);
        if (write(clients[i].fd, text, (size_t)length) != length)
            printf("pulse: a client's connection broke: %s\n", strerror(errno));
        clients[i].held -= whole;
        memmove(clients[i].line, clients[i].line + whole, clients[i].held);
    }
    if (clients[i].held == sizeof clients[i].line)
        clients[i].held = 0; /* no line is that long */
}

int main(int argc, char **argv)
{
    int port = argc > 1 ? atoi(argv[1]) : 7000;
    uint64_t interval = (uint64_t)(argc > 2 ? atoi(argv[2]) : 5) * 1000000u, next = now_ns(CLOCK_MONOTONIC);
    udp = bound(SOCK_DGRAM, port);
    tcp = bound(SOCK_STREAM, port);
    for (int i = 0; i < CLIENTS_MAX; i++)
        clients[i].fd = -1;
    printf("pulse: on port %d, a beat every %lu ms\n", port, (unsigned long)(interval / 1000000u));
    for (;;) {
        struct pollfd fds[2 + CLIENTS_MAX] = {{.fd = udp, .events = POLLIN}, {.fd = tcp, .events = POLLIN}};
        uint64_t now = now_ns(CLOCK_MONOTONIC), wait = next > now ? next - now : 0;
        struct timespec timeout = {(time_t)(wait / 1000000000u), (long)(wait % 1000000000u)};
        for (int i = 0; i < CLIENTS_MAX; i++)
            fds[2 + i] = (struct pollfd){.fd = clients[i].fd, .events = POLLIN};
        ppoll(fds, 2 + CLIENTS_MAX, &timeout, NULL);
        if (fds[0].revents)
            hear_udp();
        if (fds[1].revents)
            welcome();
        for (int i = 0; i < CLIENTS_MAX; i++)
            if (clients[i].fd >= 0 && fds[2 + i].revents)
                answer(i);
        if (now_ns(CLOCK_MONOTONIC) >= next) {
            beat();
            next += interval;
            if (next < now) /* after a pause: no burst of what was missed */
                next = now + interval;
        }
    }
}
