-- A service that registers itself, and its callers, as coroutines of cqueues: lua5.4 service.lua [ENDPOINT]

local coord = require "coord"
local cqueues = require "cqueues"
local socket = require "cqueues.socket"

local loop = cqueues.new()
local listener = socket.listen("127.0.0.1", 0)
local _, _, port = listener:localname()
local client = assert(coord.open(arg[1] or "localhost:2379", {loop = require "coord.cqueues"}))
local ended = false

loop:wrap(function()
  local registry = assert(client:registry())
  local me = assert(registry:register("hello", {address = "127.0.0.1", port = port, metadata = {zone = "eu"}, ttl = 10}))
  assert(me:wait(30))
  while not ended do
    local peer = listener:accept(0.1)
    if peer then
      peer:write("hello\n")
      peer:close()
    end
  end
  assert(me:close()) -- taken out of the registry before the port goes
  listener:close()
end)

loop:wrap(function()
  local registry = assert(client:registry())
  local picker = assert(registry:picker("hello", "least_pending", {zone = "eu"}))
  local instance = picker:pick()
  while not instance do
    cqueues.sleep(0.05)
    instance = picker:pick()
  end
  instance:begin()
  local peer = socket.connect(instance.address, instance.port)
  print(instance.endpoint .. " says " .. peer:read("*l"))
  peer:close()
  instance:done()
  ended = true
end)

assert(loop:loop())
client:close()
