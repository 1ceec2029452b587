/*
 * What the extension module has beside libcoord's own functions: steps that would cost Python many calls,
 * done in one. Read by the C compiler and by cffi, so there is no preprocessor here.
 *
 * A block is an array of int64_t: its size in bytes, this number included, and then records. What a
 * record holds is in _glue.c and, the other way round, in _record.py. Blocks are freed with py_free.
 */

/* An op in one step. end_len -1: the prefix; attributes: pairs of COORD_OP_... and value. NULL: no memory. */
coord_op *py_op(int verb, const void *key, size_t key_len, const void *value, size_t value_len,
                const void *end, int64_t end_len, const int64_t *attributes, size_t pairs);
/*
 * Start an op, which is freed, and wait for slice_ms at most. The first record is its RESULT; those of
 * `side` (log lines), if any, follow. NULL: it takes longer; py_wait goes on, py_call_id tells which it is.
 */
int64_t *py_call(coord_client *client, coord_queue *queue, coord_op *op, int32_t timeout_ms,
                 int32_t slice_ms, coord_queue *side);
/* Wait for slice_ms at most, and take what is there then, `max` events at most. NULL: nothing. */
int64_t *py_wait(coord_queue *queue, int32_t slice_ms, size_t max);
/* Start an op, which is freed. 0: it failed, and py_failure tells why. Otherwise what coord_cancel needs. */
uint64_t py_submit(coord_client *client, coord_queue *queue, coord_op *op, int32_t timeout_ms,
                   uint64_t tag);
/* The call that py_call of this thread has started last; 0: it was refused. */
uint64_t py_call_id(void);
/* Why py_submit of this thread failed: one record, or NULL. */
int64_t *py_failure(void);
/* One record of an error, which is freed, as coord_..._open hands it out. */
int64_t *py_error(coord_code code, coord_error *error);
/* One record of a result, which is freed. */
int64_t *py_result(coord_result *result);
void py_free(int64_t *block);
