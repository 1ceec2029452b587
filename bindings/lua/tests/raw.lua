-- The module as SWIG makes it: typemaps, handles and their collection. Also run under valgrind.

local t = require "support"
local core = require "coord.core"

local endpoint = t.begin()
local has_integers = math.type ~= nil

local function connect(where)
  local options = assert(core.options_new())
  assert(core.options_set(options, "endpoints", where or endpoint))
  assert(core.options_set(options, "log.level", "off"))
  return assert(core.client_open(options))
end

local function full_collect()
  collectgarbage()
  collectgarbage()
end

t.case("versions_and_constants", function()
  t.equal(core.version_string():match("^%d+%.%d+%.%d+$") ~= nil, true)
  t.equal(core.INVALID, -1)
  t.equal(core.EVENT_CHANGES, 1)
  if has_integers then t.equal(math.type(core.INVALID), "integer") end
  t.equal(tostring(core.version()):find("%.") == nil, true, "an integer")
end)

t.case("bytes_go_both_ways", function()
  local client = connect()
  local every = {}
  for i = 0, 255 do every[#every + 1] = string.char(i) end
  local value = table.concat(every)
  t.equal(core.put(client, "raw/\0key", value), true)
  local result = assert(core.get(client, "raw/\0key"))
  t.equal(core.result_count(result), 1)
  t.equal(core.kv_key(result, -1, 0), "raw/\0key")
  t.equal(core.kv_value(result, -1, 0), value)
  t.equal(core.kv_value(result, -1, 1), nil, "no such key-value")
  t.equal(core.put(client, "raw/empty", ""), true)
  t.equal(core.kv_value(assert(core.get(client, "raw/empty")), -1, 0), "")
  t.equal(core.delete(client, "raw/empty"), 1)
  t.equal(core.delete(client, "raw/empty"), 0)
end)

t.case("failures_are_nil_message_code", function()
  local client = connect()
  local value, message, code, flags = core.put(client, "", "x")
  t.equal(value, nil)
  t.equal(type(message), "string")
  t.equal(code, core.INVALID)
  t.equal(flags, 0)
  value, message, code = core.options_set(core.options_new(), "no.such", "1")
  t.equal(value, nil)
  t.equal(message:find("no.such", 1, true) ~= nil, true)
  t.equal(code, core.INVALID)
  value, message, code = core.op_if_int(core.op_get("a"), "a", 0, 0, 0)
  t.equal(value, nil, "a failure without an error object")
  t.equal(message, "INVALID")
  t.equal(code, core.INVALID)
  t.equal(select(3, core.put(nil, "a", "b")), core.INVALID)
end)

t.case("wrong_types_are_errors", function()
  local client = connect()
  t.equal(pcall(core.put, client, {}, "b"), false)
  t.equal(pcall(core.put, io.stdout, "a", "b"), false)
  t.equal(pcall(core.put, core.op_get("a"), "a", "b"), false)
  t.equal(pcall(core.put, client, "a"), false)
  t.equal(pcall(core.options_set, core.options_new(), "endpoints\0x", "b"), false)
  t.equal(pcall(core.op_compact, 1.5), false)
  t.equal(pcall(core.op_compact, "x"), false)
  t.equal(pcall(core.op_if_int, core.op_txn(), "a", 2 ^ 40, 0, 0), false)
end)

-- Written in a way that all of 5.1, LuaJIT and 5.4 read.
local big_text = "7587886321985764359"

local function big()
  if has_integers then return math.tointeger(big_text) or tonumber(big_text) end
  if jit then return loadstring("return " .. big_text .. "LL")() end
  return big_text
end

t.case("integers_of_64_bits_are_exact", function()
  local client = connect()
  local id = big()
  local result = assert(core.call(client, core.op_lease_grant(60, id), 0))
  local granted = core.result_lease_id(result)
  t.equal((tostring(granted):gsub("LL$", "")), big_text)
  t.equal(granted == id, true)
  local op = core.op_put("raw/leased", "x")
  assert(core.op_set(op, core.OP_LEASE, granted))
  assert(core.call(client, op, 0))
  t.equal(core.kv_lease_id(core.get(client, "raw/leased"), -1, 0) == id, true)
  assert(core.call(client, core.op_lease_revoke(big_text), 0))
end)

t.case("txn_and_its_parts", function()
  local client = connect()
  local txn = core.op_txn()
  assert(core.op_if_int(txn, "raw/txn", core.COMPARE_VERSION, core.EQUAL, 0))
  assert(core.op_then(txn, core.op_put("raw/txn", "mine")))
  assert(core.op_then(txn, core.op_get("raw/txn")))
  assert(core.op_else(txn, core.op_get("raw/txn")))
  local result = assert(core.call(client, txn, 0))
  t.equal(core.result_succeeded(result), 1)
  t.equal(core.result_parts(result), 2)
  t.equal(core.kv_value(result, 1, 0), "mine")
  result = assert(core.call(client, txn, 0))
  t.equal(core.result_succeeded(result), 0)
  t.equal(core.part_count(result, 0), 1)
end)

t.case("lock_and_fence", function()
  local client = connect()
  local queue = assert(core.queue_open())
  local lock = assert(core.lock_open(client, "raw/lock", nil, queue, 5))
  assert(core.call(client, core.op_acquire(lock, true), 30000))
  t.equal(core.lock_is_held(lock), 1)
  local other = assert(core.lock_open(client, "raw/lock", nil, nil, 0))
  t.equal(select(3, core.call(client, core.op_acquire(other, false), 30000)), core.CONFLICT)
  t.equal(core.lock_key_of(lock, 0):match("^raw/lock/%x+$") ~= nil, true)
  local event = assert(core.queue_next(queue, 10000))
  t.equal(core.event_type(event), core.EVENT_ACQUIRED)
  t.equal(core.event_revision(event), core.lock_token(lock))
  assert(core.call(client, core.op_release(lock), 30000))
  local both = assert(core.lock_open_many(client, {"raw/a", "raw/b\0"}, nil, nil, 0))
  assert(core.call(client, core.op_acquire(both, true), 30000))
  t.equal(core.lock_key_of(both, 1):match("^raw/b%z/%x+$") ~= nil, true)
  t.equal(pcall(core.lock_open_many, client, {"a", {}}, nil, nil, 0), false)
end)

t.case("watch_through_the_queue", function()
  local client = connect()
  local queue = assert(core.queue_open())
  t.equal(core.queue_fd(queue) >= 0, true)
  local get = core.op_get("raw/watch/")
  assert(core.op_set_prefix(get))
  local watch = assert(core.watch_open(client, get, 0, queue, 77))
  t.equal(core.event_type(core.queue_next(queue, 20000)), core.EVENT_RESYNC)
  assert(core.put(client, "raw/watch/a\0", "1"))
  local event = assert(core.queue_next(queue, 20000))
  t.equal(core.event_type(event), core.EVENT_CHANGES)
  t.equal(core.event_tag(event), 77)
  t.equal(core.event_count(event), 1)
  t.equal(core.change_type(event, 0), core.CHANGE_PUT)
  t.equal(core.change_key(event, 0), "raw/watch/a\0")
  t.equal(core.change_value(event, 0), "1")
  t.equal(core.change_previous(event, 0), nil)
  core.watch_close(watch)
  t.equal(core.event_type(core.queue_next(queue, 20000)), core.EVENT_CLOSED)
  t.equal(core.queue_next(queue, 0), nil)
end)

t.case("submit_and_cancel", function()
  local client, queue = connect(), assert(core.queue_open())
  local id = assert(core.submit(client, core.op_put("raw/submit", "1"), 0, queue, 9))
  local event = assert(core.queue_next(queue, 20000))
  t.equal(core.event_tag(event), 9)
  t.equal(core.event_code(event), core.OK)
  local result = core.event_take_result(event)
  t.equal(core.result_revision(result) > 0, true)
  t.equal(core.event_take_result(event), nil)
  t.equal(core.cancel(client, id), true)
  t.equal(select(3, core.cancel(client, 10 ^ 9)), core.INVALID)
end)

t.case("local_reads", function()
  local client = connect()
  assert(core.put(client, "raw/m/a", "1"))
  local mirror = assert(core.mirror_open(client, "raw/m/", nil, nil, 0))
  t.equal(core.read_value(mirror, "raw/m/a"), "1")
  t.equal(core.read_value(mirror, "raw/m/b"), nil)
  t.equal(select(2, core.read_kv(mirror, "raw/m/a")), "1")
  t.equal(select("#", core.read_kv(mirror, "raw/m/b")), 0)
  t.equal(select(3, core.read_value(mirror, "elsewhere")), core.INVALID)
  local all = core.flat(assert(core.mirror_all(mirror)))
  t.equal(#all.kvs, 1)
  core.release(client)
  t.equal(core.read_value(mirror, "raw/m/a"), "1")
end)

-- Makes handles that hang on each other, and lets go of them in every order, with things under way.
local function family(where)
  local client, queue = connect(where), assert(core.queue_open())
  local get = core.op_get("raw/w")
  local watch = assert(core.watch_open(client, get, 0, queue, 1))
  local lock = assert(core.lock_open(client, "raw/gc", nil, queue, 2))
  local acquire = core.op_acquire(lock, true)
  assert(core.start(client, queue, 30000, 3, acquire))
  assert(core.put(client, "raw/w", "x"))
  local result = assert(core.get(client, "raw/w"))
  local mirror = assert(core.mirror_open(client, "raw/m/", nil, queue, 4))
  local registry = assert(core.registry_open(client, nil))
  local picker = assert(core.picker_open(registry, "web", 1, ""))
  return {client, queue, watch, lock, acquire, result, mirror, registry, picker, get}
end

t.case("collected_in_any_order", function()
  local seed = 1
  local function random(n)
    seed = (seed * 1103515245 + 12345) % 2147483648
    return math.floor(seed / 65536) % n + 1
  end
  for round = 1, tonumber(os.getenv("COORD_LUA_ROUNDS") or 40) do
    local handles = family()
    while #handles > 0 do
      local which = random(#handles)
      local handle = table.remove(handles, which)
      if round % 2 == 0 then
        core.release(handle)
        core.release(handle)
      else
        handle = nil
        full_collect()
      end
    end
    full_collect()
  end
end)

t.case("released_handles_are_refused", function()
  local client = connect()
  core.release(client)
  t.equal(select(3, core.put(client, "a", "b")), core.INVALID)
  local queue = core.queue_open()
  core.release(queue)
  t.equal(core.queue_fd(queue), -1)
  t.equal(pcall(core.release, "x"), false)
  t.equal(pcall(core.release, io.stdout), false)
end)

t.case("options_of_an_op", function()
  local client = connect()
  assert(core.run_kv(client, 1, "raw/o/a", "1", nil))
  assert(core.run_kv(client, 1, "raw/o/b", "2", {prev_kv = true, timeout = 20.5}))
  local found = assert(core.run_kv(client, 0, "raw/o/", nil, {prefix = true, sort = "mod", descending = true, limit = 1}))
  t.equal(found.kvs[1].value, "2")
  t.equal(found.more, true)
  t.equal(found.total, 2)
  for _, wrong in ipairs {{limt = 1}, {limit = "x"}, {limit = -1}, {sort = "up"}, {prefix = 1}, {timeout = 0}, {7}, {lease = true}} do
    local value, message, code = core.run_kv(client, 0, "raw/o/", nil, wrong)
    t.equal(value, nil)
    t.equal(code, core.INVALID, message)
    local name = next(wrong)
    if type(name) == "string" then t.equal(message:find(name, 1, true) ~= nil, true, message) end
  end
  t.equal(select(3, core.run_kv(client, 0, {}, nil, nil)), core.INVALID)
  t.equal(select(3, core.run_kv(client, 1, "a", nil, nil)), core.INVALID)
  t.equal(select(3, core.run_kv(client, 0, "a", nil, "prefix")), core.INVALID)
end)

t.run("")
