/* The Linux app VM's only program, process 1: brings eth0 up and echoes UDP and TCP on port 7, for ever. A datagram "beat"
 * is answered by numbered beats ("beat 17") every 5 ms for the next 30 s, until "hush": their absence is a pause, seen
 * from outside.
 *
 * The control group of every measurement: a stock Debian kernel doing nothing but answer. Kernel command line:
 *   app.ip=ADDRESS/BITS   address of eth0        app.dirty=MIB   rewrite this many MiB ten times a second (a busy guest)
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { PORT = 7, CONNECTIONS = 16, DIRTY_EVERY_MS = 100, PAGE = 4096, BEAT_EVERY_MS = 5, BEAT_LEASE_MS = 30000 };

/* Who listens to the beats, until when, and when the next is due (ms of the monotonic clock). */
static struct {
    struct sockaddr_in listener;
    long until_ms, next_ms;
    unsigned number;
} beats;

static long now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void fail(const char *what) {
    perror(what);
    sleep(5); /* long enough for the console to drain before process 1's end stops the kernel */
    _exit(1);
}

static void load_module(const char *path) {
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0 || syscall(SYS_finit_module, file, "", 0) != 0)
        fail(path);
    close(file);
}

static int argument(const char *name, char *value, size_t size) {
    static char line[4096];
    FILE *file = fopen("/proc/cmdline", "re");
    if (!file || !fgets(line, sizeof line, file))
        fail("/proc/cmdline");
    fclose(file);
    const char *found = strstr(line, name);
    if (!found)
        return 0;
    found += strlen(name);
    snprintf(value, size, "%.*s", (int)strcspn(found, " \n"), found);
    return 1;
}

static void set_address(const char *interface) {
    char value[64];
    if (!argument("app.ip=", value, sizeof value))
        fail("no app.ip= on the kernel's command line");
    char *slash = strchr(value, '/');
    int bits = slash ? atoi(slash + 1) : 24;
    if (slash)
        *slash = 0;
    int control = socket(AF_INET, SOCK_DGRAM, 0);
    struct ifreq request = {0};
    struct sockaddr_in *address = (struct sockaddr_in *)&request.ifr_addr;
    strncpy(request.ifr_name, interface, IFNAMSIZ - 1);
    address->sin_family = AF_INET;
    if (inet_pton(AF_INET, value, &address->sin_addr) != 1 || bits < 1 || bits > 32)
        fail("app.ip= is not ADDRESS/BITS");
    for (int tries = 0; ioctl(control, SIOCSIFADDR, &request) != 0; tries++) {
        if (tries == 200)
            fail("eth0 did not appear within 10 s");
        usleep(50000);
    }
    address->sin_addr.s_addr = htonl(0xffffffffu << (32 - bits));
    ioctl(control, SIOCSIFNETMASK, &request);
    ioctl(control, SIOCGIFFLAGS, &request);
    request.ifr_flags |= IFF_UP | IFF_RUNNING;
    if (ioctl(control, SIOCSIFFLAGS, &request) != 0)
        fail("eth0 up");
    close(control);
}

static int listen_on(int type) {
    int one = 1, sock = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(PORT)};
    setsockopt(sock, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (sock < 0 || bind(sock, (struct sockaddr *)&here, sizeof here) != 0)
        fail("port 7");
    if (type == SOCK_STREAM && listen(sock, CONNECTIONS) != 0)
        fail("listen");
    return sock;
}

/* Send the beat that is due; return how long until the next, -1 when nobody listens. After a pause beats are not caught up. */
static int send_beat(int sock) {
    long now = now_ms();
    if (now >= beats.until_ms)
        return -1;
    if (now >= beats.next_ms) {
        char text[32];
        int size = snprintf(text, sizeof text, "beat %u", beats.number++);
        sendto(sock, text, (size_t)size, MSG_DONTWAIT, (struct sockaddr *)&beats.listener, sizeof beats.listener);
        beats.next_ms = beats.next_ms + BEAT_EVERY_MS > now ? beats.next_ms + BEAT_EVERY_MS : now + BEAT_EVERY_MS;
    }
    return (int)(beats.next_ms - now);
}

static void answer_datagram(int sock) {
    char bytes[2048];
    struct sockaddr_in from;
    socklen_t size = sizeof from;
    ssize_t got = recvfrom(sock, bytes, sizeof bytes, MSG_DONTWAIT, (struct sockaddr *)&from, &size);
    if (got == 4 && !memcmp(bytes, "beat", 4)) {
        beats.listener = from;
        beats.until_ms = now_ms() + BEAT_LEASE_MS;
    } else if (got == 4 && !memcmp(bytes, "hush", 4))
        beats.until_ms = 0;
    else if (got > 0)
        sendto(sock, bytes, (size_t)got, 0, (struct sockaddr *)&from, size);
}

/* Echo what one connection sent; -1 when it is over. */
static int echo_stream(int sock) {
    char bytes[4096];
    ssize_t got = read(sock, bytes, sizeof bytes);
    if (got > 0 && write(sock, bytes, (size_t)got) == got)
        return sock;
    close(sock);
    return -1;
}

static void accept_one(int listener, struct pollfd *watched) {
    int sock = accept(listener, NULL, NULL);
    for (int i = 2; i < 2 + CONNECTIONS; i++)
        if (watched[i].fd < 0) {
            watched[i].fd = sock;
            return;
        }
    close(sock);
}

static void rewrite(char *memory, size_t bytes, int round) {
    for (size_t at = 0; at < bytes; at += PAGE)
        memory[at] = (char)round;
}

/* One turn: wait for a request, the next beat, or the next round of rewriting; answer what is there. */
static void serve(struct pollfd *watched, int wait_ms) {
    poll(watched, 2 + CONNECTIONS, wait_ms);
    if (watched[0].revents)
        answer_datagram(watched[0].fd);
    if (watched[1].revents)
        accept_one(watched[1].fd, watched);
    for (int i = 2; i < 2 + CONNECTIONS; i++)
        if (watched[i].fd >= 0 && watched[i].revents)
            watched[i].fd = echo_stream(watched[i].fd);
}

int main(void) {
    mount("proc", "/proc", "proc", 0, NULL);
    mount("dev", "/dev", "devtmpfs", 0, NULL);
    load_module("/xen-netfront.ko");
    set_address("eth0");
    char value[32];
    size_t dirty = argument("app.dirty=", value, sizeof value) ? (size_t)atol(value) << 20 : 0;
    char *memory = dirty ? malloc(dirty) : NULL;
    struct pollfd watched[2 + CONNECTIONS];
    for (int i = 0; i < 2 + CONNECTIONS; i++)
        watched[i] = (struct pollfd){.fd = -1, .events = POLLIN};
    watched[0].fd = listen_on(SOCK_DGRAM);
    watched[1].fd = listen_on(SOCK_STREAM);
    puts("app: ready");
    fflush(stdout);
    long rewritten_ms = now_ms();
    for (int round = 0;; round++) {
        int wait_ms = send_beat(watched[0].fd);
        if (memory && (wait_ms < 0 || wait_ms > DIRTY_EVERY_MS))
            wait_ms = DIRTY_EVERY_MS;
        serve(watched, wait_ms);
        if (memory && now_ms() - rewritten_ms >= DIRTY_EVERY_MS) {
            rewrite(memory, dirty, round);
            rewritten_ms = now_ms();
        }
    }
}
