#include <json-c/json.h>
#include <stdio.h>

#include "args.h"
#include "report.h"
#include "session.h"

static const char *text_of(json_object *object, const char *name) {
  return json_object_get_string(json_object_object_get(object, name));
}

static void print_urls(json_object *urls) {
  for (size_t i = 0; i < json_object_array_length(urls); i++) {
    printf("%s%s", i > 0 ? "," : "", json_object_get_string(json_object_array_get_idx(urls, i)));
  }
}

static void show(const coord_result *result) {
  json_object *answer = json_tokener_parse(coord_result_json(result));
  json_object *members = json_object_object_get(answer, "members");
  if (!cli.json) {
    printf("%s%-16s  %-16s  %-8s  %s%s\n", paint_out(PAINT_BOLD), "ID", "NAME", "ROLE",
           "CLIENT URLS  PEER URLS", paint_out(PAINT_OFF));
  }
  for (size_t i = 0; i < json_object_array_length(members); i++) {
    json_object *member = json_object_array_get_idx(members, i);
    if (cli.json) {
      puts(json_object_to_json_string_ext(member,
                                          JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
      continue;
    }
    bool learner = json_object_get_boolean(json_object_object_get(member, "isLearner"));
    printf("%-16s  %-16s  %-8s  ", text_of(member, "ID"), text_of(member, "name"),
           learner ? "learner" : "voter");
    print_urls(json_object_object_get(member, "clientURLs"));
    fputs("  ", stdout);
    print_urls(json_object_object_get(member, "peerURLs"));
    putchar('\n');
  }
  json_object_put(answer);
}

static int run(const struct args *args) {
  struct session session;
  coord_result *result = NULL;
  if (!args_words(args, 0, 0)) return CLI_USAGE;
  int code = session_open(args, &session);
  if (code != CLI_FINE) return code;
  code = session_call(&session, "members", coord_op_members(), &result);
  if (code == CLI_FINE) show(result);
  coord_result_free(result);
  session_close(&session);
  return code;
}

const struct verb verb_members = {
    .name = "members",
    .usage = "",
    .summary = "list the members of the cluster",
    .text = "One line for each member: id, name, role and where it listens.",
    .examples =
        "  $ coord members\n"
        "  $ coord members --json\n",
    .run = run,
};
