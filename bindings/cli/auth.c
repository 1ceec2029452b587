#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>

#include "action.h"
#include "report.h"

static int show(const struct args *args, coord_op *op, bool enabled) {
  coord_result *result = NULL;
  int code = action_call(args, op, &result);
  if (code == CLI_FINE && cli.json) {
    printf("{\"enabled\":%s,\"revision\":%" PRId64 "}\n", enabled ? "true" : "false",
           coord_result_revision(result));
  } else if (code == CLI_FINE && !cli.quiet) {
    printf("authentication is %s\n", enabled ? "on" : "off");
  }
  coord_result_free(result);
  return code;
}

static int run_enable(const struct args *args, char **words) {
  (void)words;
  return show(args, coord_op_auth_enable(), true);
}

static int run_disable(const struct args *args, char **words) {
  (void)words;
  return show(args, coord_op_auth_disable(), false);
}

static int run_status(const struct args *args, char **words) {
  coord_result *result = NULL;
  (void)words;
  int code = action_call(args, coord_op_auth_status(), &result);
  if (code != CLI_FINE) return code;
  bool enabled = coord_result_succeeded(result) == 1;
  json_object *answer = json_tokener_parse(coord_result_json(result));
  const char *auth_revision =
      json_object_get_string(json_object_object_get(answer, "authRevision"));
  if (cli.json) {
    printf("{\"enabled\":%s,\"auth_revision\":%s,\"revision\":%" PRId64 "}\n",
           enabled ? "true" : "false", auth_revision, coord_result_revision(result));
  } else {
    printf("%s, at revision %s of users and roles\n", enabled ? "on" : "off", auth_revision);
  }
  json_object_put(answer);
  coord_result_free(result);
  return CLI_FINE;
}

static const struct action actions[] = {{"enable", "enable", 0, 0, NULL, run_enable},
                                        {"disable", "disable", 0, 0, NULL, run_disable},
                                        {"status", "status", 0, 0, NULL, run_status},
                                        {0}};

static int run(const struct args *args) { return action_run(args, actions); }

const struct verb verb_auth = {
    .name = "auth",
    .usage = "enable | disable | status",
    .summary = "switch authentication on or off, or ask whether it is on",
    .text =
        "Before it can be switched on, there must be a user root with the role root, who may do\n"
        "everything. From then on every call needs a user (--user), and is allowed what the\n"
        "roles of the user allow. status needs etcd 3.5 or newer.",
    .examples =
        "  $ export COORD_NEW_PASSWORD=rootpw\n"
        "  $ coord user add root && coord role add root && coord user grant root root\n"
        "  $ coord auth enable\n"
        "  $ export COORD_USERNAME=root COORD_PASSWORD=rootpw\n"
        "  $ coord user list\n"
        "  $ coord auth disable\n",
    .run = run,
};
