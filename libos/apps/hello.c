/* The smallest application: says hello and ends. */
#include <stdio.h>

int main(int argc, char **argv)
{
    printf("hello from FlexCapsule OS\n");
    for (int i = 1; i < argc; i++)
        printf("argument %d: %s\n", i, argv[i]);
    return 0;
}
