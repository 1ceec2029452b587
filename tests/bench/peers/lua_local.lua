-- Reads that need no server: nanoseconds of each, the best of several runs. Prints one JSON line.

local coord = require "coord"

local RUNS, READS = 7, 200000

local function nanoseconds(read)
  local best = math.huge
  for _ = 1, RUNS do
    local start = os.clock()
    for _ = 1, READS do read() end
    best = math.min(best, (os.clock() - start) / READS * 1e9)
  end
  return best
end

local client = assert(coord.open(arg[1], {request_timeout = 60}))
assert(client:put("bench/local/key", "vvv"))
local mirror = assert(client:mirror("bench/local/"))
local config = assert(client:config("bench"))
assert(config:set("limit", 3))
local registry = assert(client:registry())
local me = assert(registry:register("bench", {address = "127.0.0.1", port = 80}))
assert(me:wait(30))
local picker = assert(registry:picker("bench"))
while not (config:get("limit") and picker:pick()) do end

print(coord.json.encode {
  mirror_ns = nanoseconds(function() mirror:get("bench/local/key") end),
  mirror_of_value_ns = nanoseconds(function() mirror:value("bench/local/key") end),
  config_ns = nanoseconds(function() config:get("limit") end),
  pick_ns = nanoseconds(function() picker:pick() end),
})
