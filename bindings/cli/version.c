#include <coord.h>
#include <stdio.h>

#include "args.h"

static int run(const struct args *args) {
  if (args->verb != NULL && !args_words(args, 0, 0)) return CLI_USAGE;
  printf(cli.json ? "{\"version\":\"%s\"}\n" : "coord %s\n", coord_version_string());
  return CLI_FINE;
}

const struct verb verb_version = {
    .name = "version",
    .usage = "",
    .summary = "print the version",
    .text =
        "Prints the version of the libcoord that this program runs with. That of a server is in\n"
        "\"coord status\".",
    .examples =
        "  $ coord version\n"
        "  $ coord version --json\n",
    .run = run,
};
