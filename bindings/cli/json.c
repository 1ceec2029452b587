#include <stdlib.h>
#include <string.h>

#include "cli.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static char *base64(const unsigned char *p, size_t n) {
  char *out = malloc((n + 2) / 3 * 4 + 1);
  size_t used = 0;
  for (size_t i = 0; out != NULL && i < n; i += 3) {
    unsigned v = (unsigned)p[i] << 16;
    if (i + 1 < n) v |= (unsigned)p[i + 1] << 8;
    if (i + 2 < n) v |= p[i + 2];
    out[used++] = alphabet[v >> 18];
    out[used++] = alphabet[v >> 12 & 63];
    out[used++] = i + 1 < n ? alphabet[v >> 6 & 63] : '=';
    out[used++] = i + 2 < n ? alphabet[v & 63] : '=';
  }
  if (out != NULL) out[used] = '\0';
  return out;
}

static int digit(char c) {
  const char *at = c != '\0' ? strchr(alphabet, c) : NULL;
  return at != NULL ? (int)(at - alphabet) : -1;
}

/* NULL when it is not base64. */
static unsigned char *unbase64(const char *s, size_t n, size_t *len) {
  if (n % 4 != 0) return NULL;
  unsigned char *out = malloc(n / 4 * 3 + 1);
  size_t used = 0;
  for (size_t i = 0; out != NULL && i < n; i += 4) {
    int pad = 0;
    unsigned v = 0;
    for (size_t j = 0; j < 4; j++) {
      char c = s[i + j];
      bool is_pad = c == '=' && i + 4 == n && j >= 2;
      int d = is_pad ? 0 : digit(c);
      if (d < 0 || (pad > 0 && !is_pad)) {
        free(out);
        return NULL;
      }
      pad += is_pad;
      v = v << 6 | (unsigned)d;
    }
    out[used++] = (unsigned char)(v >> 16);
    if (pad < 2) out[used++] = (unsigned char)(v >> 8);
    if (pad < 1) out[used++] = (unsigned char)v;
  }
  *len = used;
  return out;
}

/* UTF-8 as RFC 3629 has it, and no NUL. */
static bool is_text(const unsigned char *p, size_t n) {
  for (size_t i = 0; i < n;) {
    unsigned char c = p[i];
    size_t more = c < 0x80 ? 0 : c >= 0xc2 && c < 0xe0 ? 1 : c >= 0xe0 && c < 0xf0 ? 2 : 3;
    if (c == 0 || (c >= 0x80 && c < 0xc2) || c > 0xf4 || n - i <= more) return false;
    for (size_t j = 1; j <= more; j++) {
      if ((p[i + j] & 0xc0) != 0x80) return false;
    }
    if (c == 0xe0 && p[i + 1] < 0xa0) return false; /* longer than it needs to be */
    if (c == 0xed && p[i + 1] > 0x9f) return false; /* a surrogate */
    if (c == 0xf0 && p[i + 1] < 0x90) return false;
    if (c == 0xf4 && p[i + 1] > 0x8f) return false; /* beyond U+10FFFF */
    i += more + 1;
  }
  return true;
}

void json_add_bytes(json_object *o, const char *name, const void *p, size_t n) {
  if (is_text(p, n)) {
    json_object_object_add(o, name, json_object_new_string_len(p, (int)n));
    return;
  }
  char member[64];
  char *text = base64(p, n);
  snprintf(member, sizeof member, "%s_base64", name);
  json_object_object_add(o, member, json_object_new_string(text != NULL ? text : ""));
  free(text);
}

bool json_get_bytes(json_object *o, const char *name, void **out, size_t *n, const char **why) {
  char member[64];
  json_object *text;
  json_object *coded;
  snprintf(member, sizeof member, "%s_base64", name);
  bool has_text = json_object_object_get_ex(o, name, &text);
  bool has_coded = json_object_object_get_ex(o, member, &coded);
  *why = "is given twice, as text and as base64";
  if (has_text && has_coded) return false;
  *why = "is missing";
  if (!has_text && !has_coded) return false;
  json_object *value = has_text ? text : coded;
  *why = "is not a string";
  if (!json_object_is_type(value, json_type_string)) return false;
  const char *s = json_object_get_string(value);
  size_t len = (size_t)json_object_get_string_len(value);
  *why = "is not base64";
  if (has_coded) return (*out = unbase64(s, len, n)) != NULL;
  *out = malloc(len + 1);
  if (*out == NULL) return false;
  memcpy(*out, s, len);
  *n = len;
  return true;
}

json_object *json_kv(const coord_kv *kv, bool keys_only) {
  json_object *o = json_object_new_object();
  json_add_bytes(o, "key", kv->key, kv->key_len);
  if (!keys_only) json_add_bytes(o, "value", kv->value, kv->value_len);
  json_object_object_add(o, "create_revision", json_object_new_int64(kv->create_revision));
  json_object_object_add(o, "mod_revision", json_object_new_int64(kv->mod_revision));
  json_object_object_add(o, "version", json_object_new_int64(kv->version));
  if (kv->lease_id != 0) {
    char id[24];
    snprintf(id, sizeof id, "%llx", (unsigned long long)kv->lease_id);
    json_object_object_add(o, "lease", json_object_new_string(id));
  }
  return o;
}

json_object *json_pair(const coord_kv *kv) {
  json_object *o = json_object_new_object();
  json_add_bytes(o, "key", kv->key, kv->key_len);
  json_add_bytes(o, "value", kv->value, kv->value_len);
  return o;
}

bool json_print(json_object *o, FILE *out) {
  size_t n = 0;
  const char *text = json_object_to_json_string_length(
      o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &n);
  bool good = text != NULL && fwrite(text, 1, n, out) == n && fputc('\n', out) != EOF;
  json_object_put(o);
  return good;
}
