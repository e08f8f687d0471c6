/* One boot through the C library: files, pipes, threads, time, signals, sockets over loopback. "PASS posix" on the
 * console is success; the first failure names its line. */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CHECK(x) do { if (!(x)) { printf("FAIL posix line %d: %s (errno %d)\n", __LINE__, #x, errno); exit(1); } } while (0)

static void files(void)
{
    char text[32] = "";
    struct stat status;
    int fd = open("/tmp/a", O_CREAT | O_RDWR, 0644), seen = 0;
    CHECK(fd >= 0 && write(fd, "hello", 5) == 5 && lseek(fd, 1, SEEK_SET) == 1 && read(fd, text, 10) == 4);
    CHECK(!strcmp(text, "ello") && pwrite(fd, "J", 1, 0) == 1 && pread(fd, text, 5, 0) == 5 && !memcmp(text, "Jello", 5));
    CHECK(ftruncate(fd, 2) == 0 && ftruncate(fd, 4) == 0 && pread(fd, text, 4, 0) == 4 && !memcmp(text, "Je\0\0", 4));
    CHECK(mkdir("/tmp/d", 0755) == 0 && mkdir("/tmp/d", 0755) < 0 && errno == EEXIST);
    CHECK(rename("/tmp/a", "/tmp/d/b") == 0 && stat("/tmp/a", &status) < 0 && errno == ENOENT);
    CHECK(stat("/tmp/d/b", &status) == 0 && S_ISREG(status.st_mode) && status.st_size == 4);
    CHECK(symlink("d/b", "/tmp/l") == 0 && stat("/tmp/l", &status) == 0 && status.st_size == 4);
    DIR *directory = opendir("/tmp/d");
    CHECK(directory);
    for (struct dirent *entry; (entry = readdir(directory));)
        seen |= !strcmp(entry->d_name, ".") ? 1 : !strcmp(entry->d_name, "..") ? 2 : !strcmp(entry->d_name, "b") ? 4 : 8;
    CHECK(seen == 7 && closedir(directory) == 0);
    CHECK(rmdir("/tmp/d") < 0 && errno == ENOTEMPTY && unlink("/tmp/d/b") == 0 && rmdir("/tmp/d") == 0);
    CHECK(write(fd, "still", 5) == 5 && close(fd) == 0 && close(fd) < 0 && errno == EBADF); /* unlinked, but open */
    CHECK(chdir("/tmp") == 0 && getcwd(text, sizeof text) && !strcmp(text, "/tmp") && chdir("/") == 0);
    CHECK(open("/nowhere/x", O_CREAT | O_WRONLY, 0644) < 0 && errno == ENOENT);
}

static void archive(void)
{
    struct stat status;
    char text[16] = "";
    FILE *file;
    if (stat("/etc/greeting", &status) != 0)
        return; /* started without the test's ramdisk */
    file = fopen("/etc/greeting", "r");
    CHECK(file && fgets(text, sizeof text, file) && !strcmp(text, "good day\n") && fclose(file) == 0);
    CHECK(fopen("/etc/greeting", "w") == NULL && errno == EROFS && unlink("/etc/greeting") < 0 && errno == EROFS);
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static _Thread_local int mine;
static int turns;

static void *worker(void *argument)
{
    for (int i = 0; i < 100; i++) {
        pthread_mutex_lock(&lock);
        turns++;
        mine++;
        pthread_cond_signal(&changed);
        pthread_mutex_unlock(&lock);
        sched_yield();
    }
    CHECK(mine == 100);
    return argument;
}

static void *endless(void *unused)
{
    for (;;)
        pause();
    return unused;
}

static void threads(void)
{
    pthread_t thread[8];
    void *result;
    for (intptr_t i = 0; i < 8; i++)
        CHECK(pthread_create(&thread[i], NULL, worker, (void *)i) == 0);
    pthread_mutex_lock(&lock);
    while (turns < 800)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
    for (intptr_t i = 0; i < 8; i++)
        CHECK(pthread_join(thread[i], &result) == 0 && result == (void *)i);
    CHECK(pthread_create(&thread[0], NULL, endless, NULL) == 0 && pthread_cancel(thread[0]) == 0);
    CHECK(pthread_join(thread[0], &result) == 0 && result == PTHREAD_CANCELED);
    for (int i = 0; i < 300; i++) /* records and stacks come back */
        CHECK(pthread_create(&thread[0], NULL, worker, NULL) == 0 && pthread_join(thread[0], NULL) == 0);
}

static volatile sig_atomic_t got;
static void on_signal(int number) { got = number; }

static void signals(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigset_t set, old;
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0 && raise(SIGUSR1) == 0 && got == SIGUSR1);
    got = 0;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    CHECK(sigprocmask(SIG_BLOCK, &set, &old) == 0 && raise(SIGUSR1) == 0 && got == 0);
    CHECK(sigprocmask(SIG_SETMASK, &old, NULL) == 0 && got == SIGUSR1);
    CHECK(fork() < 0 && errno == ENOSYS);
    CHECK(syscall(SYS_io_setup, 1, NULL) < 0 && errno == ENOSYS);
}

static void times(void)
{
    struct timespec before, after, nap = {0, 20000000};
    clock_gettime(CLOCK_MONOTONIC, &before);
    CHECK(nanosleep(&nap, NULL) == 0 && clock_gettime(CLOCK_MONOTONIC, &after) == 0);
    long slept = (after.tv_sec - before.tv_sec) * 1000 + (after.tv_nsec - before.tv_nsec) / 1000000;
    CHECK(slept >= 20 && slept < 2000 && time(NULL) > 1700000000);
}

static void pipes(void)
{
    int ends[2], counter = eventfd(0, 0), poller = epoll_create1(0);
    uint64_t one = 1;
    char byte;
    CHECK(pipe(ends) == 0);
    struct pollfd look[] = {{.fd = ends[0], .events = POLLIN}, {.fd = counter, .events = POLLIN}};
    struct epoll_event event = {.events = EPOLLIN, .data.fd = counter}, happened;
    CHECK(poll(look, 2, 0) == 0 && epoll_ctl(poller, EPOLL_CTL_ADD, counter, &event) == 0);
    CHECK(epoll_wait(poller, &happened, 1, 10) == 0 && write(counter, &one, 8) == 8);
    CHECK(epoll_wait(poller, &happened, 1, -1) == 1 && happened.data.fd == counter && write(ends[1], "x", 1) == 1);
    CHECK(poll(look, 2, -1) == 2 && read(ends[0], &byte, 1) == 1 && byte == 'x' && close(ends[1]) == 0);
    CHECK(read(ends[0], &byte, 1) == 0 && close(ends[0]) == 0 && close(counter) == 0 && close(poller) == 0);
}

static void *echo(void *listener)
{
    char buffer[4096];
    int fd = accept((int)(intptr_t)listener, NULL, NULL);
    for (ssize_t n; (n = read(fd, buffer, sizeof buffer)) > 0;)
        CHECK(write(fd, buffer, (size_t)n) == n);
    close(fd);
    return NULL;
}

static void sockets(void)
{
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(4000), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    static char out[65536], in[65536];
    int listener = socket(AF_INET, SOCK_STREAM, 0), fd = socket(AF_INET, SOCK_STREAM, 0);
    pthread_t thread;
    CHECK(bind(listener, (void *)&here, sizeof here) == 0 && listen(listener, 4) == 0);
    CHECK(pthread_create(&thread, NULL, echo, (void *)(intptr_t)listener) == 0);
    CHECK(connect(fd, (void *)&here, sizeof here) == 0);
    getrandom(out, sizeof out, 0);
    for (size_t sent = 0, heard = 0; heard < sizeof in;) {
        size_t piece = sizeof out - sent < 3000 ? sizeof out - sent : 3000;
        CHECK(write(fd, out + sent, piece) == (ssize_t)piece);
        sent += piece;
        while (heard < sent) {
            ssize_t n = read(fd, in + heard, sizeof in - heard);
            CHECK(n > 0);
            heard += (size_t)n;
        }
    }
    CHECK(!memcmp(in, out, sizeof in) && close(fd) == 0 && pthread_join(thread, NULL) == 0 && close(listener) == 0);
    fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(connect(fd, (void *)&here, sizeof here) < 0 && errno == ECONNREFUSED && close(fd) == 0);
    CHECK(socket(AF_UNIX, SOCK_STREAM, 0) < 0 && errno == EAFNOSUPPORT);
}

static void memory(void)
{
    char *page = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(page != MAP_FAILED && page[0] == 0 && page[12287] == 0);
    memset(page, 1, 3 * 4096);
    CHECK(mprotect(page, 4096, PROT_READ) == 0 && munmap(page, 3 * 4096) == 0);
    for (int i = 0; i < 2000; i++) { /* far more than there is, if any were lost */
        page = malloc(100000);
        CHECK(page);
        memset(page, i, 100000);
        free(page);
    }
    CHECK(malloc((size_t)1 << 40) == NULL && errno == ENOMEM);
}

int main(int argc, char **argv)
{
    CHECK(argc == 3 && !strcmp(argv[1], "one") && !strcmp(argv[2], "two words") && !strcmp(getenv("NAME"), "value"));
    files();
    archive();
    memory();
    threads();
    signals();
    times();
    pipes();
    sockets();
    printf("PASS posix\n");
    return 7; /* to be found as data/flexcapsule/exit-status */
}
