#include "conformance/verbs.h"

#include <stdio.h>
#include <string.h>

#define VERB(name, flags, args, fields) {#name, flags, args, fields},
const conf_verb conf_verbs[] = {
#include "conformance/verbs.def"
};
#undef VERB

const size_t conf_verb_count = sizeof conf_verbs / sizeof *conf_verbs;

const conf_verb *conf_verb_named(const char *name) {
  for (size_t i = 0; i < conf_verb_count; i++) {
    if (strcmp(conf_verbs[i].name, name) == 0) return &conf_verbs[i];
  }
  return NULL;
}

bool conf_verb_is(const conf_verb *verb, char flag) { return strchr(verb->flags, flag) != NULL; }

bool conf_next_arg(const char **at, conf_arg *arg) {
  const char *word = *at + strspn(*at, " ");
  size_t n = strcspn(word, " ");
  if (n == 0) return false;
  *at = word + n;
  arg->optional = word[n - 1] == '?';
  if (arg->optional) n--;
  size_t name = strcspn(word, ":");
  snprintf(arg->name, sizeof arg->name, "%.*s", (int)name, word);
  snprintf(arg->type, sizeof arg->type, "%.*s", (int)(n - name - 1), word + name + 1);
  return true;
}

bool conf_find_arg(const conf_verb *verb, const char *name, conf_arg *arg) {
  const char *at = verb->args;
  while (conf_next_arg(&at, arg)) {
    if (strcmp(arg->name, name) == 0) return true;
  }
  return false;
}

bool conf_in_list(const char *word, const char *list, char separator) {
  size_t n = strlen(word);
  for (const char *at = list; at != NULL; at = strchr(at, separator)) {
    if (*at == separator) at++;
    if (strncmp(at, word, n) == 0 && (at[n] == separator || at[n] == '\0')) return true;
    if (*at == '\0') break;
  }
  return false;
}
