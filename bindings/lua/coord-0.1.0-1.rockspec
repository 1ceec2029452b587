rockspec_format = "3.0"
package = "coord"
version = "0.1.0-1"
source = {url = "git+https://localhost/coord.git"}
description = {
  summary = "Client library for etcd v3 with coordination on top",
  detailed = [[Keys, leases and watches of etcd v3, and what is built on them: locks, elections, mirrors, a service registry and
configuration; blocking, or in coroutines under luv or cqueues. Stands on libcoord.]],
  license = "Apache-2.0",
}
dependencies = {"lua >= 5.1"}
external_dependencies = {COORD = {header = "coord.h", library = "coord"}}
build = {
  type = "make",
  build_variables = {
    CFLAGS = "$(CFLAGS)",
    LIBFLAG = "$(LIBFLAG)",
    LUA_INCDIR = "$(LUA_INCDIR)",
    COORD_INCDIR = "$(COORD_INCDIR)",
    COORD_LIBDIR = "$(COORD_LIBDIR)",
  },
  build_target = "",
  install_variables = {
    LUADIR = "$(LUADIR)",
    LIBDIR = "$(LIBDIR)",
    LUA_INCDIR = "$(LUA_INCDIR)",
  },
}
