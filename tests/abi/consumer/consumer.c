/* A program of somebody else: it sees only what is installed. */
#include <coord.h>
#include <stdio.h>
#include <string.h>

int main(void) {
  coord_options *options = NULL;
  coord_error *error = NULL;
  if (coord_options_new(&options) != COORD_OK) return 1;
  coord_code code = coord_options_set(options, "no.such.option", "1", &error);
  int good = code == COORD_INVALID && error && strstr(coord_error_message(error), "no.such.option");
  printf("%s %s\n", coord_version_string(), coord_code_name(code));
  coord_error_free(error);
  coord_options_free(options);
  return good ? 0 : 1;
}
