#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "instance_print.h"
#include "print.h"
#include "report.h"
#include "serve.h"

/* The member --meta, once or more. */
static int add_metadata(const struct args *args, json_object *instance) {
  json_object *metadata = json_object_new_object();
  json_object_object_add(instance, "metadata", metadata);
  for (int i = 0; i < args->flag_count; i++) {
    const char *pair = args->flags[i].value;
    if (strcmp(args->flags[i].flag->name, "--meta") != 0) continue;
    size_t len = strcspn(pair, "=");
    if (len == 0 || pair[len] != '=') {
      return usage_error("register", "--meta takes KEY=VALUE, got \"%s\"", pair);
    }
    struct bytes key = bytes_copy(pair, len);
    json_object_object_add(metadata, key.data, json_object_new_string(pair + len + 1));
    bytes_free(&key);
  }
  return CLI_FINE;
}

static bool add_number(const struct args *args, const char *flag, int64_t max, const char *field,
                       json_object *instance) {
  int64_t n = 0;
  if (!args_has(args, flag)) return true;
  if (!args_number(args, flag, 0, max, &n)) return false;
  json_object_object_add(instance, field, json_object_new_int64(n));
  return true;
}

/* As coord/instance.h has it. */
static int describe(const struct args *args, json_object *instance) {
  static const char *const texts[][2] = {
      {"--address", "address"}, {"--id", "id"}, {"--program", "version"}};
  json_object_object_add(instance, "name", json_object_new_string(args->words[0]));
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    const char *text = args_text(args, texts[i][0]);
    if (text == NULL) continue;
    if (*text == '\0') return usage_error("register", "%s is empty", texts[i][0]);
    json_object_object_add(instance, texts[i][1], json_object_new_string(text));
  }
  if (!add_number(args, "--port", 65535, "port", instance)) return CLI_USAGE;
  if (!add_number(args, "--weight", 1000000, "weight", instance)) return CLI_USAGE;
  return add_metadata(args, instance);
}

static int set_options(const struct args *args, coord_options *options) {
  if (!args_has(args, "--replace")) return CLI_FINE;
  return session_set(options, "--replace", "registry.replace", "true");
}

static void tell_command(coord_registration *registration) {
  char port[16];
  coord_instance *instance = coord_registration_instance(registration);
  snprintf(port, sizeof port, "%" PRId32, coord_instance_port(instance));
  setenv("COORD_INSTANCE_NAME", coord_instance_name(instance), 1);
  setenv("COORD_INSTANCE_ID", coord_instance_id(instance), 1);
  setenv("COORD_INSTANCE_ADDRESS", coord_instance_address(instance), 1);
  setenv("COORD_INSTANCE_PORT", port, 1);
  coord_instance_free(instance);
}

static void show(coord_registration *registration) {
  coord_instance *instance = coord_registration_instance(registration);
  if (cli.json) {
    puts(coord_instance_json(instance));
  } else {
    const char *name = coord_instance_name(instance), *id = coord_instance_id(instance);
    print_bytes(name, strlen(name));
    putchar('/');
    print_bytes(id, strlen(id));
    putchar('\n');
  }
  coord_instance_free(instance);
}

static int serve(struct service *service, const struct args *args) {
  if (args->tail >= 0) {
    tell_command(service->registration);
    return serve_command(service, args->words + args->tail);
  }
  show(service->registration);
  if (!output_flushed("register")) return CLI_OTHER;
  remark("Registered; Ctrl-C takes it out.");
  return serve_until_stopped(service);
}

static int register_and_serve(struct service *service, const struct args *args,
                              coord_registry *registry, const char *json) {
  struct hold *hold = &service->hold;
  int64_t ttl_s = 15;
  coord_error *err = NULL;
  coord_result *result = NULL;
  if (!args_number(args, "--ttl", 1, 9000000000, &ttl_s)) return CLI_USAGE;
  coord_code code = coord_registry_register(registry, json, ttl_s, hold->queue, SERVE_TAG,
                                            &service->registration, &err);
  int exit_code = code == COORD_OK ? CLI_FINE : call_error("register", code, err);
  coord_error_free(err);
  if (exit_code != CLI_FINE) return exit_code;
  exit_code =
      hold_get(hold, coord_op_registered(service->registration), hold->session.timeout_ms, &result);
  coord_result_free(result);
  bool registered = exit_code == CLI_FINE;
  if (registered) exit_code = serve(service, args);
  if (registered && exit_code != CLI_LOST) serve_deregister(service);
  coord_registration_free(service->registration);
  return exit_code;
}

static int run_register(const struct args *args, const char *json, int32_t drain_ms) {
  struct service service = {.drain_ms = drain_ms};
  coord_options *options = NULL;
  coord_registry *registry = NULL;
  coord_error *err = NULL;
  service.hold =
      (struct hold){.what = "register", .waits = "Waiting for the server.", .signals = -1};
  int exit_code = registry_options(args, &options);
  if (exit_code != CLI_FINE) return exit_code;
  exit_code = set_options(args, options);
  if (exit_code != CLI_FINE) {
    coord_options_free(options);
    return exit_code;
  }
  hold_prepare();
  exit_code = hold_open(&service.hold, args, options);
  if (exit_code == CLI_FINE) {
    coord_code code = coord_registry_open(service.hold.session.client, NULL, &registry, &err);
    exit_code = code == COORD_OK ? register_and_serve(&service, args, registry, json)
                                 : call_error("register", code, err);
  }
  coord_error_free(err);
  coord_registry_free(registry);
  hold_close(&service.hold);
  return exit_code;
}

static int run(const struct args *args) {
  int words = args->tail >= 0 ? args->tail : args->count;
  int32_t drain_ms = 2000;
  if (words == 0) {
    return usage_error("register", "NAME is missing: coord register %s", args->verb->usage);
  }
  if (words > 1) {
    return usage_error("register", "the command goes behind --: coord register %s -- %s ...",
                       args->words[0], args->words[1]);
  }
  if (args->tail == args->count) return usage_error("register", "there is no command behind --");
  if (!args_has(args, "--address")) {
    return usage_error("register", "--address is missing: where others reach the instance");
  }
  if (!args_duration(args, "--drain", &drain_ms)) return CLI_USAGE;
  json_object *instance = json_object_new_object();
  int code = describe(args, instance);
  if (code == CLI_FINE) {
    code = run_register(args, json_object_to_json_string(instance), drain_ms < 0 ? 0 : drain_ms);
  }
  json_object_put(instance);
  return code;
}

static const struct flag flags[] = {
    {"--address", "ADDRESS", "host name or IP address where others reach it"},
    {"--port", "PORT", "and the port; left out: none"},
    {"--id", "ID", "which instance it is; default ADDRESS:PORT"},
    {"--ttl", "SECONDS", "how long it stays registered if this process dies; default 15"},
    {"--meta", "KEY=VALUE", "something to know of it, such as zone=eu; may be repeated"},
    {"--weight", "N", "how much of the work it takes beside others, 0 to 1000000; default 1"},
    {"--program", "VERSION", "which version of its program it runs"},
    {"--drain", "TIME",
     "how long it is \"draining\" before it leaves, so that callers turn to\n"
     "others; none: not at all; default 2s"},
    {"--replace", NULL, "take over an id that is registered, from a run before for example"},
    FLAG_FORMAT,
    {0}};

const struct verb verb_register = {
    .name = "register",
    .usage = "NAME --address ADDRESS [FLAGS] [-- CMD [ARG...]]",
    .summary = "register an instance of a service while a command runs",
    .text =
        "Registers an instance of the service NAME, then runs CMD, and takes the instance out "
        "when\n"
        "that ends. Others find it with \"coord discover NAME\". CMD gets COORD_INSTANCE_NAME,\n"
        "COORD_INSTANCE_ID, COORD_INSTANCE_ADDRESS and COORD_INSTANCE_PORT.\n"
        "SIGTERM and SIGINT: the status becomes \"draining\", which tells callers to turn to "
        "other\n"
        "instances; after --drain the signal is passed on to CMD, at once when another one comes.\n"
        "SIGHUP is passed on. Ctrl-C on a terminal reaches CMD by itself.\n"
        "When etcd cannot be reached CMD runs on. If that takes longer than --ttl, others see the\n"
        "instance no more; it is registered again as soon as that can be. If another has\n"
        "registered the same id by then, CMD gets SIGTERM.\n"
        "Without CMD, prints NAME/ID and stays registered until Ctrl-C, a signal, or the end of a\n"
        "pipe on standard input.\n"
        "Ends with the exit code of CMD (128 + N when signal N ended it, 127 when there is no "
        "such\n"
        "program), or with 75 when another has this id or there was no answer in time "
        "(--timeout),\n"
        "76 when it was lost to another; 2 to 5 as with every verb.",
    .flags = flags,
    .examples =
        "  $ coord register web --address 10.0.0.7 --port 80 --meta zone=eu -- \\\n"
        "      sh -c 'echo \"serving as $COORD_INSTANCE_ID\"; coord discover web'\n"
        "  $ coord register web --address 10.0.0.7 --port 81 --ttl 10 --drain 5s -- true\n"
        "  $ coord register db --address 10.0.0.8 --port 5432 --format etcd-naming -- \\\n"
        "      coord get services/db/ --prefix\n",
    .run = run,
};
