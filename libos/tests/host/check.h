/* A test is a function; a failed CHECK says where and ends the run. */
#ifndef CHECK_H
#define CHECK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(x)                                                                \
    do {                                                                        \
        if (!(x)) {                                                             \
            fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__, #x);     \
            exit(1);                                                            \
        }                                                                       \
    } while (0)
#define RUN(test)                                                               \
    do {                                                                        \
        test();                                                                 \
        printf("ok %s\n", #test);                                               \
    } while (0)

#endif
