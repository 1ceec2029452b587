#include "print.h"

#include <inttypes.h>
#include <string.h>

#include "bytes.h"
#include "report.h"

/* Length of the UTF-8 character at p, 0 when there is none or it must not reach a terminal. */
static size_t shown_whole(const unsigned char *p, size_t left) {
  if (*p < 0x80) return *p == '\n' || *p == '\t' || (*p >= 0x20 && *p != 0x7f) ? 1 : 0;
  for (size_t n = 2; n <= 4 && n <= left; n++) {
    /* U+0080 to U+009F are control characters too. */
    if (utf8_valid(p, n)) return n == 2 && p[0] == 0xc2 && p[1] < 0xa0 ? 0 : n;
  }
  return 0;
}

void print_bytes(const void *data, size_t len) {
  if (!cli.terminal_out) {
    if (len > 0) fwrite(data, 1, len, stdout);
    return;
  }
  const unsigned char *p = data;
  for (size_t i = 0; i < len;) {
    size_t n = shown_whole(p + i, len - i);
    if (n > 0) {
      fwrite(p + i, 1, n, stdout);
    } else {
      printf("%s\\x%02x%s", paint_out(PAINT_DIM), p[i], paint_out(PAINT_OFF));
      n = 1;
    }
    i += n;
  }
}

void print_kv(const coord_kv *kv, bool keys_only) {
  fputs(paint_out(PAINT_CYAN), stdout);
  print_bytes(kv->key, kv->key_len);
  fputs(paint_out(PAINT_OFF), stdout);
  putchar('\n');
  if (keys_only) return;
  print_bytes(kv->value, kv->value_len);
  putchar('\n');
}

static void escape(unsigned char c) {
  switch (c) {
    case '"':
      fputs("\\\"", stdout);
      return;
    case '\\':
      fputs("\\\\", stdout);
      return;
    case '\n':
      fputs("\\n", stdout);
      return;
    case '\r':
      fputs("\\r", stdout);
      return;
    case '\t':
      fputs("\\t", stdout);
      return;
    default:
      printf("\\u%04x", c);
  }
}

void print_json_string(const void *data, size_t len) {
  const unsigned char *p = data;
  putchar('"');
  for (size_t i = 0; i < len;) {
    size_t plain = i;
    while (plain < len && p[plain] >= 0x20 && p[plain] != '"' && p[plain] != '\\' &&
           p[plain] != 0x7f) {
      plain++;
    }
    if (plain > i) fwrite(p + i, 1, plain - i, stdout);
    if (plain < len) escape(p[plain++]);
    i = plain;
  }
  putchar('"');
}

void print_json_bytes(const char *name, const void *data, size_t len) {
  if (!cli.base64 && utf8_valid(data, len)) {
    printf("\"%s\":", name);
    print_json_string(data, len);
  } else {
    printf("\"%s_base64\":\"", name);
    base64_write(stdout, data, len);
    putchar('"');
  }
}

void print_json_kv(const coord_kv *kv, bool keys_only) {
  putchar('{');
  print_json_bytes("key", kv->key, kv->key_len);
  if (!keys_only) {
    putchar(',');
    print_json_bytes("value", kv->value, kv->value_len);
  }
  printf(",\"create_revision\":%" PRId64 ",\"mod_revision\":%" PRId64 ",\"version\":%" PRId64,
         kv->create_revision, kv->mod_revision, kv->version);
  if (kv->lease_id != 0) printf(",\"lease\":\"%016" PRIx64 "\"", (uint64_t)kv->lease_id);
  putchar('}');
}

void print_json_kvs(const coord_result *result, bool keys_only) {
  putchar('[');
  for (size_t i = 0; i < coord_result_count(result); i++) {
    coord_kv kv;
    if (coord_result_kv(result, i, &kv) != COORD_OK) break;
    if (i > 0) putchar(',');
    print_json_kv(&kv, keys_only);
  }
  putchar(']');
}
