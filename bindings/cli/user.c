#include <stdio.h>

#include "action.h"
#include "password.h"
#include "report.h"

static bool new_password(const struct args *args, const char *name, struct bytes *out) {
  static const char *const variables[] = {"COORD_NEW_PASSWORD", NULL};
  char prompt[128];
  snprintf(prompt, sizeof prompt, "New password of %.80s: ", name);
  return password_read(args, "--new-password-file", variables, prompt, true, out);
}

static int run_list(const struct args *args, char **words) {
  (void)words;
  return action_names(args, coord_op_user_list(), "users");
}

static int run_get(const struct args *args, char **words) {
  return action_names(args, coord_op_user_get(words[0]), "roles");
}

static int run_add(const struct args *args, char **words) {
  if (args_has(args, "--no-password")) {
    if (args_has(args, "--new-password-file")) {
      return usage_error("user", "--no-password and --new-password-file exclude each other");
    }
    return action_do(args, coord_op_user_add(words[0], NULL), "user", words[0], "added");
  }
  struct bytes password = {0};
  if (!new_password(args, words[0], &password)) return CLI_USAGE;
  coord_op *op = coord_op_user_add(words[0], password.data);
  password_free(&password);
  return action_do(args, op, "user", words[0], "added");
}

static int run_delete(const struct args *args, char **words) {
  return action_do(args, coord_op_user_delete(words[0]), "user", words[0], "deleted");
}

static int run_passwd(const struct args *args, char **words) {
  struct bytes password = {0};
  if (!new_password(args, words[0], &password)) return CLI_USAGE;
  coord_op *op = coord_op_user_password(words[0], password.data);
  password_free(&password);
  return action_do(args, op, "user", words[0], "has a new password");
}

static int run_grant(const struct args *args, char **words) {
  return action_do(args, coord_op_user_grant(words[0], words[1]), "user", words[0],
                   "has the role now");
}

static int run_revoke(const struct args *args, char **words) {
  return action_do(args, coord_op_user_revoke(words[0], words[1]), "user", words[0],
                   "has the role no longer");
}

static const struct action actions[] = {
    {"list", "list", 0, 0, NULL, run_list},
    {"get", "get NAME", 1, 1, NULL, run_get},
    {"add", "add NAME", 1, 1, " --no-password --new-password-file ", run_add},
    {"delete", "delete NAME", 1, 1, NULL, run_delete},
    {"passwd", "passwd NAME", 1, 1, " --new-password-file ", run_passwd},
    {"grant", "grant NAME ROLE", 2, 2, NULL, run_grant},
    {"revoke", "revoke NAME ROLE", 2, 2, NULL, run_revoke},
    {0}};

static int run(const struct args *args) { return action_run(args, actions); }

static const struct flag flags[] = {
    {"--new-password-file", "FILE",
     "[add, passwd] the first line of FILE is the new password; - is\n"
     "standard input"},
    {"--no-password", NULL, "[add] a user who cannot log in, for client certificates"},
    {0}};

const struct verb verb_user = {
    .name = "user",
    .usage =
        "list | get NAME | add NAME | delete NAME | passwd NAME | grant NAME ROLE |\n"
        "       revoke NAME ROLE",
    .summary = "list, add and change the users of etcd",
    .text =
        "get prints the roles of a user. The new password of add and passwd is in\n"
        "--new-password-file or $COORD_NEW_PASSWORD, or is asked for twice on the terminal; it\n"
        "has at most 72 bytes. Permissions belong to roles: see \"coord role --help\".",
    .flags = flags,
    .examples =
        "  $ export COORD_NEW_PASSWORD=secret\n"
        "  $ coord user add ann\n"
        "  $ coord role add dev && coord user grant ann dev\n"
        "  $ coord user get ann\n"
        "  $ coord user delete ann\n",
    .run = run,
};
