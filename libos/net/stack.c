/* lwIP's network interface on netfront, its address from the command line (ip=10.9.0.5/24 gateway=... dns=..., or
 * ip=dhcp, which is also the default), and the announcements after a move. */
#include <lwip/dhcp.h>
#include <lwip/dns.h>
#include <lwip/etharp.h>
#include <lwip/netif.h>
#include <lwip/tcpip.h>
#include <lwip/timeouts.h>
#include <netif/ethernet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/* Switches learn an address from any frame, but one frame may be lost where a bridge port is just coming up. */
static const unsigned announce_after_ms[] = {0, 50, 200, 1000};

#define ADDRESS_PATIENCE (5 * SECOND) /* DHCP: an offer and its acknowledgement, asked for a few times */

static struct netif interface;
static uint64_t received_bytes, sent_bytes;

static err_t send_frame(struct netif *netif, struct pbuf *pbuf)
{
    static char frame[1514];
    (void)netif;
    if (pbuf->tot_len > sizeof frame)
        return ERR_BUF;
    sent_bytes += pbuf->tot_len;
    pbuf_copy_partial(pbuf, frame, pbuf->tot_len, 0);
    return network_send(frame, pbuf->tot_len) == 0 ? ERR_OK : ERR_MEM;
}

static err_t configure(struct netif *netif)
{
    netif->name[0] = 'e';
    netif->name[1] = 'n';
    netif->output = etharp_output;
    netif->linkoutput = send_frame;
    netif->mtu = 1500;
    netif->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET | NETIF_FLAG_LINK_UP;
    netif->hwaddr_len = ETH_HWADDR_LEN;
    memcpy(netif->hwaddr, network_mac(), ETH_HWADDR_LEN);
    return ERR_OK;
}

void stack_input(const void *frame, size_t bytes, bool checked)
{
    struct pbuf *pbuf = pbuf_alloc(PBUF_RAW, (u16_t)bytes, PBUF_RAM);
    received_bytes += bytes;
    if (!pbuf)
        return;
    pbuf_take(pbuf, frame, (u16_t)bytes);
    LOCK_TCPIP_CORE();
    interface.chksum_flags = checked ? NETIF_CHECKSUM_ENABLE_ALL & ~(NETIF_CHECKSUM_CHECK_TCP | NETIF_CHECKSUM_CHECK_UDP)
                                     : NETIF_CHECKSUM_ENABLE_ALL;
    if (ethernet_input(pbuf, &interface) != ERR_OK)
        pbuf_free(pbuf);
    UNLOCK_TCPIP_CORE();
    io_changed();
}

static void announce(void *unused)
{
    (void)unused;
    if (netif_is_up(&interface) && !ip4_addr_isany(netif_ip4_addr(&interface)))
        etharp_gratuitous(&interface);
}

void stack_announce(void)
{
    LOCK_TCPIP_CORE();
    for (size_t i = 0; i < DIMENSION(announce_after_ms); i++)
        sys_timeout(announce_after_ms[i], announce, NULL);
    UNLOCK_TCPIP_CORE();
}

/* A program that connects somewhere first of all should find the network up, as it would anywhere else. */
void stack_await_address(void)
{
    uint64_t give_up = time_monotonic() + ADDRESS_PATIENCE;
    if (!network_present())
        return;
    while (ip4_addr_isany(netif_ip4_addr(&interface)) && time_monotonic() < give_up)
        thread_sleep(time_monotonic() + 10 * MS);
    if (ip4_addr_isany(netif_ip4_addr(&interface)))
        console_print("flexcapsule: no address from DHCP yet; starting without (give one with ip=ADDRESS/PREFIX)\n");
}

size_t stack_name_servers(char *text, size_t size)
{
    size_t length = 0;
    LOCK_TCPIP_CORE();
    for (u8_t i = 0; i < DNS_MAX_SERVERS; i++) {
        const ip_addr_t *server = dns_getserver(i);
        if (!ip_addr_isany(server) && length + 28 < size)
            length += (size_t)snprintf(text + length, size - length, "nameserver %s\n", ipaddr_ntoa(server));
    }
    UNLOCK_TCPIP_CORE();
    return length;
}

void stack_count(uint64_t *received, uint64_t *sent)
{
    *received = received_bytes;
    *sent = sent_bytes;
}

/* "10.9.0.5/24"; without a prefix length, /24. */
static bool read_address(const char *text, ip4_addr_t *address, ip4_addr_t *mask)
{
    char host[16];
    size_t length = strcspn(text, "/");
    unsigned long prefix = text[length] ? strtoul(text + length + 1, NULL, 10) : 24;
    if (length >= sizeof host || prefix > 32)
        return false;
    memcpy(host, text, length);
    host[length] = 0;
    ip4_addr_set_u32(mask, lwip_htonl(prefix ? ~0U << (32 - prefix) : 0));
    return ip4addr_aton(host, address);
}

static void add_interface(const char *ip)
{
    ip4_addr_t address = {0}, mask = {0}, gateway = {0}, dns;
    bool fixed = ip && strcmp(ip, "dhcp") != 0;
    if (fixed && !read_address(ip, &address, &mask)) {
        console_print("flexcapsule: ip=%s is neither an address like 10.9.0.5/24 nor dhcp; using dhcp\n", ip);
        fixed = false;
    }
    if (setting("gateway"))
        ip4addr_aton(setting("gateway"), &gateway);
    netif_add(&interface, &address, &mask, &gateway, NULL, configure, tcpip_input);
    netif_set_default(&interface);
    netif_set_up(&interface);
    if (!fixed)
        dhcp_start(&interface);
    if (setting("dns") && ip4addr_aton(setting("dns"), &dns)) {
        ip_addr_t server;
        ip_addr_copy_from_ip4(server, dns);
        dns_setserver(0, &server);
    }
}

void stack_start(void)
{
    tcpip_init(NULL, NULL);
    if (!network_present())
        return;
    LOCK_TCPIP_CORE();
    add_interface(setting("ip"));
    UNLOCK_TCPIP_CORE();
    stack_announce();
}
