-- How a call waits: it blocks, or, with a loop and inside one of its coroutines, it suspends that coroutine. Events of
-- handles come through sources, which wait in the same two ways.
--
-- A loop is a table: coord.luv and coord.cqueues are two. It has
--   inside()               whether the running coroutine is one that may be suspended
--   new(fd, drain)         a waiter on fd, which calls drain() when it is readable: waiter:await(box) suspends until
--                          box.done; drain calls waiter:finish(box); waiter:close()
--   wait(state, fd, seconds)   suspends until fd is readable or the time is up; state is a table that is the same each time
--   forget(state)          fd is closed after this
--   now()                  seconds of a clock that only goes on

local core = require "coord.core"
local errors = require "coord.errors"

local SLICE_MS = 250 -- for how long a wait cannot be interrupted by a signal

local caller = {}

---@class coord.Caller
local Caller = {}
Caller.__index = Caller

function caller.new(handle, loop)
  return setmetatable({handle = handle, loop = loop, boxes = {}, tag = 0}, Caller)
end

function Caller:is_async() return self.loop ~= nil and self.loop.inside() end

-- The queue and the waiter for calls under a loop, made by the first of them.
local function open_queue(self)
  local queue, err = errors.checked(core.queue_open())
  if not queue then return nil, err end
  local boxes = self.boxes
  self.queue = queue
  local waiter
  waiter = self.loop.new(core.queue_fd(queue), function()
    local events = core.drain(queue)
    if not events then return end
    for i = 1, #events do
      local event = events[i]
      local box = boxes[event.tag]
      if box then
        boxes[event.tag] = nil
        box.event = event
        waiter:finish(box)
      end
    end
  end)
  self.waiter = waiter
  return queue
end

local function outcome(event)
  if event.error then return nil, errors.of(event.error) end
  return event
end

local function await(self, tag, id, ...)
  if id == nil then return errors.fail(...) end
  local box = {id = id}
  self.boxes[tag] = box
  self.waiter:await(box)
  return outcome(box.event)
end

local function next_tag(self)
  local tag = self.tag + 1
  self.tag = tag
  return tag
end

-- Get, put or delete, with a table of options.
function Caller:kv(verb, key, value, options)
  local loop = self.loop
  if loop and loop.inside() then
    local queue, err = self.queue, nil
    if not queue then
      queue, err = open_queue(self)
      if not queue then return nil, err end
    end
    local tag = next_tag(self)
    return await(self, tag, core.start_kv(self.handle, queue, tag, verb, key, value, options))
  end
  return errors.checked(core.run_kv(self.handle, verb, key, value, options))
end

-- Waits in slices, so that a signal's hook can run between them.
local function run_long(self, op, timeout_ms)
  local queue = self.slow or assert(core.queue_open())
  self.slow = queue
  local tag = next_tag(self)
  local id, message, number, flags, endpoint, grpc, http = core.start(self.handle, queue, timeout_ms, tag, op)
  if id == nil then return errors.fail(message, number, flags, endpoint, grpc, http) end
  local good, event = pcall(function()
    while true do
      local event = core.take(queue, SLICE_MS)
      if event and event.tag == tag then return event end
    end
  end)
  if not good then
    core.cancel(self.handle, id)
    error(event, 0)
  end
  return outcome(event)
end

-- An op of the core; `long`: it may take any time.
function Caller:run(op, timeout_ms, long)
  if op == nil then return errors.fail("out of memory", core.NO_MEMORY) end
  if self:is_async() then
    local queue, err = self.queue, nil
    if not queue then
      queue, err = open_queue(self)
      if not queue then return nil, err end
    end
    local tag = next_tag(self)
    return await(self, tag, core.start(self.handle, queue, timeout_ms, tag, op))
  end
  if long then return run_long(self, op, timeout_ms) end
  return errors.checked(core.run(self.handle, timeout_ms, op))
end

-- Many ops at once: starts them all, then waits for all. A list of results; an error stands where one failed.
function Caller:run_many(list, timeout_ms)
  local queue = assert(core.queue_open())
  local results, pending, state = {}, 0, {}
  for i, op in ipairs(list) do
    local id, message, number, flags, endpoint = core.start(self.handle, queue, timeout_ms, i, op)
    if id then
      pending = pending + 1
    else
      results[i] = errors.make(message, number, flags, endpoint)
    end
  end
  local loop = self:is_async() and self.loop
  while pending > 0 do
    local events = core.drain(queue)
    if events then
      for _, event in ipairs(events) do
        results[event.tag] = event.error and errors.of(event.error) or event
        pending = pending - 1
      end
    elseif loop then
      loop.wait(state, core.queue_fd(queue))
    else
      local event = core.take(queue, SLICE_MS)
      if event then
        results[event.tag] = event.error and errors.of(event.error) or event
        pending = pending - 1
      end
    end
  end
  if loop then loop.forget(state) end
  core.release(queue)
  return results
end

function Caller:close()
  if self.waiter then
    -- Whoever waits still is told by the events of the close, which are there.
    self.waiter:close()
  end
end

-- ---- sources ---------------------------------------------------------------------------------

---@class coord.Source
local Source = {}
Source.__index = Source

-- A queue for the events of one handle. keep: events come with their handle in the core.
function Caller:source(keep)
  local queue, err = errors.checked(core.queue_open())
  if not queue then return nil, err end
  return setmetatable({queue = queue, caller = self, keep = keep or false, list = {}, at = 1, state = {}}, Source)
end

-- What is there now, without waiting.
function Source:poll()
  local list, at = self.list, self.at
  if at > #list then
    list = core.drain(self.queue, self.keep)
    if not list then return nil end
    self.list, at = list, 1
  end
  self.at = at + 1
  local event = list[at]
  list[at] = false
  return event
end

-- The next event; nil: none came in this time (nil: any).
function Source:next(seconds)
  local event = self:poll()
  if event or seconds == 0 then return event end
  if self.closed then return nil end
  if self.caller:is_async() then
    local loop = self.caller.loop
    local ends = seconds and loop.now() + seconds
    while not event and not self.closed and (not seconds or seconds > 0) do
      loop.wait(self.state, core.queue_fd(self.queue), seconds)
      event = self:poll()
      seconds = ends and ends - loop.now()
    end
    return event
  end
  local left = seconds and seconds * 1000 or math.huge
  while left > 0 and not self.closed do
    local slice = left < SLICE_MS and left or SLICE_MS
    event = core.take(self.queue, math.ceil(slice), self.keep)
    if event then return event end
    left = left - slice
  end
  return nil
end

function Source:close()
  if self.closed then return end
  self.closed = true
  if self.caller.loop then self.caller.loop.forget(self.state) end
  core.release(self.queue)
end

return caller
