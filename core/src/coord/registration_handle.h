/* The handle of a registration. Same contracts as in coord/registry.h, without the checks of arguments. */
#ifndef COORD_COORD_REGISTRATION_HANDLE_H
#define COORD_COORD_REGISTRATION_HANDLE_H

#include "coord/registry_handle.h"

coord_code coord__registry_register(coord_registry *r, const char *instance_json, int64_t ttl_s,
                                    coord_queue *queue, uint64_t tag, coord_registration **out,
                                    coord_error **err);
coord_op *coord__op_registered(coord_registration *reg);
coord_op *coord__op_update_instance(coord_registration *reg, const char *patch);
coord_op *coord__op_deregister(coord_registration *reg);
coord_instance *coord__registration_instance(const coord_registration *reg);
int64_t coord__registration_remaining_ms(const coord_registration *reg);
void coord__registration_free(coord_registration *reg);

/* I/O thread: */
/* It has waited for its turn to ask, which is now. */
void coord__registration_ask(coord__list *turn);
/* The client was closed. */
void coord__registration_end(coord__list *link);

#endif
