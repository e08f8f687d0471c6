#include "net/socket_calls.h"

#include <errno.h>
#include <lwip/netif.h>
#include <lwip/sockets.h>
#include <string.h>

/* Linux's numbers (asm-generic/socket.h, linux/tcp.h), which lwIP does not share. */
#define LINUX_SOL_SOCKET 1
static const struct { int linux_level, linux_option, level, option; } options[] = {
    {LINUX_SOL_SOCKET, 2, SOL_SOCKET, SO_REUSEADDR}, {LINUX_SOL_SOCKET, 3, SOL_SOCKET, SO_TYPE},
    {LINUX_SOL_SOCKET, 4, SOL_SOCKET, SO_ERROR},     {LINUX_SOL_SOCKET, 6, SOL_SOCKET, SO_BROADCAST},
    {LINUX_SOL_SOCKET, 8, SOL_SOCKET, SO_RCVBUF},    {LINUX_SOL_SOCKET, 9, SOL_SOCKET, SO_KEEPALIVE},
    {LINUX_SOL_SOCKET, 30, SOL_SOCKET, SO_ACCEPTCONN}, {IPPROTO_TCP, 1, IPPROTO_TCP, TCP_NODELAY},
    {IPPROTO_TCP, 4, IPPROTO_TCP, TCP_KEEPIDLE},     {IPPROTO_TCP, 5, IPPROTO_TCP, TCP_KEEPINTVL},
    {IPPROTO_TCP, 6, IPPROTO_TCP, TCP_KEEPCNT},      {IPPROTO_IP, 1, IPPROTO_IP, IP_TOS},
    {IPPROTO_IP, 2, IPPROTO_IP, IP_TTL}};
/* Accepted without effect, as programs set them by habit: SO_DONTROUTE, SO_SNDBUF, SO_PRIORITY, SO_LINGER, SO_REUSEPORT. */
static const int harmless[] = {5, 7, 12, 13, 15};

static long result_of(long result) { return result < 0 ? -errno : result; }

static struct sockaddr_in lwip_address(const struct net_address *from)
{
    return (struct sockaddr_in){.sin_len = sizeof(struct sockaddr_in), .sin_family = AF_INET, .sin_port = from->port,
                                .sin_addr.s_addr = from->host};
}

static void plain_address(struct net_address *to, const struct sockaddr_in *from)
{
    if (to)
        *to = (struct net_address){from->sin_addr.s_addr, from->sin_port};
}

static long unblock(int socket)
{
    int on = 1;
    if (socket >= 0)
        lwip_ioctl(socket, (long)FIONBIO, &on);
    return result_of(socket);
}

long net_socket(int type, int protocol) { return unblock(lwip_socket(AF_INET, type, protocol)); }
long net_close(int socket) { return result_of(lwip_close(socket)); }
long net_listen(int socket, int backlog) { return result_of(lwip_listen(socket, backlog)); }
long net_shutdown(int socket, int how) { return result_of(lwip_shutdown(socket, how)); }

long net_bind(int socket, const struct net_address *to)
{
    struct sockaddr_in address = lwip_address(to);
    return result_of(lwip_bind(socket, (struct sockaddr *)&address, sizeof address));
}

long net_connect(int socket, const struct net_address *to)
{
    struct sockaddr_in address = lwip_address(to);
    return result_of(lwip_connect(socket, (struct sockaddr *)&address, sizeof address));
}

long net_accept(int socket, struct net_address *from)
{
    struct sockaddr_in address = {0};
    socklen_t bytes = sizeof address;
    long accepted = unblock(lwip_accept(socket, (struct sockaddr *)&address, &bytes));
    plain_address(from, &address);
    return accepted;
}

long net_send(int socket, const void *bytes, size_t count, const struct net_address *to, bool more)
{
    struct sockaddr_in address;
    int flags = MSG_DONTWAIT | (more ? MSG_MORE : 0);
    if (!to)
        return result_of(lwip_send(socket, bytes, count, flags));
    address = lwip_address(to);
    return result_of(lwip_sendto(socket, bytes, count, flags, (struct sockaddr *)&address, sizeof address));
}

long net_receive(int socket, void *bytes, size_t count, struct net_address *from, bool peek)
{
    struct sockaddr_in address = {0};
    socklen_t length = sizeof address;
    long got = lwip_recvfrom(socket, bytes, count, MSG_DONTWAIT | (peek ? MSG_PEEK : 0), (struct sockaddr *)&address,
                             &length);
    plain_address(from, &address);
    return result_of(got);
}

long net_name(int socket, struct net_address *name, bool peer)
{
    struct sockaddr_in address = {0};
    struct sockaddr_in other;
    socklen_t bytes = sizeof address, other_bytes = sizeof other;
    int result = peer ? lwip_getpeername(socket, (struct sockaddr *)&address, &bytes)
                      : lwip_getsockname(socket, (struct sockaddr *)&address, &bytes);
    /* A connected datagram socket has its own address on Linux; lwIP leaves it open until something is sent. */
    if (result == 0 && !peer && !address.sin_addr.s_addr
        && lwip_getpeername(socket, (struct sockaddr *)&other, &other_bytes) == 0 && other.sin_addr.s_addr && netif_default)
        address.sin_addr.s_addr = ip4_addr_get_u32(netif_ip4_addr(netif_default));
    plain_address(name, &address);
    return result_of(result);
}

bool net_ready(int socket, bool *readable, bool *writable)
{
    struct pollfd look = {.fd = socket, .events = POLLIN | POLLOUT};
    lwip_poll(&look, 1, 0);
    *readable = look.revents & POLLIN;
    *writable = look.revents & POLLOUT;
    return !(look.revents & (POLLERR | POLLHUP | POLLNVAL));
}

static int find(int level, int option)
{
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        if (options[i].linux_level == level && options[i].linux_option == option)
            return (int)i;
    return -1;
}

long net_option_set(int socket, int level, int option, const void *value, unsigned bytes)
{
    int i = find(level, option);
    if (i >= 0)
        return result_of(lwip_setsockopt(socket, options[i].level, options[i].option, value, bytes));
    for (size_t h = 0; h < sizeof harmless / sizeof *harmless; h++)
        if (level == LINUX_SOL_SOCKET && option == harmless[h])
            return 0;
    return -ENOPROTOOPT;
}

long net_option_get(int socket, int level, int option, void *value, unsigned *bytes)
{
    int i = find(level, option);
    if (i < 0)
        return -ENOPROTOOPT;
    socklen_t length = *bytes;
    long result = result_of(lwip_getsockopt(socket, options[i].level, options[i].option, value, &length));
    *bytes = length;
    return result;
}
