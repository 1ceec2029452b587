# swig/ruby/coord/coord.so, for the Ruby that is on PATH.

find_program(RUBY_EXECUTABLE ruby)
if(RUBY_EXECUTABLE)
  execute_process(COMMAND "${RUBY_EXECUTABLE}" -rrbconfig -e "print RbConfig::CONFIG.values_at('rubyhdrdir', 'rubyarchhdrdir').join(';')"
                  OUTPUT_VARIABLE ruby_includes ERROR_QUIET)
  list(GET ruby_includes 0 ruby_header)
  if(EXISTS "${ruby_header}/ruby.h")
    set(ruby_source "${CMAKE_CURRENT_BINARY_DIR}/ruby/coord_wrap.c")
    coord_swig(ruby "${ruby_source}" -module coord)
    coord_swig_module(ruby_coord "${ruby_source}" ${ruby_includes})
    set_target_properties(ruby_coord PROPERTIES PREFIX "" OUTPUT_NAME coord
                          LIBRARY_OUTPUT_DIRECTORY "${CMAKE_CURRENT_BINARY_DIR}/ruby/coord")
  endif()
endif()
