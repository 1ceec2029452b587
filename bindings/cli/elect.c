#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "action.h"
#include "hold.h"
#include "print.h"
#include "report.h"

struct candidate {
  struct bytes name;
  struct bytes value;
};

static int64_t remaining_ms(const void *handle) { return coord_election_remaining_ms(handle); }

/* The key by which we lead, from etcd itself. CLI_FINE, or the exit code after printing what is wrong. */
static int find_key(struct hold *hold, const struct candidate *candidate, int64_t token,
                    coord_result **out, coord_kv *kv) {
  int code = session_call(&hold->session, "elect",
                          coord_op_leader(candidate->name.data, candidate->name.len), out);
  if (code != CLI_FINE) return code;
  if (coord_result_kv(*out, 0, kv) == COORD_OK && kv->create_revision == token) return CLI_FINE;
  complain("elect", "LOST", "it was lost as soon as it led");
  return CLI_LOST;
}

/* A key with a NUL in it is cut there: no variable can hold more. */
static void tell_command(const struct candidate *candidate, const coord_kv *kv) {
  char token[24];
  snprintf(token, sizeof token, "%" PRId64, kv->create_revision);
  setenv("COORD_ELECTION_NAME", candidate->name.data, 1);
  setenv("COORD_ELECTION_KEY", kv->key, 1);
  setenv("COORD_ELECTION_TOKEN", token, 1);
}

static int use(struct hold *hold, const struct args *args, const struct candidate *candidate,
               coord_election *election) {
  coord_result *leader = NULL;
  coord_kv kv;
  int code = find_key(hold, candidate, coord_election_token(election), &leader, &kv);
  if (code == CLI_FINE && args->tail >= 0) {
    tell_command(candidate, &kv);
    code = hold_run(hold, args->words + args->tail);
  } else if (code == CLI_FINE) {
    hold_show(&kv);
    remark("Leading; Ctrl-C resigns.");
    code = output_flushed("elect") ? hold_stay(hold) : CLI_OTHER;
  }
  coord_result_free(leader);
  return code;
}

static int lead(struct hold *hold, const struct args *args, const struct candidate *candidate) {
  coord_election *election = NULL;
  coord_error *err = NULL;
  coord_result *result = NULL;
  coord_code code = coord_election_open(hold->session.client, candidate->name.data,
                                        candidate->name.len, NULL, hold->queue, 1, &election, &err);
  int exit_code = code == COORD_OK ? CLI_FINE : call_error("elect", code, err);
  coord_error_free(err);
  if (exit_code != CLI_FINE) return exit_code;
  hold->handle = election;
  hold->remaining_ms = remaining_ms;
  exit_code =
      hold_get(hold, coord_op_campaign(election, candidate->value.data, candidate->value.len),
               args_has(args, "--timeout") ? hold->session.timeout_ms : -1, &result);
  if (exit_code == CLI_FINE) exit_code = use(hold, args, candidate, election);
  /* It leads too when a signal came at the same time. */
  if (coord_election_is_leader(election)) {
    exit_code = hold_give_back(hold, coord_op_resign(election), exit_code);
  }
  coord_result_free(result);
  coord_election_free(election);
  return exit_code;
}

static int run_lead(const struct args *args, const struct candidate *candidate) {
  struct hold hold = {.what = "elect", .signals = -1};
  coord_options *options = NULL;
  const char *ttl = args_text(args, "--ttl");
  int code = session_options(args, &options);
  if (code == CLI_FINE && ttl != NULL) code = session_set(options, "--ttl", "lock.ttl.s", ttl);
  if (code != CLI_FINE) {
    coord_options_free(options);
    return code;
  }
  hold.margin_ms = hold_margin_ms(options);
  hold_prepare();
  code = hold_open(&hold, args, options);
  if (code == CLI_FINE) code = lead(&hold, args, candidate);
  hold_close(&hold);
  return code;
}

/* `kv` NULL: nobody leads. */
static void print_leader(const coord_kv *kv) {
  if (cli.json) {
    fputs("{\"leader\":", stdout);
    if (kv != NULL) {
      print_json_kv(kv, false);
    } else {
      fputs("null", stdout);
    }
    puts("}");
  } else if (kv != NULL) {
    print_bytes(kv->value, kv->value_len);
    putchar('\n');
  } else {
    remark("Nobody leads.");
  }
}

static int run_leader(const struct args *args, const struct candidate *candidate) {
  coord_result *result = NULL;
  coord_kv kv;
  int code = action_call(args, coord_op_leader(candidate->name.data, candidate->name.len), &result);
  if (code != CLI_FINE) return code;
  if (coord_result_kv(result, 0, &kv) == COORD_OK) {
    print_leader(&kv);
  } else {
    code = absent("elect", "nobody leads");
  }
  coord_result_free(result);
  return code;
}

static int follow(coord_queue *queue) {
  int code = CLI_FINE;
  while (code == CLI_FINE) {
    coord_event *event = coord_queue_next(queue, -1);
    int32_t type = coord_event_type(event), change = 0;
    coord_kv kv;
    for (size_t i = 0; type == COORD_EVENT_CHANGES && i < coord_event_count(event); i++) {
      if (coord_event_change(event, i, &change, &kv, NULL) != COORD_OK) break;
      print_leader(change == COORD_CHANGE_PUT ? &kv : NULL);
    }
    if (type == COORD_EVENT_CLOSED) {
      code = call_error("elect", coord_event_code(event), coord_event_error(event));
    }
    coord_event_free(event);
    if (code == CLI_FINE && !output_flushed("elect")) code = CLI_OTHER;
  }
  return code;
}

static int run_observe(const struct args *args, const struct candidate *candidate) {
  struct session session;
  coord_queue *queue = NULL;
  coord_election *election = NULL;
  coord_error *err = NULL;
  int exit_code = session_open(args, &session);
  if (exit_code != CLI_FINE) return exit_code;
  coord_code code = coord_queue_open(&queue, &err);
  if (code == COORD_OK) {
    code = coord_election_open(session.client, candidate->name.data, candidate->name.len, NULL,
                               queue, 0, &election, &err);
  }
  if (code == COORD_OK) code = coord_election_observe(election, &err);
  exit_code = code == COORD_OK ? follow(queue) : call_error("elect", code, err);
  coord_error_free(err);
  coord_election_free(election);
  coord_queue_free(queue);
  session_close(&session);
  return exit_code;
}

static int run_one(const struct args *args, int words, struct candidate *candidate) {
  bool looks = args_has(args, "--leader") || args_has(args, "--observe");
  if (!args_key(args, args->words[0], "NAME", &candidate->name)) return CLI_USAGE;
  if (candidate->name.len == 0) return usage_error("elect", "NAME is empty");
  if (args_has(args, "--leader") && args_has(args, "--observe")) {
    return usage_error("elect", "--leader and --observe exclude each other");
  }
  if (looks && (words > 1 || args->tail >= 0)) {
    return usage_error("elect", "--leader and --observe take NAME alone");
  }
  if (args_has(args, "--leader")) return run_leader(args, candidate);
  if (args_has(args, "--observe")) return run_observe(args, candidate);
  char owner[320];
  hold_owner(owner, sizeof owner);
  const char *value = words > 1 ? args->words[1] : owner;
  candidate->value = bytes_copy(value, strlen(value));
  return run_lead(args, candidate);
}

static int run(const struct args *args) {
  struct candidate candidate = {0};
  int words = args->tail >= 0 ? args->tail : args->count;
  if (words == 0) return usage_error("elect", "NAME is missing: coord elect %s", args->verb->usage);
  if (words > 2) {
    return usage_error("elect", "the command goes behind --: coord elect %s %s -- %s ...",
                       args->words[0], args->words[1], args->words[2]);
  }
  if (args->tail == args->count) return usage_error("elect", "there is no command behind --");
  int code = run_one(args, words, &candidate);
  bytes_free(&candidate.name);
  bytes_free(&candidate.value);
  return code;
}

static const struct flag flags[] = {
    {"--ttl", "SECONDS", "how long it leads on if this process dies; default 15"},
    {"--leader", NULL, "print what the leader proclaims, and exit"},
    {"--observe", NULL, "print it, and again whenever it changes, until Ctrl-C"},
    FLAG_KEY_BASE64,
    {0}};

const struct verb verb_elect = {
    .name = "elect",
    .usage = "NAME [VALUE] [FLAGS] [-- CMD [ARG...]]",
    .summary = "lead while a command runs, or see who leads",
    .text =
        "Waits until it leads the election NAME, for --timeout (else as long as it takes), then\n"
        "proclaims VALUE (default USER@HOST:PROCESS), runs CMD, and resigns when that ends. CMD\n"
        "gets COORD_ELECTION_NAME, COORD_ELECTION_KEY and COORD_ELECTION_TOKEN, which grows with\n"
        "each leader, and is ended when it leads no more, as with \"coord lock\". Without CMD,\n"
        "prints the token and the key and leads until Ctrl-C, a signal, or the end of a pipe on\n"
        "standard input.\n"
        "--leader exits with 1 when nobody leads.\n" HOLD_EXIT_CODES,
    .flags = flags,
    .examples =
        "  $ coord elect scheduler host-a --ttl 10 -- sh -c 'echo \"leading\"'\n"
        "  $ coord elect scheduler -- coord elect --leader scheduler\n"
        "  $ coord elect --leader scheduler || echo nobody\n",
    .run = run,
};
