#include "support/pki.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { kept = 32, path_size = 256, hour_s = 3600 };

typedef struct signer {
  X509 *certificate;
  EVP_PKEY *key;
} signer;

struct t_pki {
  char dir[128];
  signer ca;
  signer other_ca;
  signer middle;
};

static t_pki *all[16];
static char paths[kept][path_size];
static int next_path;

const char *t_pki_file(t_pki *pki, const char *name) {
  char *path = paths[next_path++ % kept];
  snprintf(path, path_size, "%s/%s", pki->dir, name);
  return path;
}

/* --- Signing ------------------------------------------------------------------------------------- */

static void extend(X509 *certificate, X509 *issuer, int nid, const char *value) {
  X509V3_CTX context;
  char text[512];
  snprintf(text, sizeof text, "%s", value);
  X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
  X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, text);
  T_FATAL(extension != NULL);
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

static X509 *new_certificate(EVP_PKEY *key, const char *cn, const X509 *issuer, int from_h,
                             int to_h) {
  uint64_t serial = 0;
  X509 *certificate = X509_new();
  X509_NAME *name = X509_NAME_new();
  T_FATAL(certificate && name && RAND_bytes((unsigned char *)&serial, sizeof serial) == 1);
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), serial >> 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate), (long)(from_h ? from_h : -24) * hour_s);
  X509_gmtime_adj(X509_getm_notAfter(certificate), (long)(to_h ? to_h : 24) * hour_s);
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)cn, -1, -1, 0);
  X509_set_subject_name(certificate, name);
  X509_set_issuer_name(certificate, issuer ? X509_get_subject_name(issuer) : name);
  X509_set_pubkey(certificate, key);
  X509_NAME_free(name);
  return certificate;
}

static signer new_authority(const char *cn, const signer *above) {
  signer s;
  s.key = EVP_EC_gen("P-256");
  T_FATAL(s.key != NULL);
  s.certificate = new_certificate(s.key, cn, above ? above->certificate : NULL, 0, 48);
  X509 *issuer = above ? above->certificate : s.certificate;
  extend(s.certificate, issuer, NID_basic_constraints, "critical,CA:TRUE");
  extend(s.certificate, issuer, NID_key_usage, "critical,keyCertSign,cRLSign");
  extend(s.certificate, issuer, NID_subject_key_identifier, "hash");
  X509_sign(s.certificate, above ? above->key : s.key, EVP_sha256());
  return s;
}

static FILE *create(t_pki *pki, const char *name, const char *suffix) {
  char file[100];
  snprintf(file, sizeof file, "%s%s", name, suffix);
  FILE *out = fopen(t_pki_file(pki, file), "w");
  T_FATAL(out != NULL);
  return out;
}

static void write_key(FILE *out, EVP_PKEY *key, const char *password) {
  char copy[64] = "";
  if (password) snprintf(copy, sizeof copy, "%s", password);
  T_FATAL(PEM_write_PKCS8PrivateKey(out, key, password ? EVP_aes_256_cbc() : NULL, NULL, 0, NULL,
                                    password ? copy : NULL) == 1);
}

void t_pki_issue(t_pki *pki, const t_certificate *what) {
  const signer *by = what->other_ca ? &pki->other_ca : &pki->ca;
  if (what->through_middle) by = &pki->middle;
  EVP_PKEY *key = EVP_EC_gen("P-256");
  T_FATAL(key != NULL);
  X509 *certificate = new_certificate(key, what->cn ? what->cn : what->file, by->certificate,
                                      what->from_h, what->to_h);
  extend(certificate, by->certificate, NID_key_usage, "critical,digitalSignature");
  /* Both: etcd calls itself with its own certificate. */
  extend(certificate, by->certificate, NID_ext_key_usage, "serverAuth,clientAuth");
  extend(certificate, by->certificate, NID_authority_key_identifier, "keyid:always");
  extend(certificate, by->certificate, NID_subject_alt_name,
         what->names ? what->names : "IP:127.0.0.1,IP:::1,DNS:localhost");
  T_FATAL(X509_sign(certificate, by->key, EVP_sha256()) > 0);
  FILE *out = create(pki, what->file, ".pem");
  PEM_write_X509(out, certificate);
  if (what->through_middle) PEM_write_X509(out, by->certificate);
  if (what->key_with_it) write_key(out, key, what->password);
  fclose(out);
  out = create(pki, what->file, ".key");
  write_key(out, key, what->password);
  fclose(out);
  X509_free(certificate);
  EVP_PKEY_free(key);
}

/* --- The directory ------------------------------------------------------------------------------- */

static void free_signer(signer *s) {
  X509_free(s->certificate);
  EVP_PKEY_free(s->key);
}

static void free_all(void) {
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
    if (all[i]) t_pki_free(all[i]);
  }
}

static void write_authority(t_pki *pki, const char *name, const signer *s) {
  FILE *out = create(pki, name, ".pem");
  PEM_write_X509(out, s->certificate);
  fclose(out);
}

t_pki *t_pki_new(void) {
  static bool registered;
  const char *root = getenv("TMPDIR");
  t_pki *pki = calloc(1, sizeof *pki);
  T_FATAL(pki != NULL);
  if (!registered) t_at_exit(free_all);
  registered = true;
  size_t i = 0;
  while (i < sizeof all / sizeof *all && all[i]) i++;
  T_FATAL(i < sizeof all / sizeof *all);
  all[i] = pki;
  snprintf(pki->dir, sizeof pki->dir, "%s/coord-test-XXXXXX", root && *root ? root : "/tmp");
  T_FATAL(mkdtemp(pki->dir) != NULL);
  pki->ca = new_authority("Test CA", NULL);
  pki->other_ca = new_authority("Other CA", NULL);
  pki->middle = new_authority("Middle CA", &pki->ca);
  write_authority(pki, "ca", &pki->ca);
  write_authority(pki, "other-ca", &pki->other_ca);
  return pki;
}

const char *t_pki_hashed(t_pki *pki) {
  char name[100];
  mkdir(t_pki_file(pki, "hashed"), 0700);
  snprintf(name, sizeof name, "hashed/%08lx",
           X509_NAME_hash_ex(X509_get_subject_name(pki->ca.certificate), NULL, NULL, NULL));
  FILE *out = create(pki, name, ".0");
  PEM_write_X509(out, pki->ca.certificate);
  fclose(out);
  return t_pki_file(pki, "hashed");
}

void t_pki_write(t_pki *pki, const char *name, const char *text) {
  FILE *out = create(pki, name, "");
  fputs(text, out);
  fclose(out);
}

void t_pki_free(t_pki *pki) {
  char command[160];
  snprintf(command, sizeof command, "rm -rf '%s'", pki->dir);
  T_TRUE(system(command) == 0);
  free_signer(&pki->ca);
  free_signer(&pki->other_ca);
  free_signer(&pki->middle);
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
    if (all[i] == pki) all[i] = NULL;
  }
  free(pki);
}
