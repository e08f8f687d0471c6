/* Names, options and shutting down of sockets. */
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "net/socket_calls.h"
#include "posix/posix.h"

static int number_of(long descriptor)
{
    struct open_file *file = file_of((int)descriptor);
    return !file ? -EBADF : file->kind != &file_socket ? -ENOTSOCK : file->number;
}

static long name_of(const long *a, bool peer)
{
    struct net_address name;
    int number = number_of(a[0]);
    if (number < 0)
        return number;
    long error = net_name(number, &name, peer);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = name.port, .sin_addr.s_addr = name.host};
    socklen_t *room = (socklen_t *)a[2];
    if (error)
        return error;
    __builtin_memcpy((void *)a[1], &address, *room < sizeof address ? *room : sizeof address);
    *room = sizeof address;
    return 0;
}

long sys_getsockname(const long *a) { return name_of(a, false); }
long sys_getpeername(const long *a) { return name_of(a, true); }

long sys_shutdown(const long *a)
{
    int number = number_of(a[0]);
    return number < 0 ? number : net_shutdown(number, (int)a[1]);
}

long sys_setsockopt(const long *a)
{
    int number = number_of(a[0]);
    return number < 0 ? number : net_option_set(number, (int)a[1], (int)a[2], (void *)a[3], (unsigned)a[4]);
}

long sys_getsockopt(const long *a)
{
    int number = number_of(a[0]);
    if (number < 0)
        return number;
    long result = net_option_get(number, (int)a[1], (int)a[2], (void *)a[3], (unsigned *)a[4]);
    if (!result && a[1] == SOL_SOCKET && a[2] == SO_ERROR)
        *(int *)a[3] = connect_outcome(file_of((int)a[0]), *(int *)a[3]);
    return result;
}
