#include "coord/scan.h"

#include "api/check.h"
#include "base/error.h"
#include "coord/call.h"
#include "coord/op.h"
#include "coord/result.h"
#include "etcd/scan.h"

coord_code coord_scan_open(coord_client *client, const coord_op *get, int32_t page_keys,
                           coord_scan **out, coord_error **err) {
  coord_code code = coord__check_open(client, err);
  if (code == COORD_OK) code = coord__check_pointer(get, "get", err);
  if (code == COORD_OK) code = coord__check_pointer(out, "out", err);
  return code != COORD_OK ? code : coord__scan_open(client, get, page_keys, out, err);
}

coord_op *coord_op_scan_next(coord_scan *scan) {
  return scan != NULL ? coord__op_scan_next(scan) : NULL;
}

coord_code coord_scan_next(coord_scan *scan, int32_t timeout_ms, coord_result **out,
                           coord_error **err) {
  coord_code code = coord__check_pointer(scan, "scan", err);
  if (code == COORD_OK) code = coord__check_pointer(out, "out", err);
  if (code != COORD_OK) return code;
  coord_op *op = coord__op_scan_next(scan);
  if (op == NULL) return coord__no_memory(err);
  coord_result *page = NULL;
  code = coord_call(coord__scan_client(scan), op, timeout_ms, &page, err);
  coord_op_free(op);
  if (code != COORD_OK) return code;
  bool at_end = coord_result_count(page) == 0;
  if (at_end) coord_result_free(page);
  *out = at_end ? NULL : page;
  return COORD_OK;
}

int64_t coord_scan_revision(const coord_scan *scan) {
  return scan != NULL ? coord__scan_revision(scan) : 0;
}

int64_t coord_scan_delivered(const coord_scan *scan) {
  return scan != NULL ? coord__scan_delivered(scan) : 0;
}

int64_t coord_scan_total(const coord_scan *scan) {
  return scan != NULL ? coord__scan_total(scan) : -1;
}

void coord_scan_free(coord_scan *scan) {
  if (scan != NULL) coord__scan_free(scan);
}
