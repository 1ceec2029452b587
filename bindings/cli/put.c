#include <inttypes.h>

#include "args.h"
#include "keep.h"
#include "print.h"
#include "report.h"
#include "request.h"
#include "session.h"
#include "value_in.h"

static int read_value(const struct args *args, struct bytes *out) {
  bool ignore = args_has(args, "--ignore-value");
  if (args_has(args, "--file") + (args->count > 1) + ignore > 1) {
    return usage_error("put", "VALUE, --file and --ignore-value exclude each other");
  }
  if (ignore) return CLI_FINE;
  return value_read(args, 1, out);
}

static void show(const coord_result *result, int64_t lease) {
  coord_kv prev;
  bool replaced = coord_result_kv(result, 0, &prev) == COORD_OK;
  if (cli.json) {
    printf("{\"revision\":%" PRId64, coord_result_revision(result));
    if (lease != 0) printf(",\"lease\":\"%" PRIx64 "\"", (uint64_t)lease);
    if (replaced) {
      fputs(",\"prev\":", stdout);
      print_json_kv(&prev, false);
    }
    puts("}");
    return;
  }
  if (!replaced) return;
  print_bytes(prev.value, prev.value_len);
  putchar('\n');
}

static int put_on(struct session *session, const struct put_request *request) {
  coord_result *result = NULL;
  int code = session_call(session, "put", put_op(request), &result);
  if (code == CLI_FINE) show(result, request->lease);
  coord_result_free(result);
  return code;
}

/* With a lease of its own, which is left to end. */
static int put_for(struct session *session, struct put_request *request, int64_t ttl_s) {
  coord_result *lease = NULL;
  int code = session_call(session, "put", coord_op_lease_grant(ttl_s, 0), &lease);
  if (code != CLI_FINE) return code;
  request->lease = coord_result_lease_id(lease);
  coord_result_free(lease);
  return put_on(session, request);
}

/* With a lease of its own that lives as long as this process. */
static int put_and_keep(struct session *session, struct put_request *request, int64_t ttl_s) {
  struct keep keep;
  int code = keep_open(session, "put", 0, ttl_s, &keep);
  if (code != CLI_FINE) return code;
  request->lease = coord_lease_id(keep.lease);
  code = put_on(session, request);
  if (code == CLI_FINE) {
    fflush(stdout);
    remark("Keeping the key with lease %" PRIx64 "; Ctrl-C ends both.", (uint64_t)request->lease);
    code = keep_until_signal(&keep, "put");
  }
  int end = keep_revoke(session, &keep, "put");
  keep_free(&keep);
  return code != CLI_FINE ? code : end;
}

static int put(const struct args *args, struct put_request *request, int64_t ttl_s) {
  struct session session;
  bool keeps = args_has(args, "--keep");
  if (keeps) keep_prepare();
  int code = session_open(args, &session);
  if (code != CLI_FINE) return code;
  if (ttl_s == 0) {
    code = put_on(&session, request);
  } else if (keeps) {
    code = put_and_keep(&session, request, ttl_s);
  } else {
    code = put_for(&session, request, ttl_s);
  }
  session_close(&session);
  return code;
}

static int check_lease(const struct args *args, const struct put_request *request, int64_t ttl_s) {
  if (request->lease != 0 && request->ignore_lease) {
    return usage_error("put", "--lease and --ignore-lease exclude each other");
  }
  if (ttl_s != 0 && (request->lease != 0 || request->ignore_lease)) {
    return usage_error("put", "--ttl makes a lease: it excludes --lease and --ignore-lease");
  }
  if (ttl_s == 0 && args_has(args, "--keep")) {
    return usage_error("put", "--keep needs --ttl, the time of the lease that it keeps");
  }
  return CLI_FINE;
}

static int run(const struct args *args) {
  struct put_request request = {.prev = args_has(args, "--prev"),
                                .ignore_value = args_has(args, "--ignore-value"),
                                .ignore_lease = args_has(args, "--ignore-lease")};
  int64_t ttl_s = 0;
  if (!args_words(args, 1, 2) || !args_lease(args, "--lease", &request.lease)) return CLI_USAGE;
  if (!args_number(args, "--ttl", 1, 9000000000, &ttl_s)) return CLI_USAGE;
  int code = check_lease(args, &request, ttl_s);
  if (code != CLI_FINE) return code;
  if (!args_key(args, args->words[0], "KEY", &request.key)) return CLI_USAGE;
  if (request.key.len == 0) code = usage_error("put", "the key is empty");
  if (code == CLI_FINE) code = read_value(args, &request.value);
  if (code == CLI_FINE) code = put(args, &request, ttl_s);
  bytes_free(&request.key);
  bytes_free(&request.value);
  return code;
}

static const struct flag flags[] = {
    {"--file", "F", "the value is the content of file F, byte for byte"},
    {"--prev", NULL, "print the value that was there before"},
    {"--lease", "ID", "attach the key to this lease (hexadecimal, as etcd prints it)"},
    {"--ttl", "SECONDS", "attach it to a new lease, which ends after that time"},
    {"--keep", NULL,
     "with --ttl: stay and keep the lease alive until Ctrl-C, then\n"
     "delete the key"},
    {"--ignore-value", NULL, "keep the present value, change the lease alone"},
    {"--ignore-lease", NULL, "keep the present lease, change the value alone"},
    FLAG_KEY_BASE64,
    {0}};

const struct verb verb_put = {
    .name = "put",
    .usage = "KEY [VALUE | --file F | -] [FLAGS]",
    .summary = "write a key",
    .text =
        "Writes VALUE, or the content of a file, or with - or without a VALUE what comes from\n"
        "standard input, up to its last byte. A value that begins with - goes behind --.\n"
        "Prints nothing but what was asked for.",
    .flags = flags,
    .examples =
        "  $ coord put hello world\n"
        "  $ coord put hello 'to you' --prev\n"
        "  $ printf 'two\\nlines' | coord put note -\n"
        "  $ coord put release --file /etc/os-release\n"
        "  $ coord put temperature -- -5\n"
        "  $ timeout --preserve-status 3 coord put worker/1 ready --ttl 30 --keep\n",
    .run = run,
};
