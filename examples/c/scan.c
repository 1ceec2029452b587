/* List a range of any size: page by page, all of it as it was at one revision. */
#include <coord.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: scan [PREFIX [PAGE]]\n"
    "\n"
    "Lists the keys that begin with PREFIX (all) and the sizes of their values, PAGE keys (100) "
    "at\n"
    "a time: the memory it needs depends on PAGE alone.";

static coord_code open_client(coord_client **client, coord_error **err) {
  const char *endpoints = getenv("COORD_ENDPOINTS");
  coord_options *options = NULL;
  coord_code code = coord_options_new(&options);
  if (code == COORD_OK) {
    code = coord_options_set(options, "endpoints", endpoints ? endpoints : "", err);
  }
  if (code == COORD_OK) code = coord_client_open(options, client, err);
  coord_options_free(options);
  return code;
}

static void print_page(const coord_result *page) {
  for (size_t i = 0; i < coord_result_count(page); i++) {
    coord_kv kv;
    if (coord_result_kv(page, i, &kv) != COORD_OK) break;
    printf("%9zu  ", kv.value_len);
    fwrite(kv.key, 1, kv.key_len, stdout);
    putchar('\n');
  }
}

static coord_code list(coord_client *client, const char *prefix, int page_keys, coord_error **err) {
  coord_scan *scan = NULL;
  coord_result *page = NULL;
  long pages = 0;

  coord_op *get = coord_op_get(prefix, strlen(prefix));
  coord_op_set_prefix(get);
  coord_code code = coord_scan_open(client, get, page_keys, &scan, err);
  coord_op_free(get);

  while (code == COORD_OK && (code = coord_scan_next(scan, 0, &page, err)) == COORD_OK && page) {
    print_page(page);
    coord_result_free(page);
    page = NULL;
    pages++;
    printf("-- page %ld: %lld of %lld keys\n", pages, (long long)coord_scan_delivered(scan),
           (long long)coord_scan_total(scan));
  }
  if (code == COORD_OK) {
    printf("%lld keys in %ld pages at revision %lld\n", (long long)coord_scan_delivered(scan),
           pages, (long long)coord_scan_revision(scan));
  }
  coord_scan_free(scan);
  return code;
}

int main(int argc, char **argv) {
  const char *prefix = argc > 1 ? argv[1] : "";
  coord_client *client = NULL;
  coord_error *err = NULL;
  char *end = NULL;

  if (strcmp(prefix, "--help") == 0) {
    puts(usage);
    return EXIT_SUCCESS;
  }
  long page_keys = argc > 2 ? strtol(argv[2], &end, 10) : 100;
  if (argc > 3 || (end != NULL && *end != '\0') || page_keys < 1 || page_keys > 100000) {
    fprintf(stderr, "scan: a page has 1 to 100000 keys\n%s\n", usage);
    return 2;
  }

  coord_code code = open_client(&client, &err);
  if (code == COORD_OK) code = list(client, prefix, (int)page_keys, &err);
  if (code != COORD_OK) {
    fprintf(stderr, "scan: %s: %s\n", coord_code_name(code), coord_error_message(err));
  }
  coord_error_free(err);
  coord_client_free(client);
  return code == COORD_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
