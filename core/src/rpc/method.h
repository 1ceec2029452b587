/* A method of the server, as every wire needs it. */
#ifndef COORD_RPC_METHOD_H
#define COORD_RPC_METHOD_H

#include <protobuf-c/protobuf-c.h>

#include <stdbool.h>

typedef struct coord__method {
  int index;                                  /* dense from 0: slot in the statistics */
  const char *name;                           /* short, for logs and statistics: "put" */
  const char *grpc_path;                      /* "/etcdserverpb.KV/Put" */
  const char *gateway_path;                   /* "/v3/kv/put", NULL when the gateway lacks it */
  const ProtobufCMessageDescriptor *request;  /* both wires carry this message, */
  const ProtobufCMessageDescriptor *response; /* and answer with this one */
  bool secret;                                /* the request holds a password: wiped after use */
} coord__method;

/* Bytes left free before an encoded message for the frame header of gRPC. */
enum { COORD__FRAME_HEADROOM = 5 };

#endif
