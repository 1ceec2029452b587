/* A key and a value as one line of JSON: the form of export and import. */
#ifndef CLI_RECORD_H
#define CLI_RECORD_H

#include "json_in.h"

struct record {
  struct bytes key;
  struct bytes value;
};

/* False with the problem told. What `get --json` adds to key and value is accepted and unused. */
bool record_parse(const char *line, size_t len, struct record *out, struct problem *problem);
void record_free(struct record *record);

#endif
