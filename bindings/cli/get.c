#include <inttypes.h>

#include "print.h"
#include "range_args.h"
#include "report.h"
#include "session.h"

static void print_value(const struct args *args, const coord_kv *kv, bool wide) {
  print_bytes(kv->value, kv->value_len);
  if (wide || cli.terminal_out || !args_has(args, "--print-value-only")) putchar('\n');
}

static void print_found(const struct args *args, const struct get_request *request,
                        const coord_result *result) {
  bool wide = range_is_wide(&request->range);
  for (size_t i = 0; i < coord_result_count(result); i++) {
    coord_kv kv;
    if (coord_result_kv(result, i, &kv) != COORD_OK) break;
    if (cli.json) {
      print_json_kv(&kv, request->keys_only);
      putchar('\n');
    } else if (request->keys_only || (wide && !args_has(args, "--print-value-only"))) {
      print_kv(&kv, request->keys_only);
    } else {
      print_value(args, &kv, wide);
    }
  }
}

static void print_count(const coord_result *result) {
  if (cli.json) {
    printf("{\"count\":%" PRId64 ",\"revision\":%" PRId64 "}\n", coord_result_total(result),
           coord_result_revision(result));
  } else {
    printf("%" PRId64 "\n", coord_result_total(result));
  }
}

static int show(const struct args *args, const struct get_request *request,
                const coord_result *result) {
  if (request->count_only) {
    print_count(result);
    return CLI_FINE;
  }
  if (coord_result_count(result) == 0) {
    return absent(
        "get", range_is_wide(&request->range) ? "no key in the range of \"%s\"" : "no key \"%s\"",
        args->words[0]);
  }
  print_found(args, request, result);
  if (coord_result_more(result) && !cli.json) {
    remark("%" PRId64 " keys in all; --limit cut the rest", coord_result_total(result));
  }
  return CLI_FINE;
}

static bool read_flags(const struct args *args, struct get_request *out) {
  out->keys_only = args_has(args, "--keys-only");
  out->count_only = args_has(args, "--count-only");
  out->serializable = args_has(args, "--serializable");
  out->descending = args_has(args, "--desc");
  out->sort = args_text(args, "--sort");
  if (!args_number(args, "--limit", 0, INT64_MAX, &out->limit)) return false;
  if (!args_number(args, "--rev", 0, INT64_MAX, &out->revision)) return false;
  if (out->sort != NULL && !sort_known(out->sort)) {
    usage_error("get", "--sort takes " SORTS ", got \"%s\"", out->sort);
    return false;
  }
  if (out->keys_only + out->count_only + args_has(args, "--print-value-only") > 1) {
    usage_error("get", "--keys-only, --count-only and --print-value-only exclude each other");
    return false;
  }
  if (cli.json && args_has(args, "--print-value-only")) {
    usage_error("get", "--json and --print-value-only exclude each other");
    return false;
  }
  return true;
}

static int run(const struct args *args) {
  struct get_request request = {0};
  struct session session;
  coord_result *result = NULL;
  if (!args_words(args, 1, 1) || !read_flags(args, &request)) return CLI_USAGE;
  if (!range_from_args(args, &request.range)) return CLI_USAGE;
  int code = session_open(args, &session);
  if (code == CLI_FINE) {
    code = session_call(&session, "get", get_op(&request), &result);
    if (code == CLI_FINE) code = show(args, &request, result);
    coord_result_free(result);
    session_close(&session);
  }
  range_free(&request.range);
  return code;
}

static const struct flag flags[] = {
    FLAGS_RANGE,
    {"--limit", "N", "at most N keys; 0 is all"},
    {"--rev", "N", "as the store was at revision N"},
    {"--keys-only", NULL, "no values"},
    {"--count-only", NULL, "only how many keys there are"},
    {"--print-value-only", NULL,
     "of a range, the values alone; of one key, its value byte for byte,\n"
     "without a line end behind it"},
    {"--sort", "BY", "sort by " SORTS},
    {"--desc", NULL, "descending; by key unless --sort says otherwise"},
    {"--serializable", NULL,
     "let the member answer from its own copy, maybe stale, but fast and\n"
     "also when the cluster has no leader"},
    FLAG_KEY_BASE64,
    {0}};

const struct verb verb_get = {
    .name = "get",
    .usage = "KEY [FLAGS]",
    .summary = "read a key, or a range of keys",
    .text =
        "Prints the value of KEY and a line end; of a range each key and below it its value. On a\n"
        "terminal, control bytes are shown as \\xNN; into a file or pipe all bytes go as they\n"
        "are. For ranges of any size use \"coord export\", which reads page by page.\n"
        "Ends with 1 when there is no such key.",
    .flags = flags,
    .examples =
        "  $ coord put /fruit/apple red\n"
        "  $ coord put /fruit/banana yellow\n"
        "  $ coord get /fruit/apple\n"
        "  $ coord get /fruit/ --prefix --json\n"
        "  $ coord get /fruit/ --prefix --count-only\n"
        "  $ coord get /fruit/ --prefix --sort mod --desc --limit 1\n"
        "  $ colour=$(coord get /fruit/apple --print-value-only)\n",
    .run = run,
};
