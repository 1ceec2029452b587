-- Benchmark of the Lua package: lua_peer.lua sync|luv|cqueues --endpoint E --verb put|get --key K --n N --size S --ops O
-- --warmup W. One client; under a loop as many coroutines as ops in flight. Prints one JSON line.

local coord = require "coord"
local uv = require "luv"

local given = {mode = "sync", n = "1", size = "3", ops = "100", warmup = "0"}
local library = arg[1]
for i = 2, #arg, 2 do given[arg[i]:gsub("^%-%-", "")] = arg[i + 1] end
local count, size, key = tonumber(given.n), tonumber(given.size), given.key
local value = ("v"):rep(size)
local errors, first_error = 0, nil

local function one(client)
  if given.verb == "put" then
    assert(client:put(key, value))
  else
    assert(#assert(client:get(key)).value == size, "the answer is another value")
  end
end

local left, latencies

local function worker(client)
  while left > 0 do
    left = left - 1
    local start = uv.hrtime()
    local good, why = pcall(one, client)
    if not good then
      errors = errors + 1
      first_error = first_error or tostring(why)
    end
    latencies[#latencies + 1] = uv.hrtime() - start
  end
end

local loops = {
  sync = {run = function(client) worker(client) end},
  luv = {
    run = function(client)
      for _ = 1, count do assert(coroutine.resume(coroutine.create(function() worker(client) end))) end
      uv.run()
    end,
  },
  cqueues = {
    run = function(client)
      local controller = require("cqueues").new()
      for _ = 1, count do controller:wrap(function() worker(client) end) end
      assert(controller:loop())
    end,
  },
}

local client = assert(coord.open(given.endpoint, {request_timeout = 60, loop = library ~= "sync" and require("coord." .. library) or nil}))

local function run(ops)
  left, latencies = ops, {}
  loops[library].run(client)
end

run(tonumber(given.warmup))
local ops, cpu, start = tonumber(given.ops), os.clock(), uv.hrtime()
run(ops)
local elapsed = (uv.hrtime() - start) / 1e9
cpu = os.clock() - cpu
table.sort(latencies)
local function rank(percent) return latencies[math.max(math.ceil(#latencies * percent / 100), 1)] / 1e3 end
print(coord.json.encode {ops_per_s = ops / elapsed, p50_us = rank(50), p99_us = rank(99), client_cpu_us = cpu / ops * 1e6,
  errors = errors, error = first_error})
client:close()
