#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

static const verb *const verbs[] = {&verb_get,     &verb_put,    &verb_del,    &verb_txn,
                                    &verb_import,  &verb_export, &verb_status, &verb_members,
                                    &verb_compact, &verb_dev,    &verb_version};
enum { VERBS = sizeof verbs / sizeof *verbs };

static void print_help(FILE *out) {
  fputs("usage: coord [OPTIONS] COMMAND [ARGUMENTS]\n\n", out);
  fputs("Reads and writes etcd. Try it without a cluster: coord dev -- bash\n\nCommands:\n", out);
  for (int i = 0; i < VERBS; i++) fprintf(out, "  %-9s %s\n", verbs[i]->name, verbs[i]->summary);
  fputs(
      "\nOptions, before the command:\n"
      "  --endpoints LIST      host:port,... ; default: $COORD_ENDPOINTS, else 127.0.0.1:2379\n"
      "  --option NAME=VALUE   any option of docs/CONFIGURATION.md; may be repeated\n"
      "  --timeout TIME        for each call: 500ms, 5s, 1m; default 5s\n"
      "  --json                machine-readable output, one JSON object to a line\n"
      "  --quiet               no progress, no summaries\n"
      "  --no-color            no colour, as with $NO_COLOR\n"
      "  --version, --help     `coord COMMAND --help` explains a command\n\n"
      "Keys and values may hold any bytes. In JSON what is not UTF-8 is base64, in members\n"
      "key_base64 and value_base64; import reads both forms.\n\n"
      "Exit codes: 0 fine; 1 no such key, or the compares did not hold; 2 wrong usage;\n"
      "3 no server or no answer in time; 4 refused by the server; 5 anything else.\n"
      "`coord dev -- CMD` exits as CMD does.\n",
      out);
}

static const verb *find_verb(const char *name) {
  for (int i = 0; i < VERBS; i++) {
    if (strcmp(verbs[i]->name, name) == 0) return verbs[i];
  }
  return NULL;
}

static bool set_option(cli *c, const char *name, const char *value) {
  coord_error *err = NULL;
  coord_code code = coord_options_set(c->options, name, value, &err);
  if (code != COORD_OK) usage_error("%s", coord_error_message(err));
  coord_error_free(err);
  return code == COORD_OK;
}

static bool set_pair(cli *c, char *pair) {
  char *equals = strchr(pair, '=');
  if (equals == NULL) {
    usage_error("--option: \"%s\" is not NAME=VALUE", pair);
    return false;
  }
  *equals = '\0';
  return set_option(c, pair, equals + 1);
}

/* The options before the command. EXIT_FINE to go on, -1 when all is done, else how to exit. */
static int parse_globals(cli *c, int argc, char **argv) {
  enum { ENDPOINTS = 256, OPTION, TIMEOUT, JSON, QUIET, NO_COLOR, VERSION };
  static const struct option longs[] = {{"endpoints", required_argument, NULL, ENDPOINTS},
                                        {"option", required_argument, NULL, OPTION},
                                        {"timeout", required_argument, NULL, TIMEOUT},
                                        {"json", no_argument, NULL, JSON},
                                        {"quiet", no_argument, NULL, QUIET},
                                        {"no-color", no_argument, NULL, NO_COLOR},
                                        {"version", no_argument, NULL, VERSION},
                                        {"help", no_argument, NULL, 'h'},
                                        {NULL, 0, NULL, 0}};
  const char *endpoints = getenv("COORD_ENDPOINTS");
  if (endpoints != NULL && !set_option(c, "endpoints", endpoints)) return EXIT_USAGE;
  for (int o; (o = getopt_long(argc, argv, "+h", longs, NULL)) != -1;) {
    bool good = true;
    switch (o) {
      case ENDPOINTS:
        good = set_option(c, "endpoints", optarg);
        break;
      case OPTION:
        good = set_pair(c, optarg);
        break;
      case TIMEOUT:
        good = parse_duration("--timeout", optarg, &c->timeout_ms);
        break;
      case JSON:
        c->json = true;
        break;
      case QUIET:
        c->quiet = true;
        break;
      case NO_COLOR:
        c->no_color = true;
        break;
      case VERSION:
        printf("coord %s\n", coord_version_string());
        return -1;
      case 'h':
        print_help(stdout);
        return -1;
      default:
        fputs("coord: see `coord --help`\n", stderr);
        return EXIT_USAGE;
    }
    if (!good) return EXIT_USAGE;
  }
  return EXIT_FINE;
}

static bool asks_for_help(int argc, char **argv) {
  for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
    if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) return true;
  }
  return false;
}

static int run(cli *c, int argc, char **argv) {
  int status = parse_globals(c, argc, argv);
  if (status == -1) return EXIT_FINE;
  if (status != EXIT_FINE) return status;
  argc -= optind;
  argv += optind;
  if (argc == 0) {
    print_help(stderr);
    return EXIT_USAGE;
  }
  const char *name = argv[0];
  if (strcmp(name, "help") == 0) {
    if (argc == 1) {
      print_help(stdout);
      return EXIT_FINE;
    }
    name = argv[1];
  }
  const verb *v = find_verb(name);
  if (v == NULL) return usage_error("there is no command \"%s\"; see `coord --help`", name);
  if (strcmp(argv[0], "help") == 0 || asks_for_help(argc, argv)) {
    fputs(v->help, stdout);
    return EXIT_FINE;
  }
  optind = 0; /* getopt starts anew */
  return v->run(c, argc, argv);
}

int main(int argc, char **argv) {
  cli c = {.no_color = getenv("NO_COLOR") != NULL};
  if (coord_options_new(&c.options) != COORD_OK) return EXIT_OTHER;
  /* What goes wrong is told once, by the command. */
  coord_options_set(c.options, "log.level", "error", NULL);
  int status = run(&c, argc, argv);
  coord_options_free(c.options);
  if (fflush(stdout) != 0 && status == EXIT_FINE) status = fail_errno("standard output");
  return status;
}
