/* The checks that every public function on a client begins with. */
#ifndef COORD_API_CHECK_H
#define COORD_API_CHECK_H

#include "coord/client.h"

/* COORD_INVALID when `p` is NULL; `what` names the argument. */
coord_code coord__check_pointer(const void *p, const char *what, coord_error **err);
/* COORD_INVALID, COORD_FORKED. */
coord_code coord__check_client(const coord_client *c, coord_error **err);
/* And COORD_CLOSED. */
coord_code coord__check_open(const coord_client *c, coord_error **err);
/* COORD_INVALID when it is NULL, COORD_FORKED. */
coord_code coord__check_queue(const coord_queue *q, coord_error **err);
/* A name of one: COORD_INVALID. */
coord_code coord__check_service(const char *service, coord_error **err);
coord_code coord__check_timeout(int32_t timeout_ms, coord_error **err);

#endif
