/* coord status, members, compact, version: about the server and this program. */
#include <getopt.h>
#include <string.h>

#include "cli.h"

static const char *text(json_object *o, const char *name) {
  json_object *value;
  return json_object_object_get_ex(o, name, &value) ? json_object_get_string(value) : "";
}

/* One op whose answer is JSON: as it is, or through `print`. */
static int show(cli *c, int argc, const char *name, coord_op *op, void (*print)(json_object *)) {
  if (argc != 1) {
    coord_op_free(op);
    return usage_error("%s takes no arguments; see `coord %s --help`", name, name);
  }
  int status = EXIT_FINE;
  coord_client *client = open_client(c, &status);
  if (client == NULL) {
    coord_op_free(op);
    return status;
  }
  coord_result *result = execute(c, client, op, name, &status);
  if (result != NULL && c->json) puts(coord_result_json(result));
  if (result != NULL && !c->json) {
    json_object *o = json_tokener_parse(coord_result_json(result));
    print(o);
    json_object_put(o);
  }
  coord_result_free(result);
  coord_client_free(client);
  return status;
}

static void print_status(json_object *o) {
  json_object *header = NULL;
  json_object_object_get_ex(o, "header", &header);
  printf("version     %s\n", text(o, "version"));
  printf("member      %s%s\n", text(header, "member_id"),
         strcmp(text(o, "leader"), text(header, "member_id")) == 0 ? " (leader)" : "");
  printf("leader      %s\n", text(o, "leader"));
  printf("revision    %s\n", text(header, "revision"));
  printf("raft term   %s\n", text(o, "raftTerm"));
  printf("database    %s bytes, %s in use\n", text(o, "dbSize"), text(o, "dbSizeInUse"));
}

static int run_status(cli *c, int argc, char **argv) {
  (void)argv;
  return show(c, argc, "status", coord_op_status(), print_status);
}

static void print_urls(json_object *member, const char *name) {
  json_object *urls;
  if (!json_object_object_get_ex(member, name, &urls)) return;
  for (size_t i = 0; i < json_object_array_length(urls); i++) {
    printf("%s%s", i > 0 ? "," : "", json_object_get_string(json_object_array_get_idx(urls, i)));
  }
}

static void print_members(json_object *o) {
  json_object *members;
  if (!json_object_object_get_ex(o, "members", &members)) return;
  for (size_t i = 0; i < json_object_array_length(members); i++) {
    json_object *member = json_object_array_get_idx(members, i);
    printf("%s  %s  ", text(member, "ID"), text(member, "name"));
    print_urls(member, "clientURLs");
    puts(strcmp(text(member, "isLearner"), "true") == 0 ? "  learner" : "");
  }
}

static int run_members(cli *c, int argc, char **argv) {
  (void)argv;
  return show(c, argc, "members", coord_op_members(), print_members);
}

static int run_compact(cli *c, int argc, char **argv) {
  static const struct option longs[] = {{"physical", no_argument, NULL, 'p'}, {NULL, 0, NULL, 0}};
  bool physical = false;
  for (int o; (o = getopt_long(argc, argv, "", longs, NULL)) != -1;) {
    if (o != 'p') return bad_option("compact");
    physical = true;
  }
  int64_t revision;
  if (argc - optind != 1) return usage_error("compact takes one REVISION");
  if (!parse_number("REVISION", argv[optind], 1, &revision)) return EXIT_USAGE;
  int status = EXIT_FINE;
  coord_client *client = open_client(c, &status);
  if (client == NULL) return status;
  coord_op *op = coord_op_compact(revision);
  if (physical) coord_op_set(op, COORD_OP_PHYSICAL, 1);
  coord_result *result = execute(c, client, op, "compact", &status);
  if (result != NULL && c->json) printf("{\"compacted\":%lld}\n", (long long)revision);
  coord_result_free(result);
  coord_client_free(client);
  return status;
}

static int run_version(cli *c, int argc, char **argv) {
  (void)argc;
  (void)argv;
  printf(c->json ? "{\"version\":\"%s\"}\n" : "coord %s\n", coord_version_string());
  return EXIT_FINE;
}

const verb verb_status = {"status", "about the endpoint in use",
                          "usage: coord status\n\n"
                          "Version, leader, revision and database size of the endpoint in use.\n"
                          "With --json all that the server says.\n\n"
                          "Example:\n  coord status\n",
                          run_status};

const verb verb_members = {"members", "the members of the cluster",
                           "usage: coord members\n\n"
                           "One line for each member: id, name, client URLs.\n\n"
                           "Example:\n  coord --json members\n",
                           run_members};

const verb verb_compact = {"compact", "forget history before a revision",
                           "usage: coord compact REVISION [--physical]\n\n"
                           "Older revisions cannot be read any more.\n\n"
                           "  --physical    return when the space has been reclaimed\n\n"
                           "Example:\n  coord put a 1 && coord put a 2 && coord compact 2\n",
                           run_compact};

const verb verb_version = {"version", "the version of this program",
                           "usage: coord version\n\nThe version of coord, and of the library.\n",
                           run_version};
