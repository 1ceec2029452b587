# build/X/swig/java: coord.jar, and beside it libcoordjni.so, where its classes look first.

option(COORD_JAVA_INSTALL "Install coord.jar and libcoordjni.so" OFF)
find_package(Java 17 QUIET COMPONENTS Development)
find_package(JNI QUIET) # may say that it is not found: only its headers are needed
if(NOT Java_Development_FOUND OR NOT JAVA_INCLUDE_PATH OR NOT JAVA_INCLUDE_PATH2)
  return()
endif()

set(java_folder "${CMAKE_CURRENT_BINARY_DIR}/java")
set(java_package "${java_folder}/generated/io/coord")
set(java_src "${PROJECT_SOURCE_DIR}/bindings/java/src")
file(MAKE_DIRECTORY "${java_package}")
coord_swig(java "${java_folder}/coord_java.c" -package io.coord -module Core -outdir "${java_package}")
coord_swig_module(coordjni "${java_folder}/coord_java.c" "${JAVA_INCLUDE_PATH}" "${JAVA_INCLUDE_PATH2}")
set_target_properties(coordjni PROPERTIES LIBRARY_OUTPUT_DIRECTORY "${java_folder}")

# Of a class that is written by hand as well as by SWIG the first on the source path is taken: that by hand.
file(GLOB java_sources CONFIGURE_DEPENDS "${java_src}/io/coord/*.java")
add_custom_command(OUTPUT "${java_folder}/coord.jar"
                   COMMAND "${CMAKE_COMMAND}" -E rm -rf "${java_folder}/classes"
                   COMMAND "${Java_JAVAC_EXECUTABLE}" --release 17 -encoding UTF-8 -Xlint:all -Werror -implicit:class
                           -d "${java_folder}/classes" -sourcepath "${java_src}:${java_folder}/generated" ${java_sources}
                           "${java_package}/Core.java"
                   COMMAND "${Java_JAR_EXECUTABLE}" --create --file "${java_folder}/coord.jar" -C "${java_folder}/classes" .
                   DEPENDS ${java_sources} "${java_folder}/coord_java.c" VERBATIM)
add_custom_target(coord_jar ALL DEPENDS "${java_folder}/coord.jar" coordjni)

if(COORD_JAVA_INSTALL)
  install(TARGETS coordjni LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}/jni")
  install(FILES "${java_folder}/coord.jar" DESTINATION "${CMAKE_INSTALL_DATADIR}/java")
endif()
