#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "action.h"
#include "keep.h"
#include "print.h"
#include "report.h"

static bool lease_word(const char *word, int64_t *id) {
  if (parse_lease(word, id)) return true;
  usage_error("lease", "ID is 1 to 16 hexadecimal digits, not 0, got \"%s\"", word);
  return false;
}

static int run_grant(const struct args *args, char **words) {
  int64_t ttl_s = 0, id = 0;
  coord_result *result = NULL;
  if (!parse_number(words[0], 1, 9000000000, &ttl_s)) {
    return usage_error("lease", "TTL is a number of seconds, 1 to 9000000000, got \"%s\"",
                       words[0]);
  }
  if (!args_lease(args, "--id", &id)) return CLI_USAGE;
  if (id < 0) return usage_error("lease", "--id is at most 7fffffffffffffff");
  int code = action_call(args, coord_op_lease_grant(ttl_s, id), &result);
  if (code != CLI_FINE) return code;
  uint64_t granted = (uint64_t)coord_result_lease_id(result);
  if (cli.json) {
    printf("{\"lease\":\"%" PRIx64 "\",\"ttl\":%" PRId64 "}\n", granted,
           coord_result_ttl_s(result));
  } else {
    printf("%" PRIx64 "\n", granted);
    if (coord_result_ttl_s(result) != ttl_s) {
      remark("The server grants %" PRId64 " s.", coord_result_ttl_s(result));
    }
  }
  coord_result_free(result);
  return CLI_FINE;
}

static int run_revoke(const struct args *args, char **words) {
  int64_t id;
  if (!lease_word(words[0], &id)) return CLI_USAGE;
  return action_do(args, coord_op_lease_revoke(id), "lease", words[0], "revoked");
}

static int keep_once(const struct args *args, int64_t id) {
  coord_result *result = NULL;
  int code = action_call(args, coord_op_lease_keepalive(id), &result);
  if (code != CLI_FINE) return code;
  if (cli.json) {
    printf("{\"lease\":\"%" PRIx64 "\",\"ttl\":%" PRId64 "}\n", (uint64_t)id,
           coord_result_ttl_s(result));
  } else {
    printf("%" PRId64 "\n", coord_result_ttl_s(result));
  }
  coord_result_free(result);
  return CLI_FINE;
}

static int run_keepalive(const struct args *args, char **words) {
  struct session session;
  struct keep keep;
  int64_t id;
  if (!lease_word(words[0], &id)) return CLI_USAGE;
  if (args_has(args, "--once")) return keep_once(args, id);
  keep_prepare();
  int code = session_open(args, &session);
  if (code != CLI_FINE) return code;
  code = keep_open(&session, "lease", id, 0, &keep);
  if (code == CLI_FINE) {
    remark("Keeping lease %" PRIx64 " alive, %" PRId64 " s each time; Ctrl-C ends it.",
           (uint64_t)id, coord_lease_ttl_s(keep.lease));
    code = keep_until_signal(&keep, "lease");
    keep_free(&keep);
  }
  session_close(&session);
  return code;
}

static void print_info_json(const coord_result *info, int64_t id, bool keys) {
  printf("{\"lease\":\"%" PRIx64 "\",\"ttl\":%" PRId64 ",\"granted_ttl\":%" PRId64, (uint64_t)id,
         coord_result_ttl_s(info), coord_result_granted_ttl_s(info));
  if (keys) fputs(",\"keys\":[", stdout);
  for (size_t i = 0; keys && i < coord_result_count(info); i++) {
    coord_kv kv;
    coord_result_kv(info, i, &kv);
    fputs(i > 0 ? ",{" : "{", stdout);
    print_json_bytes("key", kv.key, kv.key_len);
    putchar('}');
  }
  puts(keys ? "]}" : "}");
}

static void print_info(const coord_result *info) {
  printf("%" PRId64 " of %" PRId64 " s\n", coord_result_ttl_s(info),
         coord_result_granted_ttl_s(info));
  for (size_t i = 0; i < coord_result_count(info); i++) {
    coord_kv kv;
    coord_result_kv(info, i, &kv);
    print_bytes(kv.key, kv.key_len);
    putchar('\n');
  }
}

static int run_info(const struct args *args, char **words) {
  coord_result *info = NULL;
  bool keys = args_has(args, "--keys");
  int64_t id;
  if (!lease_word(words[0], &id)) return CLI_USAGE;
  int code = action_call(args, coord_op_lease_info(id, keys), &info);
  if (code != CLI_FINE) return code;
  if (coord_result_ttl_s(info) < 0) {
    code = absent("lease", "there is no lease %" PRIx64, (uint64_t)id);
  } else if (cli.json) {
    print_info_json(info, id, keys);
  } else {
    print_info(info);
  }
  coord_result_free(info);
  return code;
}

static int run_list(const struct args *args, char **words) {
  coord_result *list = NULL;
  (void)words;
  int code = action_call(args, coord_op_lease_list(), &list);
  if (code != CLI_FINE) return code;
  if (cli.json) fputs("{\"leases\":[", stdout);
  for (size_t i = 0; i < coord_result_leases(list); i++) {
    const char *form = cli.json ? i > 0 ? ",\"%" PRIx64 "\"" : "\"%" PRIx64 "\"" : "%" PRIx64 "\n";
    /* NOLINTNEXTLINE(clang-diagnostic-format-nonliteral): one of the three above */
    printf(form, (uint64_t)coord_result_lease(list, i));
  }
  if (cli.json) puts("]}");
  coord_result_free(list);
  return CLI_FINE;
}

static const struct action actions[] = {
    {"grant", "grant TTL", 1, 1, " --id ", run_grant},
    {"keepalive", "keepalive ID", 1, 1, " --once ", run_keepalive},
    {"revoke", "revoke ID", 1, 1, NULL, run_revoke},
    {"info", "info ID", 1, 1, " --keys ", run_info},
    {"list", "list", 0, 0, NULL, run_list},
    {0}};

static int run(const struct args *args) { return action_run(args, actions); }

static const struct flag flags[] = {
    {"--id", "ID", "[grant] this id (hexadecimal) instead of one that is free"},
    {"--once", NULL, "[keepalive] once, and print the seconds it has now"},
    {"--keys", NULL, "[info] and the keys attached to it"},
    {0}};

const struct verb verb_lease = {
    .name = "lease",
    .usage = "grant TTL | keepalive ID | revoke ID | info ID | list",
    .summary = "make, keep, ask about and end leases",
    .text =
        "grant prints the id of a new lease, which ends after TTL seconds, with all keys attached\n"
        "to it, unless it is kept alive; the server may grant more. keepalive keeps a lease until\n"
        "Ctrl-C, or until it is lost, which is exit code 5; the lease then has its TTL left.\n"
        "revoke ends it at once. info prints what is left of it, and exits with 1 if there is\n"
        "none. Ids are hexadecimal. \"coord put --ttl\" makes a lease for one key.",
    .flags = flags,
    .examples =
        "  $ id=$(coord lease grant 60)\n"
        "  $ coord put worker/1 ready --lease $id\n"
        "  $ coord lease info $id --keys\n"
        "  $ coord lease keepalive $id --once\n"
        "  $ coord lease revoke $id\n",
    .run = run,
};
