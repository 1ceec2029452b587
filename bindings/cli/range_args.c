#include "range_args.h"

#include "report.h"

bool range_from_args(const struct args *args, struct range *out) {
  return range_from_word(args, args->words[0], out);
}

bool range_from_word(const struct args *args, const char *key, struct range *out) {
  *out = (struct range){.prefix = args_has(args, "--prefix"),
                        .from_key = args_has(args, "--from-key"),
                        .has_end = args_has(args, "--range-end")};
  if (!args_key(args, key, "KEY", &out->key)) return false;
  if (out->has_end && !args_key(args, args_text(args, "--range-end"), "--range-end", &out->end)) {
    range_free(out);
    return false;
  }
  const char *fault = range_fault(out);
  if (fault == NULL) return true;
  usage_error(args->verb->name, "%s", fault);
  range_free(out);
  return false;
}
