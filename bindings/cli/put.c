/* coord put */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

enum { FILE_FROM = 256, PREV, IGNORE_VALUE, IGNORE_LEASE, LEASE };

typedef struct put_args {
  const char *file;
  bool prev;
  bool ignore_value;
  bool ignore_lease;
  int64_t lease;
} put_args;

static bool parse(int argc, char **argv, put_args *args) {
  static const struct option longs[] = {{"file", required_argument, NULL, FILE_FROM},
                                        {"prev", no_argument, NULL, PREV},
                                        {"ignore-value", no_argument, NULL, IGNORE_VALUE},
                                        {"ignore-lease", no_argument, NULL, IGNORE_LEASE},
                                        {"lease", required_argument, NULL, LEASE},
                                        {NULL, 0, NULL, 0}};
  for (int o; (o = getopt_long(argc, argv, "", longs, NULL)) != -1;) {
    char *end;
    switch (o) {
      case FILE_FROM:
        args->file = optarg;
        break;
      case PREV:
        args->prev = true;
        break;
      case IGNORE_VALUE:
        args->ignore_value = true;
        break;
      case IGNORE_LEASE:
        args->ignore_lease = true;
        break;
      case LEASE:
        args->lease = (int64_t)strtoull(optarg, &end, 16);
        if (*optarg == '\0' || *end != '\0' || args->lease <= 0) {
          usage_error("--lease: \"%s\" is not a lease id in hexadecimal", optarg);
          return false;
        }
        break;
      default:
        bad_option("put");
        return false;
    }
  }
  return true;
}

/* The value from the command line, a file or standard input; `owned` is to be freed. */
static bool find_value(const put_args *args, int count, char **words, const char **value,
                       size_t *len, char **owned) {
  *value = "";
  *len = 0;
  bool given = count == 2 && strcmp(words[1], "-") != 0;
  if (args->ignore_value) {
    if (count == 1 && args->file == NULL) return true;
    usage_error("--ignore-value keeps the present value: give none");
    return false;
  }
  if (given && args->file != NULL) {
    usage_error("give VALUE or --file, not both");
    return false;
  }
  if (given) {
    *value = words[1];
    *len = strlen(words[1]);
    return true;
  }
  if (!read_all(args->file != NULL ? args->file : "-", owned, len)) return false;
  *value = *owned;
  return true;
}

static void print_result(const cli *c, const coord_result *r) {
  coord_kv prev;
  bool has_prev = coord_result_kv(r, 0, &prev) == COORD_OK;
  if (c->json) {
    json_object *o = json_object_new_object();
    json_object_object_add(o, "revision", json_object_new_int64(coord_result_revision(r)));
    if (has_prev) json_object_object_add(o, "prev", json_kv(&prev, false));
    json_print(o, stdout);
  } else if (has_prev) {
    fwrite(prev.value, 1, prev.value_len, stdout);
    fputc('\n', stdout);
  }
}

static int run(cli *c, int argc, char **argv) {
  put_args args = {0};
  if (!parse(argc, argv, &args)) return EXIT_USAGE;
  int count = argc - optind;
  char **words = argv + optind;
  if (count < 1 || count > 2) {
    return usage_error("put takes KEY and VALUE; see `coord put --help`");
  }
  const char *value;
  size_t len;
  char *owned = NULL;
  if (!find_value(&args, count, words, &value, &len, &owned)) return EXIT_USAGE;
  int status = EXIT_FINE;
  coord_client *client = open_client(c, &status);
  if (client != NULL) {
    coord_op *op = coord_op_put(words[0], strlen(words[0]), value, len);
    if (args.prev) coord_op_set(op, COORD_OP_PREV_KV, 1);
    if (args.ignore_value) coord_op_set(op, COORD_OP_IGNORE_VALUE, 1);
    if (args.ignore_lease) coord_op_set(op, COORD_OP_IGNORE_LEASE, 1);
    if (args.lease != 0) coord_op_set(op, COORD_OP_LEASE, args.lease);
    coord_result *result = execute(c, client, op, "put", &status);
    if (result != NULL) print_result(c, result);
    coord_result_free(result);
  }
  coord_client_free(client);
  free(owned);
  return status;
}

const verb verb_put = {"put", "write a key",
                       "usage: coord put KEY VALUE [OPTIONS]\n"
                       "       coord put KEY --file FILE\n"
                       "       coord put KEY -            (or no VALUE: from standard input)\n\n"
                       "Writes nothing to standard output but what was asked for. Bytes go as they "
                       "are, the last line\n"
                       "end of a file or of standard input included.\n\n"
                       "  --file FILE       the value is the content of FILE\n"
                       "  --prev            print the value that was there before\n"
                       "  --lease ID        attach the key to this lease (hexadecimal)\n"
                       "  --ignore-value    keep the present value, change only the lease\n"
                       "  --ignore-lease    keep the present lease\n\n"
                       "Example:\n"
                       "  coord put greeting 'hello, world'\n"
                       "  coord put config --file settings.json\n",
                       run};
