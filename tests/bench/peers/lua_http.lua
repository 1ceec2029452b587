-- What a Lua program does that has no client of etcd: lua-http and cjson on etcd's JSON gateway, a connection for each
-- coroutine. The arguments and the output are those of lua_peer.lua, whose way to wait is sync or cqueues.

local cqueues = require "cqueues"
local client = require "http.client"
local headers = require "http.headers"
local basexx = require "basexx"
local cjson = require "cjson"

local given = {n = "1", size = "3", ops = "100", warmup = "0"}
for i = 2, #arg, 2 do given[arg[i]:gsub("^%-%-", "")] = arg[i + 1] end
local count = arg[1] == "sync" and 1 or tonumber(given.n)
local size, key = tonumber(given.size), given.key
local value = ("v"):rep(size)
local host, port = given.endpoint:match("^(.*):(%d+)$")
local errors, first_error = 0, nil

local function connect()
  return assert(client.connect({host = host, port = tonumber(port), version = 1.1, tls = false}, 10))
end

local function ask(connection, path, body)
  local request = headers.new()
  request:append(":method", "POST")
  request:append(":authority", given.endpoint)
  request:append(":path", path)
  request:append("content-type", "application/json")
  body = cjson.encode(body)
  request:append("content-length", tostring(#body))
  local stream = assert(connection:new_stream())
  assert(stream:write_headers(request, false, 10))
  assert(stream:write_chunk(body, true, 10))
  local answer = assert(stream:get_headers(10))
  local text = assert(stream:get_body_as_string(10))
  assert(answer:get(":status") == "200", text)
  return cjson.decode(text)
end

local function one(connection)
  if given.verb == "put" then
    ask(connection, "/v3/kv/put", {key = basexx.to_base64(key), value = basexx.to_base64(value)})
  else
    local answer = ask(connection, "/v3/kv/range", {key = basexx.to_base64(key)})
    assert(#basexx.from_base64(answer.kvs[1].value) == size, "the answer is another value")
  end
end

local connections, left, latencies = {}, 0, {}

local function worker(connection)
  while left > 0 do
    left = left - 1
    local start = cqueues.monotime()
    local good, why = pcall(one, connection)
    if not good then
      errors = errors + 1
      first_error = first_error or tostring(why)
    end
    latencies[#latencies + 1] = cqueues.monotime() - start
  end
end

local function run(ops)
  left, latencies = ops, {}
  if arg[1] == "sync" then return worker(connections[1]) end
  local controller = cqueues.new()
  for i = 1, count do controller:wrap(worker, connections[i]) end
  assert(controller:loop())
end

for i = 1, count do connections[i] = connect() end
run(tonumber(given.warmup))
local ops, cpu, start = tonumber(given.ops), os.clock(), cqueues.monotime()
run(ops)
local elapsed = cqueues.monotime() - start
cpu = os.clock() - cpu
table.sort(latencies)
local function rank(percent) return latencies[math.max(math.ceil(#latencies * percent / 100), 1)] * 1e6 end
print(cjson.encode {ops_per_s = ops / elapsed, p50_us = rank(50), p99_us = rank(99), client_cpu_us = cpu / ops * 1e6,
  errors = errors, error = first_error})
