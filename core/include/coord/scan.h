/* A scan: a range of any size, read page by page at one revision, one page in memory. */
#ifndef COORD_SCAN_H
#define COORD_SCAN_H

#include "coord/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Open a scan over the range of a get op, in key order. No I/O happens yet. The first page fixes the
 * revision (the op's, or the newest) and all later pages show the store as it was then.
 * A server that has RangeStream (etcd 3.7) sends it as one stream; others are asked page by page.
 *
 * @param get        a get with a prefix or range end; copied. A limit bounds the whole scan; a sort
 *                   order is COORD_INVALID; count-only is COORD_INVALID
 * @param page_keys  keys to a page, 1 to 100,000; 0 means the client's scan.page.keys. A page that
 *                   would exceed response.max.bytes is asked for again in smaller ones
 * @param out        [out] owned by the caller, coord_scan_free
 * @return COORD_OK, COORD_INVALID, COORD_CLOSED, COORD_FORKED, COORD_NO_MEMORY
 * @threads any   @blocks no   @since 0.1
 */
COORD_API coord_code coord_scan_open(coord_client *client, const coord_op *get, int32_t page_keys,
                                     coord_scan **out, coord_error **err);

/**
 * An op that reads the next page, for coord_call and coord_submit on the same client. Its result
 * holds the page; coord_result_count 0 means that the scan has ended, as does every later one.
 * Pages come one at a time: a second one while the first is under way ends with COORD_CONFLICT.
 * After a failure that is retriable the same page may be asked for again; COORD_COMPACTED means
 * that the revision was compacted while the scan went on.
 *
 * @return owned by the caller, coord_op_free, may be executed again and again; holds the scan;
 *         NULL when scan is NULL or memory is out
 * @threads any   @blocks no   @since 0.1
 */
COORD_API coord_op *coord_op_scan_next(coord_scan *scan);

/**
 * Read the next page and wait for it: coord_call of coord_op_scan_next.
 *
 * @param timeout_ms  as for coord_call, for this page
 * @param out         [out] the page, owned by the caller; NULL at the end, with COORD_OK
 * @threads any   @blocks up to timeout_ms   @since 0.1
 */
COORD_API coord_code coord_scan_next(coord_scan *scan, int32_t timeout_ms, coord_result **out,
                                     coord_error **err);

/** The revision that the scan reads at; 0 before the first page. @threads any   @since 0.1 */
COORD_API int64_t coord_scan_revision(const coord_scan *scan);
/** Keys delivered so far. @threads any   @since 0.1 */
COORD_API int64_t coord_scan_delivered(const coord_scan *scan);
/** Keys in the range at that revision, -1 before it is known. @threads any   @since 0.1 */
COORD_API int64_t coord_scan_total(const coord_scan *scan);

/**
 * Drop the caller's reference; a page under way is cancelled.
 *
 * @param scan  may be NULL
 * @threads any   @blocks no   @since 0.1
 */
COORD_API void coord_scan_free(coord_scan *scan);

#ifdef __cplusplus
}
#endif

#endif
