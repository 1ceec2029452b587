#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hold.h"
#include "queue_list.h"
#include "report.h"

/* As coord_lock_open_many has it. */
#define MOST_NAMES 64

struct names {
  struct bytes all[MOST_NAMES];
  size_t count;
};

static void names_free(struct names *names) {
  for (size_t i = 0; i < names->count; i++) bytes_free(&names->all[i]);
}

static bool add_name(const struct args *args, const char *text, const char *what,
                     struct names *names) {
  if (names->count == MOST_NAMES) {
    usage_error("lock", "%d names are the most", MOST_NAMES);
    return false;
  }
  if (!args_key(args, text, what, &names->all[names->count])) return false;
  if (names->all[names->count++].len > 0) return true;
  usage_error("lock", "%s is empty", what);
  return false;
}

static bool read_names(const struct args *args, struct names *names) {
  if (!add_name(args, args->words[0], "NAME", names)) return false;
  for (int i = 0; i < args->flag_count; i++) {
    if (strcmp(args->flags[i].flag->name, "--also") != 0) continue;
    if (!add_name(args, args->flags[i].value, "--also", names)) return false;
  }
  return true;
}

/* Flags that are options under a shorter name. */
static const struct shortcut {
  const char *flag;
  const char *option;
} shortcuts[] = {{"--ttl", "lock.ttl.s"},
                 {"--kind", "lock.kind"},
                 {"--permits", "lock.permits"},
                 {"--owner", "lock.owner"}};

static int set_delay(const struct args *args, coord_options *options) {
  int32_t delay_ms = 0;
  char text[16];
  if (!args_has(args, "--delay")) return CLI_FINE;
  if (!args_duration(args, "--delay", &delay_ms)) return CLI_USAGE;
  snprintf(text, sizeof text, "%d", delay_ms < 0 ? 0 : (int)delay_ms);
  return session_set(options, "--delay", "lock.delay.ms", text);
}

static int set_options(const struct args *args, coord_options *options) {
  int code = CLI_FINE;
  const char *owner = NULL;
  char default_owner[320];
  for (size_t i = 0; code == CLI_FINE && i < sizeof shortcuts / sizeof *shortcuts; i++) {
    const char *value = args_text(args, shortcuts[i].flag);
    if (value == NULL) continue;
    if (*value == '\0') return usage_error("lock", "%s is empty", shortcuts[i].flag);
    code = session_set(options, shortcuts[i].flag, shortcuts[i].option, value);
  }
  if (code == CLI_FINE && args_has(args, "--permits") && !args_has(args, "--kind")) {
    code = session_set(options, "--permits", "lock.kind", "semaphore");
  }
  if (code == CLI_FINE) code = set_delay(args, options);
  coord_options_get(options, "lock.owner", &owner, NULL);
  if (code == CLI_FINE && (owner == NULL || *owner == '\0')) {
    hold_owner(default_owner, sizeof default_owner);
    code = session_set(options, "lock", "lock.owner", default_owner);
  }
  return code;
}

static int64_t remaining_ms(const void *handle) { return coord_lock_remaining_ms(handle); }

/* A key with a NUL in it is cut there: no variable can hold more. */
static void tell_command(const struct names *names, const coord_kv *kv) {
  char token[24];
  snprintf(token, sizeof token, "%" PRId64, kv->create_revision);
  setenv("COORD_LOCK_NAME", names->all[0].data, 1);
  setenv("COORD_LOCK_KEY", kv->key, 1);
  setenv("COORD_LOCK_TOKEN", token, 1);
}

static int use(struct hold *hold, const struct args *args, const struct names *names,
               coord_lock *lock) {
  coord_kv kv;
  if (coord_lock_key(lock, 0, &kv) != COORD_OK) {
    complain("lock", "LOST", "it was lost as soon as it was held");
    return CLI_LOST;
  }
  if (args->tail >= 0) {
    tell_command(names, &kv);
    return hold_run(hold, args->words + args->tail);
  }
  hold_show(&kv);
  if (!output_flushed("lock")) return CLI_OTHER;
  remark("Holding it; Ctrl-C releases it.");
  return hold_stay(hold);
}

static int32_t wait_ms(const struct args *args, const struct hold *hold) {
  if (args_has(args, "--timeout")) return hold->session.timeout_ms;
  return args_has(args, "--try") ? 0 : -1;
}

static int lock_and_use(struct hold *hold, const struct args *args, const struct names *names) {
  const void *data[MOST_NAMES];
  size_t lens[MOST_NAMES];
  coord_lock *lock = NULL;
  coord_error *err = NULL;
  coord_result *result = NULL;
  for (size_t i = 0; i < names->count; i++) {
    data[i] = names->all[i].data;
    lens[i] = names->all[i].len;
  }
  coord_code code = coord_lock_open_many(hold->session.client, data, lens, names->count, NULL,
                                         hold->queue, 1, &lock, &err);
  int exit_code = code == COORD_OK ? CLI_FINE : call_error("lock", code, err);
  coord_error_free(err);
  if (exit_code != CLI_FINE) return exit_code;
  hold->handle = lock;
  hold->remaining_ms = remaining_ms;
  exit_code = hold_get(hold, coord_op_acquire(lock, !args_has(args, "--try")), wait_ms(args, hold),
                       &result);
  if (exit_code == CLI_FINE) exit_code = use(hold, args, names, lock);
  /* Held too when a signal came at the same time. */
  if (coord_lock_is_held(lock)) exit_code = hold_give_back(hold, coord_op_release(lock), exit_code);
  coord_result_free(result);
  coord_lock_free(lock);
  return exit_code;
}

static int run_lock(const struct args *args, const struct names *names) {
  struct hold hold = {.what = "lock", .signals = -1};
  coord_options *options = NULL;
  int code = session_options(args, &options);
  if (code == CLI_FINE) code = set_options(args, options);
  if (code != CLI_FINE) {
    coord_options_free(options);
    return code;
  }
  hold.margin_ms = hold_margin_ms(options);
  hold_prepare();
  code = hold_open(&hold, args, options);
  if (code == CLI_FINE) code = lock_and_use(&hold, args, names);
  hold_close(&hold);
  return code;
}

static int run_list(const struct args *args, const struct names *names) {
  int64_t permits = 1;
  if (args->tail >= 0) return usage_error("lock", "--list and a command exclude each other");
  if (names->count > 1) return usage_error("lock", "--list takes one NAME, and no --also");
  if (!args_number(args, "--permits", 1, 1000000, &permits)) return CLI_USAGE;
  return queue_list(args, &names->all[0], permits);
}

static int run(const struct args *args) {
  struct names names = {.count = 0};
  int words = args->tail >= 0 ? args->tail : args->count;
  if (words == 0) return usage_error("lock", "NAME is missing: coord lock %s", args->verb->usage);
  if (words > 1) {
    return usage_error("lock", "the command goes behind --: coord lock %s -- %s ...",
                       args->words[0], args->words[1]);
  }
  if (args->tail == args->count) return usage_error("lock", "there is no command behind --");
  int code = CLI_USAGE;
  if (read_names(args, &names)) {
    code = args_has(args, "--list") ? run_list(args, &names) : run_lock(args, &names);
  }
  names_free(&names);
  return code;
}

static const struct flag flags[] = {
    {"--ttl", "SECONDS", "how long the lock outlives this process if that dies; default 15"},
    {"--try", NULL, "do not wait for another who holds it"},
    {"--kind", "KIND",
     "mutex (default); read or write: readers share, a writer excludes\n"
     "all; semaphore: as many at once as --permits"},
    {"--permits", "N", "of a semaphore; all should say the same"},
    {"--also", "NAME", "and this lock: all are held, or none; may be repeated"},
    {"--delay", "TIME", "wait this long, such as 5s, after a holder was lost and did not release"},
    {"--owner", "TEXT", "what --list shows of this holder; default USER@HOST:PROCESS"},
    {"--list", NULL, "print who holds it and who waits, and exit"},
    FLAG_KEY_BASE64,
    {0}};

const struct verb verb_lock = {
    .name = "lock",
    .usage = "NAME [FLAGS] [-- CMD [ARG...]]",
    .summary = "hold a lock while a command runs, or see who does",
    .text =
        "Waits until nobody else holds the lock NAME, in the order of coming, for --timeout (else\n"
        "as long as it takes), then runs CMD and releases the lock when that ends. CMD gets\n"
        "COORD_LOCK_NAME, COORD_LOCK_KEY and COORD_LOCK_TOKEN: a number that grows with each\n"
        "holder, for what the lock protects to refuse a smaller one than it has seen.\n"
        "When the lock is lost, CMD and all that it has started gets SIGTERM: while a sixth of\n"
        "--ttl is left when etcd cannot be reached, and SIGKILL when nothing is left; else at\n"
        "once, and SIGKILL after 1 s. SIGTERM, SIGINT and SIGHUP are passed on to CMD.\n"
        "Without CMD, prints the token and the key and holds the lock until Ctrl-C, a signal, or\n"
        "the end of a pipe on standard input.\n" HOLD_EXIT_CODES,
    .flags = flags,
    .examples =
        "  $ coord lock backup -- sh -c 'echo \"token $COORD_LOCK_TOKEN\"'\n"
        "  $ coord lock backup --try --ttl 30 -- true || echo \"it runs elsewhere\"\n"
        "  $ coord lock build --permits 3 -- true\n"
        "  $ coord lock backup -- coord lock backup --list\n",
    .run = run,
};
