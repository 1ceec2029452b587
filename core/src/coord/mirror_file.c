/*
 * The layout, all numbers little-endian, 64 bits: "coordmf1"; cluster id; revision; time of writing in
 * ms since 1970; length of the scope; number of keys; the scope (namespace and prefix). Of each key:
 * length of key, length of value, create revision, mod revision, version, lease; key; value. Then the
 * SHA-256 of all before it.
 */
#include "coord/mirror_file.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"

enum { MAGIC = 8, HEAD = MAGIC + 5 * 8, KV_HEAD = 6 * 8, SUM = 32, CHUNK = 256 * 1024 };

static const char magic[MAGIC + 1] = "coordmf1";

/* ---- reading ---- */

static uint64_t number_at(const uint8_t *p) {
  uint64_t n = 0;
  for (int i = 7; i >= 0; i--) n = n << 8 | p[i];
  return n;
}

static coord_code damaged(const coord__mirror_file *f, const char *how, coord_error **err) {
  return coord__fail(err, COORD_INVALID,
                     "option mirror.file: \"%s\" %s; remove it, or name another one", f->path, how);
}

static coord_code check_scope(const coord__mirror_file *f, const uint8_t *scope, size_t len,
                              coord_error **err) {
  char theirs[COORD__SHOWN], ours[COORD__SHOWN];
  if (len == f->scope.len && (len == 0 || memcmp(scope, f->scope.data, len) == 0)) {
    return COORD_OK;
  }
  return coord__fail(err, COORD_INVALID,
                     "option mirror.file: \"%s\" holds the keys under \"%s\", not those under "
                     "\"%s\"; each prefix needs a file of its own",
                     f->path, coord__show(theirs, scope, len),
                     coord__show(ours, f->scope.data, f->scope.len));
}

static bool sum_is_right(const uint8_t *bytes, size_t len) {
  uint8_t sum[EVP_MAX_MD_SIZE];
  unsigned sum_len = 0;
  return EVP_Digest(bytes, len - SUM, sum, &sum_len, EVP_sha256(), NULL) == 1 && sum_len == SUM &&
         memcmp(sum, bytes + len - SUM, SUM) == 0;
}

/* Those who read the content rely on it: all keys begin with the prefix, and they are in order. */
static bool is_next(const coord__mirror_file *f, const coord__item *item) {
  const ProtobufCBinaryData *key = &item->kv.key;
  const uint8_t *prefix = f->scope.data + f->scope.len - f->prefix_len;
  if (key->len < f->prefix_len) return false;
  if (f->prefix_len > 0 && memcmp(key->data, prefix, f->prefix_len) != 0) return false;
  const coord__item *before = f->count > 0 ? f->items[f->count - 1] : NULL;
  return before == NULL ||
         coord__compare_keys(before->kv.key.data, before->kv.key.len, key->data, key->len) < 0;
}

/* False: these are no key-values. *no_memory tells of the other reason. */
static bool take_items(coord__mirror_file *f, const uint8_t *at, const uint8_t *end, uint64_t count,
                       bool *no_memory) {
  if (count > (uint64_t)(end - at) / KV_HEAD) return false;
  f->items = coord__calloc(count > 0 ? (size_t)count : 1, sizeof *f->items);
  *no_memory = f->items == NULL;
  while (f->items != NULL && f->count < count) {
    if (end - at < KV_HEAD) return false;
    uint64_t key_len = number_at(at), value_len = number_at(at + 8);
    uint64_t left = (uint64_t)(end - at) - KV_HEAD;
    if (key_len > left || value_len > left - key_len) return false;
    coord_kv kv = {.key = at + KV_HEAD,
                   .key_len = (size_t)key_len,
                   .value = at + KV_HEAD + key_len,
                   .value_len = (size_t)value_len,
                   .create_revision = (int64_t)number_at(at + 16),
                   .mod_revision = (int64_t)number_at(at + 24),
                   .version = (int64_t)number_at(at + 32),
                   .lease_id = (int64_t)number_at(at + 40)};
    coord__item *item = coord__item_new(&kv);
    *no_memory = item == NULL;
    if (item == NULL) return false;
    bool is_good = is_next(f, item);
    f->items[f->count++] = item;
    if (!is_good) return false;
    at += KV_HEAD + key_len + value_len;
  }
  return f->items != NULL && at == end;
}

static coord_code parse(coord__mirror_file *f, const coord__buf *bytes, coord_error **err) {
  const uint8_t *p = bytes->data;
  bool no_memory = false;
  if (bytes->len < MAGIC || memcmp(p, magic, MAGIC) != 0) {
    return damaged(f, "is no file of a mirror", err);
  }
  if (bytes->len < HEAD + SUM || !sum_is_right(p, bytes->len)) {
    return damaged(f, "is damaged: its checksum is wrong", err);
  }
  f->cluster_id = number_at(p + MAGIC);
  f->revision = (int64_t)number_at(p + MAGIC + 8);
  f->written_ms = (int64_t)number_at(p + MAGIC + 16);
  uint64_t scope_len = number_at(p + MAGIC + 24);
  if (scope_len > bytes->len - HEAD - SUM || f->revision < 1 || f->written_ms < 0) {
    return damaged(f, "is damaged", err);
  }
  coord_code code = check_scope(f, p + HEAD, (size_t)scope_len, err);
  if (code != COORD_OK) return code;
  f->was_read = true;
  if (take_items(f, p + HEAD + scope_len, p + bytes->len - SUM, number_at(p + MAGIC + 32),
                 &no_memory)) {
    return COORD_OK;
  }
  return no_memory ? coord__no_memory(err) : damaged(f, "is damaged", err);
}

static coord_code read_file(coord__mirror_file *f, coord_error **err) {
  coord__buf bytes = {0};
  struct stat st;
  bool exposed;
  if (stat(f->path, &st) != 0 && errno == ENOENT) return COORD_OK;
  coord_code code =
      coord__file_read("option mirror.file:", f->path, SIZE_MAX / 2, &bytes, &exposed, err);
  if (code == COORD_OK) code = parse(f, &bytes, err);
  coord__buf_free(&bytes);
  return code;
}

/* The folder of the file: "." when it has none. NULL: memory is out. */
static char *folder_of(const char *path) {
  char *folder = coord__strdup(path);
  if (folder == NULL) return NULL;
  char *slash = strrchr(folder, '/');
  if (slash == NULL) {
    folder[0] = '.';
    slash = folder;
  }
  slash[slash == folder ? 1 : 0] = '\0';
  return folder;
}

static coord_code check_folder(const coord__mirror_file *f, coord_error **err) {
  char *folder = folder_of(f->path);
  if (folder == NULL) return coord__no_memory(err);
  int number = access(folder, W_OK | X_OK) == 0 ? 0 : errno;
  coord__free(folder);
  if (number == 0) return COORD_OK;
  return coord__fail(err, COORD_INVALID, "option mirror.file: \"%s\" cannot be written there: %s",
                     f->path, strerror(number));
}

coord_code coord__mirror_file_open(const char *path, const coord__buf *scope, size_t prefix_len,
                                   int64_t interval_ns, coord__mirror_file **out,
                                   coord_error **err) {
  coord__mirror_file *f = coord__calloc(1, sizeof *f);
  if (f == NULL) return coord__no_memory(err);
  f->prefix_len = prefix_len;
  f->interval_ns = interval_ns;
  f->path = coord__strdup(path);
  if (f->path == NULL || !coord__buf_append(&f->scope, scope->data, scope->len)) {
    coord__mirror_file_free(f);
    return coord__no_memory(err);
  }
  coord_code code = check_folder(f, err);
  if (code == COORD_OK) code = read_file(f, err);
  if (code != COORD_OK) {
    coord__mirror_file_free(f);
    return code;
  }
  *out = f;
  return COORD_OK;
}

void coord__mirror_file_forget(coord__mirror_file *f) {
  for (size_t i = 0; i < f->count; i++) coord__item_release(f->items[i]);
  coord__free(f->items);
  f->items = NULL;
  f->count = 0;
}

void coord__mirror_file_free(coord__mirror_file *f) {
  if (f == NULL) return;
  coord__mirror_file_forget(f);
  coord__buf_free(&f->scope);
  coord__free(f->path);
  coord__free(f);
}

/* ---- writing ---- */

/* A file that is being written. */
typedef struct output {
  int fd;
  int failed; /* errno; 0: all is well */
  EVP_MD_CTX *sum;
  uint8_t *chunk;
  size_t used;
} output;

static void flush(output *o) {
  for (size_t done = 0; done < o->used && o->failed == 0;) {
    ssize_t n = write(o->fd, o->chunk + done, o->used - done);
    if (n < 0 && errno != EINTR) o->failed = errno;
    if (n > 0) done += (size_t)n;
  }
  o->used = 0;
}

static void add(output *o, const void *bytes, size_t len) {
  const uint8_t *at = bytes;
  if (len > 0 && EVP_DigestUpdate(o->sum, bytes, len) != 1) o->failed = ENOMEM;
  while (len > 0 && o->failed == 0) {
    size_t n = CHUNK - o->used < len ? CHUNK - o->used : len;
    memcpy(o->chunk + o->used, at, n);
    o->used += n;
    at += n;
    len -= n;
    if (o->used == CHUNK) flush(o);
  }
}

static void add_number(output *o, uint64_t n) {
  uint8_t bytes[8];
  for (int i = 0; i < 8; i++) bytes[i] = (uint8_t)(n >> (8 * i));
  add(o, bytes, sizeof bytes);
}

static void add_all(output *o, const coord__mirror_file *f, const coord__snapshot *s,
                    uint64_t cluster_id) {
  const coord__tree *tree = coord__snapshot_tree(s);
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  add(o, magic, MAGIC);
  add_number(o, cluster_id);
  add_number(o, (uint64_t)coord__snapshot_revision(s));
  add_number(o, (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000);
  add_number(o, f->scope.len);
  add_number(o, tree->count);
  add(o, f->scope.data, f->scope.len);
  coord__cursor at = coord__tree_seek(tree, NULL, 0);
  for (const coord__item *item; (item = coord__cursor_next(&at)) != NULL;) {
    const Etcdserverpb__KeyValue *kv = &item->kv;
    add_number(o, kv->key.len);
    add_number(o, kv->value.len);
    add_number(o, (uint64_t)kv->create_revision);
    add_number(o, (uint64_t)kv->mod_revision);
    add_number(o, (uint64_t)kv->version);
    add_number(o, (uint64_t)kv->lease);
    add(o, kv->key.data, kv->key.len);
    add(o, kv->value.data, kv->value.len);
  }
}

/* errno, or 0. */
static int write_to(int fd, const coord__mirror_file *f, const coord__snapshot *s,
                    uint64_t cluster_id) {
  uint8_t sum[EVP_MAX_MD_SIZE];
  unsigned sum_len = 0;
  output o = {.fd = fd, .sum = EVP_MD_CTX_new(), .chunk = coord__malloc(CHUNK)};
  if (o.sum == NULL || o.chunk == NULL || EVP_DigestInit_ex(o.sum, EVP_sha256(), NULL) != 1) {
    o.failed = ENOMEM;
  } else {
    add_all(&o, f, s, cluster_id);
    flush(&o);
    if (EVP_DigestFinal_ex(o.sum, sum, &sum_len) != 1) o.failed = ENOMEM;
    if (o.failed == 0) memcpy(o.chunk, sum, SUM);
    o.used = SUM;
    flush(&o);
  }
  EVP_MD_CTX_free(o.sum);
  coord__free(o.chunk);
  if (o.failed == 0 && fsync(fd) != 0) o.failed = errno;
  return o.failed;
}

/* So that the new name, too, outlives the machine's end. */
static void sync_folder(const char *path) {
  char *folder = folder_of(path);
  int fd = folder != NULL ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
  if (fd >= 0) {
    fsync(fd);
    close(fd);
  }
  coord__free(folder);
}

coord_code coord__mirror_file_write(const coord__mirror_file *f, coord__snapshot *s,
                                    uint64_t cluster_id, coord_error **err) {
  /* A mirror that was freed may still be writing when the next one of the same file begins to. */
  static atomic_uint drafts;
  size_t size = strlen(f->path) + 48;
  char *draft = coord__malloc(size);
  if (draft == NULL) return coord__no_memory(err);
  snprintf(draft, size, "%s.%ld-%u.tmp", f->path, (long)getpid(), atomic_fetch_add(&drafts, 1));
  int fd = open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  int failed = fd >= 0 ? write_to(fd, f, s, cluster_id) : errno;
  if (fd >= 0 && close(fd) != 0 && failed == 0) failed = errno;
  if (failed == 0 && rename(draft, f->path) != 0) failed = errno;
  if (failed != 0 && fd >= 0) unlink(draft);
  coord__free(draft);
  if (failed == 0) {
    sync_folder(f->path);
    return COORD_OK;
  }
  if (failed == ENOMEM) return coord__no_memory(err);
  return coord__fail(err, COORD_EXHAUSTED, "option mirror.file: \"%s\" could not be written: %s",
                     f->path, strerror(failed));
}
