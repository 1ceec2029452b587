-- The client: one for a program is enough.

local core = require "coord.core"
local call = require "coord.call"
local caller = require "coord.caller"
local config = require "coord.config"
local errors = require "coord.errors"
local json = require "coord.json"
local lease = require "coord.lease"
local lock = require "coord.lock"
local mirror = require "coord.mirror"
local ops = require "coord.ops"
local options = require "coord.options"
local registry = require "coord.registry"
local txn = require "coord.txn"
local watch = require "coord.watch"
local work = require "coord.work"

local client = {}

local GET, PUT, DELETE = 0, 1, 2

---@class coord.Client
local Client = {}
Client.__index = Client
Client.__name = "coord.Client"

function Client:__tostring() return "coord.Client" end

---@return coord.Client?, coord.Error?
function client.open(endpoints, given)
  if type(endpoints) == "table" and given == nil and #endpoints == 0 then endpoints, given = nil, endpoints end
  if given ~= nil and type(given) ~= "table" then return errors.invalid("the options are a %s; a table is wanted", type(given)) end
  local all = {}
  for name, value in pairs(given or {}) do all[name] = value end
  all.endpoints = endpoints or all.endpoints
  local loop = all.loop
  if loop and loop.inside() and all.connect_lazy == nil then all.connect_lazy = true end
  local settings, err = options.of_client(all)
  if not settings then return nil, err end
  local handle
  handle, err = errors.checked(core.client_open(settings))
  if not handle then return nil, err end
  local patience = tonumber((core.options_get(settings, "request.timeout.ms"))) / 1000
  return setmetatable({handle = handle, options = all, caller = caller.new(handle, loop), patience = patience}, Client)
end

-- ---- keys ------------------------------------------------------------------------------------

-- options: lease, prev_kv, ignore_value, ignore_lease, idempotent, timeout. {revision, previous}
---@return {revision: integer, previous: table?}?, coord.Error?
function Client:put(key, value, given)
  local result, err = self.caller:kv(PUT, key, value, given)
  if not result then return nil, err end
  if result.kvs then result.previous = result.kvs[1] end
  return result
end

-- options: revision, serializable, timeout. A key-value; nil, and no error, when there is none.
---@return {key: string, value: string, mod_revision: integer, create_revision: integer, version: integer, lease: integer}?, coord.Error?
function Client:get(key, given)
  local result, err = self.caller:kv(GET, key, nil, given)
  if not result then return nil, err end
  return result.kvs and result.kvs[1]
end

-- One answer of the server: {kvs, total, more, revision}. options: prefix or range_end, limit, revision, serializable, sort ("key",
-- "version", "create", "mod", "value"), descending, keys_only, count_only, min_ and max_mod_revision and so on, timeout.
function Client:range(key, given)
  local result, err = self.caller:kv(GET, key, nil, given)
  if not result then return nil, err end
  return ops.read_range(result)
end

-- for kv in client:each("jobs/") do: any number of keys, page by page, all of one revision. A failure is an error.
function Client:each(prefix, given)
  local scan, err = watch.scan(self, prefix, given)
  if not scan then error(err, 2) end
  return scan:each()
end

function Client:scan(key, given) return watch.scan(self, key, given) end

-- options: prefix or range_end, prev_kv, timeout. {deleted, revision, previous}
function Client:delete(key, given)
  local result, err = self.caller:kv(DELETE, key, nil, given)
  if not result then return nil, err end
  return ops.read_delete(result)
end

---@return coord.Txn
function Client:txn() return txn.new(self.caller) end

-- Independent ops at once; nothing is atomic. A list of what each gives, an error where it failed; `false` for a get that
-- found nothing. And the first error, if any.
function Client:pipeline(list, timeout)
  local handles, first = {}, nil
  for i, op in ipairs(list) do
    if not ops.is(op) then return errors.invalid("op %d of a pipeline is a %s", i, type(op)) end
    if op.err then return nil, op.err end
    handles[i] = op.handle
  end
  local results = self.caller:run_many(handles, options.milliseconds(timeout, 0))
  for i, op in ipairs(list) do
    if errors.is(results[i]) then
      first = first or results[i]
    else
      results[i] = op.read(results[i]) or false
    end
  end
  return results, first
end

-- Executes an op (coord.ops, txn:op()).
function Client:run(op, timeout)
  if op.err then return nil, op.err end
  local result, err = self.caller:run(op.handle, options.milliseconds(timeout, op.timeout_ms))
  if not result then return nil, err end
  return op.read(result)
end

-- Starts an op, and returns at once: call:wait(timeout), call:is_done(), call:cancel().
---@return coord.Call?, coord.Error?
function Client:start(op, timeout)
  if op.err then return nil, op.err end
  return call.start(self.caller, op, options.milliseconds(timeout, op.timeout_ms))
end

local function decoded(self, op, timeout)
  local result, err = self.caller:run(op, options.milliseconds(timeout, 0))
  if not result then return nil, err end
  return json.decode(result.json)
end

function Client:compact(revision, physical, timeout)
  local op = core.op_compact(revision)
  if physical then core.op_set(op, core.OP_PHYSICAL, 1) end
  local result, err = self.caller:run(op, options.milliseconds(timeout, 0))
  if not result then return nil, err end
  return true
end

-- etcd's own words, as tables.
function Client:status(timeout) return decoded(self, core.op_status(), timeout) end
function Client:members(timeout) return decoded(self, core.op_members(), timeout) end

-- ---- leases, watches, mirrors ----------------------------------------------------------------

-- A lease that the client keeps alive.
---@return coord.Lease?, coord.Error?
function Client:lease(ttl, timeout) return lease.open(self, ttl, nil, timeout) end
-- The same of one that is there already.
function Client:adopt(id, timeout) return lease.open(self, nil, id, timeout) end

-- Plain calls: nobody keeps that lease alive. {id, ttl}
function Client:lease_grant(ttl, id, timeout)
  local result, err = self.caller:run(core.op_lease_grant(ttl, id or 0), options.milliseconds(timeout, 0))
  if not result then return nil, err end
  return {id = result.lease, ttl = result.ttl}
end

function Client:lease_revoke(id, timeout)
  local result, err = self.caller:run(core.op_lease_revoke(id), options.milliseconds(timeout, 0))
  if not result then return nil, err end
  return true
end

-- Seconds that it has again.
function Client:lease_keepalive(id, timeout)
  local result, err = self.caller:run(core.op_lease_keepalive(id), options.milliseconds(timeout, 0))
  if not result then return nil, err end
  return result.ttl
end

-- {ttl, granted_ttl, keys}; ttl -1: there is none.
function Client:lease_info(id, with_keys, timeout)
  local op = core.op_lease_info(id, with_keys and 1 or 0)
  local result, err = self.caller:run(op, options.milliseconds(timeout, 0))
  if not result then return nil, err end
  return {ttl = result.ttl or 0, granted_ttl = result.granted_ttl or 0, kvs = result.kvs or {}}
end

function Client:lease_list(timeout)
  local result, err = self.caller:run(core.op_lease_list(), options.milliseconds(timeout, 0))
  if not result then return nil, err end
  return result.leases or {}
end

---@return coord.Watch?, coord.Error?
function Client:watch(key, given) return watch.open(self, key, given) end

---@return coord.Mirror?, coord.Error?
function Client:mirror(prefix, given) return mirror.open(self, prefix, given) end

-- ---- coordination ----------------------------------------------------------------------------

-- A lock that is not acquired yet; with a list of names all of them at once. options: ttl, kind ("mutex", "read", "write",
-- "semaphore"), permits, lease, reentrant, delay, owner.
---@return coord.Lock?, coord.Error?
function Client:locker(names, given) return lock.open(self, names, given) end

-- A lock that is held: local held <close> = assert(client:lock("name")). More options: timeout, seconds to wait for it at most;
-- wait = false, only if it is free.
---@return coord.Lock?, coord.Error?
function Client:lock(names, given)
  local held, err = lock.open(self, names, given)
  if not held then return nil, err end
  local token
  if given and given.wait == false then
    token, err = held:try_acquire(given.timeout)
  else
    token, err = held:acquire(given and given.timeout)
  end
  if token then return held end
  held:free()
  return nil, err
end

-- The queue of a name, the oldest first.
function Client:lock_queue(name, timeout)
  local result, err = self.caller:run(core.op_lock_queue(name), options.milliseconds(timeout, 0))
  if not result then return nil, err end
  return result.kvs or {}
end

---@return coord.Election?, coord.Error?
function Client:election(name, given) return lock.election(self, name, given) end

-- Who leads: a key-value, whose value is what it proclaims; nil: nobody.
function Client:leader(name, timeout)
  local result, err = self.caller:run(core.op_leader(name), options.milliseconds(timeout, 0))
  if not result then return nil, err end
  return result.kvs and result.kvs[1]
end

-- A barrier is raised by one, and lowered by anybody; a wait ends when it is lowered, and at once when it is not raised.
function Client:barrier_raise(name, timeout) return work.raise(self, name, timeout) end
function Client:barrier_lower(name, timeout) return work.lower(self, name, timeout) end
-- For at most `timeout` seconds; nil: as long as it takes.
function Client:barrier_wait(name, timeout) return work.wait(self, name, timeout) end

-- A queue of work, as a worker or for those who put items in. options: ttl.
---@return coord.WorkQueue?, coord.Error?
function Client:work_queue(name, given) return work.open(self, name, given) end

---@return coord.Registry?, coord.Error?
function Client:registry(given) return registry.open(self, given) end

---@return coord.Config?, coord.Error?
function Client:config(application, given) return config.open(self, application, given) end

-- ---- the client itself -----------------------------------------------------------------------

-- What it has done so far, as a table.
function Client:stats()
  local text, err = errors.checked(core.client_stats(self.handle))
  if not text then return nil, err end
  return json.decode(text)
end

-- Says goodbye; calls under way have `timeout` seconds (5; none under a loop) to finish.
function Client:close(timeout)
  if self.closed then return true end
  self.closed = true
  local async = self.caller:is_async()
  local done, err = errors.checked(core.client_close(self.handle, options.milliseconds(timeout, async and 0 or 5000)))
  self.caller:close()
  return done, err
end

-- Lets go of it, without waiting: calls under way end with CLOSED.
function Client:free()
  self.closed = true
  self.caller:close()
  core.release(self.handle)
end

Client.__close = function(self) self:close() end

return client
