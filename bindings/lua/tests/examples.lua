-- The examples run, and do what they say.

local t = require "support"
local coord = require "coord"

local endpoint = t.begin()
local here = arg[0]:match("^(.*)/tests/[^/]*$")
local client = assert(coord.open(endpoint))

local function have(name) return (pcall(require, name)) end

local function run(name)
  local pipe = assert(io.popen(arg[-1] .. " " .. here .. "/examples/" .. name .. ".lua " .. endpoint .. " 2>&1"))
  return pipe
end

t.case("job", function()
  if _VERSION ~= "Lua 5.4" then return "to-be-closed variables are Lua 5.4's" end
  local pipe = run("job")
  local said = pipe:read("*a")
  pipe:close()
  t.equal(said:match("working, with token%s+%d+\ndone") ~= nil, true, said)
  t.equal(client:get("reports/last") ~= nil, true)
end)

t.case("server", function()
  if not have "luv" then return "there is no lua-luv" end
  local pipe = run("server")
  local port = pipe:read("*l")
  t.equal(port:match("^port %d+$") ~= nil, true, port)
  local config = assert(client:config("greeter", {live = false}))
  assert(config:set("greeting", "Hello"))
  local said = pipe:read("*l")
  t.equal(said:match("^greeting%s+\"Hello\"$") ~= nil, true, said)
  assert(config:set("stop", true))
  said = pipe:read("*a") -- it ends; what is current may be ahead of what was told
  t.equal(said == "" or said:match("^stop%s+true\n$") ~= nil, true, said)
  pipe:close()
end)

t.case("service", function()
  if not have "cqueues" then return "there is no lua-cqueues" end
  local pipe = run("service")
  local said = pipe:read("*a")
  pipe:close()
  t.equal(said:match("^127.0.0.1:%d+ says hello\n$") ~= nil, true, said)
end)

t.run("")
