/* coord del */
#include <getopt.h>
#include <string.h>

#include "cli.h"

enum { PREFIX = 256, RANGE_END, FROM_KEY, PREV };

static void print_result(const cli *c, const coord_result *r, bool prev) {
  long long deleted = coord_result_total(r);
  if (c->json) {
    json_object *o = json_object_new_object();
    json_object_object_add(o, "deleted", json_object_new_int64(deleted));
    json_object_object_add(o, "revision", json_object_new_int64(coord_result_revision(r)));
    json_object *list = prev ? json_object_new_array() : NULL;
    coord_kv kv;
    for (size_t i = 0; prev && coord_result_kv(r, i, &kv) == COORD_OK; i++) {
      json_object_array_add(list, json_kv(&kv, false));
    }
    if (prev) json_object_object_add(o, "prev", list);
    json_print(o, stdout);
    return;
  }
  coord_kv kv;
  for (size_t i = 0; prev && coord_result_kv(r, i, &kv) == COORD_OK; i++) {
    fwrite(kv.key, 1, kv.key_len, stdout);
    fputc('\n', stdout);
    fwrite(kv.value, 1, kv.value_len, stdout);
    fputc('\n', stdout);
  }
  if (!prev) printf("%lld\n", deleted);
}

static int run(cli *c, int argc, char **argv) {
  static const struct option longs[] = {{"prefix", no_argument, NULL, PREFIX},
                                        {"range-end", required_argument, NULL, RANGE_END},
                                        {"from-key", no_argument, NULL, FROM_KEY},
                                        {"prev", no_argument, NULL, PREV},
                                        {NULL, 0, NULL, 0}};
  bool prefix = false;
  bool from_key = false;
  bool prev = false;
  const char *end = NULL;
  for (int o; (o = getopt_long(argc, argv, "", longs, NULL)) != -1;) {
    if (o == '?') return bad_option("del");
    prefix |= o == PREFIX;
    from_key |= o == FROM_KEY;
    prev |= o == PREV;
    if (o == RANGE_END) end = optarg;
  }
  if (argc - optind != 1) return usage_error("del takes one KEY; see `coord del --help`");
  const char *key = argv[optind];
  int status = EXIT_FINE;
  coord_client *client = open_client(c, &status);
  if (client == NULL) return status;
  coord_op *op = coord_op_delete(key, strlen(key));
  if (prefix) coord_op_set_prefix(op);
  if (from_key) coord_op_set_range_end(op, "", 1);
  if (end != NULL) coord_op_set_range_end(op, end, strlen(end));
  if (prev) coord_op_set(op, COORD_OP_PREV_KV, 1);
  coord_result *result = execute(c, client, op, "del", &status);
  if (result != NULL) {
    print_result(c, result, prev);
    if (coord_result_total(result) == 0) status = EXIT_NOTHING;
  }
  coord_result_free(result);
  coord_client_free(client);
  return status;
}

const verb verb_del = {"del", "delete a key, or a range of keys",
                       "usage: coord del KEY [OPTIONS]\n\n"
                       "Prints how many keys were deleted; exits with 1 when there was none.\n\n"
                       "  --prefix           all keys that begin with KEY (\"\" for all keys)\n"
                       "  --from-key         KEY and all keys after it\n"
                       "  --range-end END    keys from KEY up to, not including, END\n"
                       "  --prev             print what was deleted instead\n\n"
                       "Example:\n"
                       "  coord put tmp/a 1 && coord del tmp/ --prefix\n",
                       run};
