/* The network as DHCP gives it: an address before main begins, and names found through the server that DHCP named.
 * Arguments: a name, the address it must have, and a name that does not exist. */
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static int look_up(const char *name, char *address)
{
    struct addrinfo wish = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *found;
    int error = getaddrinfo(name, "80", &wish, &found);
    if (error)
        return error;
    inet_ntop(AF_INET, &((struct sockaddr_in *)(void *)found->ai_addr)->sin_addr, address, INET_ADDRSTRLEN);
    freeaddrinfo(found);
    return 0;
}

int main(int argc, char **argv)
{
    char address[INET_ADDRSTRLEN] = "";
    if (argc != 4)
        return 2;
    int error = look_up(argv[1], address);
    if (error || strcmp(address, argv[2]) != 0) {
        printf("FAIL names: %s is '%s' (%s), not %s\n", argv[1], address, error ? gai_strerror(error) : "found", argv[2]);
        return 1;
    }
    if ((error = look_up(argv[3], address)) != EAI_NONAME) {
        printf("FAIL names: %s: %s\n", argv[3], error ? gai_strerror(error) : address);
        return 1;
    }
    struct sockaddr_in self = {0}, there = {.sin_family = AF_INET, .sin_port = htons(9)};
    socklen_t size = sizeof self;
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    inet_pton(AF_INET, argv[2], &there.sin_addr);
    if (connect(fd, (struct sockaddr *)&there, sizeof there) == 0 && getsockname(fd, (struct sockaddr *)&self, &size) == 0)
        inet_ntop(AF_INET, &self.sin_addr, address, sizeof address);
    printf("PASS names: here is %s\n", address);
    return 0;
}
