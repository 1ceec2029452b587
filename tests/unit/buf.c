/* base/buf. */
#include "base/buf.h"

#include <string.h>

#include "base/alloc.h"
#include "support/t.h"

static void zeroed_buffer_is_empty_and_may_be_freed_twice(void) {
  coord__buf b = {0};
  T_TRUE(coord__buf_append(&b, NULL, 0));
  T_TRUE(coord__buf_reserve(&b, 0));
  T_INT(b.len, 0);
  coord__buf_free(&b);
  coord__buf_free(&b);
  T_TRUE(b.data == NULL && b.cap == 0);
}

static void appended_bytes_stay_in_order_while_it_grows(void) {
  coord__buf b = {0};
  for (int i = 0; i < 100000; i++) {
    uint8_t byte = (uint8_t)(i * 7);
    T_FATAL(coord__buf_append(&b, &byte, 1));
    T_FATAL(b.cap >= b.len);
  }
  T_INT(b.len, 100000);
  for (int i = 0; i < 100000; i++) T_FATAL(b.data[i] == (uint8_t)(i * 7));
  T_TRUE(b.cap < 300000);
  coord__buf_free(&b);
}

static void text_is_appended_without_its_nul(void) {
  coord__buf b = {0};
  T_TRUE(coord__buf_append_str(&b, "one,"));
  T_TRUE(coord__buf_append_str(&b, ""));
  T_TRUE(coord__buf_append_str(&b, "two"));
  T_MEM(b.data, b.len, "one,two", 7);
  coord__buf_free(&b);
}

static void consuming_drops_from_the_front(void) {
  coord__buf b = {0};
  T_TRUE(coord__buf_append(&b, "abcdef", 6));
  coord__buf_consume(&b, 0);
  T_MEM(b.data, b.len, "abcdef", 6);
  coord__buf_consume(&b, 2);
  T_MEM(b.data, b.len, "cdef", 4);
  coord__buf_consume(&b, 4);
  T_INT(b.len, 0);
  T_TRUE(coord__buf_append(&b, "x", 1));
  T_MEM(b.data, b.len, "x", 1);
  coord__buf_free(&b);
}

static void reserved_room_needs_no_other_allocation(void) {
  coord__buf b = {0};
  T_FATAL(coord__buf_reserve(&b, 1000));
  uint8_t *before = b.data;
  for (int i = 0; i < 1000; i++) T_TRUE(coord__buf_append(&b, "x", 1));
  T_TRUE(b.data == before);
  coord__buf_free(&b);
}

static void sizes_that_overflow_are_refused(void) {
  coord__buf b = {0};
  T_TRUE(!coord__buf_reserve(&b, SIZE_MAX));
  T_TRUE(!coord__buf_reserve(&b, SIZE_MAX / 2 + 1));
  T_TRUE(b.data == NULL && b.len == 0);
  T_FATAL(coord__buf_append(&b, "abc", 3));
  T_TRUE(!coord__buf_reserve(&b, SIZE_MAX - 2));
  T_TRUE(!coord__buf_reserve(&b, SIZE_MAX / 2 - 2));
  T_MEM(b.data, b.len, "abc", 3);
  coord__buf_free(&b);
}

static void failed_growth_leaves_it_unchanged(void) {
  coord__buf b = {0};
  T_FATAL(coord__buf_append(&b, "abc", 3));
  size_t cap = b.cap;
  uint8_t more[4096] = {0};
  coord__alloc_fail_after(0);
  bool grown = coord__buf_append(&b, more, sizeof more);
  coord__alloc_fail_after(-1);
  T_TRUE(!grown);
  T_INT(b.cap, cap);
  T_MEM(b.data, b.len, "abc", 3);
  T_TRUE(coord__buf_append(&b, more, sizeof more));
  T_INT(b.len, 3 + sizeof more);
  coord__buf_free(&b);
}

T_MAIN(T_CASE(zeroed_buffer_is_empty_and_may_be_freed_twice),
       T_CASE(appended_bytes_stay_in_order_while_it_grows),
       T_CASE(text_is_appended_without_its_nul), T_CASE(consuming_drops_from_the_front),
       T_CASE(reserved_room_needs_no_other_allocation), T_CASE(sizes_that_overflow_are_refused),
       T_CASE(failed_growth_leaves_it_unchanged))
