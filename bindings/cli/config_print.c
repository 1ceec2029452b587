#include "config_print.h"

#include <stdio.h>

#include "json_text.h"
#include "print.h"

void config_print_member(const char *name, const coord_kv *kv) {
  struct problem problem = {0};
  if (!json_text_ok(kv->value, kv->value_len, &problem)) {
    print_json_bytes("text", kv->value, kv->value_len);
    return;
  }
  struct bytes line = json_text_line(kv->value, kv->value_len);
  printf("\"%s\":%s", name, line.data);
  bytes_free(&line);
}

void config_print_line(const coord_kv *kv) {
  struct problem problem = {0};
  if (!json_text_ok(kv->value, kv->value_len, &problem)) {
    print_bytes(kv->value, kv->value_len);
  } else {
    struct bytes line = json_text_line(kv->value, kv->value_len);
    print_bytes(line.data, line.len);
    bytes_free(&line);
  }
  putchar('\n');
}
