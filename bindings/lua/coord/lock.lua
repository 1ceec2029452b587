-- Locks: of one name or several, for readers and writers, for as many as there are permits.

local core = require "coord.core"
local errors = require "coord.errors"
local handle = require "coord.handle"
local ops = require "coord.ops"
local options = require "coord.options"

local lock = {}

---@class coord.Lock
---@field name string
local Lock = handle.class("Lock")

-- Of the table that client:lock takes, what is no option of the library.
lock.of_glue = {timeout = true, wait = true}

---@param names string|string[]
function lock.open(client, names, given)
  local settings, err = options.make(client.options, given, {"lock_", "lock.", ""}, lock.of_glue)
  if err then return nil, err end
  local self = {name = type(names) == "table" and names[1] or names}
  return handle.open(Lock, self, client.caller, function(queue)
    if type(names) == "table" then return core.lock_open_many(client.handle, names, settings, queue, 1) end
    if type(names) ~= "string" then return nil, "the name of a lock is a " .. type(names), core.INVALID end
    return core.lock_open(client.handle, names, settings, queue, 1)
  end)
end

-- Acquiring as an op, for client:start; of its result `revision` is the token. wait = false: only if it is free.
function Lock:acquire_op(wait) return ops.of(core.op_acquire(self.handle, wait ~= false)) end

-- Waits until it is held, for at most `timeout` seconds (nil: as long as it takes). The token.
function Lock:acquire(timeout)
  local result, err = self.caller:run(core.op_acquire(self.handle, 1), options.milliseconds(timeout, -1), true)
  if not result then return nil, err end
  self.acquired = true
  return result.revision
end

-- Only if it is free: the token, or false when somebody else holds it.
function Lock:try_acquire(timeout)
  local result, err = self.caller:run(core.op_acquire(self.handle, 0), options.milliseconds(timeout, 0))
  if result then
    self.acquired = true
    return result.revision
  end
  if err.code == "CONFLICT" then return false, err end
  return nil, err
end

function Lock:release(timeout)
  self.acquired = nil
  local result, err = self.caller:run(core.op_release(self.handle), options.milliseconds(timeout, 0))
  if not result then return nil, err end
  return true
end

-- Its lease has its whole time again: seconds.
function Lock:renew(timeout)
  local result, err = self.caller:run(core.op_lock_renew(self.handle), options.milliseconds(timeout, 0))
  if not result then return nil, err end
  return result.ttl
end

-- Whether it is held: false as soon as its lease could have ended. Without asking anybody.
function Lock:is_held() return core.lock_is_held(self.handle) == 1 end
-- The fencing token; 0: it is not held.
function Lock:token() return core.lock_token(self.handle) end
-- Seconds for which it is held at least.
function Lock:remaining() return core.lock_remaining_ms(self.handle) / 1000 end
-- The key by which it is held, of name number i.
function Lock:key(i) return core.lock_key_of(self.handle, (i or 1) - 1) end

-- The id of the lease that its key hangs on; 0: it is not held.
function Lock:lease() return core.lock_lease_of(self.handle) end

function Lock:add_guard(txn) return core.op_if_held(txn, self.handle) end

-- Lets go of it and of the handle: in the end of a scope with `local held <close> = ...`.
function Lock:close(timeout)
  if self.freed then return true end
  local done, err = true, nil
  if self.acquired or core.lock_is_held(self.handle) == 1 then done, err = self:release(timeout) end
  self:free()
  return done, err
end

-- What was done in the scope was not done under the lock when it was lost meanwhile: that is an error, but hides no other.
local function leave(self, failure)
  local _, err = self:close()
  if err and err.code == "LOST" and failure == nil then error(err, 0) end
end

Lock.__close = leave

-- ---- elections -------------------------------------------------------------------------------

---@class coord.Election
---@field name string
local Election = handle.class("Election")

function lock.election(client, name, given)
  local settings, err = options.make(client.options, given, {"lock_", "lock.", ""})
  if err then return nil, err end
  if type(name) ~= "string" then return errors.invalid("the name of an election is a %s", type(name)) end
  return handle.open(Election, {name = name}, client.caller, function(queue)
    return core.election_open(client.handle, name, settings, queue, 1)
  end)
end

-- Campaigning as an op, for client:start.
function Election:campaign_op(value) return ops.of(core.op_campaign(self.handle, value)) end

-- Waits until this candidate leads, for at most `timeout` seconds (nil: as long as it takes). The token.
function Election:campaign(value, timeout)
  local op = core.op_campaign(self.handle, value)
  local result, err = self.caller:run(op, options.milliseconds(timeout, -1), true)
  if not result then return nil, err end
  self.leads = true
  return result.revision
end

-- Says something else, as the leader.
function Election:proclaim(value, timeout)
  local result, err = self.caller:run(core.op_proclaim(self.handle, value), options.milliseconds(timeout, 0))
  if not result then return nil, err end
  return true
end

function Election:resign(timeout)
  self.leads = nil
  local result, err = self.caller:run(core.op_resign(self.handle), options.milliseconds(timeout, 0))
  if not result then return nil, err end
  return true
end

-- From now on events "changes" tell of each leader: one change, whose key is "" when nobody leads.
function Election:observe() return errors.checked(core.election_observe(self.handle)) end

-- for leader in election:leaders() do: a key-value, or false when nobody leads. It begins with how things stand.
function Election:leaders()
  local started, err = self:observe()
  if not started then error(err, 2) end
  return function()
    while true do
      local event = self:next_event()
      if not event or event.type == "closed" then return nil end
      if event.type == "changes" then
        local change = event.changes[1]
        if change.type == "delete" then return false end
        return change
      end
    end
  end
end

function Election:is_leader() return core.election_is_leader(self.handle) == 1 end
function Election:token() return core.election_token(self.handle) end
function Election:remaining() return core.election_remaining_ms(self.handle) / 1000 end
function Election:lease() return core.election_lease_of(self.handle) end
function Election:key() return core.election_key_of(self.handle) end
function Election:add_guard(txn) return core.op_if_leader(txn, self.handle) end

function Election:close(timeout)
  if self.freed then return true end
  local done, err = true, nil
  if self.leads or core.election_is_leader(self.handle) == 1 then done, err = self:resign(timeout) end
  self:free()
  return done, err
end

Election.__close = leave

return lock
