# One generated file, and a module for each Lua, in swig/lua5.4/coord/core.so and so on. That of 5.1 is for LuaJIT too.

option(COORD_LUA_INSTALL "Install the package for each Lua whose module is built" OFF)
set(lua_source "${CMAKE_CURRENT_BINARY_DIR}/lua/coord_core.c")
coord_swig(lua "${lua_source}" -no-old-metatable-bindings -nomoduleglobal)
foreach(version 5.4 5.3 5.1)
  pkg_check_modules(LUA_${version} QUIET lua${version})
  if(LUA_${version}_FOUND)
    coord_swig_module(lua${version} "${lua_source}" ${LUA_${version}_INCLUDE_DIRS})
    set_target_properties(lua${version} PROPERTIES PREFIX "" OUTPUT_NAME core C_VISIBILITY_PRESET default
                          LIBRARY_OUTPUT_DIRECTORY "${CMAKE_CURRENT_BINARY_DIR}/lua${version}/coord")
    if(COORD_LUA_INSTALL)
      install(TARGETS lua${version} LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}/lua/${version}/coord")
      install(FILES "${PROJECT_SOURCE_DIR}/bindings/lua/coord.lua"
              DESTINATION "${CMAKE_INSTALL_DATADIR}/lua/${version}")
      install(DIRECTORY "${PROJECT_SOURCE_DIR}/bindings/lua/coord" DESTINATION "${CMAKE_INSTALL_DATADIR}/lua/${version}"
              FILES_MATCHING PATTERN "*.lua")
    endif()
  endif()
endforeach()
