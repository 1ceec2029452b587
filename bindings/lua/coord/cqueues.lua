-- coord under cqueues: calls suspend their coroutine, and the controller goes on. coord.open(endpoint, {loop = require
-- "coord.cqueues"}). Outside of a controller's coroutine a call blocks, as without a loop.

local cqueues = require "cqueues"
local condition = require "cqueues.condition"

local loop = {}

function loop.inside() return cqueues.running() ~= nil end

loop.now = cqueues.monotime

-- One of those who wait looks at the descriptor, for all of them: so no coroutine of ours keeps a controller from ending.
---@class coord.cqueues.Waiter
local Waiter = {}
Waiter.__index = Waiter

function loop.new(fd, drain)
  return setmetatable({source = {pollfd = fd, events = "r"}, drain = drain, others = {}}, Waiter)
end

function Waiter:await(box)
  local others = self.others
  while not box.done do
    if self.leader then
      local turn = self.spare or condition.new()
      self.spare = nil
      box.turn = turn
      others[box] = true
      turn:wait()
      others[box] = nil
      box.turn = nil
      self.spare = turn
    else
      self.leader = box
      cqueues.poll(self.source)
      self.leader = nil
      self.drain()
    end
  end
  if not self.leader then
    local heir = next(others)
    if heir then heir.turn:signal() end
  end
end

function Waiter:finish(box)
  box.done = true
  if box.turn then box.turn:signal() end
end

function Waiter:close() cqueues.cancel(self.source.pollfd) end

function loop.wait(state, fd, seconds)
  state.source = state.source or {pollfd = fd, events = "r"}
  state.woken = state.woken or condition.new()
  cqueues.poll(state.source, state.woken, seconds)
end

function loop.forget(state)
  if state.source then
    cqueues.cancel(state.source.pollfd)
    state.woken:signal()
  end
end

return loop
