# The package coord, in swig/tcl: the module, coord.tcl and pkgIndex.tcl, for TCLLIBPATH.

pkg_check_modules(TCL QUIET tcl>=8.6)
find_library(TCL_STUB NAMES tclstub8.6 tclstub)
if(TCL_FOUND AND TCL_STUB AND TCL_VERSION VERSION_LESS 9)
  set(tcl_source "${CMAKE_CURRENT_BINARY_DIR}/tcl/coord_tcl.c")
  coord_swig(tcl8 "${tcl_source}" -module coord -namespace -nosafe -pkgversion "${PROJECT_VERSION}")
  coord_swig_module(tcl "${tcl_source}" ${TCL_INCLUDE_DIRS})
  target_compile_definitions(tcl PRIVATE USE_TCL_STUBS=1)
  target_compile_options(tcl PRIVATE -Wno-unused-label -Wno-unused-variable -Wno-missing-braces) # as SWIG writes it
  target_link_libraries(tcl PRIVATE "${TCL_STUB}")
  set_target_properties(tcl PROPERTIES PREFIX "" OUTPUT_NAME coord
                        LIBRARY_OUTPUT_DIRECTORY "${CMAKE_CURRENT_BINARY_DIR}/tcl")
  configure_file("${PROJECT_SOURCE_DIR}/bindings/tcl/pkgIndex.tcl.in" "${CMAKE_CURRENT_BINARY_DIR}/tcl/pkgIndex.tcl" @ONLY)
  configure_file("${PROJECT_SOURCE_DIR}/bindings/tcl/coord.tcl" "${CMAKE_CURRENT_BINARY_DIR}/tcl/coord.tcl" COPYONLY)
endif()
