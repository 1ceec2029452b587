#include "net/tls.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"

enum { FILES = 3 };

/* What tells one content of a file from another, as far as the system knows. */
typedef struct stamp {
  dev_t device;
  ino_t number;
  off_t size;
  struct timespec written;
  struct timespec changed;
} stamp;

struct coord__tls {
  atomic_int refs;
  coord__tls_config config;
  SSL_CTX *context; /* NULL: nothing was read yet */
  stamp stamps[FILES];
};

/* What is wrong, for whom, and what to call it. */
typedef struct report {
  coord_code code;
  coord_error **err;
} report;

void coord__tls_prepare(void) {
  /* A program may end while it holds a client, and our thread with it. Without its own clean-up at
   * exit, OpenSSL stays usable until the very end. */
  OPENSSL_init_ssl(OPENSSL_INIT_NO_ATEXIT | OPENSSL_INIT_LOAD_SSL_STRINGS, NULL);
}

/* ---- life ---- */

enum { TEXTS = 5 };

static void texts_of(coord__tls_config *config, const char **texts[TEXTS]) {
  texts[0] = &config->ca;
  texts[1] = &config->cert;
  texts[2] = &config->key;
  texts[3] = &config->key_password;
  texts[4] = &config->server_name;
}

coord__tls *coord__tls_new(const coord__tls_config *config) {
  const char **texts[TEXTS];
  coord__tls *tls = coord__calloc(1, sizeof *tls);
  if (tls == NULL) return NULL;
  atomic_init(&tls->refs, 1);
  tls->config = *config;
  texts_of(&tls->config, texts);
  bool complete = true;
  for (int i = 0; i < TEXTS; i++) {
    *texts[i] = coord__strdup(*texts[i]);
    complete = complete && *texts[i] != NULL;
  }
  if (complete) return tls;
  coord__tls_release(tls);
  return NULL;
}

coord__tls *coord__tls_retain(coord__tls *tls) {
  atomic_fetch_add_explicit(&tls->refs, 1, memory_order_relaxed);
  return tls;
}

void coord__tls_release(coord__tls *tls) {
  const char **texts[TEXTS];
  if (tls == NULL || atomic_fetch_sub_explicit(&tls->refs, 1, memory_order_acq_rel) > 1) return;
  texts_of(&tls->config, texts);
  for (int i = 0; i < TEXTS; i++) coord__free((void *)(uintptr_t)*texts[i]);
  SSL_CTX_free(tls->context);
  coord__free(tls);
}

const coord__tls_config *coord__tls_config_of(const coord__tls *tls) { return &tls->config; }

SSL_CTX *coord__tls_context(const coord__tls *tls) { return tls->context; }

/* ---- files ---- */

/* A file that is not there has a stamp of zeros. */
static void look_at(const char *path, stamp *out) {
  struct stat s;
  memset(out, 0, sizeof *out);
  if (path[0] == '\0' || stat(path, &s) != 0) return;
  out->device = s.st_dev;
  out->number = s.st_ino;
  out->size = s.st_size;
  out->written = s.st_mtim;
  out->changed = s.st_ctim;
}

static void look_at_all(const coord__tls_config *config, stamp stamps[FILES]) {
  look_at(config->ca, &stamps[0]);
  look_at(config->cert, &stamps[1]);
  look_at(config->key, &stamps[2]);
}

static coord_code refuse(report r, const char *option, const char *path, const char *what) {
  return coord__fail(r.err, r.code, "option %s: \"%s\" %s", option, path, what);
}

/* OpenSSL's own words about a file that cannot be opened are no help. */
static coord_code check_readable(report r, const char *option, const char *path) {
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) {
    return coord__fail(r.err, r.code, "option %s: \"%s\" cannot be read: %s", option, path,
                       strerror(errno));
  }
  close(fd);
  return COORD_OK;
}

/* ---- authorities ---- */

static bool is_hashed_name(const char *name) {
  for (int i = 0; i < 8; i++) {
    if (!isxdigit((unsigned char)name[i])) return false;
  }
  return name[8] == '.' && isdigit((unsigned char)name[9]);
}

/* OpenSSL looks for names that come from a hash, and passes over all others without a word. */
static bool has_hashed_names(const char *path) {
  DIR *dir = opendir(path);
  bool found = false;
  if (dir == NULL) return false;
  for (struct dirent *entry; !found && (entry = readdir(dir)) != NULL;) {
    found = is_hashed_name(entry->d_name);
  }
  closedir(dir);
  return found;
}

static coord_code load_authorities(SSL_CTX *context, const coord__tls_config *config, report r) {
  struct stat s;
  if (!config->verify) return COORD_OK;
  if (config->ca[0] == '\0') {
    if (SSL_CTX_set_default_verify_paths(context) == 1) return COORD_OK;
    return coord__fail(r.err, r.code,
                       "option tls.ca: the authorities of the system cannot be read; name a file");
  }
  coord_code code = check_readable(r, "tls.ca", config->ca);
  if (code != COORD_OK) return code;
  if (stat(config->ca, &s) == 0 && S_ISDIR(s.st_mode)) {
    if (!has_hashed_names(config->ca)) {
      return refuse(r, "tls.ca", config->ca,
                    "holds no certificate under its hash; \"openssl rehash\" on it makes the "
                    "names, or name a file");
    }
    if (SSL_CTX_load_verify_locations(context, NULL, config->ca) == 1) return COORD_OK;
  } else if (SSL_CTX_load_verify_locations(context, config->ca, NULL) == 1) {
    return COORD_OK;
  }
  return refuse(r, "tls.ca", config->ca, "holds no certificate in PEM");
}

/* ---- our certificate and key ---- */

typedef struct key_password {
  const char *text;
  bool asked;
} key_password;

/* Always there: without it OpenSSL would ask at the terminal. */
static int give_password(char *to, int size, int for_writing, void *user) {
  (void)for_writing;
  key_password *password = user;
  size_t n = strlen(password->text);
  password->asked = true;
  if (n == 0 || n > (size_t)size) return -1;
  memcpy(to, password->text, n);
  return (int)n;
}

static EVP_PKEY *read_key(const char *path, key_password *password) {
  BIO *file = BIO_new_file(path, "r");
  if (file == NULL) return NULL;
  EVP_PKEY *key = PEM_read_bio_PrivateKey(file, NULL, give_password, password);
  BIO_free(file);
  return key;
}

static coord_code load_key(SSL_CTX *context, const coord__tls_config *config, report r) {
  const char *option = config->key[0] != '\0' ? "tls.key" : "tls.cert";
  const char *path = config->key[0] != '\0' ? config->key : config->cert;
  key_password password = {.text = config->key_password};
  coord_code code = check_readable(r, option, path);
  if (code != COORD_OK) return code;
  EVP_PKEY *key = read_key(path, &password);
  if (key == NULL && password.asked) {
    return coord__fail(r.err, r.code,
                       password.text[0] == '\0'
                           ? "option tls.key.password: \"%s\" is encrypted and needs it"
                           : "option tls.key.password: it does not open \"%s\"",
                       path);
  }
  if (key == NULL) {
    return refuse(r, option, path,
                  config->key[0] != '\0' ? "holds no private key in PEM"
                                         : "holds no private key in PEM, and tls.key names none");
  }
  bool fits = SSL_CTX_use_PrivateKey(context, key) == 1;
  EVP_PKEY_free(key);
  if (fits) return COORD_OK;
  return coord__fail(
      r.err, r.code,
      "option tls.key: \"%s\" is not the key of the certificate in \"%s\" (tls.cert)", path,
      config->cert);
}

static coord_code load_identity(SSL_CTX *context, const coord__tls_config *config, report r) {
  if (config->cert[0] == '\0') {
    if (config->key[0] == '\0') return COORD_OK;
    return refuse(r, "tls.key", config->key, "is of no use without tls.cert");
  }
  coord_code code = check_readable(r, "tls.cert", config->cert);
  if (code != COORD_OK) return code;
  if (SSL_CTX_use_certificate_chain_file(context, config->cert) != 1) {
    return refuse(r, "tls.cert", config->cert, "holds no certificate in PEM");
  }
  return load_key(context, config, r);
}

/* ---- contexts ---- */

static SSL_CTX *new_context(const coord__tls_config *config) {
  static const unsigned char alpn[] = "\2h2";
  SSL_CTX *context = SSL_CTX_new(TLS_client_method());
  if (context == NULL) return NULL;
  int version = config->min_version == 3 ? TLS1_3_VERSION : TLS1_2_VERSION;
  SSL_CTX_set_min_proto_version(context, version);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_read_ahead(context, 1);
  SSL_CTX_set_default_passwd_cb(context, give_password);
  /* 0 is success, in this function alone. */
  if (SSL_CTX_set_alpn_protos(context, alpn, sizeof alpn - 1) == 0) return context;
  SSL_CTX_free(context);
  return NULL;
}

coord_code coord__tls_load(coord__tls *tls, coord_code code, coord_error **err) {
  stamp now[FILES];
  report r = {code, err};
  key_password none = {.text = ""};
  look_at_all(&tls->config, now);
  if (tls->context != NULL && memcmp(now, tls->stamps, sizeof now) == 0) return COORD_OK;
  ERR_clear_error();
  SSL_CTX *context = new_context(&tls->config);
  if (context == NULL) return coord__no_memory(err);
  SSL_CTX_set_default_passwd_cb_userdata(context, &none);
  coord_code result = load_authorities(context, &tls->config, r);
  if (result == COORD_OK) result = load_identity(context, &tls->config, r);
  SSL_CTX_set_default_passwd_cb_userdata(context, NULL);
  ERR_clear_error();
  if (result != COORD_OK) {
    SSL_CTX_free(context);
    return result;
  }
  SSL_CTX_free(tls->context);
  tls->context = context;
  memcpy(tls->stamps, now, sizeof now);
  return COORD_OK;
}
