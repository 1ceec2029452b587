/* A range of any size, page by page at one revision. */
#ifndef COORD_ETCD_SCAN_H
#define COORD_ETCD_SCAN_H

#include "coord/scan.h"
#include "etcd/client.h"
#include "etcd/op.h"

coord_code coord__scan_open(coord_client *c, const coord_op *get, int32_t page_keys,
                            coord_scan **out, coord_error **err);
/* The same for others in the library: it does not count as a handle of the program. */
coord_code coord__scan_open_inside(coord_client *c, const coord_op *get, int32_t page_keys,
                                   coord_scan **out, coord_error **err);
coord_op *coord__op_scan_next(coord_scan *scan);
coord_client *coord__scan_client(const coord_scan *scan);
int64_t coord__scan_revision(const coord_scan *scan);
int64_t coord__scan_delivered(const coord_scan *scan);
int64_t coord__scan_total(const coord_scan *scan);
/* The program's reference: ends the page under way. */
void coord__scan_free(coord_scan *scan);

#endif
