/* base/error. */
#include "base/error.h"

#include <string.h>

#include "base/alloc.h"
#include "support/t.h"

static void null_error_answers_as_documented(void) {
  T_CODE(coord_error_code(NULL), COORD_OK);
  T_STR(coord_error_message(NULL), "");
  T_STR(coord_error_endpoint(NULL), "");
  T_INT(coord_error_flags(NULL), 0);
  T_INT(coord_error_grpc_status(NULL), -1);
  T_INT(coord_error_http_status(NULL), -1);
  coord_error_free(NULL);
  coord__error_set_endpoint(NULL, "x");
  T_TRUE(coord__error_dup(NULL) == NULL);
}

static void failing_without_a_place_for_the_error_gives_the_code(void) {
  T_CODE(coord__fail(NULL, COORD_TIMEOUT, "%d", 1), COORD_TIMEOUT);
  T_CODE(coord__no_memory(NULL), COORD_NO_MEMORY);
}

static void second_failure_replaces_the_first(void) {
  coord_error *err = NULL;
  coord__fail(&err, COORD_INVALID, "first %s", "one");
  coord__error_set_endpoint(err, "a:1");
  T_ERROR(coord__fail(&err, COORD_TIMEOUT, "second %d", 2), COORD_TIMEOUT, err, "second 2");
}

static void fresh_error_has_neither_flags_nor_status(void) {
  coord_error *err = NULL;
  coord__fail(&err, COORD_INVALID, "bad");
  T_INT(coord_error_flags(err), 0);
  T_INT(coord_error_grpc_status(err), -1);
  T_INT(coord_error_http_status(err), -1);
  T_STR(coord_error_endpoint(err), "");
  coord__error_set_endpoint(err, "a:1");
  coord__error_set_endpoint(err, NULL);
  T_STR(coord_error_endpoint(err), "a:1");
  coord__error_set_endpoint(err, "b:2");
  T_STR(coord_error_endpoint(err), "b:2");
  coord_error_free(err);
}

static void copy_holds_all_and_is_its_own(void) {
  coord_error *err = NULL;
  coord__fail(&err, COORD_UNAVAILABLE, "gone");
  err->flags = COORD_RETRIABLE | COORD_MAYBE_APPLIED;
  err->grpc_status = 14;
  err->http_status = 503;
  coord__error_set_endpoint(err, "a:1");
  coord_error *copy = coord__error_dup(err);
  coord_error_free(err);
  T_FATAL(copy != NULL);
  T_CODE(coord_error_code(copy), COORD_UNAVAILABLE);
  T_STR(coord_error_message(copy), "gone");
  T_INT(coord_error_flags(copy), COORD_RETRIABLE | COORD_MAYBE_APPLIED);
  T_INT(coord_error_grpc_status(copy), 14);
  T_INT(coord_error_http_status(copy), 503);
  T_STR(coord_error_endpoint(copy), "a:1");
  coord_error_free(copy);
}

static void long_messages_are_cut(void) {
  char text[5000];
  coord_error *err = NULL;
  memset(text, 'x', sizeof text - 1);
  text[sizeof text - 1] = '\0';
  coord__fail(&err, COORD_INVALID, "%s", text);
  T_INT(strlen(coord_error_message(err)), 1023);
  coord_error_free(err);
}

static void without_memory_the_code_still_comes(void) {
  coord_error *err = NULL;
  coord_error *first = NULL;
  coord__fail(&first, COORD_INVALID, "first");
  coord__alloc_fail_after(0);
  coord_code code = coord__fail(&err, COORD_TIMEOUT, "late");
  coord_code replaced = coord__fail(&first, COORD_TIMEOUT, "late");
  coord__alloc_fail_after(-1);
  T_CODE(code, COORD_TIMEOUT);
  T_TRUE(err == NULL);
  T_CODE(replaced, COORD_TIMEOUT);
  T_TRUE(first == NULL);
}

static void every_code_has_a_name(void) {
  T_STR(coord_code_name(COORD_OK), "OK");
  T_STR(coord_code_name(COORD_INVALID), "INVALID");
  T_STR(coord_code_name(COORD_INTERNAL), "INTERNAL");
  T_STR(coord_code_name(1), "UNKNOWN");
  T_STR(coord_code_name(-1000), "UNKNOWN");
  for (int code = 0; code >= COORD_INTERNAL; code--) {
    T_TRUE(strcmp(coord_code_name(code), "UNKNOWN") != 0);
  }
}

/* ---- coord__show ---- */

static void shown(const void *p, size_t n, const char *expected) {
  char out[COORD__SHOWN];
  memset(out, 'Z', sizeof out);
  T_TRUE(coord__show(out, p, n) == out);
  T_STR(out, expected);
}

static void bytes_are_shown_as_text(void) {
  shown("", 0, "");
  shown(NULL, 0, "");
  shown("/a/key 1~", 9, "/a/key 1~");
  shown("a\0b", 3, "a\\x00b");
  shown("\n\x7f\xff", 3, "\\x0a\\x7f\\xff");
  shown("gr\xc3\xbc\xc3\x9f", 6, "gr\\xc3\\xbc\\xc3\\x9f");
}

static void long_bytes_are_shown_cut(void) {
  char text[2000];
  memset(text, 'k', sizeof text);
  shown(text, 40, "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk");
  shown(text, 41, "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk");
  shown(text, sizeof text, "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk...");
  for (size_t plain = 0; plain < 64; plain++) {
    char out[COORD__SHOWN];
    memset(text, 'k', plain);
    memset(text + plain, 0xfe, sizeof text - plain);
    T_TRUE(strlen(coord__show(out, text, sizeof text)) < COORD__SHOWN);
    T_STR(out + strlen(out) - 3, "...");
  }
}

T_MAIN(T_CASE(null_error_answers_as_documented),
       T_CASE(failing_without_a_place_for_the_error_gives_the_code),
       T_CASE(second_failure_replaces_the_first), T_CASE(fresh_error_has_neither_flags_nor_status),
       T_CASE(copy_holds_all_and_is_its_own), T_CASE(long_messages_are_cut),
       T_CASE(without_memory_the_code_still_comes), T_CASE(every_code_has_a_name),
       T_CASE(bytes_are_shown_as_text), T_CASE(long_bytes_are_shown_cut))
