#include <coord.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "args.h"
#include "help.h"
#include "report.h"

struct settings cli;

const struct flag global_flags[] = {
    {"--endpoints", "LIST",
     "where etcd listens, such as 10.0.0.1:2379,10.0.0.2:2379,\n"
     "https://db.example:2379 or unix:///run/etcd.sock, or a URL that sets\n"
     "options too: etcd://user@10.0.0.1:2379,10.0.0.2:2379/namespace?option=value;\n"
     "else $COORD_ENDPOINTS, else $ETCDCTL_ENDPOINTS, else the options file,\n"
     "else 127.0.0.1:2379"},
    {"--namespace", "PREFIX",
     "all keys begin with PREFIX, which is neither given nor shown;\n"
     "else $COORD_NAMESPACE"},
    {"--config", "FILE",
     "take options from the section \"defaults\" of a YAML file; else the one\n"
     "that $COORD_CONFIG names, as FILE or FILE#SECTION"},
    {"--section", "NAME", "also those of the section NAME of that file"},
    {"--cacert", "FILE",
     "who vouches for the server of an https:// endpoint: PEM file, or\n"
     "directory made by openssl rehash; else the system's authorities"},
    {"--cert", "FILE", "PEM file with the certificate to show to the server"},
    {"--key", "FILE", "PEM file with the key of --cert; else it is in the file of --cert"},
    {"--insecure-skip-tls-verify", NULL,
     "talk to whoever answers, whatever its certificate: whoever is on\n"
     "the way can then read and change everything"},
    {"--user", "NAME",
     "log in as this user; else $COORD_USERNAME. The password is in\n"
     "--password-file, $COORD_PASSWORD or $ETCDCTL_PASSWORD, or is asked\n"
     "for on the terminal"},
    {"--password-file", "FILE", "the first line of FILE is the password; - is standard input"},
    {"--option", "NAME=VALUE",
     "set an option of the library (docs/CONFIGURATION.md lists them);\n"
     "may be repeated; else the variable COORD_ and the name in capitals,\n"
     "such as COORD_REQUEST_TIMEOUT_MS, or that of etcdctl"},
    {"--timeout", "TIME",
     "longest time for one call: 250ms, 1.5s, 2m or none; a bare number\n"
     "is milliseconds; default 5s"},
    {"--json", NULL,
     "print JSON, one object to a line. Bytes that are not UTF-8 have a\n"
     "field with _base64 behind its name: {\"key_base64\": \"/w==\"}"},
    {"--base64", NULL, "with JSON, write all keys and values as base64"},
    {"--quiet", NULL, "print results and errors only: no progress, no totals, no remarks"},
    {"--no-color", NULL,
     "no colours; the variable NO_COLOR does the same, and there are none\n"
     "where the output is no terminal"},
    {"--help", NULL, "explain the program, or the verb; also -h"},
    {"--version", NULL, "print the version"},
    {0}};

const struct verb *const verbs[] = {
    &verb_get,      &verb_put,    &verb_del,    &verb_txn,     &verb_watch,    &verb_lease,
    &verb_lock,     &verb_elect,  &verb_config, &verb_env,     &verb_register, &verb_discover,
    &verb_services, &verb_import, &verb_export, &verb_compact, &verb_status,   &verb_members,
    &verb_auth,     &verb_user,   &verb_role,   &verb_dev,     &verb_version,  NULL};

static bool wants_colour(const struct args *args, bool terminal) {
  const char *no_color = getenv("NO_COLOR");
  const char *term = getenv("TERM");
  if (!terminal || args_has(args, "--no-color")) return false;
  if (no_color != NULL && *no_color != '\0') return false;
  return term == NULL || strcmp(term, "dumb") != 0;
}

static void settle(const struct args *args) {
  cli.json = args_has(args, "--json");
  cli.base64 = args_has(args, "--base64");
  cli.quiet = args_has(args, "--quiet");
  cli.terminal_out = isatty(STDOUT_FILENO) == 1;
  cli.terminal_err = isatty(STDERR_FILENO) == 1;
  cli.colour_out = wants_colour(args, cli.terminal_out);
  cli.colour_err = wants_colour(args, cli.terminal_err);
}

static int dispatch(const struct args *args) {
  settle(args);
  if (args_has(args, "--help")) {
    if (args->verb != NULL) {
      help_verb(stdout, args->verb);
    } else {
      help_program(stdout);
    }
    return CLI_FINE;
  }
  if (args_has(args, "--version")) return verb_version.run(args);
  if (args->verb == NULL) {
    cli.colour_out = cli.colour_err;
    help_program(stderr);
    return CLI_USAGE;
  }
  return args->verb->run(args);
}

int main(int argc, char **argv) {
  static char out_buffer[1 << 16];
  setvbuf(stdout, out_buffer, isatty(STDOUT_FILENO) == 1 ? _IOLBF : _IOFBF, sizeof out_buffer);
  struct args args;
  int code = CLI_USAGE;
  if (args_parse(argc, argv, &args)) code = dispatch(&args);
  args_free(&args);
  if (!output_flushed("output")) code = CLI_OTHER;
  return code;
}
