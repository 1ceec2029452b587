/* What a step may say; from verbs.def. */
#ifndef COORD_TEST_CONFORMANCE_VERBS_H
#define COORD_TEST_CONFORMANCE_VERBS_H

#include <stdbool.h>
#include <stddef.h>

typedef struct conf_verb {
  const char *name;
  const char *flags;
  const char *args;
  const char *fields;
} conf_verb;

typedef struct conf_arg {
  char name[32];
  char type[48];
  bool optional;
} conf_arg;

extern const conf_verb conf_verbs[];
extern const size_t conf_verb_count;

/* NULL: there is none. */
const conf_verb *conf_verb_named(const char *name);
bool conf_verb_is(const conf_verb *verb, char flag);
/* The argument at *at of a list of arguments, which moves on; false at the end. */
bool conf_next_arg(const char **at, conf_arg *arg);
bool conf_find_arg(const conf_verb *verb, const char *name, conf_arg *arg);
/* `word` is one of `list`, whose words are separated by this character. */
bool conf_in_list(const char *word, const char *list, char separator);

#endif
