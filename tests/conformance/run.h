/* A scenario that runs, for the files of the C runner. */
#ifndef COORD_TEST_CONFORMANCE_RUN_H
#define COORD_TEST_CONFORMANCE_RUN_H

#include <coord.h>
#include <json-c/json.h>
#include <stdbool.h>
#include <stdio.h>

enum { WAIT_MS = 30000, NAMES_MAX = 32 };

typedef enum handle_kind {
  NO_HANDLE,
  CLIENT,
  LEASE,
  WATCH,
  LOCK,
  ELECTION,
  REGISTRY,
  REGISTRATION,
  DISCOVERY,
  CONFIG,
  MIRROR
} handle_kind;

typedef struct handle {
  char name[32];
  handle_kind kind;
  void *it; /* a coord_lease * or what its kind is */
  coord_client *client;
  coord_queue *queue;
  coord_event *event; /* the last one that was taken */
  json_object *left;  /* changes that were taken, and asked for by no step yet */
} handle;

typedef struct call {
  char name[32];
  const char *verb;
  coord_client *client;
  coord_queue *queue;
  coord_event *event; /* its end, once it was seen */
  uint64_t id;
} call;

typedef struct run {
  const char *endpoint;
  const char *door;
  FILE *to_server; /* conformance_etcd */
  FILE *from_server;
  handle handles[NAMES_MAX];
  call calls[NAMES_MAX];
  json_object *variables;
  json_object *scratch; /* values that live until the step ends */
  char why[1024];       /* why the step failed; "" when it did not */
} run;

typedef struct bytes {
  const char *data;
  size_t len;
} bytes;

/* ---- value.c ---- */

/* Says why the step failed, unless there is a reason already; false. */
bool run_fail(run *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
json_object *run_member(json_object *map, const char *name);
/* With variables and bytes filled in; lives until the step ends. NULL: null, or a failure. */
json_object *run_value(run *r, json_object *written);
bool run_given(json_object *step, const char *name);
bytes run_bytes(run *r, json_object *step, const char *name);
const char *run_text(run *r, json_object *step, const char *name); /* NULL: not given */
int64_t run_int(run *r, json_object *step, const char *name, int64_t otherwise);
bool run_bool(run *r, json_object *step, const char *name, bool otherwise);
/* An argument `json` as text; lives until the step ends. */
const char *run_json(json_object *step);
/* NULL when none are given; else the caller frees them. `err` is set when one is refused. */
coord_options *run_options(run *r, json_object *step, coord_error **err);
/* Whether the result is what is expected. */
bool run_compare(run *r, json_object *expected, json_object *actual);
bool run_save(run *r, json_object *save, json_object *result);

/* ---- record.c: results and events as maps; the caller puts them ---- */

json_object *record_bytes(const void *data, size_t len);
json_object *record_failure(coord_code code, const coord_error *err);
json_object *record_result(const char *verb, const coord_result *result);
json_object *record_event(const handle *h, const coord_event *event);
json_object *record_json(const char *text); /* what it says; NULL for NULL */

/* ---- op.c ---- */

/* The op of a step; NULL when memory is out. */
coord_op *op_of(run *r, json_object *step, handle *of);
/* A get of its keys, with its attributes. */
coord_op *op_of_range(run *r, json_object *step);

/* ---- handle.c ---- */

handle *handle_named(run *r, const char *name); /* NULL, and a failure, when there is none */
coord_client *handle_client(run *r, const char *name);
/* What a verb that makes a handle says. */
json_object *handle_open(run *r, json_object *step, handle_kind kind);
void handle_free(handle *h);
json_object *handle_look(run *r, const handle *h);

/* ---- event.c ---- */

json_object *event_next(run *r, handle *h, json_object *step);
json_object *event_changes(run *r, handle *h, size_t count);
void event_quiet(run *r, handle *h);

/* ---- step.c ---- */

/* False when it failed: run->why says why. */
bool step_run(run *r, json_object *step);
void step_free_all(run *r);

#endif
