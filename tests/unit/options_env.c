/* base/options_env: COORD_*, ETCDCTL_* and COORD_CONFIG, and who wins over whom. */
#include "base/options_env.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "support/t.h"

static coord_options *options;
static coord_error *err;

static void fresh(void) {
  coord_options_free(options);
  options = NULL;
  T_FATAL(coord_options_new(&options) == COORD_OK);
}

static void done(void) {
  coord_options_free(options);
  options = NULL;
}

static const char *value_of(const char *name) {
  const char *value = NULL;
  T_CODE(coord_options_get(options, name, &value, NULL), COORD_OK);
  return value;
}

static coord_code read_env(char **environment) {
  return coord__options_env(options, environment, &err);
}

#define ENV(...) ((char *[]){__VA_ARGS__, NULL})

static void refuse(char *variable, const char *why) {
  fresh();
  T_ERROR(read_env(ENV("COORD_NAMESPACE=x", variable)), COORD_INVALID, err, why);
  T_STR(value_of("namespace"), "");
}

static void every_option_has_a_variable(void) {
  for (int32_t i = 0; i < coord_options_count(); i++) {
    char variable[300];
    const char *option = coord_options_name(i);
    fresh();
    char value[200];
    snprintf(value, sizeof value, "%s", value_of(option));
    int n =
        snprintf(variable, sizeof variable, "COORD_%s=%s", option, value[0] != '\0' ? value : "x");
    for (int k = 0; k < n && variable[k] != '='; k++) {
      if (variable[k] == '.') variable[k] = '_';
      if (variable[k] >= 'a' && variable[k] <= 'z') variable[k] = (char)(variable[k] - 32);
    }
    T_OK(read_env(ENV(variable)), err);
    if (!T_TRUE(coord__options_is_set(options, (coord__option)i))) T_FAIL("this was %s", variable);
  }
  done();
}

static void values_are_checked_and_the_variable_named(void) {
  refuse("COORD_REQUEST_TIMEOUT_MS=5s",
         "environment variable COORD_REQUEST_TIMEOUT_MS: option request.timeout.ms: \"5s\"");
  refuse("COORD_ENDPOINTS=etcd://u:hunter2@h",
         "variable COORD_ENDPOINTS: option endpoints: the URL");
  refuse("COORD_PROXY_FILE=/nowhere/x", "variable COORD_PROXY_FILE: option proxy.file: file");
  done();
}

static void empty_variables_count_as_absent(void) {
  fresh();
  T_OK(read_env(
           ENV("COORD_NAMESPACE=", "COORD_CONFIG=", "ETCDCTL_ENDPOINTS=", "COORD_=", "COORD_X")),
       err);
  T_STR(value_of("namespace"), "");
  T_TRUE(!coord__options_is_set(options, COORD__OPTION_ENDPOINTS));
  done();
}

static void slips_are_refused_and_strangers_left_alone(void) {
  refuse("COORD_ENDPOINT=h", "COORD_ENDPOINT is no option; did you mean COORD_ENDPOINTS?");
  refuse("COORD_LOG_LEVLE=warn", "did you mean COORD_LOG_LEVEL?");
  refuse("COORD_PROXI=x", "did you mean COORD_PROXY?");
  fresh();
  T_OK(read_env(ENV("COORD_TEST_ETCD=x", "COORD_BIN=x", "COORDINATES=x", "COORD_A=1",
                    "COORD_RACE=1", "XCOORD_NAMESPACE=x", "coord_namespace=x", "ETCDCTL_API=3",
                    "ETCDCTL_ENDPOINT=x", "=", "")),
       err);
  for (int i = 0; i < COORD__OPTION_COUNT; i++) {
    T_TRUE(!coord__options_is_set(options, (coord__option)i));
  }
  done();
}

static void variables_of_etcdctl_are_understood(void) {
  fresh();
  T_OK(read_env(ENV("ETCDCTL_ENDPOINTS=http://a:1,b:2", "ETCDCTL_DIAL_TIMEOUT=2s",
                    "ETCDCTL_COMMAND_TIMEOUT=1m30.5s", "ETCDCTL_KEEPALIVE_TIME=2s",
                    "ETCDCTL_KEEPALIVE_TIMEOUT=6s", "ETCDCTL_USER=root")),
       err);
  T_STR(value_of("endpoints"), "http://a:1,b:2");
  T_STR(value_of("connect.timeout.ms"), "2000");
  T_STR(value_of("request.timeout.ms"), "90500");
  T_STR(value_of("keepalive.interval.ms"), "10000");
  T_STR(value_of("keepalive.timeout.ms"), "6000");
  T_STR(value_of("username"), "root");
  done();
}

static void user_of_etcdctl_may_hold_the_password(void) {
  bool known = coord__options_find("password") != COORD__OPTION_COUNT;
  fresh();
  T_OK(read_env(ENV("ETCDCTL_USER=me:hunter2:x")), err);
  T_STR(value_of("username"), "me");
  if (known) T_STR(coord__options_text(options, coord__options_find("password")), "hunter2:x");
  fresh();
  T_OK(read_env(ENV("ETCDCTL_USER=me:too", "ETCDCTL_PASSWORD=hunter2")), err);
  T_STR(value_of("username"), "me:too");
  if (known) T_STR(coord__options_text(options, coord__options_find("password")), "hunter2");
  done();
}

static void durations_of_go_are_understood(void) {
  static const struct {
    const char *text;
    const char *ms;
  } good[] = {{"500ms", "500"},  {"1h", "3600000"}, {"1.5s", "1500"},
              {"1m1s", "61000"}, {".5s", "500"},    {"1500000us", "1500"},
              {"2.s", "2000"},   {"1s1ms", "1001"}, {"1000000ns", "1"}};
  static const char *const bad[] = {"5", "s", "5 s", "-5s", "5sec", "1e3s", "x", "5s ", "."};
  char variable[64];
  for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
    fresh();
    snprintf(variable, sizeof variable, "ETCDCTL_COMMAND_TIMEOUT=%s", good[i].text);
    T_OK(read_env(ENV(variable)), err);
    T_STR(value_of("request.timeout.ms"), good[i].ms);
  }
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    snprintf(variable, sizeof variable, "ETCDCTL_COMMAND_TIMEOUT=%s", bad[i]);
    refuse(variable, "ETCDCTL_COMMAND_TIMEOUT: \"");
  }
  refuse("ETCDCTL_COMMAND_TIMEOUT=0", "\"0\" is not a whole number from 1");
  refuse("ETCDCTL_COMMAND_TIMEOUT=0s", "\"0\" is not a whole number from 1");
  refuse("ETCDCTL_COMMAND_TIMEOUT=99999999999999999999h", "is no duration");
  done();
}

/* ---- who wins ---- */

/* Each way to say the namespace, from the lowest; etcdctl knows none, so that the username, which
 * all of them know, stands in. */
enum { DEFAULTS, SECTION_URL, SECTION, ETCDCTL, ENV_URL, ENVIRONMENT, CALL_URL, CALL, WAYS };

static const char *const names[WAYS] = {"defaults", "surl", "section", "etcdctl",
                                        "eurl",     "env",  "curl",    "call"};

static char path[64];

static void write_file(bool defaults, bool url, bool section) {
  snprintf(path, sizeof path, "/tmp/coord-env-%d.yaml", (int)getpid());
  FILE *file = fopen(path, "w");
  T_FATAL(file != NULL);
  fprintf(file, "defaults:\n%sa:\n%s%s  log.level: warn\n",
          defaults ? "  username: defaults\n" : "  log.level: warn\n",
          url ? "  endpoints: etcd://surl@h\n" : "", section ? "  username: section\n" : "");
  fclose(file);
}

/* Say it in all the ways of a set, explicit ones before or after the environment. */
static void say(unsigned ways, bool call_first) {
  static char config[80];
  char *environment[5] = {0};
  size_t n = 0;
  fresh();
  write_file((ways >> DEFAULTS & 1) != 0, (ways >> SECTION_URL & 1) != 0,
             (ways >> SECTION & 1) != 0);
  snprintf(config, sizeof config, "COORD_CONFIG=%s#a", path);
  environment[n++] = config;
  if (ways >> ETCDCTL & 1) environment[n++] = "ETCDCTL_USER=etcdctl";
  if (ways >> ENV_URL & 1) environment[n++] = "COORD_ENDPOINTS=etcd://eurl@h";
  if (ways >> ENVIRONMENT & 1) environment[n++] = "COORD_USERNAME=env";
  for (int turn = 0; turn < 2; turn++) {
    if ((turn == 0) != call_first) {
      T_OK(read_env(environment), err);
      continue;
    }
    if (ways >> CALL & 1) T_OK(coord_options_set(options, "username", "call", &err), err);
    if (ways >> CALL_URL & 1) {
      T_OK(coord_options_set(options, "endpoints", "etcd://curl@h", &err), err);
    }
  }
}

static void every_pair_of_sources_has_its_winner(void) {
  for (int low = 0; low < WAYS; low++) {
    for (int high = low; high < WAYS; high++) {
      for (int order = 0; order < 2; order++) {
        say(1u << low | 1u << high, order != 0);
        T_STR(value_of("username"), names[high]);
      }
    }
  }
  say((1u << WAYS) - 1, true);
  T_STR(value_of("username"), "call");
  unlink(path);
  done();
}

static void config_variable_names_file_and_section(void) {
  char variable[100];
  write_file(true, false, true);
  fresh();
  snprintf(variable, sizeof variable, "COORD_CONFIG=%s", path);
  T_OK(read_env(ENV(variable)), err);
  T_STR(value_of("username"), "defaults");
  fresh();
  snprintf(variable, sizeof variable, "COORD_CONFIG=%s#a", path);
  T_OK(read_env(ENV(variable)), err);
  T_STR(value_of("username"), "section");
  snprintf(variable, sizeof variable, "COORD_CONFIG=%s#nothing", path);
  refuse(variable, "variable COORD_CONFIG: options file \"/tmp/coord-env-");
  refuse("COORD_CONFIG=/nowhere/x#a", "cannot be read: No such file");
  unlink(path);
  done();
}

static void process_environment_is_read(void) {
  fresh();
  T_TRUE(setenv("COORD_NAMESPACE", "from/env", 1) == 0);
  T_OK(coord_options_env(options, &err), err);
  T_STR(value_of("namespace"), "from/env");
  T_TRUE(unsetenv("COORD_NAMESPACE") == 0);
  T_ERROR(coord_options_env(NULL, &err), COORD_INVALID, err, "options");
  done();
}

static void without_memory_nothing_is_set(void) {
  write_file(true, true, true);
  char variable[100];
  snprintf(variable, sizeof variable, "COORD_CONFIG=%s#a", path);
  char **environment = ENV(variable, "ETCDCTL_USER=me:x", "COORD_NAMESPACE=n");
  coord_code code = COORD_NO_MEMORY;
  long n = 0;
  for (; code != COORD_OK && n < 300; n++) {
    fresh();
    coord__alloc_fail_after(n);
    code = read_env(environment);
    coord__alloc_fail_after(-1);
    coord_error_free(err);
    err = NULL;
    if (code == COORD_OK) break;
    T_CODE(code, COORD_NO_MEMORY);
    T_STR(value_of("namespace"), "");
  }
  T_TRUE(n > 10);
  T_STR(value_of("namespace"), "n");
  unlink(path);
  done();
}

T_MAIN(T_CASE(every_option_has_a_variable), T_CASE(values_are_checked_and_the_variable_named),
       T_CASE(empty_variables_count_as_absent), T_CASE(slips_are_refused_and_strangers_left_alone),
       T_CASE(variables_of_etcdctl_are_understood), T_CASE(user_of_etcdctl_may_hold_the_password),
       T_CASE(durations_of_go_are_understood), T_CASE(every_pair_of_sources_has_its_winner),
       T_CASE(config_variable_names_file_and_section), T_CASE(process_environment_is_read),
       T_CASE(without_memory_nothing_is_set))
