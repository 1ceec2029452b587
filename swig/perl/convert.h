/* Values between Perl and C, and failures. Part of the file that SWIG writes. */
#ifndef COORD_PERL_CONVERT_H
#define COORD_PERL_CONVERT_H

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* One more of what is returned. */
#define COORD_PERL_GIVE(sv)                    \
  do {                                         \
    SV *given = sv_2mortal(sv);                \
    if (argvi >= items) EXTEND(sp, argvi + 1); \
    ST(argvi) = given;                         \
    argvi++;                                   \
  } while (0)

/* ---- failures ----------------------------------------------------------------------------------- */

/* The line that is to blame: the nearest that is not one of Coord.pm. */
static const COP *coord_perl_where(void) {
  dTHX;
  const COP *line = PL_curcop;
  for (I32 i = 0;; i++) {
    const char *package = CopSTASHPV(line);
    bool is_own = package != NULL && strncmp(package, "Coord", 5) == 0 &&
                  (package[5] == 0 || strncmp(package + 5, "::", 2) == 0);
    const PERL_CONTEXT *frame = is_own ? caller_cx(i, NULL) : NULL;
    if (frame == NULL) return line;
    line = frame->blk_oldcop;
  }
}

static SV *coord_perl_new_error(coord_code code, const char *message, const coord_error *error) {
  dTHX;
  const COP *line = coord_perl_where();
  HV *hash = newHV();
  SV *raised = sv_2mortal(newRV_noinc((SV *)hash));
  (void)hv_stores(hash, "code", newSViv(code));
  (void)hv_stores(hash, "message", newSVpv(message, 0));
  (void)hv_stores(hash, "flags", newSVuv(coord_error_flags(error)));
  (void)hv_stores(hash, "endpoint", newSVpv(coord_error_endpoint(error), 0));
  (void)hv_stores(hash, "grpc_status", newSViv(coord_error_grpc_status(error)));
  (void)hv_stores(hash, "http_status", newSViv(coord_error_http_status(error)));
  (void)hv_stores(hash, "file", newSVpv(CopFILE(line) != NULL ? CopFILE(line) : "", 0));
  (void)hv_stores(hash, "line", newSVuv(CopLINE(line)));
  return sv_bless(raised, gv_stashpvs("Coord::Error", GV_ADD));
}

/* error: NULL when there is no more to say than the code */
static SV *coord_perl_to_error(coord_code code, const coord_error *error) {
  const char *text = error != NULL ? coord_error_message(error) : coord_code_name(code);
  return coord_perl_new_error(code, text, error);
}

/* Frees the error. */
static void coord_perl_fail(coord_code code, coord_error *error) {
  dTHX;
  SV *raised = coord_perl_to_error(code, error);
  coord_error_free(error);
  croak_sv(raised);
}

static void coord_perl_refuse(const char *function, const char *argument, const char *right) {
  dTHX;
  const COP *line = coord_perl_where();
  croak("%s: %s has to be %s at %s line %" UVuf ".\n", function, argument, right, CopFILE(line),
        (UV)CopLINE(line));
}

/* usage: what SWIG has to say, "Usage: put(client,key,key_len,value,value_len);". Lengths are not given here. */
static void coord_perl_refuse_count(const char *usage) {
  dTHX;
  const COP *line = coord_perl_where();
  const char *function = usage + sizeof "Usage: " - 1;
  croak("%.*s: wrong number of arguments at %s line %" UVuf ".\n", (int)strcspn(function, "("),
        function, CopFILE(line), (UV)CopLINE(line));
}

#undef SWIG_croak
#define SWIG_croak(usage)           \
  do {                              \
    coord_perl_refuse_count(usage); \
    goto fail;                      \
  } while (0)

/* ---- numbers ------------------------------------------------------------------------------------ */

/* A whole number, as its sign and what is without; text of one too. */
static UV coord_perl_whole(SV *sv, bool *negative, const char *function, const char *argument) {
  dTHX;
  UV value = 0;
  SvGETMAGIC(sv);
  *negative = false;
  if (SvROK(sv)) coord_perl_refuse(function, argument, "an integer, not a reference");
  if (SvIOK(sv)) {
    *negative = !SvIsUV(sv) && SvIVX(sv) < 0;
    return *negative ? (UV)0 - (UV)SvIVX(sv) : (UV)SvIVX(sv);
  }
  if (SvNOK(sv)) {
    NV number = SvNVX(sv);
    *negative = number < 0;
    if (*negative) number = -number;
    /* Beyond 2^53 a number with a fraction part is not exact any more. */
    if (number <= 9007199254740992.0 && number == (NV)(UV)number) return (UV)number;
  } else if (SvPOK(sv)) {
    STRLEN length;
    const char *text = SvPV_nomg(sv, length);
    int kind = grok_number(text, length, &value);
    *negative = (kind & IS_NUMBER_NEG) != 0;
    if ((kind & ~IS_NUMBER_NEG) == IS_NUMBER_IN_UV) return value;
  } else if (!SvOK(sv)) {
    coord_perl_refuse(function, argument, "an integer, not undef");
  }
  coord_perl_refuse(function, argument, "an integer of 64 bits");
  return 0;
}

static int64_t coord_perl_to_signed(SV *sv, size_t size, const char *function,
                                    const char *argument) {
  bool negative;
  UV value = coord_perl_whole(sv, &negative, function, argument);
  UV most = size == 4 ? (UV)INT32_MAX : (UV)INT64_MAX;
  if (value > most + (negative ? 1 : 0)) {
    coord_perl_refuse(function, argument,
                      size == 4 ? "an integer of 32 bits" : "an integer of 64 bits");
  }
  return (int64_t)(negative ? (UV)0 - value : value);
}

static uint64_t coord_perl_to_unsigned(SV *sv, size_t size, const char *function,
                                       const char *argument) {
  bool negative;
  UV value = coord_perl_whole(sv, &negative, function, argument);
  if ((negative && value > 0) || (size == 4 && value > UINT32_MAX)) {
    coord_perl_refuse(function, argument, "an integer that is not negative, and fits");
  }
  return value;
}

/* ---- bytes and text ----------------------------------------------------------------------------- */

/* Bytes that live as long as the caller's statement; undef is none. */
static const void *coord_perl_to_bytes(SV *sv, STRLEN *length, const char *function,
                                       const char *argument) {
  dTHX;
  *length = 0;
  SvGETMAGIC(sv);
  if (!SvOK(sv)) return NULL;
  if (SvROK(sv) && !SvAMAGIC(sv)) {
    coord_perl_refuse(function, argument, "a string, not a reference");
  }
  if (SvROK(sv) || SvUTF8(sv) || !SvPOK(sv)) {
    sv = sv_mortalcopy(sv); /* the caller's stays as it is */
    SvPV_force_nolen(sv);
    if (!sv_utf8_downgrade(sv, true)) {
      coord_perl_refuse(function, argument,
                        "bytes, and it has a wide character; encode it, as UTF-8 say");
    }
  }
  return SvPV_nomg(sv, *length);
}

/* Text that ends in NUL: one inside it would cut it, unseen. */
static const char *coord_perl_to_text(SV *sv, const char *function, const char *argument) {
  STRLEN length;
  const char *text = coord_perl_to_bytes(sv, &length, function, argument);
  if (text != NULL && strlen(text) != length) {
    coord_perl_refuse(function, argument, "without a NUL byte");
  }
  return text;
}

typedef struct coord_perl_names {
  const void **names;
  size_t *lens;
  size_t count;
} coord_perl_names;

static coord_perl_names coord_perl_to_names(SV *sv, const char *function, const char *argument) {
  dTHX;
  SvGETMAGIC(sv);
  if (!SvROK(sv) || SvTYPE(SvRV(sv)) != SVt_PVAV) {
    coord_perl_refuse(function, argument, "a reference to an array of strings");
  }
  AV *array = (AV *)SvRV(sv);
  coord_perl_names list = {.count = (size_t)(av_len(array) + 1)};
  SV *memory = sv_2mortal(newSV((list.count + 1) * (sizeof *list.names + sizeof *list.lens)));
  list.names = (const void **)(void *)SvPVX(memory);
  list.lens = (size_t *)(list.names + list.count + 1);
  for (size_t i = 0; i < list.count; i++) {
    SV **item = av_fetch(array, (SSize_t)i, 0);
    STRLEN length = 0;
    list.names[i] = item != NULL ? coord_perl_to_bytes(*item, &length, function, argument) : NULL;
    if (list.names[i] == NULL) coord_perl_refuse(function, argument, "of strings alone");
    list.lens[i] = length;
  }
  return list;
}

/* ---- handles ------------------------------------------------------------------------------------ */

typedef struct coord_perl_name {
  char text[40];
} coord_perl_name;

/* Coord::Client of coord_client */
static coord_perl_name coord_perl_class_name(const char *type) {
  coord_perl_name name;
  snprintf(name.text, sizeof name.text, "Coord::%s", type + sizeof "coord_" - 1);
  name.text[sizeof "Coord::" - 1] = (char)(name.text[sizeof "Coord::" - 1] - 'a' + 'A');
  return name;
}

static SV *coord_perl_new_handle(const void *handle, const char *type) {
  dTHX;
  SV *sv = newSV(0);
  if (handle != NULL) {
    sv_setref_iv(sv, coord_perl_class_name(type).text, PTR2IV(handle));
    SvREADONLY_on(SvRV(sv));
  }
  return sv;
}

/* undef is no handle, as NULL is in C. */
static void *coord_perl_to_handle(SV *sv, const char *type, const char *function,
                                  const char *argument) {
  dTHX;
  coord_perl_name name = coord_perl_class_name(type);
  SvGETMAGIC(sv);
  if (!SvOK(sv)) return NULL;
  if (!sv_isobject(sv) || !sv_derived_from(sv, name.text) || !SvIOK(SvRV(sv))) {
    coord_perl_refuse(function, argument, Perl_form(aTHX_ "a %s", name.text));
  }
  void *handle = INT2PTR(void *, SvIVX(SvRV(sv)));
  if (handle == NULL) {
    const char *text = Perl_form(aTHX_ "%s: %s was freed", function, argument);
    croak_sv(coord_perl_new_error(COORD_INVALID, text, NULL));
  }
  return handle;
}

/* DESTROY, and free, which says it now; the second one does nothing. */
XS_INTERNAL(coord_perl_destroy) {
  dXSARGS;
  void (*destroy)(void *);
  memcpy(&destroy, &XSANY.any_ptr, sizeof destroy);
  if (items > 0 && sv_isobject(ST(0)) && SvIOK(SvRV(ST(0)))) {
    void *handle = INT2PTR(void *, SvIVX(SvRV(ST(0))));
    dSAVE_ERRNO; /* a handle may be let go of between a failure and the look at $! */
    SvIV_set(SvRV(ST(0)), 0);
    if (handle != NULL) destroy(handle);
    RESTORE_ERRNO;
  }
  XSRETURN_EMPTY;
}

static void coord_perl_class(const char *type, void (*destroy)(void *)) {
  dTHX;
  coord_perl_name name = coord_perl_class_name(type);
  static const char *const methods[] = {"DESTROY", "free"};
  for (size_t i = 0; i < 2; i++) {
    CV *cv = newXS(Perl_form(aTHX_ "%s::%s", name.text, methods[i]), coord_perl_destroy, __FILE__);
    memcpy(&CvXSUBANY(cv).any_ptr, &destroy, sizeof destroy);
  }
  /* Another thread has undef in its place. */
  newCONSTSUB(gv_stashpv(name.text, GV_ADD), "CLONE_SKIP", newSViv(1));
  /* What SWIG makes of the destructor knows nothing of a handle that is freed already. */
  const char *own = Perl_form(aTHX_ "delete_%s", name.text + sizeof "Coord::" - 1);
  (void)hv_delete(gv_stashpvs("Coord", GV_ADD), own, (I32)strlen(own), G_DISCARD);
}

#endif
