# What every target of this project is compiled and linked with.
#
# coord_compile(TARGET) adds the warnings, the hardening and the sanitizers to one target.

function(coord_compile target)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wconversion -Wshadow)
  if(COORD_WERROR)
    target_compile_options(${target} PRIVATE -Werror)
  endif()
  # Written as an empty value so that a source file's own "#define _GNU_SOURCE" is no redefinition.
  target_compile_definitions(${target} PRIVATE _GNU_SOURCE=)

  target_link_options(${target} PRIVATE -Wl,-z,relro -Wl,-z,now -Wl,--as-needed)
  if(COORD_SANITIZE)
    target_compile_options(${target} PRIVATE -fsanitize=${COORD_SANITIZE} -fno-sanitize-recover=all
                                             -fno-omit-frame-pointer)
    target_link_options(${target} PRIVATE -fsanitize=${COORD_SANITIZE})
  else()
    target_compile_options(${target} PRIVATE -fstack-protector-strong
                                             $<$<NOT:$<CONFIG:Debug>>:-U_FORTIFY_SOURCE>
                                             $<$<NOT:$<CONFIG:Debug>>:-D_FORTIFY_SOURCE=2>)
    target_link_options(${target} PRIVATE -Wl,--no-undefined)
  endif()
  if(NOT CMAKE_BUILD_TYPE STREQUAL "Debug")
    target_compile_options(${target} PRIVATE -ffunction-sections -fdata-sections)
    target_link_options(${target} PRIVATE -Wl,--gc-sections)
  endif()
endfunction()
