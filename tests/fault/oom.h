/* Every allocation made to fail in turn, on all threads: an error for the caller, never a crash, a
 * leak or a hang. Allocations of the libraries below are not counted. */
#ifndef COORD_TEST_OOM_H
#define COORD_TEST_OOM_H

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "support/etcd.h"

enum { LONGEST_WALK = 3000, CALL_MS = 200 };

static const char *endpoint;
static const char *ca = "";   /* for endpoints with TLS */
static const char *user = ""; /* with the password "annpw" */

/* A scenario gives COORD_OK when all of it worked, else the code of what failed. */
typedef coord_code scenario(void);

static coord_error *err;

/* Code and error agree, as far as there was memory for an error. */
static inline coord_code ended(coord_code code) {
  if (err != NULL) T_CODE(coord_error_code(err), code);
  if (code == COORD_OK) T_TRUE(err == NULL);
  coord_error_free(err);
  err = NULL;
  return code;
}

/* Memory that is out while a connection is made shows as a failure to connect. */
static inline bool may_fail_so(coord_code code) {
  return code == COORD_NO_MEMORY || code == COORD_UNAVAILABLE || code == COORD_TIMEOUT;
}

static inline long walk(scenario *run, bool only_no_memory) {
  coord_code code = COORD_NO_MEMORY;
  long n = 0;
  for (; code != COORD_OK && n < LONGEST_WALK; n++) {
    int64_t began = t_now_ms();
    t_case_limit_s(60);
    coord__alloc_fail_after(n);
    code = run();
    coord__alloc_fail_after(-1);
    bool good = code == COORD_OK || (only_no_memory ? code == COORD_NO_MEMORY : may_fail_so(code));
    if (!good) T_FAIL("with %ld allocations it ends with %s", n, coord_code_name(code));
    int64_t took = t_now_ms() - began;
    if (took > 20 * CALL_MS * T_SLOW) T_FAIL("with %ld allocations it takes %d ms", n, (int)took);
  }
  T_CODE(code, COORD_OK);
  return n;
}

static inline coord_options *make_options(coord_code *code, const char *lazy) {
  coord_options *options = NULL;
  *code = coord_options_new(&options);
  const char *const pairs[][2] = {{"endpoints", endpoint},
                                  {"connect.lazy", lazy},
                                  {"tls.ca", ca},
                                  {"username", user},
                                  {"password", user[0] != '\0' ? "annpw" : ""},
                                  {"log.level", "off"},
                                  {"request.timeout.ms", "200"},
                                  {"connect.timeout.ms", "200"}};
  for (size_t i = 0; i < sizeof pairs / sizeof *pairs && *code == COORD_OK; i++) {
    *code = ended(coord_options_set(options, pairs[i][0], pairs[i][1], &err));
  }
  if (*code == COORD_OK) return options;
  coord_options_free(options);
  return NULL;
}

static inline coord_client *open_client(coord_code *code, const char *lazy) {
  coord_client *client = NULL;
  coord_options *options = make_options(code, lazy);
  if (options == NULL) return NULL;
  *code = ended(coord_client_open(options, &client, &err));
  coord_options_free(options);
  T_TRUE((client != NULL) == (*code == COORD_OK));
  return client;
}

/* The client that the scenarios share, which was connected with memory at hand. */
static coord_client *shared;

static inline void prepare(void) {
  coord_code code = COORD_OK;
  endpoint = t_etcd_endpoint(t_etcd(), 0);
  shared = open_client(&code, "false");
  T_FATAL(code == COORD_OK);
}

static inline void finish(void) {
  coord_client_free(shared);
  shared = NULL;
}

static inline coord_code call_on(coord_op *op) {
  coord_result *result = NULL;
  if (op == NULL) return COORD_NO_MEMORY;
  coord_code code = ended(coord_call(shared, op, CALL_MS, &result, &err));
  coord_op_free(op);
  coord_result_free(result);
  return code;
}

/* What one walk could not release for want of memory is released when there is some, and may be in the
 * way of the next for a moment; each has its name. */
static inline void name_of_walk(char name[32]) {
  static int walks;
  snprintf(name, 32, "oom/l%d", walks++);
}

#endif
