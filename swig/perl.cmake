# swig/perl/auto/Coord/Coord.so, for the Perl that is on PATH, if it has integers of 64 bits.

find_program(PERL_EXECUTABLE perl)
if(PERL_EXECUTABLE)
  execute_process(COMMAND "${PERL_EXECUTABLE}" -MConfig -e [[print "$Config{archlibexp}/CORE;$Config{ccflags}" if $Config{ivsize} >= 8]]
                  OUTPUT_VARIABLE perl_config ERROR_QUIET)
  list(POP_FRONT perl_config perl_core)
  if(EXISTS "${perl_core}/perl.h")
    string(REGEX MATCHALL "-D[A-Za-z0-9_]+(=[A-Za-z0-9_]+)?|-fwrapv|-fno-strict-aliasing" perl_flags "${perl_config}")
    list(REMOVE_ITEM perl_flags -D_GNU_SOURCE)
    set(perl_source "${CMAKE_CURRENT_BINARY_DIR}/perl/generated/coord_wrap.c")
    # The Coord.pm that SWIG writes beside it is not that of bindings/perl/lib, and not used.
    coord_swig(perl5 "${perl_source}" -noproxy -module Coord)
    coord_swig_module(perl_coord "${perl_source}" "${perl_core}")
    target_compile_options(perl_coord PRIVATE ${perl_flags} -Wno-implicit-const-int-float-conversion)
    set_target_properties(perl_coord PROPERTIES PREFIX "" OUTPUT_NAME Coord C_EXTENSIONS ON
                          LIBRARY_OUTPUT_DIRECTORY "${CMAKE_CURRENT_BINARY_DIR}/perl/auto/Coord")
  endif()
endif()
