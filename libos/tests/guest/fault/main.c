/* A null pointer: the guest must panic, say where, and be seen as crashed by the toolstack. */
#include <stdio.h>

static int read_from(volatile int *place) { return *place; }

int main(void)
{
    volatile int *volatile nowhere = NULL;
    printf("about to read address 0\n");
    return read_from(nowhere);
}
