#include <inttypes.h>

#include "print.h"
#include "range_args.h"
#include "report.h"
#include "session.h"

static void show(const coord_result *result, bool prev) {
  if (cli.json) {
    printf("{\"deleted\":%" PRId64 ",\"revision\":%" PRId64, coord_result_total(result),
           coord_result_revision(result));
    if (prev) {
      fputs(",\"prev\":", stdout);
      print_json_kvs(result, false);
    }
    puts("}");
    return;
  }
  if (!prev) printf("%" PRId64 "\n", coord_result_total(result));
  for (size_t i = 0; i < coord_result_count(result); i++) {
    coord_kv kv;
    if (coord_result_kv(result, i, &kv) == COORD_OK) print_kv(&kv, false);
  }
}

static int run(const struct args *args) {
  struct delete_request request = {.prev = args_has(args, "--prev")};
  struct session session;
  coord_result *result = NULL;
  if (!args_words(args, 1, 1) || !range_from_args(args, &request.range)) return CLI_USAGE;
  int code = session_open(args, &session);
  if (code == CLI_FINE) {
    code = session_call(&session, "del", delete_op(&request), &result);
    if (code == CLI_FINE) {
      show(result, request.prev);
      if (coord_result_total(result) == 0) code = CLI_ABSENT;
    }
    coord_result_free(result);
    session_close(&session);
  }
  range_free(&request.range);
  return code;
}

static const struct flag flags[] = {
    FLAGS_RANGE, {"--prev", NULL, "print what was deleted instead"}, FLAG_KEY_BASE64, {0}};

const struct verb verb_del = {
    .name = "del",
    .usage = "KEY [FLAGS]",
    .summary = "delete a key, or a range of keys",
    .text = "Prints how many keys were deleted; ends with 1 when there was none.",
    .flags = flags,
    .examples =
        "  $ coord put /fruit/apple red\n"
        "  $ coord put /fruit/banana yellow\n"
        "  $ coord del /fruit/apple\n"
        "  $ coord del /fruit/ --prefix --prev\n",
    .run = run,
};
