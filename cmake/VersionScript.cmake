# cmake -DSYMBOLS=core/spec/symbols -DOUTPUT=coord.map -P VersionScript.cmake
#
# Turns the list of exported symbols into a linker version script. The list has one symbol per line; "#" starts a
# comment; a line "COORD_0.1:" opens the node of the release that introduced the symbols below it.

file(STRINGS "${SYMBOLS}" lines)
set(script "")
set(node "")
set(tail "  local:\n    *;\n}") # only the first node hides what is not listed
foreach(line IN LISTS lines)
  string(REGEX REPLACE "#.*" "" line "${line}")
  string(STRIP "${line}" line)
  if(line STREQUAL "")
    continue()
  elseif(line MATCHES "^(COORD_[0-9]+\\.[0-9]+):$")
    set(next "${CMAKE_MATCH_1}")
    if(node)
      string(APPEND script "${tail};\n")
      set(tail "} ${node}")
    endif()
    set(node "${next}")
    string(APPEND script "${node} {\n  global:\n")
  elseif(line MATCHES "^coord_[a-z0-9_]+$" AND node)
    string(APPEND script "    ${line};\n")
  else()
    message(FATAL_ERROR "${SYMBOLS}: \"${line}\" is neither a symbol below a release line nor a release line "
                        "such as \"COORD_0.1:\"")
  endif()
endforeach()
if(NOT node)
  message(FATAL_ERROR "${SYMBOLS}: no release line such as \"COORD_0.1:\"")
endif()
string(APPEND script "${tail};\n")
file(WRITE "${OUTPUT}" "${script}")
