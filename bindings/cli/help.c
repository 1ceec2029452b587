#include "help.h"

#include <coord.h>
#include <string.h>

#include "report.h"

static void print_flags(FILE *to, const struct flag *flags) {
  for (; flags != NULL && flags->name != NULL; flags++) {
    char left[48];
    snprintf(left, sizeof left, "%s%s%s", flags->name, flags->value != NULL ? " " : "",
             flags->value != NULL ? flags->value : "");
    fprintf(to, "  %-24s", left);
    if (strlen(left) >= 24) fprintf(to, "\n%26s", "");
    /* Continuation lines of a help text stand under its first one. */
    for (const char *c = flags->help; *c != '\0'; c++) {
      fputc(*c, to);
      if (*c == '\n') fprintf(to, "%26s", "");
    }
    fputc('\n', to);
  }
}

static void heading(FILE *to, const char *text) {
  fprintf(to, "\n%s%s%s\n", paint_out(PAINT_BOLD), text, paint_out(PAINT_OFF));
}

void help_program(FILE *to) {
  fprintf(to,
          "usage: coord [FLAGS] VERB [ARGUMENTS]\n"
          "\n"
          "Reads and writes an etcd (version 3.4 or newer) from the command line.\n");
  heading(to, "Verbs");
  for (size_t i = 0; verbs[i] != NULL; i++) {
    fprintf(to, "  %s%-9s%s %s\n", paint_out(PAINT_CYAN), verbs[i]->name, paint_out(PAINT_OFF),
            verbs[i]->summary);
  }
  heading(to, "Flags of every verb");
  print_flags(to, global_flags);
  heading(to, "Exit codes");
  fprintf(
      to,
      "  0  done\n"
      "  1  nothing there: no key matched, or the compares of a txn did not hold\n"
      "  2  wrong usage or wrong input: a flag, an option, a file, a line of it\n"
      "  3  no etcd there, or no answer in time\n"
      "  4  etcd refused: permission, size, quota, a compacted revision, a lease unknown to it\n"
      "  5  anything else: output cannot be written, no memory, a bug\n"
      "  Errors go to standard error as \"coord: what: message (CODE)\".\n"
      "  \"coord dev\", \"lock\", \"elect\", \"register\" and \"env\" end with the exit code of "
      "their "
      "CMD;\n"
      "  lock, elect, register and config have 75 and 76 besides, which their help explains.\n");
  heading(to, "Examples");
  fprintf(to,
          "  $ coord dev -- sh -c 'coord put hello world && coord get hello'\n"
          "\n"
          "  \"coord dev\" alone starts an etcd to play with and prints how to reach it.\n"
          "  \"coord VERB --help\" explains one verb.\n");
}

void help_verb(FILE *to, const struct verb *verb) {
  fprintf(to, "usage: coord %s%s%s\n\n%s\n", verb->name, *verb->usage != '\0' ? " " : "",
          verb->usage, verb->text);
  if (verb->flags != NULL && verb->flags->name != NULL) {
    heading(to, "Flags");
    print_flags(to, verb->flags);
  }
  heading(to, "Examples");
  fprintf(to, "%s\nFlags of every verb and exit codes: coord --help\n", verb->examples);
}
