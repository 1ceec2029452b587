# swig/perl/auto/Coord/Coord.so, for the Perl that is on PATH.

find_program(PERL_EXECUTABLE perl)
if(PERL_EXECUTABLE)
  execute_process(COMMAND "${PERL_EXECUTABLE}" -MConfig -e "print qq($Config{archlibexp}/CORE;$Config{ccflags})"
                  OUTPUT_VARIABLE perl_config ERROR_QUIET)
  list(POP_FRONT perl_config perl_core)
  if(EXISTS "${perl_core}/perl.h")
    string(REGEX MATCHALL "-D[A-Za-z0-9_]+(=[A-Za-z0-9_]+)?|-fwrapv|-fno-strict-aliasing" perl_flags "${perl_config}")
    list(REMOVE_ITEM perl_flags -D_GNU_SOURCE)
    set(perl_source "${CMAKE_CURRENT_BINARY_DIR}/perl/coord_wrap.c")
    # What SWIG writes for Perl is not needed: bindings/perl/lib has it.
    coord_swig(perl5 "${perl_source}" -noproxy -module Coord -outdir "${CMAKE_CURRENT_BINARY_DIR}/perl")
    coord_swig_module(perl_coord "${perl_source}" "${perl_core}")
    target_compile_options(perl_coord PRIVATE ${perl_flags})
    set_target_properties(perl_coord PROPERTIES PREFIX "" OUTPUT_NAME Coord C_EXTENSIONS ON
                          LIBRARY_OUTPUT_DIRECTORY "${CMAKE_CURRENT_BINARY_DIR}/perl/auto/Coord")
  endif()
endif()
