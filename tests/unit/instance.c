/* Instances of services: what is checked, filled in, kept and changed, and the two formats. */
#include "coord/instance_object.h"

#include <stdio.h>
#include <string.h>

#include "support/t.h"

static coord_instance *parse(const char *json) {
  coord_instance *i = NULL;
  coord_error *err = NULL;
  T_OK(coord__instance_parse(json, strlen(json), &i, &err), err);
  T_FATAL(i != NULL);
  return i;
}

static void refuse(const char *json, const char *why) {
  coord_instance *i = NULL;
  coord_error *err = NULL;
  T_ERROR(coord__instance_parse(json, strlen(json), &i, &err), COORD_INVALID, err, why);
  T_TRUE(i == NULL);
}

static coord_instance *read_as(coord__format format, const char *value) {
  coord_instance *i = NULL;
  coord_error *err = NULL;
  T_OK(coord__instance_read(format, "web", "a", value, strlen(value), &i, &err), err);
  T_FATAL(i != NULL);
  return i;
}

static void skip_as(coord__format format, const char *value, const char *why) {
  coord_instance *i = NULL;
  coord_error *err = NULL;
  T_ERROR(coord__instance_read(format, "web", "a", value, strlen(value), &i, &err), COORD_INVALID,
          err, why);
}

static void stored_as(const coord_instance *i, coord__format format, const char *expected) {
  coord__buf value = {0};
  T_OK(coord__instance_value(i, format, &value, NULL), NULL);
  T_MEM(value.data, value.len, expected, strlen(expected));
  coord__buf_free(&value);
}

static void what_is_left_out_is_filled_in(void) {
  coord_instance *i = parse(" {\"name\":\"web\",\"address\":\"10.0.0.1\",\"port\":80} \n");
  T_STR(coord_instance_id(i), "10.0.0.1:80");
  T_STR(coord_instance_status(i), "up");
  T_STR(coord_instance_version(i), "");
  T_INT(coord_instance_weight(i), 1);
  T_STR(coord_instance_metadata(i, "zone"), NULL);
  T_STR(coord_instance_json(i),
        "{\"name\":\"web\",\"address\":\"10.0.0.1\",\"port\":80,\"id\":\"10.0.0.1:80\","
        "\"metadata\":{},\"weight\":1,\"status\":\"up\"}");
  coord_instance_free(i);
  i = parse("{\"name\":\"web\",\"address\":\"::1\",\"port\":80}");
  T_STR(coord_instance_id(i), "[::1]:80");
  coord_instance_free(i);
  i = parse("{\"name\":\"web\",\"address\":\"::1\"}");
  T_STR(coord_instance_id(i), "::1");
  coord_instance_free(i);
}

static void all_fields_are_read(void) {
  coord_instance *i = parse(
      "{\"id\":\"a/"
      "1\",\"name\":\"web\",\"address\":\"host\",\"port\":65535,\"metadata\":{\"zone\":\"eu\","
      "\"k\":\"\"},\"weight\":0,\"status\":\"draining\",\"version\":\"1.2\",\"more\":[1,{\"x\":"
      "null}]}");
  T_STR(coord_instance_id(i), "a/1");
  T_STR(coord_instance_name(i), "web");
  T_STR(coord_instance_address(i), "host");
  T_INT(coord_instance_port(i), 65535);
  T_STR(coord_instance_metadata(i, "zone"), "eu");
  T_STR(coord_instance_metadata(i, "k"), "");
  T_STR(coord_instance_metadata(i, "zon"), NULL);
  T_STR(coord_instance_metadata(i, "zones"), NULL);
  T_INT(coord_instance_weight(i), 0);
  T_STR(coord_instance_status(i), "draining");
  T_TRUE(!i->is_up);
  T_STR(coord_instance_version(i), "1.2");
  T_HAS(coord_instance_json(i), "\"more\":[1,{\"x\":null}]");
  coord_instance_free(i);
}

static void faults_name_the_field(void) {
  refuse("", "instance: is no JSON object");
  refuse("{\"name\":\"web\"", "it ends too early");
  refuse("{\"name\":\"web\"} x", "is no JSON: ");
  refuse("[]", "no JSON object");
  refuse("null", "no JSON object");
  refuse("{\"name\":\"\xff\"}", "is no JSON");
  refuse("{}", "field \"name\" is missing");
  refuse("{\"name\":\"web\"}", "field \"address\" is missing");
  refuse("{\"name\":\"a/b\",\"address\":\"h\"}",
         "field \"name\" is \"a/b\"; expected a string of 1");
  refuse("{\"name\":\"\",\"address\":\"h\"}", "field \"name\" is \"\"");
  refuse("{\"name\":\"a\\u0000b\",\"address\":\"h\"}", "field \"name\"");
  refuse("{\"name\":\"a\\n\",\"address\":\"h\"}", "field \"name\"");
  refuse("{\"name\":7,\"address\":\"h\"}", "field \"name\" is 7");
  refuse("{\"name\":\"web\",\"address\":\"h:80\"}",
         "field \"address\" is \"h:80\"; expected a host");
  refuse("{\"name\":\"web\",\"address\":\"[::1]\"}", "field \"address\"");
  refuse("{\"name\":\"web\",\"address\":\"h\",\"port\":\"80\"}",
         "field \"port\" is \"80\"; expected an integer from 0 to 65535");
  refuse("{\"name\":\"web\",\"address\":\"h\",\"port\":65536}", "field \"port\" is 65536");
  refuse("{\"name\":\"web\",\"address\":\"h\",\"port\":-1}", "field \"port\" is -1");
  refuse("{\"name\":\"web\",\"address\":\"h\",\"port\":80.5}", "field \"port\" is 80.5");
  refuse("{\"name\":\"web\",\"address\":\"h\",\"port\":null}", "field \"port\" is null");
  refuse("{\"name\":\"web\",\"address\":\"h\",\"port\":99999999999999999999}", "field \"port\"");
  refuse("{\"name\":\"web\",\"address\":\"h\",\"weight\":1000001}", "field \"weight\" is 1000001");
  refuse("{\"name\":\"web\",\"address\":\"h\",\"status\":\"busy\"}",
         "field \"status\" is \"busy\"; expected \"up\", \"starting\"");
  refuse("{\"name\":\"web\",\"address\":\"h\",\"version\":2}",
         "field \"version\" is 2; expected a");
  refuse("{\"name\":\"web\",\"address\":\"h\",\"metadata\":[]}", "field \"metadata\" is []");
  refuse("{\"name\":\"web\",\"address\":\"h\",\"metadata\":{\"zone\":1}}",
         "field \"metadata.zone\" is 1; expected a string");
}

static void patches_keep_the_rest(void) {
  coord_error *err = NULL;
  coord_instance *i = parse(
      "{\"id\":\"a\",\"name\":\"web\",\"address\":\"h\",\"port\":1,\"metadata\":{\"zone\":\"eu\","
      "\"old\":"
      "\"x\"},\"more\":{\"deep\":1}}");
  coord_instance *now = NULL;
  static const char patch[] =
      "{\"port\":2,\"metadata\":{\"old\":null,\"new\":\"y\"},\"weight\":5,\"status\":\"draining\"}";
  T_OK(coord__instance_patch(i, patch, strlen(patch), &now, &err), err);
  T_FATAL(now != NULL);
  T_INT(coord_instance_port(now), 2);
  T_INT(coord_instance_port(i), 1);
  T_STR(coord_instance_metadata(now, "zone"), "eu");
  T_STR(coord_instance_metadata(now, "new"), "y");
  T_STR(coord_instance_metadata(now, "old"), NULL);
  T_HAS(coord_instance_json(now), "\"more\":{\"deep\":1}");
  coord_instance_free(now);
  static const char *const bad[][2] = {
      {"{\"id\":\"b\"}", "field \"id\" is \"b\"; it says where"},
      {"{\"name\":\"b\"}", "field \"name\" is \"b\"; it says where"},
      {"{\"name\":null}", "field \"name\" is missing"},
      {"{\"port\":true}", "field \"port\" is true"},
      {"{\"metadata\":{\"a\":1}}", "field \"metadata.a\" is 1"},
      {"7", "update: is no JSON object"}};
  for (size_t n = 0; n < sizeof bad / sizeof *bad; n++) {
    T_ERROR(coord__instance_patch(i, bad[n][0], strlen(bad[n][0]), &now, &err), COORD_INVALID, err,
            bad[n][1]);
  }
  coord_instance_free(i);
}

static void what_is_stored_is_read_again(void) {
  coord_instance *i = parse("{\"name\":\"web\",\"id\":\"a\",\"address\":\"h\",\"x\":1}");
  coord__buf value = {0};
  T_OK(coord__instance_value(i, COORD__FORMAT_JSON, &value, NULL), NULL);
  T_MEM(value.data, value.len, coord_instance_json(i), strlen(coord_instance_json(i)));
  coord__buf_free(&value);
  coord_instance *again = read_as(COORD__FORMAT_JSON, coord_instance_json(i));
  T_STR(coord_instance_json(again), coord_instance_json(i));
  coord_instance_free(again);
  coord_instance_free(i);
}

static void others_values_are_read_or_skipped(void) {
  coord_instance *i = read_as(COORD__FORMAT_JSON, "{\"address\":\"h\",\"status\":\"on fire\"}");
  T_STR(coord_instance_id(i), "a");
  T_STR(coord_instance_name(i), "web");
  T_STR(coord_instance_status(i), "on fire");
  T_TRUE(!i->is_up);
  coord_instance_free(i);
  skip_as(COORD__FORMAT_JSON, "hello", "no JSON");
  skip_as(COORD__FORMAT_JSON, "", "no JSON object");
  skip_as(COORD__FORMAT_JSON, "{\"address\":\"h\",\"id\":\"b\"}",
          "field \"id\" is \"b\"; expected what its key says");
  skip_as(COORD__FORMAT_JSON, "{\"address\":\"h\",\"name\":\"b\"}", "field \"name\"");
  skip_as(COORD__FORMAT_JSON, "{\"address\":\"h\",\"port\":1e9}", "field \"port\"");
  skip_as(COORD__FORMAT_JSON, "{\"Op\":0,\"Addr\":\"h:80\"}", "field \"address\" is missing");
}

/* As Go writes them. */
static void endpoints_are_read(void) {
  coord_instance *i =
      read_as(COORD__FORMAT_NAMING, "{\"Op\":0,\"Addr\":\"10.0.0.1:8080\",\"Metadata\":null}");
  T_STR(coord_instance_id(i), "a");
  T_STR(coord_instance_name(i), "web");
  T_STR(coord_instance_address(i), "10.0.0.1");
  T_INT(coord_instance_port(i), 8080);
  T_INT(coord_instance_weight(i), 1);
  T_TRUE(i->is_up);
  stored_as(i, COORD__FORMAT_NAMING, "{\"Op\":0,\"Addr\":\"10.0.0.1:8080\",\"Metadata\":null}");
  coord_instance_free(i);
  i = read_as(
      COORD__FORMAT_NAMING,
      "{\"Op\":0,\"Addr\":\"h:1\",\"Metadata\":\"{\\\"name\\\":\\\"pc\\\"}\"}"); /* grpc-proxy */
  T_STR(coord_instance_metadata(i, "name"), "pc");
  T_STR(coord_instance_name(i), "web");
  coord_instance_free(i);
  i = read_as(COORD__FORMAT_NAMING, "{\"Op\":0,\"Addr\":\"h:1\",\"Metadata\":\"eu-1\"}");
  T_STR(coord_instance_metadata(i, "Metadata"), "eu-1");
  coord_instance_free(i);
  i = read_as(COORD__FORMAT_NAMING, "{\"Op\":0,\"Addr\":\"h:1\",\"Metadata\":[1,2]}");
  T_STR(coord_instance_metadata(i, "Metadata"), "[1,2]");
  coord_instance_free(i);
  i = read_as(COORD__FORMAT_NAMING,
              "{\"Addr\":\"h:1\",\"Metadata\":{\"zone\":\"eu\",\"weight\":\"heavy\",\"port\":9,"
              "\"load\":0.5,"
              "\"status\":\"down\"}}");
  T_STR(coord_instance_metadata(i, "zone"), "eu");
  T_STR(coord_instance_metadata(i, "weight"), "heavy");
  T_STR(coord_instance_status(i), "down");
  T_INT(coord_instance_port(i), 1);
  T_HAS(coord_instance_json(i), "\"load\":0.5");
  coord_instance_free(i);
  skip_as(COORD__FORMAT_NAMING, "{\"Op\":0,\"Addr\":\"\",\"Metadata\":\"x\"}", "field \"Addr\"");
  skip_as(COORD__FORMAT_NAMING, "{\"Op\":0,\"Metadata\":\"x\"}", "field \"Addr\"");
  skip_as(COORD__FORMAT_NAMING, "{\"Op\":1,\"Addr\":\"h:1\"}", "field \"Op\"");
  skip_as(COORD__FORMAT_NAMING, "{\"Op\":0,\"Addr\":7}", "field \"Addr\"");
  skip_as(COORD__FORMAT_NAMING, "hello", "endpoint: is no JSON");
}

static void addresses_of_endpoints(void) {
  static const struct {
    const char *addr, *address;
    int port;
  } cases[] = {{"h:80", "h", 80},         {"[::1]:80", "::1", 80},
               {"::1", "::1", 0},         {"h", "h", 0},
               {"h:http", "h:http", 0},   {"h:0", "h:0", 0},
               {"h:70000", "h:70000", 0}, {":80", ":80", 0},
               {"h:080", "h:080", 0},     {"unix:///run/x:1", "unix:///run/x:1", 0},
               {"h:80:", "h:80:", 0}};
  for (size_t n = 0; n < sizeof cases / sizeof *cases; n++) {
    char value[100];
    snprintf(value, sizeof value, "{\"Op\":0,\"Addr\":\"%s\",\"Metadata\":null}", cases[n].addr);
    coord_instance *i = read_as(COORD__FORMAT_NAMING, value);
    T_STR(coord_instance_address(i), cases[n].address);
    T_INT(coord_instance_port(i), cases[n].port);
    stored_as(i, COORD__FORMAT_NAMING, value); /* a round trip */
    coord_instance_free(i);
  }
}

static void our_fields_survive_as_an_endpoint(void) {
  coord_instance *i = parse(
      "{\"id\":\"a\",\"name\":\"web\",\"address\":\"h\",\"port\":1,\"metadata\":{\"zone\":\"eu\"},"
      "\"weight\":3,\"status\":\"draining\",\"version\":\"2\",\"more\":{\"x\":1}}");
  static const char stored[] =
      "{\"Op\":0,\"Addr\":\"h:1\",\"Metadata\":{\"metadata\":{\"zone\":\"eu\"},\"weight\":3,"
      "\"status\":\"draining\",\"version\":\"2\",\"more\":{\"x\":1}}}";
  stored_as(i, COORD__FORMAT_NAMING, stored);
  coord_instance *again = read_as(COORD__FORMAT_NAMING, stored);
  T_STR(coord_instance_metadata(again, "zone"), "eu");
  T_INT(coord_instance_weight(again), 3);
  T_STR(coord_instance_status(again), "draining");
  T_STR(coord_instance_version(again), "2");
  T_HAS(coord_instance_json(again), "\"more\":{\"x\":1}");
  coord_instance_free(again);
  coord_instance_free(i);
}

static void getters_take_null(void) {
  T_STR(coord_instance_id(NULL), NULL);
  T_STR(coord_instance_metadata(NULL, "x"), NULL);
  T_INT(coord_instance_port(NULL), 0);
  coord_instance_begin(NULL);
  coord_instance_done(NULL);
  coord_instance_failed(NULL, 1);
  coord_instance_free(NULL);
}

T_MAIN(T_CASE(what_is_left_out_is_filled_in), T_CASE(all_fields_are_read),
       T_CASE(faults_name_the_field), T_CASE(patches_keep_the_rest),
       T_CASE(what_is_stored_is_read_again), T_CASE(others_values_are_read_or_skipped),
       T_CASE(endpoints_are_read), T_CASE(addresses_of_endpoints),
       T_CASE(our_fields_survive_as_an_endpoint), T_CASE(getters_take_null))
