#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "instance_print.h"
#include "print.h"
#include "report.h"
#include "session.h"

static void print_service(const char *name, const coord_instances *instances) {
  size_t count = coord_instances_count(instances), up = 0;
  for (size_t i = 0; i < count; i++) {
    if (strcmp(coord_instance_status(coord_instances_at(instances, i)), "up") == 0) up++;
  }
  if (cli.json) {
    fputs("{\"name\":", stdout);
    print_json_string(name, strlen(name));
    printf(",\"instances\":%zu,\"up\":%zu}\n", count, up);
  } else {
    printf("%9zu  %6zu  ", count, up);
    print_bytes(name, strlen(name));
    putchar('\n');
  }
}

/* All of them are in the local copy by now. */
static coord_code print_services(coord_registry *registry, const char *json, coord_error **err) {
  coord_code code = COORD_OK;
  json_object *names = instance_parse(json);
  if (names == NULL) return COORD_NO_MEMORY;
  for (size_t i = 0; code == COORD_OK && i < json_object_array_length(names); i++) {
    const char *name = json_object_get_string(json_object_array_get_idx(names, i));
    coord_instances *instances = NULL;
    code = coord_registry_discover(registry, name, 0, &instances, err);
    if (code == COORD_OK && coord_instances_count(instances) > 0) print_service(name, instances);
    coord_instances_free(instances);
  }
  json_object_put(names);
  return code;
}

static int list(coord_registry *registry, int32_t timeout_ms) {
  char *json = NULL;
  coord_error *err = NULL;
  int exit_code = CLI_FINE;
  coord_code code = coord_registry_services(registry, timeout_ms, &json, &err);
  if (code == COORD_OK && strcmp(json, "[]") == 0) {
    exit_code = absent("services", "no service has an instance");
  } else if (code == COORD_OK) {
    if (!cli.json) {
      printf("%s%9s  %6s  %s%s\n", paint_out(PAINT_BOLD), "INSTANCES", "UP", "SERVICE",
             paint_out(PAINT_OFF));
    }
    code = print_services(registry, json, &err);
  }
  if (code != COORD_OK) exit_code = call_error("services", code, err);
  coord_error_free(err);
  coord_memory_free(json);
  return exit_code;
}

static int run(const struct args *args) {
  struct session session;
  coord_options *options = NULL;
  coord_registry *registry = NULL;
  coord_error *err = NULL;
  if (!args_words(args, 0, 0)) return CLI_USAGE;
  int exit_code = registry_options(args, &options);
  if (exit_code == CLI_FINE) exit_code = session_open_with(args, options, &session);
  if (exit_code != CLI_FINE) return exit_code;
  coord_code code = coord_registry_open(session.client, NULL, &registry, &err);
  if (code == COORD_OK) {
    exit_code = list(registry, session.timeout_ms);
  } else {
    exit_code = call_error("services", code, err);
  }
  coord_error_free(err);
  coord_registry_free(registry);
  session_close(&session);
  return exit_code;
}

static const struct flag flags[] = {FLAG_FORMAT, {0}};

const struct verb verb_services = {
    .name = "services",
    .usage = "[FLAGS]",
    .summary = "the services that have instances",
    .text =
        "Prints each service that has an instance, with how many there are and how many of them\n"
        "are up; with --json one object to a service. Exits with 1 when there is none. Reads all\n"
        "that is below --option registry.prefix=PREFIX, else \"services\".",
    .flags = flags,
    .examples = "  $ coord register web --address 10.0.0.7 --port 80 -- coord services\n",
    .run = run,
};
