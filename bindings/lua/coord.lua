-- coord for Lua: etcd and coordination. README.md shows it; docs/GUIDE.md explains what stands behind it.

local core = require "coord.core"
local client = require "coord.client"

local coord = {
  -- coord.open("localhost:2379", {request_timeout = 2.5, loop = require "coord.luv"})
  open = client.open,
  ops = require "coord.ops",
  json = require "coord.json",
  is_error = require("coord.errors").is,
  version = core.version_string(),
}

return coord
