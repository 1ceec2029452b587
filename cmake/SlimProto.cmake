# Takes out of protoc-c's descriptors what no code asks for: the names of messages and of enumerations but
# the short one, which errors tell, and the names of C constants. The names of fields and of values stay:
# JSON has them, for which "optimize_for = CODE_SIZE" would leave out too much.
#
#   cmake -DFILE=etcd.pb-c.c -P SlimProto.cmake
file(READ "${FILE}" text)
set(name "\"[^\"\n]*\"")
string(REGEX REPLACE "(_DESCRIPTOR_MAGIC,\n)  ${name},\n  (${name}),\n  ${name},\n  ${name},"
                     "\\1  NULL,\n  \\2,\n  NULL,\n  NULL," text "${text}")
string(REGEX REPLACE "  { (${name}), ${name}, (-?[0-9]+) }," "  { \\1, NULL, \\2 }," text "${text}")
file(WRITE "${FILE}" "${text}")
