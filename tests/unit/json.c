/* Reading one JSON text, strictly. */
#include <string.h>

#include "base/json.h"
#include "support/t.h"

static void json_is_read(void) {
  static const char *const good[] = {"null",         "true",        "12",           "-0.5e3",
                                     "\"\"",         " [1, 2] ",    "{\"a\": {}}",  "\t7\r\n",
                                     "\"\xc3\xa4\"", "\"\\u00e4\"", "\"'N.\\\"'I\""};
  for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
    json_object *value = NULL;
    coord_error *err = NULL;
    T_OK(coord__json_parse("text", good[i], strlen(good[i]), &value, &err), err);
    T_TRUE((value == NULL) == (i == 0));
    json_object_put(value);
    T_CODE(coord__json_parse("text", good[i], strlen(good[i]), NULL, NULL), COORD_OK);
  }
}

static void what_is_no_json_is_told(void) {
  static const struct {
    const char *text;
    const char *part;
  } bad[] = {{"", "is empty"},          {" ", "ends too early"},    {"{", "ends too early"},
             {"\"a", "ends too early"}, {"[1,]", "at byte"},        {"{'a': 1}", "at byte"},
             {"nonsense", "at byte"},   {"1 2", "at byte 2"},       {"{} x", "at byte"},
             {"\"\xff\"", "at byte"},   {"True", "at byte"},        {"tru", "ends too early"},
             {"NaN", "at byte 0"},      {"[-Infinity]", "at byte"}, {"{\"a\": 'b'}", "at byte 6"},
             {"[1.]", "at byte 2"}};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    json_object *value = NULL;
    coord_error *err = NULL;
    T_ERROR(coord__json_parse("text", bad[i].text, strlen(bad[i].text), &value, &err),
            COORD_INVALID, err, bad[i].part);
    T_TRUE(value == NULL);
  }
  coord_error *err = NULL;
  T_ERROR(coord__json_parse("text", "1\0002", 3, NULL, &err), COORD_INVALID, err,
          "text is no JSON");
  char deep[200];
  memset(deep, '[', sizeof deep);
  T_ERROR(coord__json_parse("text", deep, sizeof deep, NULL, &err), COORD_INVALID, err, "text");
}

T_MAIN(T_CASE(json_is_read), T_CASE(what_is_no_json_is_told))
