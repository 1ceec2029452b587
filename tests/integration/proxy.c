/* Connections through proxies: HTTP CONNECT and SOCKS5, with and without a user, working and not. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/etcd.h"
#include "support/tunnel.h"

static coord_error *err;

/* The option's value for a proxy: "http://user:password@address". */
static char *value(char text[256], const char *scheme, const char *user, const t_tunnel *tunnel) {
  snprintf(text, 256, "%s://%s%s%s", scheme, user, *user ? "@" : "", t_tunnel_address(tunnel));
  return text;
}

static coord_options *options_for(const char *endpoint, const char *proxy, const char *limit_ms) {
  return t_options("endpoints", endpoint, "proxy", proxy, "log.level", "off", "connect.timeout.ms",
                   limit_ms, NULL);
}

static coord_client *client_of(const char *endpoint, const char *proxy) {
  coord_client *client = NULL;
  coord_options *options = options_for(endpoint, proxy, "5000");
  T_OK(coord_client_open(options, &client, &err), err);
  coord_error_free(err);
  err = NULL;
  coord_options_free(options);
  T_FATAL(client != NULL);
  return client;
}

/* Small and big, there and back. */
static void works(coord_client *client) {
  char key[t_key_size];
  size_t n = 300000;
  coord_kv kv = {0};
  char *big = malloc(n);
  T_FATAL(big != NULL);
  for (size_t i = 0; i < n; i++) big[i] = (char)(i * 7 + i / 251);
  T_TRUE(t_put(client, t_key(key, "small"), "v") > 0);
  T_TRUE(t_get_is(client, key, "v"));
  t_key(key, "big");
  T_OK(coord_put(client, key, strlen(key), big, n, &err), err);
  coord_result *result = t_call(client, coord_op_get(key, strlen(key)));
  T_CODE(coord_result_kv(result, 0, &kv), COORD_OK);
  T_MEM(kv.value, kv.value_len, big, n);
  coord_result_free(result);
  free(big);
}

static void passes(const t_tunnel_script *script, const char *scheme, const char *user) {
  char proxy[256], target[256];
  t_tunnel *tunnel = t_tunnel_start(script);
  coord_client *client =
      client_of(t_etcd_endpoint(t_etcd(), 0), value(proxy, scheme, user, tunnel));
  works(client);
  T_INT(t_tunnel_made(tunnel), 1);
  T_STR(t_tunnel_target(tunnel, target), t_etcd_endpoint(t_etcd(), 0));
  coord_client_free(client);
  t_tunnel_stop(tunnel);
}

static void http_proxy_passes_reads_and_writes(void) { passes(&(t_tunnel_script){0}, "http", ""); }

static void http_proxy_is_told_user_and_password(void) {
  passes(&(t_tunnel_script){.user = "me", .password = "hunter2"}, "http", "me:hunter2");
}

static void socks5_proxy_passes_reads_and_writes(void) {
  passes(&(t_tunnel_script){.socks = true}, "socks5h", "");
  passes(&(t_tunnel_script){.socks = true}, "socks5", "");
}

static void socks5_proxy_is_told_user_and_password(void) {
  passes(&(t_tunnel_script){.socks = true, .user = "me", .password = "hunter2"}, "socks5h",
         "me:hunter2");
}

static void password_may_hold_escaped_characters(void) {
  passes(&(t_tunnel_script){.user = "me", .password = "a:b@c/d"}, "http", "me:a%3Ab%40c%2Fd");
  passes(&(t_tunnel_script){.socks = true, .user = "me", .password = "a:b@c/d"}, "socks5h",
         "me:a%3Ab%40c%2Fd");
}

/* --- Names ----------------------------------------------------------------------------------------- */

static void name_is_resolved_by(bool socks, const char *scheme) {
  char proxy[256], target[256], endpoint[64];
  t_tunnel *tunnel = t_tunnel_start(&(t_tunnel_script){.socks = socks, .alias = "etcd.invalid"});
  snprintf(endpoint, sizeof endpoint, "etcd.invalid:%d", t_etcd_port(t_etcd(), 0));
  coord_client *client = client_of(endpoint, value(proxy, scheme, "", tunnel));
  works(client);
  T_STR(t_tunnel_target(tunnel, target), endpoint);
  coord_client_free(client);
  t_tunnel_stop(tunnel);
}

static void http_proxy_resolves_names(void) { name_is_resolved_by(false, "http"); }

static void socks5h_proxy_resolves_names(void) { name_is_resolved_by(true, "socks5h"); }

static void refuse_to_open(const char *endpoint, const char *proxy, coord_code code,
                           const char *part) {
  coord_client *client = NULL;
  coord_options *options = options_for(endpoint, proxy, "1000");
  coord_code actual = coord_client_open(options, &client, &err);
  T_TRUE(client == NULL);
  if (strstr(coord_error_message(err), "hunter2") || strstr(coord_error_message(err), "wrong")) {
    T_FAIL("the password is shown: %s", coord_error_message(err));
  }
  T_ERROR(actual, code, err, part);
  coord_options_free(options);
}

static void socks5_leaves_names_to_us(void) {
  char proxy[256];
  t_tunnel *tunnel = t_tunnel_start(&(t_tunnel_script){.socks = true, .alias = "etcd.invalid"});
  refuse_to_open("etcd.invalid:2379", value(proxy, "socks5", "", tunnel), COORD_UNAVAILABLE,
                 "etcd.invalid");
  T_INT(t_tunnel_made(tunnel), 0);
  t_tunnel_stop(tunnel);
}

static void proxy_variables_of_the_environment_are_not_read(void) {
  setenv("http_proxy", "http://127.0.0.1:1", 1);
  setenv("all_proxy", "http://127.0.0.1:1", 1);
  setenv("no_proxy", "*", 1);
  passes(&(t_tunnel_script){0}, "http", ""); /* no_proxy would go past it */
  coord_client *client = client_of(t_etcd_endpoint(t_etcd(), 0), "");
  works(client);
  coord_client_free(client);
  unsetenv("http_proxy");
  unsetenv("all_proxy");
  unsetenv("no_proxy");
}

/* --- Faults ---------------------------------------------------------------------------------------- */

typedef struct fault {
  t_tunnel_script script;
  const char *scheme;
  const char *user;
  coord_code code;
  const char *part;
} fault;

static const fault faults[] = {
    {{.status = "502 Bad Gateway"}, "http", "", COORD_UNAVAILABLE, "HTTP status 502"},
    {{.status = "403 Forbidden"}, "http", "", COORD_UNAVAILABLE, "HTTP status 403"},
    {{.user = "me", .password = "hunter2"}, "http", "", COORD_AUTH, "user and password"},
    {{.user = "me", .password = "hunter2"}, "http", "me:wrong", COORD_AUTH, "not these"},
    {{.silent = true}, "http", "me:hunter2", COORD_TIMEOUT, "connect.timeout.ms"},
    {{.socks = true, .reply = 1}, "socks5h", "", COORD_UNAVAILABLE, "that it failed"},
    {{.socks = true, .reply = 2}, "socks5h", "", COORD_UNAVAILABLE, "do not allow"},
    {{.socks = true, .reply = 3}, "socks5h", "", COORD_UNAVAILABLE, "network"},
    {{.socks = true, .reply = 4}, "socks5h", "", COORD_UNAVAILABLE, "cannot be reached"},
    {{.socks = true, .reply = 5}, "socks5h", "", COORD_UNAVAILABLE, "refuses connections"},
    {{.socks = true, .user = "me", .password = "hunter2"},
     "socks5h",
     "",
     COORD_AUTH,
     "user and password"},
    {{.socks = true, .user = "me", .password = "hunter2"},
     "socks5h",
     "me:wrong",
     COORD_AUTH,
     "refuses the user"},
    {{.socks = true, .silent = true}, "socks5h", "me:hunter2", COORD_TIMEOUT, "connect.timeout.ms"},
    /* Each taken for the other. */
    {{.socks = false}, "socks5h", "", COORD_UNAVAILABLE, "SOCKS"},
    {{.socks = true}, "http", "", COORD_UNAVAILABLE, ""},
};

static void fault_of_the_proxy_is_named(void) {
  char proxy[256], part[128];
  for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
    const fault *f = &faults[i];
    t_tunnel *tunnel = t_tunnel_start(&f->script);
    value(proxy, f->scheme, f->user, tunnel);
    snprintf(part, sizeof part, "through the proxy %s: ", t_tunnel_address(tunnel));
    refuse_to_open(t_etcd_endpoint(t_etcd(), 0), proxy, f->code, part);
    refuse_to_open(t_etcd_endpoint(t_etcd(), 0), proxy, f->code, f->part);
    T_TRUE(t_tunnel_connections(tunnel) >= 2);
    T_INT(t_tunnel_made(tunnel), 0);
    t_tunnel_stop(tunnel);
  }
}

static void proxy_that_is_not_there_is_named(void) {
  char proxy[256], part[128];
  t_tunnel *tunnel = t_tunnel_start(&(t_tunnel_script){0});
  value(proxy, "http", "me:hunter2", tunnel);
  snprintf(part, sizeof part, "through the proxy %s: Connection refused", t_tunnel_address(tunnel));
  t_tunnel_stop(tunnel);
  refuse_to_open(t_etcd_endpoint(t_etcd(), 0), proxy, COORD_UNAVAILABLE, part);
  refuse_to_open(t_etcd_endpoint(t_etcd(), 0), "socks5h://me:hunter2@no-such-host.invalid:1",
                 COORD_UNAVAILABLE, "through the proxy no-such-host.invalid:1: Could not resolve");
}

static void endpoint_that_refuses_is_told_through_the_proxy(void) {
  char proxy[256];
  t_tunnel *tunnel = t_tunnel_start(&(t_tunnel_script){0});
  refuse_to_open("127.0.0.1:1", value(proxy, "http", "", tunnel), COORD_UNAVAILABLE,
                 "HTTP status 503");
  t_tunnel_stop(tunnel);
  tunnel = t_tunnel_start(&(t_tunnel_script){.socks = true});
  refuse_to_open("127.0.0.1:1", value(proxy, "socks5h", "", tunnel), COORD_UNAVAILABLE,
                 "cannot be reached");
  t_tunnel_stop(tunnel);
}

static void reads_go_on_when_the_proxy_cuts_its_connections(void) {
  char proxy[256], key[t_key_size];
  t_tunnel *tunnel = t_tunnel_start(&(t_tunnel_script){.user = "me", .password = "hunter2"});
  coord_client *client =
      client_of(t_etcd_endpoint(t_etcd(), 0), value(proxy, "http", "me:hunter2", tunnel));
  T_TRUE(t_put(client, t_key(key, "k"), "v") > 0);
  for (int i = 0; i < 10; i++) {
    t_tunnel_cut(tunnel);
    T_TRUE(t_get_is(client, key, "v"));
  }
  T_TRUE(t_tunnel_made(tunnel) >= 10);
  coord_client_free(client);
  t_tunnel_stop(tunnel);
}

static void dial_through_a_silent_proxy_can_be_given_up(void) {
  char proxy[256];
  t_tunnel *tunnel = t_tunnel_start(&(t_tunnel_script){.silent = true});
  coord_client *client =
      t_client_with("proxy", value(proxy, "http", "", tunnel), "connect.lazy", "true", "log.level",
                    "off", "request.timeout.ms", "300", NULL);
  int64_t start = t_now_ms();
  t_call_fails(client, coord_op_get("k", 1), COORD_TIMEOUT, NULL);
  coord_client_free(client);
  T_WITHIN(start, 2000);
  t_tunnel_stop(tunnel);
}

T_MAIN(T_CASE(http_proxy_passes_reads_and_writes), T_CASE(http_proxy_is_told_user_and_password),
       T_CASE(socks5_proxy_passes_reads_and_writes), T_CASE(socks5_proxy_is_told_user_and_password),
       T_CASE(password_may_hold_escaped_characters), T_CASE(http_proxy_resolves_names),
       T_CASE(socks5h_proxy_resolves_names), T_CASE(socks5_leaves_names_to_us),
       T_CASE(proxy_variables_of_the_environment_are_not_read), T_CASE(fault_of_the_proxy_is_named),
       T_CASE(proxy_that_is_not_there_is_named),
       T_CASE(endpoint_that_refuses_is_told_through_the_proxy),
       T_CASE(reads_go_on_when_the_proxy_cuts_its_connections),
       T_CASE(dial_through_a_silent_proxy_can_be_given_up))
