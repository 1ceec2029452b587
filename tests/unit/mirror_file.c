/* The file of a mirror: several who write it, and what it may hold. */
#include "coord/mirror_file.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "base/file.h"
#include "support/t.h"

enum { WRITERS = 3, ROUNDS = 20, SUM = 32 };

static char folder[64], path[96];
static coord__buf scope;

static void begin(void) {
  snprintf(folder, sizeof folder, "/tmp/coord-mirror-XXXXXX");
  T_FATAL(mkdtemp(folder) != NULL);
  snprintf(path, sizeof path, "%s/content", folder);
  T_TRUE(coord__buf_append_str(&scope, "ns/p/"));
}

static void end(void) {
  coord__buf_free(&scope);
  scope = (coord__buf){0};
  unlink(path);
  T_INT(rmdir(folder), 0); /* no draft is left */
}

static coord__mirror_file *open_file(coord_code expected, const char *why) {
  coord__mirror_file *f = NULL;
  coord_error *err = NULL;
  coord_code code = coord__mirror_file_open(path, &scope, 2, 0, &f, &err);
  T_CODE(code, expected);
  if (why != NULL) T_TRUE(strstr(coord_error_message(err), why) != NULL);
  coord_error_free(err);
  return f;
}

static coord__content *make_content(int count, size_t value_len) {
  coord__content *c = coord__content_new(2);
  char *value = calloc(1, value_len + 1);
  memset(value, 'a' + count % 26, value_len);
  for (int i = 0; i < count; i++) {
    char key[16];
    coord_kv kv = {.key = key,
                   .key_len = (size_t)snprintf(key, sizeof key, "p/%05d", i),
                   .value = value,
                   .value_len = value_len,
                   .mod_revision = 3,
                   .create_revision = 2,
                   .version = 1};
    T_FATAL(coord__edit_append(coord__content_edit(c), coord__item_new(&kv)));
  }
  T_FATAL(coord__edit_built(coord__content_edit(c)));
  T_FATAL(coord__content_publish(c, 5));
  free(value);
  return c;
}

/* ---- writing ---- */

typedef struct writer {
  pthread_t thread;
  coord__mirror_file *file;
  coord__content *content;
  coord_code code;
} writer;

static void *write_once(void *arg) {
  writer *w = arg;
  coord__snapshot *s = coord__content_snapshot(w->content);
  w->code = coord__mirror_file_write(w->file, s, 7, NULL);
  coord__snapshot_release(s);
  return NULL;
}

static void whoever_writes_at_the_same_time_writes_it_whole(void) {
  writer writers[WRITERS];
  begin();
  for (int i = 0; i < WRITERS; i++) {
    writers[i].content = make_content(100 + 100 * i, 3000);
    writers[i].file = open_file(COORD_OK, NULL);
  }
  for (int n = 0; n < ROUNDS; n++) {
    for (int i = 0; i < WRITERS; i++) {
      T_FATAL(pthread_create(&writers[i].thread, NULL, write_once, &writers[i]) == 0);
    }
    for (int i = 0; i < WRITERS; i++) {
      pthread_join(writers[i].thread, NULL);
      T_CODE(writers[i].code, COORD_OK);
    }
    coord__mirror_file *f = open_file(COORD_OK, NULL);
    if (f == NULL) break;
    T_TRUE(f->count % 100 == 0 && f->count > 0);
    coord__mirror_file_free(f);
  }
  for (int i = 0; i < WRITERS; i++) {
    coord__mirror_file_free(writers[i].file);
    coord__content_release(writers[i].content);
  }
  end();
}

/* ---- reading what somebody else has written ---- */

/* Where things are in a file of three keys of seven bytes without values. */
enum { REVISION = 16, WRITTEN = 24, KEYS = 48 + 5, KEY = 6 * 8, NEXT = KEY + 7 };

static void write_three(void) {
  writer w = {.content = make_content(3, 0), .file = open_file(COORD_OK, NULL)};
  write_once(&w);
  T_CODE(w.code, COORD_OK);
  coord__mirror_file_free(w.file);
  coord__content_release(w.content);
}

/* With another byte there, and a checksum that is right. */
static void set_byte(size_t at, uint8_t byte) {
  coord__buf bytes = {0};
  bool exposed;
  unsigned len = 0;
  T_CODE(coord__file_read("test:", path, SIZE_MAX / 2, &bytes, &exposed, NULL), COORD_OK);
  T_FATAL(at < bytes.len - SUM);
  bytes.data[at] = byte;
  uint8_t sum[EVP_MAX_MD_SIZE];
  T_INT(EVP_Digest(bytes.data, bytes.len - SUM, sum, &len, EVP_sha256(), NULL), 1);
  memcpy(bytes.data + bytes.len - SUM, sum, SUM);
  FILE *f = fopen(path, "wb");
  T_FATAL(f != NULL);
  T_INT(fwrite(bytes.data, 1, bytes.len, f), bytes.len);
  fclose(f);
  coord__buf_free(&bytes);
}

static void what_is_no_content_is_not_taken(void) {
  static const struct {
    size_t at;
    uint8_t byte;
  } wrong[] = {{KEYS + KEY, 'q'},            /* not under the prefix */
               {KEYS + NEXT + KEY + 6, '0'}, /* the first key once more */
               {KEYS + NEXT + KEY + 6, '9'}, /* behind the third one */
               {KEYS, 1},                    /* shorter than the prefix */
               {KEYS + 7, 0x80},             /* longer than anything */
               {REVISION, 0},
               {REVISION + 7, 0x80},
               {WRITTEN + 7, 0x80},
               {40, 2},     /* two keys */
               {47, 0x80}}; /* as many as there are none */
  begin();
  write_three();
  coord__mirror_file *f = open_file(COORD_OK, NULL);
  T_INT(f->count, 3);
  T_INT(f->revision, 5);
  T_INT(f->cluster_id, 7);
  coord__mirror_file_free(f);
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    set_byte(wrong[i].at, wrong[i].byte);
    f = open_file(COORD_INVALID, "is damaged");
    if (f != NULL) T_FAIL("number %zu was taken", i);
    coord__mirror_file_free(f);
    unlink(path);
    write_three();
  }
  end();
}

T_MAIN(T_CASE(whoever_writes_at_the_same_time_writes_it_whole),
       T_CASE(what_is_no_content_is_not_taken))
