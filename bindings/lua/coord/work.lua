-- Barriers, and queues of work: each item is done once, and that of a worker that died returns to its place.

local core = require "coord.core"
local errors = require "coord.errors"
local handle = require "coord.handle"
local options = require "coord.options"

local work = {}

-- An op whose result says nothing more: true, or nil and the error.
local function done(caller, op, timeout_ms, long)
  local result, err = caller:run(op, timeout_ms, long)
  if not result then return nil, err end
  return true
end

-- ---- barriers --------------------------------------------------------------------------------

-- What a method of the client does with a barrier; `wait`: it may take any time.
local function barrier(op_of, wait)
  return function(client, name, timeout)
    if type(name) ~= "string" then return errors.invalid("the name of a barrier is a %s", type(name)) end
    return done(client.caller, op_of(name), options.milliseconds(timeout, wait and -1 or 0), wait)
  end
end

work.raise = barrier(core.op_barrier_raise)
work.lower = barrier(core.op_barrier_lower)
work.wait = barrier(core.op_barrier_wait, true)

-- ---- queues of work --------------------------------------------------------------------------

---@class coord.WorkItem
---@field key string of the item in the store
---@field value string what is to be done
---@field token integer by which it is taken; it grows from worker to worker, for fencing

---@class coord.WorkQueue
---@field name string
local Queue = handle.class("WorkQueue") -- close returns what was taken and not done to its place

function work.open(client, name, given)
  local settings, err = options.make(client.options, given, {"lock_", "lock.", ""})
  if err then return nil, err end
  if type(name) ~= "string" then return errors.invalid("the name of a queue of work is a %s", type(name)) end
  return handle.open(Queue, {name = name}, client.caller, function(queue)
    return core.workqueue_open(client.handle, name, settings, queue, 1)
  end)
end

local function wrong_item(item)
  if type(item) == "table" and type(item.key) == "string" and item.token then return nil end
  return errors.make("an item that was taken is wanted, not a " .. type(item), core.INVALID)
end

-- Puts an item in, behind all others. {revision}
function Queue:put(value, timeout)
  if type(value) ~= "string" then return errors.invalid("the value of an item is a %s", type(value)) end
  local result, err = self.caller:run(core.op_work_put(self.name, value), options.milliseconds(timeout, 0))
  if not result then return nil, err end
  return {revision = result.revision}
end

local function item_of(result)
  local kv = result.kvs[1]
  return {key = kv.key, value = kv.value, token = result.revision}
end

-- Takes the oldest item that nobody has taken, and waits for one for at most `timeout` seconds (nil: as long as it takes).
---@return coord.WorkItem?, coord.Error?
function Queue:take(timeout)
  local result, err = self.caller:run(core.op_work_take(self.handle, 1), options.milliseconds(timeout, -1), true)
  if not result then return nil, err end
  return item_of(result)
end

-- Only what is there: nil, and no error, when nothing is.
---@return coord.WorkItem?, coord.Error?
function Queue:try_take(timeout)
  local result, err = self.caller:run(core.op_work_take(self.handle, 0), options.milliseconds(timeout, 0))
  if result then return item_of(result) end
  if err.code == "NOT_FOUND" then return nil end
  return nil, err
end

local function ending(op_of)
  return function(self, item, timeout)
    local err = wrong_item(item)
    if err then return nil, err end
    return done(self.caller, op_of(self.handle, item.key, item.token), options.milliseconds(timeout, 0))
  end
end

-- A taken item is done, and gone: done(item, timeout). LOST: another may have it.
Queue.done = ending(core.op_work_done)
-- Back, undone, to its place: give_back(item, timeout).
Queue.give_back = ending(core.op_work_return)

-- Seconds for which a taken item is this worker's at least.
function Queue:remaining(item)
  local err = wrong_item(item)
  if err then return nil, err end
  return core.workqueue_remaining_ms(self.handle, item.token) / 1000
end

local Ending = {}
Ending.__index = Ending

function Ending:add_to(txn)
  if self.err then return nil, self.err.message, self.err.number end
  return core.op_then_done(txn, self.queue.handle, self.item.key, self.item.token)
end

-- That a taken item is done, as part of a txn: what that writes besides is written once for each item, or not at all
-- (`succeeded` is false) when another may have it. txn:and_then(queue:ending(item), ops.put(...)). Its result is false.
function Queue:ending(item)
  return setmetatable({queue = self, item = item, err = wrong_item(item), parts = 2}, Ending)
end

return work
