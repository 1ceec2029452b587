/* The command line, taken apart by the tables of flags. */
#ifndef CLI_ARGS_H
#define CLI_ARGS_H

#include "bytes.h"
#include "cli.h"

struct given {
  const struct flag *flag;
  const char *value;
};

struct args {
  const struct verb *verb; /* NULL when none was named */
  char **words;            /* what is no flag, without the verb; ends with NULL */
  int count;
  int tail; /* index of the first word behind "--", -1 without "--" */
  struct given *flags;
  int flag_count;
};

/* Prints what is wrong and returns false. */
bool args_parse(int argc, char **argv, struct args *out);
void args_free(struct args *args);

bool args_has(const struct args *args, const char *name);
/* The value of a flag, the last one when it was repeated; NULL when it is absent. */
const char *args_text(const struct args *args, const char *name);
/* The value of a flag as a number; *out is left alone when it is absent. */
bool args_number(const struct args *args, const char *name, int64_t min, int64_t max, int64_t *out);
/* "250", "250ms", "1.5s", "2m" in milliseconds; "none" is -1. */
bool args_duration(const struct args *args, const char *name, int32_t *out_ms);
/* A lease id in hexadecimal, as etcd prints it. */
bool args_lease(const struct args *args, const char *name, int64_t *out);
/* How many words there must be; says what is missing or too much. */
bool args_words(const struct args *args, int min, int max);
/* A key as it was given, or decoded from base64 with --key-base64. Owned by the caller. */
bool args_key(const struct args *args, const char *text, const char *what, struct bytes *out);

bool parse_number(const char *text, int64_t min, int64_t max, int64_t *out);
bool parse_lease(const char *text, int64_t *out);

#define FLAG_KEY_BASE64 \
  { "--key-base64", NULL, "keys on the command line are written in base64" }

#endif
