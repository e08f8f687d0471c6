/* How lwIP is built here. The reasons stand beside the values; what is not named has lwIP's default. */
#ifndef LWIPOPTS_H
#define LWIPOPTS_H

/* Threads: lwIP's own thread for timers and callbacks; everybody else enters the stack under its lock. */
#define NO_SYS 0
#define LWIP_TCPIP_CORE_LOCKING 1
#define LWIP_TCPIP_CORE_LOCKING_INPUT 1
#define SYS_LIGHTWEIGHT_PROT 0 /* nothing interrupts running code */
#define TCPIP_MBOX_SIZE 32
#define DEFAULT_TCP_RECVMBOX_SIZE 64
#define DEFAULT_UDP_RECVMBOX_SIZE 32
#define DEFAULT_RAW_RECVMBOX_SIZE 8
#define DEFAULT_ACCEPTMBOX_SIZE 64

/* Memory: from the library OS as it is needed, so that an idle stack is small and a busy one is not limited by pools. */
#define MEM_ALIGNMENT 8
#define MEM_LIBC_MALLOC 1
#define MEMP_MEM_MALLOC 1
void *stack_malloc(unsigned long bytes);
void *stack_calloc(unsigned long count, unsigned long bytes);
void stack_free(void *memory);
#define mem_clib_malloc stack_malloc
#define mem_clib_calloc stack_calloc
#define mem_clib_free stack_free

/* TCP: a window of 44 segments fills a gigabit at half a millisecond; keep-alive is the application's choice. */
#define TCP_MSS 1460
#define TCP_WND (44 * TCP_MSS)
#define TCP_SND_BUF (44 * TCP_MSS)
#define TCP_SND_QUEUELEN 128
#define TCP_QUEUE_OOSEQ 1
#define LWIP_TCP_KEEPALIVE 1
#define LWIP_TCP_TIMESTAMPS 0
#define TCP_LISTEN_BACKLOG 1
#define TCP_DEFAULT_LISTEN_BACKLOG 64
#define MEMP_NUM_NETCONN 250 /* with heap memory only the sockets' table takes room */
#define LWIP_SO_RCVTIMEO 1
#define LWIP_SO_SNDTIMEO 1
#define LWIP_SO_RCVBUF 1
#define SO_REUSE 1

/* IPv4 only; addresses from the command line or by DHCP. */
#define LWIP_IPV6 0
#define LWIP_DHCP 1
#define LWIP_DNS 1
#define LWIP_NETIF_LOOPBACK 1
#define LWIP_HAVE_LOOPIF 1
#define LWIP_CHECKSUM_CTRL_PER_NETIF 1 /* a frame from a neighbour on the same host carries no checksum */
#define ETH_PAD_SIZE 0
#define IP_REASSEMBLY 1
#define ARP_QUEUEING 1

/* The socket layer keeps its own names: posix/ translates. */
#define LWIP_SOCKET 1
#define LWIP_NETCONN 1
#define LWIP_COMPAT_SOCKETS 0
#define LWIP_POSIX_SOCKETS_IO_NAMES 0
#define LWIP_SOCKET_SELECT 1
#define LWIP_SOCKET_POLL 1
#define LWIP_TIMEVAL_PRIVATE 0
#define LWIP_ERRNO_STDINCLUDE 1
#define LWIP_STATS 0

#endif
