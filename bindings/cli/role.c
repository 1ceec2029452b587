#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "action.h"
#include "print.h"
#include "range_args.h"
#include "report.h"

static const char *const kinds[] = {[COORD_PERMISSION_READ] = "read",
                                    [COORD_PERMISSION_WRITE] = "write",
                                    [COORD_PERMISSION_READ_WRITE] = "readwrite"};
enum { KINDS = sizeof kinds / sizeof *kinds };

static int run_list(const struct args *args, char **words) {
  (void)words;
  return action_names(args, coord_op_role_list(), "roles");
}

static int run_add(const struct args *args, char **words) {
  return action_do(args, coord_op_role_add(words[0]), "role", words[0], "added");
}

static int run_delete(const struct args *args, char **words) {
  return action_do(args, coord_op_role_delete(words[0]), "role", words[0], "deleted");
}

/* ---- permissions ---- */

/* Whether [key, end) is all that begins with key. */
static bool is_prefix(const char *key, size_t key_len, const char *end, size_t end_len) {
  if (key_len == 0 || end_len != key_len || memcmp(key, end, key_len - 1) != 0) return false;
  return (unsigned char)end[key_len - 1] == (unsigned char)key[key_len - 1] + 1;
}

static void print_line(const char *kind, const char *key, size_t key_len, const char *end,
                       size_t end_len) {
  bool open = end_len == 1 && end[0] == '\0';
  printf("%-10s", kind);
  if (open && key_len == 1 && key[0] == '\0') {
    puts("all keys");
    return;
  }
  print_bytes(key, key_len);
  if (is_prefix(key, key_len, end, end_len)) {
    fputs(" and all that begins so", stdout);
  } else if (open) {
    fputs(" and all from there on", stdout);
  } else if (end_len > 0) {
    fputs(" to ", stdout);
    print_bytes(end, end_len);
  }
  putchar('\n');
}

static void print_object(const char *kind, const char *key, size_t key_len, const char *end,
                         size_t end_len) {
  printf("{\"permission\":\"%s\",", kind);
  print_json_bytes("key", key, key_len);
  if (end_len > 0) {
    putchar(',');
    print_json_bytes("range_end", end, end_len);
  }
  putchar('}');
}

static int run_get(const struct args *args, char **words) {
  coord_result *result = NULL;
  int code = action_call(args, coord_op_role_get(words[0]), &result);
  if (code != CLI_FINE) return code;
  if (cli.json) fputs("{\"permissions\":[", stdout);
  for (size_t i = 0; i < coord_result_permissions(result); i++) {
    int32_t kind = 0;
    const void *key = NULL;
    const void *end = NULL;
    size_t key_len = 0;
    size_t end_len = 0;
    if (coord_result_permission(result, i, &kind, &key, &key_len, &end, &end_len) != COORD_OK) {
      continue;
    }
    const char *name = kind >= 0 && kind < KINDS ? kinds[kind] : "unknown";
    if (cli.json && i > 0) putchar(',');
    (cli.json ? print_object : print_line)(name, key, key_len, end, end_len);
  }
  if (cli.json) printf("],\"revision\":%" PRId64 "}\n", coord_result_revision(result));
  coord_result_free(result);
  return CLI_FINE;
}

static coord_op *with_range(coord_op *op, const struct range *range) {
  coord_code code = COORD_OK;
  if (op == NULL) return NULL;
  if (range->prefix || (range->from_key && range->key.len == 0)) {
    code = coord_op_set_prefix(op);
  } else if (range->from_key) {
    code = coord_op_set_range_end(op, "", 1);
  } else if (range->has_end) {
    code = coord_op_set_range_end(op, range->end.data, range->end.len);
  }
  /* Other faults are told when the op is executed. */
  if (code != COORD_NO_MEMORY) return op;
  coord_op_free(op);
  return NULL;
}

static int run_grant(const struct args *args, char **words) {
  struct range range;
  int kind = 0;
  while (kind < KINDS && strcmp(kinds[kind], words[1]) != 0) kind++;
  if (kind == KINDS) {
    return usage_error("role", "\"%s\" is no permission: read, write or readwrite", words[1]);
  }
  if (!range_from_word(args, words[2], &range)) return CLI_USAGE;
  coord_op *op = coord_op_role_grant(words[0], kind, range.key.data, range.key.len);
  int code = action_do(args, with_range(op, &range), "role", words[0], "has the permission now");
  range_free(&range);
  return code;
}

static int run_revoke(const struct args *args, char **words) {
  struct range range;
  if (!range_from_word(args, words[1], &range)) return CLI_USAGE;
  coord_op *op = coord_op_role_revoke(words[0], range.key.data, range.key.len);
  int code =
      action_do(args, with_range(op, &range), "role", words[0], "has the permission no longer");
  range_free(&range);
  return code;
}

#define RANGE " --prefix --from-key --range-end --key-base64 "

static const struct action actions[] = {
    {"list", "list", 0, 0, NULL, run_list},
    {"get", "get NAME", 1, 1, NULL, run_get},
    {"add", "add NAME", 1, 1, NULL, run_add},
    {"delete", "delete NAME", 1, 1, NULL, run_delete},
    {"grant", "grant NAME read|write|readwrite KEY", 3, 3, RANGE, run_grant},
    {"revoke", "revoke NAME KEY", 2, 2, RANGE, run_revoke},
    {0}};

static int run(const struct args *args) { return action_run(args, actions); }

static const struct flag flags[] = {FLAGS_RANGE, FLAG_KEY_BASE64, {0}};

const struct verb verb_role = {
    .name = "role",
    .usage =
        "list | get NAME | add NAME | delete NAME |\n"
        "       grant NAME read|write|readwrite KEY | revoke NAME KEY",
    .summary = "list, add and change roles and their permissions",
    .text =
        "get prints the permissions of a role. A permission is on one key, or with --prefix,\n"
        "--from-key or --range-end on many. revoke takes key and range exactly as they were\n"
        "granted. \"coord user grant\" gives a role to a user.",
    .flags = flags,
    .examples =
        "  $ coord role add dev\n"
        "  $ coord role grant dev readwrite /app/ --prefix\n"
        "  $ coord role grant dev read /shared/config\n"
        "  $ coord role get dev\n"
        "  $ coord role revoke dev /app/ --prefix\n",
    .run = run,
};
