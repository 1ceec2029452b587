/* Passwords: from a file, the environment or the terminal, never from the command line. */
#ifndef CLI_PASSWORD_H
#define CLI_PASSWORD_H

#include "args.h"

/*
 * From --password-file FILE ("-": the first line of standard input), else the first of these
 * environment variables that is set (ends with NULL), else asked for on the terminal without echo;
 * `twice`: and once more, to be sure. Prints what is wrong and returns false.
 */
bool password_read(const struct args *args, const char *flag, const char *const *variables,
                   const char *prompt, bool twice, struct bytes *out);
/* Overwrites it before it is freed. */
void password_free(struct bytes *password);

#endif
