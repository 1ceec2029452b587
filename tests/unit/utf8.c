/* What is UTF-8 and what is not. */
#include "base/utf8.h"

#include "support/t.h"

static void good_texts(void) {
  static const char *const good[] = {"",
                                     "plain",
                                     "\xc2\x80",
                                     "\xdf\xbf",
                                     "\xe0\xa0\x80",
                                     "\xed\x9f\xbf",
                                     "\xee\x80\x80",
                                     "\xef\xbf\xbf",
                                     "\xf0\x90\x80\x80",
                                     "\xf4\x8f\xbf\xbf",
                                     "a\xe2\x82\xacz"};
  for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
    if (!coord__utf8_ok(good[i])) T_FAIL("text %zu is refused", i);
  }
}

static void bad_texts(void) {
  static const char *const bad[] = {"\x80",
                                    "\xc2",
                                    "\xc0\x80",
                                    "\xe0\x9f\xbf",
                                    "\xed\xa0\x80",
                                    "\xe2\x82",
                                    "\xf0\x8f\xbf\xbf",
                                    "\xf4\x90\x80\x80",
                                    "\xf8\x88\x80\x80\x80",
                                    "\xff",
                                    "a\xc2z"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    if (coord__utf8_ok(bad[i])) T_FAIL("text %zu is accepted", i);
  }
}

static void lengths_of_characters(void) {
  T_INT(coord__utf8_character("a", 1), 1);
  T_INT(coord__utf8_character("\0", 1), 1);
  T_INT(coord__utf8_character("\xe2\x82\xac", 3), 3);
  T_INT(coord__utf8_character("\xe2\x82\xac", 2), 0);
  T_INT(coord__utf8_character("", 0), 0);
}

T_MAIN(T_CASE(good_texts), T_CASE(bad_texts), T_CASE(lengths_of_characters))
