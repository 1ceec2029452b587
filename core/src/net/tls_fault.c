#include "net/tls_fault.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { NAME = 64, ALERT_BASE = SSL_AD_REASON_OFFSET };

/* ---- the server's certificate ---- */

static const char *common_name(const X509_NAME *name, char out[NAME]) {
  if (X509_NAME_get_text_by_NID((X509_NAME *)(uintptr_t)name, NID_commonName, out, NAME) > 0) {
    for (char *c = out; *c != '\0'; c++) {
      if ((unsigned char)*c < ' ' || (unsigned char)*c > '~') *c = '?';
    }
    return out;
  }
  X509_NAME_oneline(name, out, NAME);
  return out;
}

static const char *show_time(const ASN1_TIME *when, char out[NAME]) {
  struct tm t;
  if (ASN1_TIME_to_tm(when, &t) != 1 || strftime(out, NAME, "%Y-%m-%d %H:%M UTC", &t) == 0) {
    snprintf(out, NAME, "a time that cannot be read");
  }
  return out;
}

static void show_alternative(const GENERAL_NAME *name, char out[NAME]) {
  const ASN1_STRING *text = name->d.ia5;
  const unsigned char *p = ASN1_STRING_get0_data(text);
  int n = ASN1_STRING_length(text);
  out[0] = '\0';
  if (name->type == GEN_DNS) {
    snprintf(out, NAME, "%.*s", n, (const char *)p);
  } else if (name->type == GEN_IPADD && (n == 4 || n == 16)) {
    inet_ntop(n == 4 ? AF_INET : AF_INET6, p, out, NAME);
  }
}

/* Names that a certificate is for, as far as they fit. */
static void show_names(X509 *certificate, char *out, size_t size) {
  GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
  size_t used = 0;
  snprintf(out, size, "no name at all");
  for (int i = 0; i < sk_GENERAL_NAME_num(names) && used + NAME < size; i++) {
    char one[NAME];
    show_alternative(sk_GENERAL_NAME_value(names, i), one);
    if (one[0] == '\0') continue;
    used += (size_t)snprintf(out + used, size - used, "%s%s", used > 0 ? ", " : "", one);
  }
  GENERAL_NAMES_free(names);
}

static void tell_issuer(X509 *certificate, const coord__tls_config *config, const char *whose,
                        char why[COORD__TLS_WHY]) {
  char issuer[NAME];
  common_name(X509_get_issuer_name(certificate), issuer);
  if (config->ca[0] == '\0') {
    snprintf(why, COORD__TLS_WHY,
             "%s certificate comes from \"%s\", which this system does not trust: tls.ca names "
             "whom to trust",
             whose, issuer);
  } else {
    snprintf(why, COORD__TLS_WHY,
             "%s certificate comes from \"%s\", which \"%s\" (tls.ca) does not vouch for", whose,
             issuer, config->ca);
  }
}

void coord__tls_tell_certificate(X509_STORE_CTX *store, const coord__tls_config *config,
                                 const char *host, char why[COORD__TLS_WHY]) {
  int error = X509_STORE_CTX_get_error(store);
  X509 *leaf = X509_STORE_CTX_get0_cert(store);
  X509 *current = X509_STORE_CTX_get_current_cert(store);
  const char *whose =
      X509_STORE_CTX_get_error_depth(store) == 0 ? "the server's" : "the authority's";
  char when[NAME];
  char names[COORD__TLS_WHY / 2];
  if (current == NULL) current = leaf;
  switch (error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
      snprintf(why, COORD__TLS_WHY, "%s certificate has expired, on %s", whose,
               show_time(X509_get0_notAfter(current), when));
      break;
    case X509_V_ERR_CERT_NOT_YET_VALID:
      snprintf(why, COORD__TLS_WHY, "%s certificate is not valid before %s; is the clock right?",
               whose, show_time(X509_get0_notBefore(current), when));
      break;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      show_names(leaf, names, sizeof names);
      snprintf(why, COORD__TLS_WHY,
               "the server's certificate is for %s, not for \"%s\": tls.server.name sets whom to "
               "expect",
               names, host);
      break;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
      tell_issuer(current, config, whose, why);
      break;
    default:
      snprintf(why, COORD__TLS_WHY, "%s certificate cannot be used: %s", whose,
               X509_verify_cert_error_string(error));
  }
}

/* ---- what the server says against us ---- */

static bool is_about_our_certificate(int alert) {
  switch (alert) {
    case SSL_AD_BAD_CERTIFICATE:
    case SSL_AD_UNSUPPORTED_CERTIFICATE:
    case SSL_AD_CERTIFICATE_REVOKED:
    case SSL_AD_CERTIFICATE_EXPIRED:
    case SSL_AD_CERTIFICATE_UNKNOWN:
    case SSL_AD_UNKNOWN_CA:
    case SSL_AD_ACCESS_DENIED:
    case SSL_AD_CERTIFICATE_REQUIRED:
      return true;
    default:
      return false;
  }
}

static void tell_refusal(const coord__tls_scene *scene, int alert, char why[COORD__TLS_WHY]) {
  const char *word = SSL_alert_desc_string_long(alert);
  const char *path = scene->config->cert;
  X509 *ours = SSL_get_certificate(scene->ssl);
  char when[NAME];
  if (path[0] == '\0' || ours == NULL) {
    snprintf(why, COORD__TLS_WHY,
             "the server wants a certificate from us, and tls.cert names none (alert: %s)", word);
  } else if (X509_cmp_current_time(X509_get0_notAfter(ours)) < 0) {
    snprintf(why, COORD__TLS_WHY,
             "the server refuses our certificate \"%s\" (tls.cert), which has expired, on %s", path,
             show_time(X509_get0_notAfter(ours), when));
  } else {
    snprintf(why, COORD__TLS_WHY, "the server refuses our certificate \"%s\" (tls.cert): %s", path,
             word);
  }
}

static void tell_alert(const coord__tls_scene *scene, int alert, char why[COORD__TLS_WHY]) {
  if (is_about_our_certificate(alert)) {
    tell_refusal(scene, alert, why);
  } else if (alert == SSL_AD_PROTOCOL_VERSION) {
    snprintf(why, COORD__TLS_WHY, "the server has no version of TLS from 1.%d on (tls.min.version)",
             scene->config->min_version);
  } else if (alert == SSL_AD_NO_APPLICATION_PROTOCOL) {
    snprintf(why, COORD__TLS_WHY, "the server does not speak %s over TLS (ALPN %s)",
             scene->http1 ? "HTTP/1.1" : "HTTP/2", scene->http1 ? "http/1.1" : "h2");
  } else {
    snprintf(why, COORD__TLS_WHY, "the server broke off TLS with the alert \"%s\"%s",
             SSL_alert_desc_string_long(alert),
             scene->asked_for_one && scene->config->cert[0] == '\0'
                 ? "; it wants a certificate from us, and tls.cert names none"
                 : "");
  }
}

/* ---- all else ---- */

/* Records of TLS begin with a type from 20 to 24 and a version that begins with 3. */
static bool is_no_tls(const coord__tls_scene *scene) {
  const uint8_t *p = scene->first;
  if (scene->first_len == 0 || scene->established) return false;
  return p[0] < 20 || p[0] > 24 || (scene->first_len > 1 && p[1] != 3);
}

coord_code coord__tls_tell(const coord__tls_scene *scene, char why[COORD__TLS_WHY]) {
  unsigned long error = ERR_peek_error();
  int reason = ERR_GET_REASON(error);
  const char *where = scene->established ? "" : " in the TLS handshake";
  if (is_no_tls(scene)) {
    snprintf(why, COORD__TLS_WHY, "the server does not speak TLS: use http://");
    return COORD_TLS;
  }
  if (scene->os_error != 0) {
    bool silent = scene->first_len == 0;
    snprintf(why, COORD__TLS_WHY, "the connection broke%s: %s%s", where, strerror(scene->os_error),
             silent ? "; if the server does not speak TLS, use http://" : "");
    return COORD_UNAVAILABLE;
  }
  if (scene->ended) {
    bool silent = scene->first_len == 0;
    snprintf(why, COORD__TLS_WHY, "the server closed the connection%s%s", where,
             silent ? ", without a word: if it does not speak TLS, use http://" : "");
    return silent ? COORD_TLS : COORD_UNAVAILABLE;
  }
  if (ERR_GET_LIB(error) == ERR_LIB_SSL && reason > ALERT_BASE && reason < ALERT_BASE + 256) {
    tell_alert(scene, reason - ALERT_BASE, why);
    return COORD_TLS;
  }
  if (reason == ERR_R_MALLOC_FAILURE) {
    snprintf(why, COORD__TLS_WHY, "memory is exhausted");
    return COORD_NO_MEMORY;
  }
  if (reason == SSL_R_UNSUPPORTED_PROTOCOL) {
    tell_alert(scene, SSL_AD_PROTOCOL_VERSION, why);
    return COORD_TLS;
  }
  const char *word = ERR_reason_error_string(error);
  snprintf(why, COORD__TLS_WHY, "TLS failed%s: %s", where, word != NULL ? word : "no reason given");
  return COORD_TLS;
}
