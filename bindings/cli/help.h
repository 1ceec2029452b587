/* The help texts, written from the same tables that the command line is read with. */
#ifndef CLI_HELP_H
#define CLI_HELP_H

#include <stdio.h>

#include "cli.h"

void help_program(FILE *to);
void help_verb(FILE *to, const struct verb *verb);

#endif
