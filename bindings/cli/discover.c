#include <inttypes.h>
#include <string.h>

#include "instance_print.h"
#include "print.h"
#include "report.h"
#include "session.h"

static const char no_memory[] = "memory is exhausted";

/* What a discovery is made of. */
struct search {
  const char *service;
  struct session session;
  coord_registry *registry;
};

static void print_object(json_object *instance) {
  puts(json_object_to_json_string_ext(instance,
                                      JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
}

/* ---- once ---- */

static int print_first(json_object *instances) {
  for (size_t i = 0; i < json_object_array_length(instances); i++) {
    json_object *instance = json_object_array_get_idx(instances, i);
    if (strcmp(instance_text(instance, "status"), "up") != 0) continue;
    if (cli.json) {
      print_object(instance);
    } else {
      print_endpoint(instance);
      putchar('\n');
    }
    return CLI_FINE;
  }
  return absent("discover", "no instance of it is up");
}

static int print_all(json_object *instances) {
  size_t count = json_object_array_length(instances);
  if (count == 0) return absent("discover", "it has no instance");
  if (!cli.json) print_instance_heading("");
  for (size_t i = 0; i < count; i++) {
    json_object *instance = json_object_array_get_idx(instances, i);
    if (cli.json) {
      print_object(instance);
    } else {
      print_instance("", instance);
    }
  }
  return CLI_FINE;
}

static int look(struct search *search, const struct args *args) {
  coord_result *result = NULL;
  int code = session_call(&search->session, "discover",
                          coord_op_discover(search->registry, search->service), &result);
  if (code != CLI_FINE) return code;
  json_object *instances = instance_parse(coord_result_json(result));
  coord_result_free(result);
  if (!json_object_is_type(instances, json_type_array)) {
    complain("discover", "NO_MEMORY", "%s", no_memory);
    code = CLI_OTHER;
  } else {
    code = args_has(args, "--first") ? print_first(instances) : print_all(instances);
  }
  json_object_put(instances);
  return code;
}

/* ---- as it changes ---- */

static const char *const changes[] = {"up", "down", "changed"};

static const char *name_of(int32_t change) {
  return change >= 0 && change < (int32_t)(sizeof changes / sizeof *changes) ? changes[change]
                                                                             : "changed";
}

static bool print_event_json(const coord_event *event) {
  const coord_instances *now = coord_event_instances(event);
  char *all = coord_instances_json(now);
  if (all == NULL) return false;
  printf("{\"revision\":%" PRId64 ",\"guarded\":%s,\"changes\":[", coord_event_revision(event),
         coord_instances_guarded(now) ? "true" : "false");
  for (size_t i = 0; i < coord_event_count(event); i++) {
    int32_t change = 0;
    const coord_instance *instance = coord_event_instance(event, i, &change);
    if (i > 0) putchar(',');
    printf("{\"change\":\"%s\",\"instance\":%s}", name_of(change), coord_instance_json(instance));
  }
  printf("],\"instances\":%s}\n", all);
  coord_memory_free(all);
  return true;
}

static bool print_event_text(const coord_event *event) {
  static const char *const words[] = {"UP       ", "DOWN     ", "CHANGED  "};
  for (size_t i = 0; i < coord_event_count(event); i++) {
    int32_t change = 0;
    const coord_instance *source = coord_event_instance(event, i, &change);
    json_object *instance = instance_parse(coord_instance_json(source));
    if (instance == NULL) return false;
    print_instance(change >= 0 && change < 3 ? words[change] : words[2], instance);
    json_object_put(instance);
  }
  return true;
}

static int follow(coord_queue *queue) {
  int code = CLI_FINE;
  if (!cli.json) print_instance_heading("CHANGE   ");
  while (code == CLI_FINE && output_flushed("discover")) {
    coord_event *event = coord_queue_next(queue, -1);
    if (coord_event_type(event) == COORD_EVENT_CLOSED) {
      code = call_error("discover", coord_event_code(event), coord_event_error(event));
    } else if (coord_event_type(event) == COORD_EVENT_CHANGES &&
               !(cli.json ? print_event_json(event) : print_event_text(event))) {
      complain("discover", "NO_MEMORY", "%s", no_memory);
      code = CLI_OTHER;
    }
    coord_event_free(event);
  }
  return code != CLI_FINE ? code : CLI_OTHER;
}

static int watch(struct search *search) {
  coord_queue *queue = NULL;
  coord_discovery *discovery = NULL;
  coord_error *err = NULL;
  coord_code code = coord_queue_open(&queue, &err);
  if (code == COORD_OK) {
    code = coord_discovery_open(search->registry, search->service, queue, 0, &discovery, &err);
  }
  int exit_code = code == COORD_OK ? follow(queue) : call_error("discover", code, err);
  coord_error_free(err);
  coord_discovery_free(discovery);
  coord_queue_free(queue);
  return exit_code;
}

/* ---- the verb ---- */

static int discover(const struct args *args, struct search *search) {
  coord_error *err = NULL;
  coord_options *options = NULL;
  int exit_code = registry_options(args, &options);
  if (exit_code == CLI_FINE) exit_code = session_open_with(args, options, &search->session);
  if (exit_code != CLI_FINE) return exit_code;
  coord_code code = coord_registry_open(search->session.client, NULL, &search->registry, &err);
  if (code != COORD_OK) {
    exit_code = call_error("discover", code, err);
  } else {
    exit_code = args_has(args, "--watch") ? watch(search) : look(search, args);
  }
  coord_error_free(err);
  coord_registry_free(search->registry);
  session_close(&search->session);
  return exit_code;
}

static int run(const struct args *args) {
  if (!args_words(args, 1, 1)) return CLI_USAGE;
  struct search search = {.service = args->words[0]};
  if (*search.service == '\0' || strchr(search.service, '/') != NULL) {
    return usage_error("discover", "NAME is the name of a service, without \"/\", got \"%s\"",
                       search.service);
  }
  if (args_has(args, "--watch") && args_has(args, "--first")) {
    return usage_error("discover", "--watch and --first exclude each other");
  }
  return discover(args, &search);
}

static const struct flag flags[] = {
    {"--first", NULL, "only the endpoint of one that is up: the one with the lowest id"},
    {"--watch", NULL, "then tell who comes, goes or changes, until Ctrl-C"},
    FLAG_FORMAT,
    {0}};

const struct verb verb_discover = {
    .name = "discover",
    .usage = "NAME [--first | --watch] [FLAGS]",
    .summary = "the instances of a service",
    .text =
        "Prints the instances of the service NAME, one to a line: where it is, its status (up,\n"
        "starting, draining or down; only those that are up should be used), its weight beside\n"
        "others, its id and its metadata. Exits with 1 when there is none.\n"
        "With --first, prints the endpoint alone, for scripts. With --watch, prints a line with\n"
        "UP, DOWN or CHANGED for each; first for those that are there. Interruptions are bridged.\n"
        "With --json, one object to an instance; with --watch one to a change of the service, "
        "with\n"
        "\"changes\" and all \"instances\" as they are then.\n"
        "Instances are keys PREFIX/NAME/ID, and PREFIX is --option registry.prefix=PREFIX, else\n"
        "\"services\". What describes no instance there is passed over; --option log.level=warn\n"
        "tells it.",
    .flags = flags,
    .examples =
        "  $ coord register web --address 10.0.0.7 --port 80 -- coord discover web\n"
        "  $ coord register db --address 10.0.0.8 --port 5432 -- \\\n"
        "      sh -c 'echo \"psql -h $(coord discover db --first)\"'\n"
        "  $ timeout 1 coord discover web --watch --json || true\n",
    .run = run,
};
