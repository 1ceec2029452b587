#include "record.h"

bool record_parse(const char *line, size_t len, struct record *out, struct problem *problem) {
  static const char *const members[] = {"key",          "value",           "key_base64",
                                        "value_base64", "create_revision", "mod_revision",
                                        "version",      "lease",           NULL};
  *out = (struct record){0};
  json_object *object = json_parse_object(line, len, problem);
  if (object == NULL) return false;
  json_only(object, "", members, problem);
  if (!json_bytes(object, "", "key", &out->key, problem)) {
    problem_set(problem, "\"key\" (or \"key_base64\") is missing");
  } else if (out->key.len == 0) {
    problem_set(problem, "the key is empty");
  }
  if (!json_bytes(object, "", "value", &out->value, problem)) {
    problem_set(problem, "\"value\" (or \"value_base64\") is missing");
  }
  json_object_put(object);
  if (problem->text[0] == '\0') return true;
  record_free(out);
  return false;
}

void record_free(struct record *record) {
  bytes_free(&record->key);
  bytes_free(&record->value);
}
