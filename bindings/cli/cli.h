/* What the verbs of the command share. */
#ifndef COORD_CLI_H
#define COORD_CLI_H

#include <coord.h>
#include <json-c/json.h>
#include <stdbool.h>
#include <stdio.h>

/* Exit codes; `coord --help` states them. */
enum {
  EXIT_FINE = 0,
  EXIT_NOTHING = 1, /* no such key, or the compares did not hold */
  EXIT_USAGE = 2,
  EXIT_AWAY = 3,    /* no server, or no answer in time */
  EXIT_REFUSED = 4, /* the server said no */
  EXIT_OTHER = 5
};

typedef struct cli {
  coord_options *options;
  int32_t timeout_ms; /* 0: the library's default */
  bool json;
  bool quiet;
  bool no_color;
} cli;

typedef struct verb {
  const char *name;
  const char *summary;
  const char *help;
  /* argv[0] is the verb; getopt is reset. */
  int (*run)(cli *c, int argc, char **argv);
} verb;

extern const verb verb_get, verb_put, verb_del, verb_txn, verb_compact, verb_status, verb_members,
    verb_import, verb_export, verb_dev, verb_version;

/* ---- messages (cli.c) ---- */

/* "coord: ...", and EXIT_USAGE. */
int usage_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* "coord: WHAT: MESSAGE (CODE)"; frees err; returns the exit code for it. */
int fail(const char *what, coord_code code, coord_error *err);
/* "coord: WHAT: text of errno", and EXIT_OTHER. */
int fail_errno(const char *what);
/* getopt has met an option that the verb does not have. */
int bad_option(const char *verb_name);

/* Open a client with the options of the command line, or report why not: NULL, and *status. */
coord_client *open_client(cli *c, int *status);
/* Execute and free an op: NULL, and *status, when it failed. */
coord_result *execute(cli *c, coord_client *client, coord_op *op, const char *what, int *status);

/* A whole number of at least `min`. False, with a message that names `option`, otherwise. */
bool parse_number(const char *option, const char *text, int64_t min, int64_t *out);
/* "500", "500ms", "5s", "2m" as milliseconds. */
bool parse_duration(const char *option, const char *text, int32_t *out_ms);

/* All of a file, or of standard input for "-". False, with a message, when it cannot be read. */
bool read_all(const char *path, char **out, size_t *len);

double now_s(void);

/* ---- JSON (json.c) ---- */

/* Add bytes as `name` when they are UTF-8 without NUL, otherwise as `name`_base64. */
void json_add_bytes(json_object *o, const char *name, const void *p, size_t n);
/* Read them back, from either form. False when there is neither, or it is broken: *why is static. */
bool json_get_bytes(json_object *o, const char *name, void **out, size_t *n, const char **why);
/* A key-value with all its fields; `keys_only` leaves the value out. */
json_object *json_kv(const coord_kv *kv, bool keys_only);
/* Key and value alone, as import and export carry them. */
json_object *json_pair(const coord_kv *kv);
/* One line on `out`; frees the object. False when it could not be written. */
bool json_print(json_object *o, FILE *out);

/* ---- progress (progress.c) ---- */

typedef struct progress {
  const char *what;
  bool shown; /* on a terminal and not quiet */
  double started_s;
  double drawn_s;
  int64_t total; /* -1 unknown */
} progress;

void progress_start(progress *p, const cli *c, const char *what, int64_t total);
void progress_update(progress *p, int64_t done);
void progress_end(progress *p);

/* What import and export tell at the end: to `summary` as JSON with --json, else to standard error. */
void print_totals(const cli *c, FILE *json_to, const char *done, int64_t keys, int64_t bytes,
                  double seconds);

#endif
