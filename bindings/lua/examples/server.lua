-- A TCP server under luv whose greeting is live configuration: luajit server.lua [ENDPOINT]. It says the port, and ends after
-- the configuration "stop" is true.
--   coord config set greeter greeting '"Hello"'

local coord = require "coord"
local uv = require "luv"

local server = uv.new_tcp()

local function start(body)
  local co = coroutine.create(body)
  local good, why = coroutine.resume(co)
  if not good then error(debug.traceback(co, tostring(why))) end
end

start(function()
  local client = assert(coord.open(arg[1] or "localhost:2379", {loop = require "coord.luv"}))
  local config = assert(client:config("greeter", {defaults = {greeting = "Hi", stop = false}}))

  server:bind("127.0.0.1", tonumber(arg[2] or 0))
  server:listen(128, function()
    local peer = uv.new_tcp()
    server:accept(peer)
    -- Current, without asking anybody: about 0.2 us.
    peer:write(config:get("greeting") .. "\n", function() peer:close() end)
  end)
  print("port " .. server:getsockname().port)
  io.stdout:flush()

  for changes in config:changes() do
    for _, change in ipairs(changes) do print(change.key, change.json) end
    io.stdout:flush()
    if config:get("stop") then break end
  end
  server:close()
  config:close()
  client:close()
end)

uv.run()
