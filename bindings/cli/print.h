/* Keys and values on standard output, as text and as JSON. */
#ifndef CLI_PRINT_H
#define CLI_PRINT_H

#include <coord.h>
#include <stdio.h>

#include "cli.h"

/* As stored; on a terminal, control bytes and what is not UTF-8 appear as \xNN. */
void print_bytes(const void *data, size_t len);
/* The key on one line and, unless keys_only, the value below it. */
void print_kv(const coord_kv *kv, bool keys_only);

void print_json_string(const void *data, size_t len);
/* "name":"text", or "name_base64":"..." when the bytes are not UTF-8 or --base64 asks for it. */
void print_json_bytes(const char *name, const void *data, size_t len);
/* Key, value (unless keys_only), revisions, version and lease. */
void print_json_kv(const coord_kv *kv, bool keys_only);
/* An array of all key-values of a result. */
void print_json_kvs(const coord_result *result, bool keys_only);

#endif
