/* Put a key and read it back: open a client, call, look at the result, free what you own. */
#include <coord.h>
#include <stdio.h>
#include <stdlib.h>

/* NULL or "" gives the default, 127.0.0.1:2379. */
static coord_code open_client(const char *endpoints, coord_client **client, coord_error **err) {
  coord_options *options = NULL;
  coord_code code = coord_options_new(&options);
  if (code == COORD_OK) {
    code = coord_options_set(options, "endpoints", endpoints ? endpoints : "", err);
  }
  if (code == COORD_OK) code = coord_client_open(options, client, err);
  coord_options_free(options);
  return code;
}

int main(void) {
  coord_client *client = NULL;
  coord_result *result = NULL;
  coord_error *err = NULL;
  coord_kv kv;

  coord_code code = open_client(getenv("COORD_ENDPOINTS"), &client, &err);
  if (code == COORD_OK) code = coord_put(client, "greeting", 8, "hello, world", 12, &err);
  if (code == COORD_OK) code = coord_get(client, "greeting", 8, &result, &err);

  if (code != COORD_OK) {
    /* The code is for the program, the message for people. */
    fprintf(stderr, "hello: %s: %s\n", coord_code_name(code), coord_error_message(err));
  } else if (coord_result_kv(result, 0, &kv) != COORD_OK) {
    /* An absent key is no error: the result is empty then. */
    printf("somebody deleted the greeting at once\n");
  } else {
    /* A value is bytes with a length, and may hold zeros. */
    printf("greeting = ");
    fwrite(kv.value, 1, kv.value_len, stdout);
    printf("  (revision %lld, version %lld)\n", (long long)kv.mod_revision, (long long)kv.version);
  }
  coord_error_free(err);
  coord_result_free(result); /* kv borrows from it */
  coord_client_free(client);
  return code == COORD_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
