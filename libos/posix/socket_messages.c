/* Messages of several pieces, over the calls for one. */
#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "posix/posix.h"

/* A datagram in several pieces is put together first: it must leave as one. */
long sys_sendmsg(const long *a)
{
    const struct msghdr *message = (void *)a[1];
    char whole[1472]; /* one frame's worth of UDP */
    size_t bytes = 0;
    ssize_t total = 0;
    long call[6] = {a[0], 0, 0, a[2], (long)message->msg_name, message->msg_namelen};
    bool datagram = message->msg_name != NULL && message->msg_iovlen > 1;
    for (int i = 0; i < message->msg_iovlen; i++) {
        const struct iovec *piece = &message->msg_iov[i];
        if (datagram) {
            if (piece->iov_len > sizeof whole - bytes)
                return -EMSGSIZE;
            __builtin_memcpy(whole + bytes, piece->iov_base, piece->iov_len);
            bytes += piece->iov_len;
            continue;
        }
        call[1] = (long)piece->iov_base;
        call[2] = (long)piece->iov_len;
        long sent = sys_sendto(call);
        if (sent < 0)
            return total ? total : sent;
        total += sent;
        if ((size_t)sent < piece->iov_len)
            break;
    }
    call[1] = (long)whole;
    call[2] = (long)bytes;
    return datagram ? sys_sendto(call) : total;
}

/* The first piece is filled, and the rest only if it was filled whole: never waits once something came. */
long sys_recvmsg(const long *a)
{
    struct msghdr *message = (void *)a[1];
    socklen_t room = message->msg_namelen;
    ssize_t total = 0;
    for (int i = 0; i < message->msg_iovlen; i++) {
        const struct iovec *piece = &message->msg_iov[i];
        long call[6] = {a[0], (long)piece->iov_base, (long)piece->iov_len, a[2] | (total ? MSG_DONTWAIT : 0),
                        (long)message->msg_name, (long)&room};
        long got = piece->iov_len ? sys_recvfrom(call) : 0;
        if (got < 0 && !total)
            return got;
        total += got > 0 ? got : 0;
        if (got < (long)piece->iov_len || message->msg_name)
            break;
    }
    message->msg_namelen = message->msg_name ? room : 0;
    message->msg_controllen = 0;
    message->msg_flags = 0;
    return total;
}
