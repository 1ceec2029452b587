/* Compare-and-set: write a key only if nobody changed it since it was read. */
#include <coord.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char key[] = "config/color";

static coord_client *open_client(void) {
  const char *endpoints = getenv("COORD_ENDPOINTS");
  coord_options *options = NULL;
  coord_client *client = NULL;
  coord_error *err = NULL;
  coord_code code = coord_options_new(&options);
  if (code == COORD_OK) {
    code = coord_options_set(options, "endpoints", endpoints ? endpoints : "", &err);
  }
  if (code == COORD_OK) code = coord_client_open(options, &client, &err);
  if (code != COORD_OK) {
    fprintf(stderr, "txn: %s: %s\n", coord_code_name(code), coord_error_message(err));
  }
  coord_error_free(err);
  coord_options_free(options);
  return client;
}

/* The revision at which the key was written last; 0 when it does not exist; -1 after an error. */
static long long read_revision(coord_client *client) {
  coord_result *result = NULL;
  coord_error *err = NULL;
  coord_kv kv = {0};
  long long revision = 0;

  coord_code code = coord_get(client, key, strlen(key), &result, &err);
  if (code != COORD_OK) {
    fprintf(stderr, "txn: %s: %s\n", coord_code_name(code), coord_error_message(err));
    revision = -1;
  } else if (coord_result_kv(result, 0, &kv) == COORD_OK) {
    revision = kv.mod_revision;
  }
  coord_error_free(err);
  coord_result_free(result);
  return revision;
}

/*
 * Set the key to `color` if it is still at `revision`, which 0 makes "if it does not exist yet".
 * Returns the revision of the write; 0 when somebody was faster; -1 after an error.
 */
static long long set_if(coord_client *client, long long revision, const char *color) {
  coord_op *txn = coord_op_txn();
  coord_op *put = coord_op_put(key, strlen(key), color, strlen(color));
  coord_op *get = coord_op_get(key, strlen(key));
  coord_result *result = NULL;
  coord_error *err = NULL;
  long long written = 0;

  /* What goes wrong while a transaction is built, coord_call answers: nothing is sent then. */
  coord_op_if_int(txn, key, strlen(key), COORD_COMPARE_MOD, COORD_EQUAL, revision);
  coord_op_then(txn, put);
  coord_op_else(txn, get);
  coord_code code = coord_call(client, txn, 0, &result, &err);

  if (code != COORD_OK) {
    /* MAYBE_APPLIED: the write may have happened. Trying the same again is safe with a compare. */
    int maybe = (coord_error_flags(err) & COORD_MAYBE_APPLIED) != 0;
    fprintf(stderr, "txn: %s: %s%s\n", coord_code_name(code), coord_error_message(err),
            maybe ? " (the write may have been applied)" : "");
    written = -1;
  } else if (coord_result_succeeded(result)) {
    written = coord_result_revision(result);
    printf("set to %s: done, at revision %lld\n", color, written);
  } else {
    coord_kv kv = {.value = "nothing", .value_len = 7};
    coord_result_kv(coord_result_part(result, 0), 0, &kv); /* what the else branch read */
    printf("set to %s: refused, it is %.*s now\n", color, (int)kv.value_len,
           (const char *)kv.value);
  }
  coord_error_free(err);
  coord_result_free(result);
  coord_op_free(get);
  coord_op_free(put);
  coord_op_free(txn);
  return written;
}

int main(void) {
  coord_client *client = open_client();
  if (client == NULL) return EXIT_FAILURE;

  long long before = read_revision(client);
  int good = before >= 0 && set_if(client, before, "green") > 0 /* nobody was in between */
             && set_if(client, before, "blue") == 0             /* green was in between */
             && (before = read_revision(client)) >= 0           /* so read again, */
             && set_if(client, before, "blue") > 0;             /* and try again */
  coord_client_free(client);
  return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
