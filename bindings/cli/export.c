/* coord export */
#include <getopt.h>
#include <string.h>

#include "cli.h"

/* Pages until the end; false when it failed, with *status. */
static bool write_pages(cli *c, coord_scan *scan, int64_t *bytes, int *status) {
  progress p;
  progress_start(&p, c, "export", -1);
  bool good = true;
  while (good) {
    coord_result *page = NULL;
    coord_error *err = NULL;
    coord_code code = coord_scan_next(scan, c->timeout_ms, &page, &err);
    if (code != COORD_OK) {
      progress_end(&p);
      *status = fail("export", code, err);
      return false;
    }
    if (page == NULL) break;
    coord_kv kv;
    for (size_t i = 0; good && coord_result_kv(page, i, &kv) == COORD_OK; i++) {
      good = json_print(json_pair(&kv), stdout);
      *bytes += (int64_t)(kv.key_len + kv.value_len);
    }
    coord_result_free(page);
    p.total = coord_scan_total(scan);
    progress_update(&p, coord_scan_delivered(scan));
  }
  if (good) good = fflush(stdout) == 0;
  progress_end(&p);
  if (!good) *status = fail_errno("standard output");
  return good;
}

static int run(cli *c, int argc, char **argv) {
  static const struct option longs[] = {{"rev", required_argument, NULL, 'r'},
                                        {"page", required_argument, NULL, 'p'},
                                        {NULL, 0, NULL, 0}};
  int64_t revision = 0;
  int64_t page = 0;
  for (int o; (o = getopt_long(argc, argv, "", longs, NULL)) != -1;) {
    if (o == '?') return bad_option("export");
    if (o == 'r' && !parse_number("--rev", optarg, 1, &revision)) return EXIT_USAGE;
    if (o == 'p' && !parse_number("--page", optarg, 1, &page)) return EXIT_USAGE;
  }
  if (page > 100000) return usage_error("--page: %lld is more than 100000", (long long)page);
  if (argc - optind != 1) return usage_error("export takes one PREFIX; see `coord export --help`");
  int status = EXIT_FINE;
  coord_client *client = open_client(c, &status);
  if (client == NULL) return status;
  coord_op *get = coord_op_get(argv[optind], strlen(argv[optind]));
  coord_op_set_prefix(get);
  coord_op_set(get, COORD_OP_REVISION, revision);
  coord_scan *scan = NULL;
  coord_error *err = NULL;
  coord_code code = coord_scan_open(client, get, (int32_t)page, &scan, &err);
  coord_op_free(get);
  if (code != COORD_OK) {
    status = fail("export", code, err);
  } else {
    int64_t bytes = 0;
    double started = now_s();
    if (write_pages(c, scan, &bytes, &status)) {
      int64_t keys = coord_scan_delivered(scan);
      print_totals(c, stderr, "exported", keys, bytes, now_s() - started);
      if (keys == 0) status = EXIT_NOTHING;
    }
  }
  coord_scan_free(scan);
  coord_client_free(client);
  return status;
}

const verb verb_export = {
    "export", "read all keys of a prefix as JSON lines",
    "usage: coord export PREFIX [OPTIONS]\n\n"
    "Writes {\"key\": K, \"value\": V} a line, in the order of keys, all as they were at one\n"
    "revision, however many there are. \"\" exports everything. Exits with 1 when there is no "
    "key.\n"
    "With --json the summary on standard error is JSON as well.\n\n"
    "  --rev N     as the store was at revision N\n"
    "  --page N    keys to a page, 1 to 100000; default: the option scan.page.keys\n\n"
    "Example:\n"
    "  coord export config/ > backup.jsonl\n",
    run};
