#include "args.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"

static const struct flag *find_in(const struct flag *table, const char *name, size_t len) {
  for (; table != NULL && table->name != NULL; table++) {
    if (strlen(table->name) == len && memcmp(table->name, name, len) == 0) return table;
  }
  return NULL;
}

static const struct flag *find_flag(const struct verb *verb, const char *name, size_t len) {
  if (len == 2 && memcmp(name, "-h", 2) == 0) return find_in(global_flags, "--help", 6);
  const struct flag *found = find_in(global_flags, name, len);
  return found != NULL || verb == NULL ? found : find_in(verb->flags, name, len);
}

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

/* Edits between two short words (Levenshtein), for "did you mean". */
static size_t distance(const char *a, const char *b) {
  size_t row[32];
  size_t n = strlen(b);
  if (n >= 32) return 32;
  for (size_t j = 0; j <= n; j++) row[j] = j;
  for (size_t i = 1; a[i - 1] != '\0'; i++) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= n; j++) {
      size_t up = row[j];
      size_t changed = diagonal + (a[i - 1] != b[j - 1]);
      row[j] = least(least(row[j] + 1, row[j - 1] + 1), changed);
      diagonal = up;
    }
  }
  return row[n];
}

static void consider(const char *word, const char *candidate, size_t *best, const char **found) {
  size_t d = distance(word, candidate);
  if (d < *best) {
    *best = d;
    *found = candidate;
  }
}

static int unknown_verb(const char *word) {
  size_t best = 3;
  const char *found = NULL;
  for (size_t i = 0; verbs[i] != NULL; i++) consider(word, verbs[i]->name, &best, &found);
  if (found == NULL) return usage_error(NULL, "there is no verb \"%s\"", word);
  return usage_error(NULL, "there is no verb \"%s\"; did you mean \"%s\"?", word, found);
}

static int unknown_flag(const struct verb *verb, const char *word) {
  const char *name = verb != NULL ? verb->name : NULL;
  if (verb == NULL) {
    for (size_t i = 0; verbs[i] != NULL; i++) {
      if (find_in(verbs[i]->flags, word, strcspn(word, "=")) == NULL) continue;
      return usage_error(name, "%s belongs behind the verb: coord %s %s ...", word, verbs[i]->name,
                         word);
    }
  }
  size_t best = 3;
  const char *found = NULL;
  for (const struct flag *f = global_flags; f->name != NULL; f++)
    consider(word, f->name, &best, &found);
  for (const struct flag *f = verb != NULL ? verb->flags : NULL; f != NULL && f->name != NULL;
       f++) {
    consider(word, f->name, &best, &found);
  }
  if (found != NULL) {
    return usage_error(name, "there is no flag %s; did you mean %s?", word, found);
  }
  return usage_error(name, "there is no flag %s; a word that begins with - goes behind --", word);
}

/* Takes argv[*at], a flag, and its value; false when it is wrong. */
static bool take_flag(int argc, char **argv, int *at, struct args *out) {
  char *word = argv[*at];
  size_t len = strcspn(word, "=");
  const char *name = out->verb != NULL ? out->verb->name : NULL;
  const struct flag *flag = find_flag(out->verb, word, len);
  if (flag == NULL) {
    unknown_flag(out->verb, word);
    return false;
  }
  const char *value = word[len] == '=' ? word + len + 1 : NULL;
  if (flag->value == NULL && value != NULL) {
    usage_error(name, "%s takes no value, got \"%s\"", flag->name, value);
    return false;
  }
  if (flag->value != NULL && value == NULL) {
    if (*at + 1 >= argc) {
      usage_error(name, "%s needs a value: %s %s", flag->name, flag->name, flag->value);
      return false;
    }
    value = argv[++*at];
  }
  out->flags[out->flag_count++] = (struct given){flag, value};
  return true;
}

bool args_parse(int argc, char **argv, struct args *out) {
  *out = (struct args){.tail = -1};
  out->words = must_alloc((size_t)argc + 1, sizeof *out->words);
  out->flags = must_alloc((size_t)argc + 1, sizeof *out->flags);
  for (int i = 1; i < argc; i++) {
    char *word = argv[i];
    if (out->tail < 0 && strcmp(word, "--") == 0) {
      out->tail = out->count;
    } else if (out->tail < 0 && word[0] == '-' && word[1] != '\0') {
      if (!take_flag(argc, argv, &i, out)) return false;
    } else if (out->verb != NULL) {
      out->words[out->count++] = word;
    } else if (strcmp(word, "help") == 0) {
      out->flags[out->flag_count++] = (struct given){find_in(global_flags, "--help", 6), NULL};
    } else {
      for (size_t j = 0; verbs[j] != NULL; j++) {
        if (strcmp(verbs[j]->name, word) == 0) out->verb = verbs[j];
      }
      if (out->verb == NULL) {
        unknown_verb(word);
        return false;
      }
    }
  }
  return true;
}

void args_free(struct args *args) {
  free(args->words);
  free(args->flags);
  *args = (struct args){0};
}

bool args_has(const struct args *args, const char *name) { return args_text(args, name) != NULL; }

const char *args_text(const struct args *args, const char *name) {
  for (int i = args->flag_count - 1; i >= 0; i--) {
    const struct given *given = &args->flags[i];
    if (strcmp(given->flag->name, name) == 0) return given->value != NULL ? given->value : "";
  }
  return NULL;
}

bool parse_number(const char *text, int64_t min, int64_t max, int64_t *out) {
  char *end = NULL;
  errno = 0;
  long long n = strtoll(text, &end, 10);
  if (end == text || *end != '\0' || errno != 0 || n < min || n > max) return false;
  if (text[0] != '-' && (text[0] < '0' || text[0] > '9')) return false;
  *out = n;
  return true;
}

bool args_number(const struct args *args, const char *name, int64_t min, int64_t max,
                 int64_t *out) {
  const char *text = args_text(args, name);
  if (text == NULL || parse_number(text, min, max, out)) return true;
  if (max == INT64_MAX) {
    usage_error(args->verb->name, "%s takes a number from %lld, got \"%s\"", name, (long long)min,
                text);
  } else {
    usage_error(args->verb->name, "%s takes a number from %lld to %lld, got \"%s\"", name,
                (long long)min, (long long)max, text);
  }
  return false;
}

static double unit_ms(const char *unit) {
  if (*unit == '\0' || strcmp(unit, "ms") == 0) return 1;
  if (strcmp(unit, "s") == 0) return 1000;
  if (strcmp(unit, "m") == 0) return 60000;
  if (strcmp(unit, "h") == 0) return 3600000;
  return 0;
}

bool args_duration(const struct args *args, const char *name, int32_t *out_ms) {
  const char *text = args_text(args, name);
  if (text == NULL) return true;
  if (strcmp(text, "none") == 0) {
    *out_ms = -1;
    return true;
  }
  size_t digits = strspn(text, "0123456789.");
  double ms = strtod(text, NULL) * unit_ms(text + digits);
  if (digits > 0 && digits < 12 && ms >= 1 && ms <= 86400000) {
    *out_ms = (int32_t)ms;
    return true;
  }
  usage_error(args->verb != NULL ? args->verb->name : NULL,
              "%s takes a time such as 250ms, 1.5s or 2m (at most 24h), or none, got \"%s\"", name,
              text);
  return false;
}

bool parse_lease(const char *text, int64_t *out) {
  size_t len = strlen(text);
  if (len == 0 || len > 16 || strspn(text, "0123456789abcdefABCDEF") != len) return false;
  uint64_t id = strtoull(text, NULL, 16);
  if (id == 0) return false;
  *out = (int64_t)id;
  return true;
}

bool args_lease(const struct args *args, const char *name, int64_t *out) {
  const char *text = args_text(args, name);
  if (text == NULL || parse_lease(text, out)) return true;
  usage_error(args->verb->name,
              "%s takes a lease id of 1 to 16 hexadecimal digits, not 0, got \"%s\"", name, text);
  return false;
}

bool args_words(const struct args *args, int min, int max) {
  if (args->count >= min && args->count <= max) return true;
  if (args->count < min) {
    usage_error(args->verb->name, "too few arguments: coord %s %s", args->verb->name,
                args->verb->usage);
  } else {
    usage_error(args->verb->name, "\"%s\" is one argument too many: coord %s %s", args->words[max],
                args->verb->name, args->verb->usage);
  }
  return false;
}

bool args_key(const struct args *args, const char *text, const char *what, struct bytes *out) {
  if (!args_has(args, "--key-base64")) {
    *out = bytes_copy(text, strlen(text));
    return true;
  }
  if (base64_decode(text, strlen(text), out)) return true;
  usage_error(args->verb->name, "%s \"%s\" is not base64, which --key-base64 asks for", what, text);
  return false;
}
