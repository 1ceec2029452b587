-- coord under luv: calls suspend their coroutine, and uv.run() goes on. coord.open(endpoint, {loop = require "coord.luv"})
-- Outside of a coroutine a call blocks, as without a loop.

local uv = require "luv"

local luv = {}

local running, resume, yield = coroutine.running, coroutine.resume, coroutine.yield

function luv.inside()
  local current, is_main = running()
  return current ~= nil and not is_main
end

function luv.now() return uv.hrtime() / 1e9 end

-- A coroutine with an error must not take others with it: it is reported once all were resumed, as luv reports any.
local function resume_all(list, count)
  local failure
  for i = 1, count do
    local box = list[i]
    local co = box.co
    box.co = nil
    local good, why = resume(co)
    if not good and not failure then failure = debug.traceback(co, tostring(why)) end
  end
  if failure then error(failure, 0) end
end

-- luv 1.44 crashes at exit when a handle was closed and uv.run() does not come again: outside of coroutines it is only stopped.
local function let_go(poll)
  if poll:is_closing() then return end
  poll:stop()
  if luv.inside() then poll:close() end
end

---@class coord.luv.Waiter
local Waiter = {}
Waiter.__index = Waiter

function luv.new(fd, drain)
  local self = setmetatable({waiting = 0, ready = {}, count = 0}, Waiter)
  local poll = assert(uv.new_poll(fd))
  self.poll = poll
  poll:start("r", function()
    self.count = 0
    drain()
    local ready, count = self.ready, self.count
    if count == 0 then return end
    self.ready = {}
    resume_all(ready, count)
  end)
  poll:unref() -- it holds up uv.run only while somebody waits
  return self
end

function Waiter:await(box)
  if self.waiting == 0 then self.poll:ref() end
  self.waiting = self.waiting + 1
  box.co = running()
  while not box.done do yield() end
  self.waiting = self.waiting - 1
  if self.waiting > 0 then return end
  self.poll:unref()
  if self.closing then let_go(self.poll) end
end

function Waiter:finish(box)
  box.done = true
  if box.co then
    self.count = self.count + 1
    self.ready[self.count] = box
  end
end

function Waiter:close()
  self.closing = true
  if self.waiting == 0 then let_go(self.poll) end
end

-- Until fd is readable or the time is up.
function luv.wait(state, fd, seconds)
  local co, timer = running(), nil
  local poll = state.poll
  if not poll then
    poll = assert(uv.new_poll(fd))
    state.poll = poll
  end
  local done = false
  local function wake()
    if done then return end
    done = true
    if not poll:is_closing() then poll:stop() end
    if timer then
      timer:stop()
      timer:close()
    end
    local good, why = resume(co)
    if not good then error(debug.traceback(co, tostring(why)), 0) end
  end
  poll:start("r", wake)
  state.wake = wake
  if seconds then
    timer = uv.new_timer()
    timer:start(math.min(math.ceil(seconds * 1000), 2147483647), 0, wake)
  end
  while not done do yield() end
  state.wake = nil
end

function luv.forget(state)
  local poll = state.poll
  state.poll = nil
  if not poll then return end
  let_go(poll)
  if state.wake then
    -- Who waits is woken by the loop, not from here.
    local timer, wake = uv.new_timer(), state.wake
    timer:start(0, 0, function()
      timer:close()
      wake()
    end)
  end
end

return luv
