# The extension coord, in swig/php/coord.so.

find_program(PHP_CONFIG php-config)
if(PHP_CONFIG)
  execute_process(COMMAND "${PHP_CONFIG}" --includes OUTPUT_VARIABLE php_includes OUTPUT_STRIP_TRAILING_WHITESPACE
                  ERROR_QUIET)
  string(REGEX REPLACE "(^| )-I" ";" php_includes "${php_includes}")
  list(REMOVE_ITEM php_includes "")
endif()
if(php_includes)
  set(php_source "${CMAKE_CURRENT_BINARY_DIR}/php/coord_php.c")
  coord_swig(php "${php_source}" -module coord -prefix coord_)
  coord_swig_module(php "${php_source}" ${php_includes})
  target_compile_options(php PRIVATE -Wno-unused-label -Wno-unused-variable) # as SWIG writes it
  set_target_properties(php PROPERTIES PREFIX "" OUTPUT_NAME coord
                        LIBRARY_OUTPUT_DIRECTORY "${CMAKE_CURRENT_BINARY_DIR}/php")
endif()
