-- Many calls on flat memory: that of the process, and that of the collector.

local t = require "support"
local coord = require "coord"

local endpoint = t.begin()
local CALLS = tonumber(os.getenv("COORD_LUA_CALLS") or 200000)

local function resident()
  local file = io.open("/proc/self/statm")
  local pages = file:read("*l"):match("^%d+ (%d+)")
  file:close()
  return tonumber(pages) * 4
end

-- Does it so many times; what it has grown by in KiB.
local function growth(times, body)
  collectgarbage()
  local before = resident()
  for _ = 1, times do body() end
  collectgarbage()
  return resident() - before
end

local function flat(name, times, body)
  t.case(name, function()
    for _ = 1, times / 10 do body() end
    -- A leak grows each time; what the collector lets lie for a while does so once.
    local grown = growth(times, body)
    for _ = 1, 2 do
      if grown >= 4096 then grown = growth(times, body) end
    end
    t.equal(grown < 4096, true, ("%d times have grown it by %d KiB, again and again"):format(times, grown))
  end)
end

local client = assert(coord.open(endpoint, {log_level = "off"}))
assert(client:put("leak/a", ("x"):rep(100)))
local mirror = assert(client:mirror("leak/"))
local config = assert(client:config("leak"))
assert(config:set("a", {b = 1}))
local registry = assert(client:registry())
local me = assert(registry:register("leak", {address = "h", port = 1}))
assert(me:wait(30))
local picker = assert(registry:picker("leak"))
t.wait_for(function() return config:get("a") and picker:pick() end)

-- Nothing is sent for what the client refuses, and for local reads.
flat("refused_calls", CALLS, function() client:put("", "x") end)
flat("local_reads", CALLS, function()
  mirror:get("leak/a")
  config:get("a")
  picker:pick()
end)
flat("events_and_failures", CALLS / 4, function()
  config:get("none")
  client:get("a", {limt = 1})
  client:locker("x")
end)
flat("round_trips", CALLS / 10, function() client:get("leak/a") end)
flat("transactions", CALLS / 40, function()
  client:txn():when("leak/a", "version", ">", 0):and_then(coord.ops.get("leak/a")):commit()
end)

-- Handles have a queue each, with a descriptor.
local function descriptors()
  local pipe = io.popen("ls /proc/$PPID/fd | wc -l")
  local count = pipe:read("*n")
  pipe:close()
  return count
end

local function open_and_close()
  assert(client:watch("leak/w", {timeout = 0})):close()
  assert(client:locker("leak")):free()
  client:start(coord.ops.get("leak/a")):wait()
end

flat("handles", CALLS / 40, open_and_close)
t.case("descriptors", function()
  collectgarbage()
  local before = descriptors()
  for _ = 1, 200 do open_and_close() end
  t.equal(descriptors() <= before, true)
end)

local runs = {
  luv = function(bodies)
    for _, body in ipairs(bodies) do assert(coroutine.resume(coroutine.create(body))) end
    require("luv").run()
  end,
  cqueues = function(bodies)
    local controller = require("cqueues").new()
    for _, body in ipairs(bodies) do controller:wrap(body) end
    assert(controller:loop())
  end,
}

for _, name in ipairs {"luv", "cqueues"} do
  if not pcall(require, name) then
    t.case("calls_under_" .. name, function() return "there is no lua-" .. name end)
  else
    local suspending = assert(coord.open(endpoint, {log_level = "off", loop = require("coord." .. name)}))
    local bodies = {}
    for i = 1, 50 do
      bodies[i] = function()
        assert(suspending:get("leak/a"))
        assert(suspending:watch("leak/w", {timeout = 0})):close()
      end
    end
    flat("calls_under_" .. name, CALLS / 1000, function() runs[name](bodies) end)
    t.case("descriptors_under_" .. name, function()
      local before = descriptors()
      for _ = 1, 10 do runs[name](bodies) end
      collectgarbage()
      t.equal(descriptors() <= before, true)
    end)
  end
end

t.run("")
