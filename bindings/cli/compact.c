#include <inttypes.h>
#include <stdio.h>

#include "args.h"
#include "report.h"
#include "session.h"

static int run(const struct args *args) {
  int64_t revision = 0;
  struct session session;
  coord_result *result = NULL;
  if (!args_words(args, 1, 1)) return CLI_USAGE;
  if (!parse_number(args->words[0], 1, INT64_MAX, &revision)) {
    return usage_error("compact", "REV is a revision, a number from 1, got \"%s\"", args->words[0]);
  }
  int code = session_open(args, &session);
  if (code != CLI_FINE) return code;
  coord_op *op = coord_op_compact(revision);
  if (op != NULL && args_has(args, "--physical")) coord_op_set(op, COORD_OP_PHYSICAL, 1);
  code = session_call(&session, "compact", op, &result);
  if (code == CLI_FINE && cli.json) {
    printf("{\"compacted\":%" PRId64 ",\"revision\":%" PRId64 "}\n", revision,
           coord_result_revision(result));
  } else if (code == CLI_FINE && !cli.quiet) {
    printf("compacted revision %" PRId64 "\n", revision);
  }
  coord_result_free(result);
  session_close(&session);
  return code;
}

static const struct flag flags[] = {
    {"--physical", NULL, "wait until the space is reclaimed inside the database"}, {0}};

const struct verb verb_compact = {
    .name = "compact",
    .usage = "REV [--physical]",
    .summary = "forget the history before a revision",
    .text =
        "Older revisions than REV can no longer be read. Present values stay as they are.\n"
        "\"coord status\" and every --json answer show the present revision.",
    .flags = flags,
    .examples =
        "  $ coord put hello world\n"
        "  $ coord put hello again\n"
        "  $ coord compact 2\n",
    .run = run,
};
