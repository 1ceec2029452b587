#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "args.h"
#include "report.h"
#include "session.h"
#include "txn_json.h"

#define MOST_DOCUMENT_BYTES ((size_t)256 << 20)

static int read_document(const char *path, json_object **out) {
  bool from_stdin = strcmp(path, "-") == 0;
  const char *name = from_stdin ? "standard input" : path;
  int fd = from_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
  struct bytes text = {0};
  struct problem problem = {0};
  if (fd < 0) return input_error("txn", "cannot open %s: %s", name, strerror(errno));
  if (from_stdin && isatty(STDIN_FILENO) == 1) {
    remark("Reading the transaction from the terminal; Ctrl-D ends it.");
  }
  if (bytes_read_fd(fd, MOST_DOCUMENT_BYTES, &text)) {
    *out = json_parse_object(text.data, text.len, &problem);
  } else {
    problem_set(&problem, "cannot read: %s", strerror(errno));
  }
  if (!from_stdin) close(fd);
  bytes_free(&text);
  return *out != NULL ? CLI_FINE : input_error("txn", "%s: %s", name, problem.text);
}

static int execute(const struct args *args, coord_op *op) {
  struct session session;
  coord_result *result = NULL;
  int code = session_open(args, &session);
  if (code != CLI_FINE) {
    coord_op_free(op);
    return code;
  }
  code = session_call(&session, "txn", op, &result);
  if (code == CLI_FINE) {
    txn_print(result);
    if (!coord_result_succeeded(result)) code = CLI_ABSENT;
  }
  coord_result_free(result);
  session_close(&session);
  return code;
}

static int run(const struct args *args) {
  json_object *document = NULL;
  struct problem problem = {0};
  if (!args_words(args, 0, 1)) return CLI_USAGE;
  const char *path = args->count > 0 ? args->words[0] : "-";
  int code = read_document(path, &document);
  if (code != CLI_FINE) return code;
  coord_op *op = txn_from_json(document, &problem);
  if (op == NULL) {
    code = input_error("txn", "%s: %s", strcmp(path, "-") == 0 ? "standard input" : path,
                       problem.text);
  } else {
    code = execute(args, op);
  }
  json_object_put(document);
  return code;
}

const struct verb verb_txn = {
    .name = "txn",
    .usage = "[FILE | -]",
    .summary = "compare, then change several keys at once",
    .text =
        "Reads one JSON document from FILE, or from standard input, and executes it as one atomic\n"
        "transaction: when every compare holds, all of \"then\" is done, else all of \"else\". "
        "Each\n"
        "of the three may be left out.\n"
        "\n"
        "  {\"compare\": [{\"key\": K, \"target\": T, \"relation\": R, \"value\": V}, ...],\n"
        "   \"then\": [OP, ...], \"else\": [OP, ...]}\n"
        "\n"
        "  T   version, create or mod (V is a number; 0 for a key that does not exist), value (V\n"
        "      is a string) or lease (V is a hexadecimal string, or 0)\n"
        "  R   =, >, < or !=; with \"prefix\": true or \"range_end\": END for every key of the "
        "range\n"
        "  OP  {\"put\": {\"key\": K, \"value\": V}}, also lease, prev, ignore_value, "
        "ignore_lease\n"
        "      {\"get\": {\"key\": K}}, also prefix, from_key, range_end, limit, revision, "
        "keys_only,\n"
        "          count_only, sort, desc, serializable\n"
        "      {\"delete\": {\"key\": K}}, also prefix, from_key, range_end, prev\n"
        "      {\"txn\": {\"compare\": ...}}\n"
        "  The others mean what the flags of \"coord put\", \"get\" and \"del\" mean.\n"
        "\n"
        "Bytes that are not UTF-8: key_base64, value_base64, range_end_base64. Prints the result "
        "as\n"
        "one line of JSON. Ends with 1 when the compares did not hold.",
    .examples =
        "  $ echo '{\"compare\": [{\"key\": \"a\", \"target\": \"version\", \"relation\": \"=\", "
        "\"value\": 0}],\n"
        "      \"then\": [{\"put\": {\"key\": \"a\", \"value\": \"1\"}}],\n"
        "      \"else\": [{\"get\": {\"key\": \"a\"}}]}' > create.json\n"
        "  $ coord txn create.json\n"
        "  $ echo '{\"then\": [{\"delete\": {\"key\": \"a\"}}]}' | coord txn\n",
    .run = run,
};
