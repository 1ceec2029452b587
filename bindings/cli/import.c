/* coord import */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli.h"

/* Enough to keep the server busy, little enough to stop soon. */
enum { MOST_IN_FLIGHT = 256, MOST_BYTES = 32 * 1024 * 1024 };

typedef struct import {
  cli *c;
  const char *path;
  coord_client *client;
  coord_queue *queue;
  size_t in_flight;
  size_t bytes_in_flight;
  int64_t keys;
  int64_t bytes;
  int64_t line;
  int status;
} import;

/* Take one completion; its tag is the number of bytes that it carried. */
static void settle_one(import *im) {
  coord_event *event = coord_queue_next(im->queue, -1);
  im->in_flight--;
  size_t size = (size_t)coord_event_tag(event);
  im->bytes_in_flight -= size;
  if (coord_event_code(event) == COORD_OK) {
    im->keys++;
    im->bytes += (int64_t)size;
  } else if (im->status == EXIT_FINE) {
    const coord_error *err = coord_event_error(event);
    fprintf(stderr, "coord: import: %s (%s)\n", coord_error_message(err),
            coord_code_name(coord_event_code(event)));
    im->status =
        coord_event_code(event) == COORD_UNAVAILABLE || coord_event_code(event) == COORD_TIMEOUT
            ? EXIT_AWAY
            : EXIT_REFUSED;
  }
  coord_event_free(event);
}

static void put(import *im, const void *key, size_t key_len, const void *value, size_t value_len) {
  size_t size = key_len + value_len;
  while (im->in_flight >= MOST_IN_FLIGHT ||
         (im->in_flight > 0 && im->bytes_in_flight + size > MOST_BYTES)) {
    settle_one(im);
  }
  coord_error *err = NULL;
  coord_op *op = coord_op_put(key, key_len, value, value_len);
  coord_code code = coord_submit(im->client, op, im->c->timeout_ms, im->queue, size, NULL, &err);
  coord_op_free(op);
  if (code == COORD_OK) {
    im->in_flight++;
    im->bytes_in_flight += size;
  } else {
    char where[64];
    snprintf(where, sizeof where, "line %lld", (long long)im->line);
    im->status = fail(where, code, err);
  }
}

static void bad_line(import *im, const char *why) {
  im->status = usage_error("%s:%lld: %s", im->path, (long long)im->line, why);
}

static void take_line(import *im, const char *text, size_t len) {
  if (strspn(text, " \t\r\n") == len) return;
  json_tokener *tokener = json_tokener_new();
  json_object *o = json_tokener_parse_ex(tokener, text, (int)len);
  size_t at = json_tokener_get_parse_end(tokener);
  bool whole = o != NULL && at + strspn(text + at, " \t\r\n") == len;
  json_tokener_free(tokener);
  void *key = NULL;
  void *value = NULL;
  size_t key_len;
  size_t value_len;
  const char *why;
  char message[96];
  if (!whole || !json_object_is_type(o, json_type_object)) {
    bad_line(im, "is not one JSON object");
  } else if (!json_get_bytes(o, "key", &key, &key_len, &why)) {
    snprintf(message, sizeof message, "\"key\" %s", why);
    bad_line(im, message);
  } else if (!json_get_bytes(o, "value", &value, &value_len, &why)) {
    snprintf(message, sizeof message, "\"value\" %s", why);
    bad_line(im, message);
  } else {
    put(im, key, key_len, value, value_len);
  }
  free(key);
  free(value);
  json_object_put(o);
}

static void take_all(import *im, FILE *in) {
  struct stat st;
  bool sized = fstat(fileno(in), &st) == 0 && S_ISREG(st.st_mode);
  progress p;
  progress_start(&p, im->c, "import", sized ? (int64_t)st.st_size : -1);
  char *text = NULL;
  size_t room = 0;
  int64_t read = 0;
  double started = now_s();
  for (ssize_t n; im->status == EXIT_FINE && (n = getline(&text, &room, in)) != -1;) {
    im->line++;
    read += n;
    take_line(im, text, (size_t)n);
    progress_update(&p, sized ? read : im->keys);
  }
  if (ferror(in)) im->status = fail_errno(im->path);
  while (im->in_flight > 0) settle_one(im);
  progress_end(&p);
  free(text);
  print_totals(im->c, stdout, "imported", im->keys, im->bytes, now_s() - started);
}

static int run(cli *c, int argc, char **argv) {
  if (argc != 2) return usage_error("import takes one FILE, or - ; see `coord import --help`");
import im = {.c = c, .path = argv[1] };
  FILE *in = stdin;
  if (strcmp(im.path, "-") == 0) {
    im.path = "standard input";
  } else if ((in = fopen(im.path, "rb")) == NULL) {
    return fail_errno(im.path);
  }
  im.client = open_client(c, &im.status);
  if (im.client != NULL) {
    coord_error *err = NULL;
    coord_code code = coord_queue_open(&im.queue, &err);
    if (code == COORD_OK) {
      take_all(&im, in);
    } else {
      im.status = fail("import", code, err);
    }
  }
  coord_queue_free(im.queue);
  coord_client_free(im.client);
  if (in != stdin) fclose(in);
  return im.status;
}

const verb verb_import = {
    "import", "write many keys from JSON lines",
    "usage: coord import FILE|-\n\n"
    "Each line is {\"key\": K, \"value\": V}; bytes that are not UTF-8 as \"key_base64\",\n"
    "\"value_base64\". Other members are ignored: what `export` and `get --json` write can be "
    "read.\n"
    "Many writes are under way at once; each is done or not by itself. Stops at the first bad "
    "line\n"
    "or refused write, names it, and has written only lines before and around it.\n\n"
    "Example:\n"
    "  echo '{\"key\": \"a\", \"value\": \"1\"}' | coord import -\n",
    run};
