/*
 * Certificates of the test's own making: a directory with two authorities, of which one is trusted,
 * and what they have signed. Removed at the end.
 */
#ifndef COORD_TEST_PKI_H
#define COORD_TEST_PKI_H

#include "support/t.h"

typedef struct t_pki t_pki;

typedef struct t_certificate {
  const char *file;     /* FILE.pem and FILE.key are written, as they are or anew */
  const char *cn;       /* NULL: the same as `file` */
  const char *names;    /* "DNS:a,IP:127.0.0.1"; NULL: 127.0.0.1, ::1 and localhost */
  bool other_ca;        /* signed by the other authority */
  int from_h;           /* valid from so many hours from now on; 0: since yesterday */
  int to_h;             /* and as long; 0: for a day */
  const char *password; /* of the key; NULL: none */
  bool key_with_it;     /* the key in FILE.pem as well */
  bool through_middle; /* signed by an authority in between, whose certificate is in FILE.pem too */
} t_certificate;

/* With ca.pem and other-ca.pem. */
t_pki *t_pki_new(void);
void t_pki_issue(t_pki *pki, const t_certificate *what);
/* The path of a file in its directory, to be used soon or copied: 32 are kept. */
const char *t_pki_file(t_pki *pki, const char *name);
/* A directory with ca.pem under its hash. */
const char *t_pki_hashed(t_pki *pki);
void t_pki_write(t_pki *pki, const char *name, const char *text);
void t_pki_free(t_pki *pki);

#endif
