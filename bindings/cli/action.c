#include "action.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "print.h"
#include "report.h"
#include "session.h"

static int no_such_action(const struct args *args, const struct action *actions) {
  char names[128] = "";
  for (const struct action *a = actions; a->name != NULL; a++) {
    size_t n = strlen(names);
    snprintf(names + n, sizeof names - n, "%s%s", n > 0 ? ", " : "", a->name);
  }
  if (args->count == 0) {
    return usage_error(args->verb->name, "what to do is missing: one of %s", names);
  }
  return usage_error(args->verb->name, "\"%s\" is none of %s", args->words[0], names);
}

/* A flag of the verb that belongs to another action. */
static const char *foreign_flag(const struct args *args, const struct action *action) {
  char spaced[48];
  for (int i = 0; i < args->flag_count; i++) {
    const struct flag *flag = args->flags[i].flag;
    bool own = false;
    for (const struct flag *f = args->verb->flags; f != NULL && f->name != NULL; f++) {
      own |= f == flag;
    }
    if (!own) continue;
    snprintf(spaced, sizeof spaced, " %s ", flag->name);
    if (action->flags == NULL || strstr(action->flags, spaced) == NULL) return flag->name;
  }
  return NULL;
}

int action_run(const struct args *args, const struct action *actions) {
  const struct action *a = actions;
  const char *verb = args->verb->name;
  while (args->count > 0 && a->name != NULL && strcmp(a->name, args->words[0]) != 0) a++;
  if (args->count == 0 || a->name == NULL) return no_such_action(args, actions);
  int count = args->count - 1;
  if (count < a->min) return usage_error(verb, "too few arguments: coord %s %s", verb, a->usage);
  if (count > a->max) {
    return usage_error(verb, "\"%s\" is one argument too many: coord %s %s",
                       args->words[1 + a->max], verb, a->usage);
  }
  const char *foreign = foreign_flag(args, a);
  if (foreign != NULL) return usage_error(verb, "%s is not for %s %s", foreign, verb, a->name);
  return a->run(args, args->words + 1);
}

int action_call(const struct args *args, coord_op *op, coord_result **out) {
  struct session session;
  int code = session_open(args, &session);
  if (code != CLI_FINE) {
    coord_op_free(op);
    return code;
  }
  code = session_call(&session, args->verb->name, op, out);
  session_close(&session);
  return code;
}

int action_do(const struct args *args, coord_op *op, const char *kind, const char *name,
              const char *done) {
  coord_result *result = NULL;
  int code = action_call(args, op, &result);
  if (code == CLI_FINE && cli.json) {
    fputs("{", stdout);
    print_json_bytes(kind, name, strlen(name));
    printf(",\"revision\":%" PRId64 "}\n", coord_result_revision(result));
  } else if (code == CLI_FINE && !cli.quiet) {
    printf("%s ", kind);
    print_bytes(name, strlen(name));
    printf(" %s\n", done);
  }
  coord_result_free(result);
  return code;
}

int action_names(const struct args *args, coord_op *op, const char *field) {
  coord_result *result = NULL;
  int code = action_call(args, op, &result);
  if (code != CLI_FINE) return code;
  if (cli.json) printf("{\"%s\":[", field);
  for (size_t i = 0; i < coord_result_names(result); i++) {
    const char *name = coord_result_name(result, i);
    if (cli.json) {
      if (i > 0) putchar(',');
      print_json_string(name, strlen(name));
    } else {
      print_bytes(name, strlen(name));
      putchar('\n');
    }
  }
  if (cli.json) printf("],\"revision\":%" PRId64 "}\n", coord_result_revision(result));
  coord_result_free(result);
  return CLI_FINE;
}
