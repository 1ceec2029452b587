/* coord get */
#include <getopt.h>
#include <string.h>

#include "cli.h"

enum {
  PREFIX = 256,
  FROM_KEY,
  RANGE_END,
  LIMIT,
  REV,
  KEYS_ONLY,
  COUNT_ONLY,
  SORT,
  DESC,
  SERIALIZABLE,
  VALUE_ONLY
};

typedef struct get_args {
  bool ranged;
  bool keys_only;
  bool count_only;
  bool value_only;
} get_args;

static int sort_target(const char *name) {
  static const char *const names[] = {"key", "version", "create", "mod", "value"};
  for (int i = 0; i < 5; i++) {
    if (strcmp(names[i], name) == 0) return i;
  }
  return -1;
}

/* What the op itself refuses is told when it is executed. */
static bool apply(int o, coord_op *op, get_args *args) {
  int64_t n;
  switch (o) {
    case PREFIX:
      coord_op_set_prefix(op);
      args->ranged = true;
      return true;
    case FROM_KEY:
      coord_op_set_range_end(op, "", 1);
      args->ranged = true;
      return true;
    case RANGE_END:
      coord_op_set_range_end(op, optarg, strlen(optarg));
      args->ranged = true;
      return true;
    case LIMIT:
      if (!parse_number("--limit", optarg, 0, &n)) return false;
      coord_op_set(op, COORD_OP_LIMIT, n);
      return true;
    case REV:
      if (!parse_number("--rev", optarg, 1, &n)) return false;
      coord_op_set(op, COORD_OP_REVISION, n);
      return true;
    case KEYS_ONLY:
      args->keys_only = true;
      coord_op_set(op, COORD_OP_KEYS_ONLY, 1);
      return true;
    case COUNT_ONLY:
      args->count_only = true;
      coord_op_set(op, COORD_OP_COUNT_ONLY, 1);
      return true;
    case SORT:
      if (sort_target(optarg) < 0) {
        usage_error("--sort: \"%s\" is none of key, version, create, mod, value", optarg);
        return false;
      }
      coord_op_set(op, COORD_OP_SORT_BY, sort_target(optarg));
      return true;
    case DESC:
      coord_op_set(op, COORD_OP_SORT_DESCENDING, 1);
      return true;
    case SERIALIZABLE:
      coord_op_set(op, COORD_OP_SERIALIZABLE, 1);
      return true;
    case VALUE_ONLY:
      args->value_only = true;
      return true;
    default:
      bad_option("get");
      return false;
  }
}

static void print_line(const void *p, size_t n) {
  fwrite(p, 1, n, stdout);
  fputc('\n', stdout);
}

static int print_result(const cli *c, const get_args *args, const coord_result *r) {
  if (args->count_only) {
    if (c->json) {
      printf("{\"count\":%lld}\n", (long long)coord_result_total(r));
    } else {
      printf("%lld\n", (long long)coord_result_total(r));
    }
    return EXIT_FINE;
  }
  for (size_t i = 0; i < coord_result_count(r); i++) {
    coord_kv kv;
    coord_result_kv(r, i, &kv);
    if (c->json) {
      json_print(json_kv(&kv, args->keys_only), stdout);
      continue;
    }
    /* One key was asked for: its value alone. Of a range both, a line each, as etcdctl does. */
    if (args->ranged && !args->value_only) print_line(kv.key, kv.key_len);
    if (!args->keys_only) print_line(kv.value, kv.value_len);
    if (args->keys_only && !args->ranged) print_line(kv.key, kv.key_len);
  }
  if (coord_result_more(r) && !c->quiet && !c->json) {
    fprintf(stderr, "coord: %lld keys in all; the limit cut the rest\n",
            (long long)coord_result_total(r));
  }
  return coord_result_count(r) > 0 ? EXIT_FINE : EXIT_NOTHING;
}

static int run(cli *c, int argc, char **argv) {
  static const struct option longs[] = {{"prefix", no_argument, NULL, PREFIX},
                                        {"from-key", no_argument, NULL, FROM_KEY},
                                        {"range-end", required_argument, NULL, RANGE_END},
                                        {"limit", required_argument, NULL, LIMIT},
                                        {"rev", required_argument, NULL, REV},
                                        {"keys-only", no_argument, NULL, KEYS_ONLY},
                                        {"count-only", no_argument, NULL, COUNT_ONLY},
                                        {"sort", required_argument, NULL, SORT},
                                        {"desc", no_argument, NULL, DESC},
                                        {"serializable", no_argument, NULL, SERIALIZABLE},
                                        {"print-value-only", no_argument, NULL, VALUE_ONLY},
                                        {NULL, 0, NULL, 0}};
  /* The options change the op, which needs its key first: so look for the key before. */
  get_args args = {false, false, false, false};
  const char *key = NULL;
  int o;
  while ((o = getopt_long(argc, argv, "", longs, NULL)) != -1) {
    if (o == '?') return bad_option("get");
  }
  if (argc - optind != 1) return usage_error("get takes one KEY; see `coord get --help`");
  key = argv[optind];
  coord_op *op = coord_op_get(key, strlen(key));
  optind = 0;
  while ((o = getopt_long(argc, argv, "", longs, NULL)) != -1) {
    if (!apply(o, op, &args)) {
      coord_op_free(op);
      return EXIT_USAGE;
    }
  }
  int status = EXIT_FINE;
  coord_client *client = open_client(c, &status);
  if (client == NULL) {
    coord_op_free(op);
    return status;
  }
  coord_result *result = execute(c, client, op, "get", &status);
  if (result != NULL) status = print_result(c, &args, result);
  coord_result_free(result);
  coord_client_free(client);
  return status;
}

const verb verb_get = {
    "get", "read a key, or a range of keys",
    "usage: coord get KEY [OPTIONS]\n\n"
    "Prints the value of KEY and a line end; of a range each key and its value, a line each.\n"
    "Exits with 1 when there is no such key. Ranges of any size: see `coord export`.\n\n"
    "  --prefix              all keys that begin with KEY (\"\" for all keys)\n"
    "  --from-key            KEY and all keys after it\n"
    "  --range-end END       keys from KEY up to, not including, END\n"
    "  --limit N             at most N keys\n"
    "  --rev N               as the store was at revision N\n"
    "  --keys-only           no values\n"
    "  --count-only          only how many keys there are\n"
    "  --sort BY             key, version, create, mod or value\n"
    "  --desc                in descending order\n"
    "  --serializable        from the member in use, maybe stale\n"
    "  --print-value-only    of a range the values alone\n\n"
    "Example:\n"
    "  coord put fruit/apple red && coord get fruit/ --prefix\n"
    "  coord --json get fruit/ --prefix --sort mod --desc --limit 1\n",
    run};
