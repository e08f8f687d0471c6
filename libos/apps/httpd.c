/* A web server for static files and for load tests. Arguments: [PORT [ROOT]], 80 and /www by default.
 *   GET /path          the file under ROOT; a folder's index.html
 *   GET /burn?ms=N     computes for N milliseconds of CPU (at most 10,000) and says so: load that an autoscaler can see
 *   GET /status        requests served, moves survived, seconds up: one line of text
 * One thread, epoll, keep-alive. The load figure published is the fraction of the last second spent on requests. */
#include <errno.h>
#include <fcntl.h>
#include <flexcapsule.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define REQUEST_MAX 4096

struct connection {
    int fd, file;
    size_t have, head_at, head_bytes;
    off_t file_left;
    bool close_after;
    char request[REQUEST_MAX + 1], head[4096];
};

static const char *root = "/www";
static unsigned long served;
static double busy_s, started_s, reported_s;
static int poller;

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static const char *kind_of(const char *path)
{
    const char *dot = strrchr(path, '.');
    return dot && !strcmp(dot, ".html") ? "text/html" : "application/octet-stream";
}

static void close_file(struct connection *c)
{
    if (c->file >= 0)
        close(c->file);
    c->file = -1;
}

static void head(struct connection *c, const char *status, const char *kind, long long bytes, const char *body)
{
    c->head_at = 0;
    c->head_bytes = (size_t)snprintf(c->head, sizeof c->head,
                                     "HTTP/1.1 %s\r\nServer: flexcapsule\r\nContent-Type: %s\r\nContent-Length: %lld\r\n%s\r\n%s",
                                     status, kind, bytes, c->close_after ? "Connection: close\r\n" : "", body);
}

static void text(struct connection *c, const char *status, const char *body)
{
    head(c, status, "text/plain", (long long)strlen(body), body);
}

static void burn(struct connection *c, const char *query)
{
    double ms = query && !strncmp(query, "ms=", 3) ? strtod(query + 3, NULL) : 10, until;
    char body[64];
    volatile double x = 1;
    ms = ms < 0 ? 0 : ms > 10000 ? 10000 : ms;
    for (until = now_s() + ms / 1000; now_s() < until;)
        for (int i = 0; i < 1000; i++)
            x = x * 1.0000001 + 1e-9;
    snprintf(body, sizeof body, "burnt %.0f ms\n", ms);
    text(c, "200 OK", body);
}

static void file(struct connection *c, const char *path)
{
    char name[512];
    struct stat status;
    bool folder = path[strlen(path) - 1] == '/';
    if (strstr(path, "..") || (size_t)snprintf(name, sizeof name, "%s%s%s", root, path, folder ? "index.html" : "") >= sizeof name) {
        text(c, "400 Bad Request", "no such path\n");
        return;
    }
    c->file = open(name, O_RDONLY);
    if (c->file < 0 || fstat(c->file, &status) != 0 || !S_ISREG(status.st_mode)) {
        close_file(c);
        text(c, "404 Not Found", "not found\n");
        return;
    }
    c->file_left = status.st_size;
    head(c, "200 OK", kind_of(name), (long long)status.st_size, "");
}

static void respond(struct connection *c)
{
    char *method_end = strchr(c->request, ' '), *path = method_end ? method_end + 1 : NULL;
    char *path_end = path ? strpbrk(path, " \r\n") : NULL, *query, body[128];
    served++;
    if (!path_end || *path != '/' || strncmp(c->request, "GET ", 4) != 0) {
        c->close_after = true;
        text(c, path_end ? "405 Method Not Allowed" : "400 Bad Request", "GET only\n");
        return;
    }
    c->close_after = strncmp(path_end, " HTTP/1.1", 9) != 0 || strcasestr(path_end, "\nConnection: close") != NULL;
    *path_end = 0;
    if ((query = strchr(path, '?')))
        *query++ = 0;
    if (!strcmp(path, "/burn")) {
        burn(c, query);
    } else if (!strcmp(path, "/status")) {
        snprintf(body, sizeof body, "served %lu moves %u up %.3f s\n", served, flexcapsule_moves(), now_s() - started_s);
        text(c, "200 OK", body);
    } else {
        file(c, path);
    }
}

static void drop(struct connection *c)
{
    epoll_ctl(poller, EPOLL_CTL_DEL, c->fd, NULL);
    close(c->fd);
    close_file(c);
    free(c);
}

/* 1: all sent; 0: the socket takes no more now; -1: broken. */
static int send_on(struct connection *c)
{
    static char piece[16384];
    while (c->head_at < c->head_bytes) {
        ssize_t n = write(c->fd, c->head + c->head_at, c->head_bytes - c->head_at);
        if (n < 0)
            return errno == EAGAIN ? 0 : -1;
        c->head_at += (size_t)n;
    }
    while (c->file_left > 0) {
        ssize_t got = read(c->file, piece, sizeof piece), n = got > 0 ? write(c->fd, piece, (size_t)got) : -1;
        if (n < got && got > 0)
            lseek(c->file, n > 0 ? n - got : -got, SEEK_CUR);
        if (n < 0)
            return got > 0 && errno == EAGAIN ? 0 : -1;
        c->file_left -= n;
    }
    close_file(c);
    return 1;
}

static bool serve(struct connection *c)
{
    for (;;) {
        if (c->head_bytes) {
            int sent = send_on(c);
            if (sent <= 0)
                return sent == 0;
            if (c->close_after)
                return false;
            c->head_bytes = 0;
        }
        char *end = strstr(c->request, "\r\n\r\n");
        if (end) {
            size_t used = (size_t)(end + 4 - c->request);
            *end = 0;
            respond(c);
            memmove(c->request, c->request + used, c->have - used + 1);
            c->have -= used;
            continue;
        }
        ssize_t n = c->have < REQUEST_MAX ? read(c->fd, c->request + c->have, REQUEST_MAX - c->have) : 0;
        if (n <= 0)
            return n < 0 && errno == EAGAIN;
        c->have += (size_t)n;
        c->request[c->have] = 0;
    }
}

static void await(struct connection *c)
{
    struct epoll_event wish = {.events = c->head_bytes ? EPOLLOUT : EPOLLIN, .data.ptr = c};
    epoll_ctl(poller, EPOLL_CTL_MOD, c->fd, &wish);
}

static void welcome(int listener)
{
    int fd, on = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        struct connection *c = calloc(1, sizeof *c);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        if (!c && close(fd) == 0)
            continue;
        c->fd = fd;
        c->file = -1;
        epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
    }
}

static void finish(int number)
{
    printf("httpd: signal %d, served %lu requests\n", number, served);
    exit(0);
}

int main(int argc, char **argv)
{
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons((uint16_t)(argc > 1 ? atoi(argv[1]) : 80))};
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;
    struct epoll_event event = {.events = EPOLLIN};
    if (argc > 2)
        root = argv[2];
    signal(SIGTERM, finish);
    signal(SIGINT, finish);
    signal(SIGPIPE, SIG_IGN);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&any, sizeof any) != 0 || listen(listener, 64) != 0) {
        perror("httpd: cannot listen");
        return 1;
    }
    poller = epoll_create1(0);
    epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event);
    started_s = now_s();
    printf("httpd: serving %s on port %d\n", root, ntohs(any.sin_port));
    for (;;) {
        struct epoll_event events[32];
        int count = epoll_wait(poller, events, 32, 1000);
        double since = now_s();
        for (int i = 0; i < count; i++) {
            struct connection *c = events[i].data.ptr;
            if (!c)
                welcome(listener);
            else if (!serve(c))
                drop(c);
            else
                await(c);
        }
        busy_s += now_s() - since;
        if (since - reported_s >= 1) {
            flexcapsule_load(busy_s / (since - reported_s));
            busy_s = 0;
            reported_s = since;
        }
    }
}
