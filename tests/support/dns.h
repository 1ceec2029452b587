/*
 * A tiny DNS server: UDP on a free loopback port, in a thread of the test. It answers SRV questions
 * from a table of names that the test may change at any time.
 */
#ifndef COORD_TEST_DNS_H
#define COORD_TEST_DNS_H

#include "support/t.h"

typedef struct t_dns t_dns;

/* What it says to a name: records, or one of these. */
enum {
  T_DNS_RECORDS = 0,
  T_DNS_NO_NAME, /* NXDOMAIN; the same as a name that was never set */
  T_DNS_NO_DATA, /* the name is there, an SRV record is not */
  T_DNS_BROKEN,  /* SERVFAIL */
  T_DNS_SILENT,  /* nothing */
  T_DNS_GARBAGE  /* bytes that are no answer */
};

t_dns *t_dns_start(void);
void t_dns_stop(t_dns *dns);
/* "127.0.0.1:port", for the option dns.servers. */
const char *t_dns_address(const t_dns *dns);
/* `targets`: "host:port,host:port", with priorities 1, 2, ... */
void t_dns_set(t_dns *dns, const char *name, int kind, const char *targets);
/* Questions so far for the name. */
int t_dns_asked(t_dns *dns, const char *name);

#endif
