/* What FlexCapsule OS offers an application beyond the standard C library. */
#ifndef FLEXCAPSULE_H
#define FLEXCAPSULE_H

#ifdef __cplusplus
extern "C" {
#endif

/* The application's own idea of how busy it is, published with the telemetry as data/flexcapsule/load. */
void flexcapsule_load(double load);

/* How often the domain has been suspended and gone on, elsewhere or in place. */
unsigned flexcapsule_moves(void);

#ifdef __cplusplus
}
#endif
#endif
