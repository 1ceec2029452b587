# Headers, both libraries, coord.pc and the CMake package.
include(CMakePackageConfigHelpers)

install(FILES "${CMAKE_CURRENT_SOURCE_DIR}/include/coord.h" TYPE INCLUDE)
install(DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}/include/coord" TYPE INCLUDE FILES_MATCHING PATTERN "*.h")
install(TARGETS coord EXPORT coordSharedTargets)
install(TARGETS coord_static EXPORT coordStaticTargets)

set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/coord")
install(EXPORT coordSharedTargets NAMESPACE coord:: DESTINATION "${package_dir}")
install(EXPORT coordStaticTargets NAMESPACE coord:: DESTINATION "${package_dir}")
configure_package_config_file(
  "${PROJECT_SOURCE_DIR}/packaging/coordConfig.cmake.in" "${CMAKE_CURRENT_BINARY_DIR}/coordConfig.cmake"
  INSTALL_DESTINATION "${package_dir}")
write_basic_package_version_file("${CMAKE_CURRENT_BINARY_DIR}/coordConfigVersion.cmake"
                                 COMPATIBILITY SameMinorVersion)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/coordConfig.cmake"
              "${CMAKE_CURRENT_BINARY_DIR}/coordConfigVersion.cmake" DESTINATION "${package_dir}")

# Filled in at install time, when the prefix is known: `cmake --install BUILD --prefix DIR` may name another one. A
# relative directory stays below ${prefix}; an absolute one is taken as it is.
foreach(dir IN ITEMS LIBDIR INCLUDEDIR)
  if(IS_ABSOLUTE "${CMAKE_INSTALL_${dir}}")
    set(PC_${dir} "${CMAKE_INSTALL_${dir}}")
  else()
    set(PC_${dir} "\${prefix}/${CMAKE_INSTALL_${dir}}")
  endif()
endforeach()
foreach(pc IN ITEMS coord coord-static)
  set(PC_PREFIX "@PC_PREFIX@")
  configure_file("${PROJECT_SOURCE_DIR}/packaging/${pc}.pc.in" "${CMAKE_CURRENT_BINARY_DIR}/${pc}.pc.in" @ONLY)
  install(CODE "set(PC_PREFIX \"\${CMAKE_INSTALL_PREFIX}\")
    configure_file(\"${CMAKE_CURRENT_BINARY_DIR}/${pc}.pc.in\" \"${CMAKE_CURRENT_BINARY_DIR}/${pc}.pc\" @ONLY)")
  install(FILES "${CMAKE_CURRENT_BINARY_DIR}/${pc}.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
endforeach()
