#include "net/proxy.h"

#include <curl/curl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"

/* ---- its address ---- */

static bool is_usable(const char *proxy) {
  /* No https: the connection has to be a plain socket once it is made. */
  static const char *const schemes[] = {"http", "socks4", "socks4a", "socks5", "socks5h"};
  char *scheme = NULL;
  char *port = NULL;
  bool usable = false;
  CURLU *url = curl_url();
  if (url != NULL && strstr(proxy, "://") != NULL &&
      curl_url_set(url, CURLUPART_URL, proxy, CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK &&
      curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK) {
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
      usable = usable || strcmp(scheme, schemes[i]) == 0;
    }
    usable = usable && curl_url_get(url, CURLUPART_PORT, &port, 0) == CURLUE_OK;
  }
  curl_free(scheme);
  curl_free(port);
  curl_url_cleanup(url);
  return usable;
}

coord_code coord__proxy_check(const char *proxy, coord_error **err) {
  if (proxy[0] == '\0' || is_usable(proxy)) return COORD_OK;
  /* The value may hold a password. */
  return coord__fail(err, COORD_INVALID,
                     "option proxy: expected http://[user:password@]host:port or one of the "
                     "schemes socks5h, socks5, socks4a, socks4 with host and port");
}

const char *coord__proxy_name(const char *proxy, char out[COORD__PROXY_NAME]) {
  char *host = NULL;
  char *port = NULL;
  CURLU *url = curl_url();
  snprintf(out, COORD__PROXY_NAME, "(option proxy)");
  if (url != NULL &&
      curl_url_set(url, CURLUPART_URL, proxy, CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK &&
      curl_url_get(url, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
      curl_url_get(url, CURLUPART_PORT, &port, 0) == CURLUE_OK) {
    snprintf(out, COORD__PROXY_NAME, "%s:%s", host, port);
  }
  curl_free(host);
  curl_free(port);
  curl_url_cleanup(url);
  return out;
}

/* ---- its faults ---- */

static const char *http_fault(long status, coord_code *code, char out[COORD__PROXY_FAULT]) {
  if (status == 407) {
    *code = COORD_AUTH;
    return "it wants a user and password, and not these (HTTP status 407)";
  }
  snprintf(out, COORD__PROXY_FAULT, "it answered CONNECT with HTTP status %ld", status);
  return out;
}

static const char *socks_fault(long fault, coord_code *code) {
  switch (fault) {
    case CURLPX_USER_REJECTED:
      *code = COORD_AUTH;
      return "it refuses the user or the password";
    case CURLPX_NO_AUTH:
      *code = COORD_AUTH;
      return "it wants a user and password";
    case CURLPX_REPLY_CONNECTION_REFUSED:
      return "it says that the endpoint refuses connections";
    case CURLPX_REPLY_HOST_UNREACHABLE:
      return "it says that the endpoint cannot be reached, or that its name is unknown";
    case CURLPX_REPLY_NETWORK_UNREACHABLE:
      return "it says that the network of the endpoint cannot be reached";
    case CURLPX_REPLY_NOT_ALLOWED:
      return "its rules do not allow connections to the endpoint";
    case CURLPX_REPLY_GENERAL_SERVER_FAILURE:
    case CURLPX_REQUEST_FAILED:
      return "it says that it failed";
    case CURLPX_BAD_VERSION:
      return "it does not speak this version of SOCKS";
    case CURLPX_CLOSED:
      return "it closed the connection";
    default:
      return NULL;
  }
}

const char *coord__proxy_fault(long http_status, long fault, coord_code *code,
                               char out[COORD__PROXY_FAULT]) {
  if (http_status >= 300) return http_fault(http_status, code, out);
  return socks_fault(fault, code);
}
