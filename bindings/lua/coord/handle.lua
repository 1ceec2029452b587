-- What leases, locks, watches and others have alike: a source of events, and an end.

local core = require "coord.core"
local errors = require "coord.errors"

local handle = {}

local TYPES = {[0] = "result", "changes", "resync", "at_risk", "lost", "restored", "acquired", "state", "log", "closed", "rejected"}

---@class coord.Event
---@field type "changes"|"resync"|"at_risk"|"lost"|"restored"|"acquired"|"closed"|"rejected"
---@field revision integer of the store; of "acquired" the token
---@field error coord.Error? why
---@field changes table[]? of "changes"

-- A flat event of the core, as programs get it.
function handle.event(raw)
  return {
    type = TYPES[raw.event] or raw.event,
    revision = raw.revision,
    error = raw.error and errors.of(raw.error),
    changes = raw.changes,
    instances = raw.instances,
    guarded = raw.guarded,
    text = raw.text,
    handle = raw.handle,
  }
end

-- A class of handles, with what all of them can do.
function handle.class(name)
  local class = {}
  class.__index = class
  class.__name = "coord." .. name

  function class:__tostring() return ("coord.%s: %s"):format(name, self.name or "") end

  -- The next event, nil when none came within `timeout` seconds (nil: whenever it comes).
  function class:next_event(timeout)
    if not self.source then return nil end
    local raw = self.source:next(timeout)
    return raw and handle.event(raw)
  end

  -- for event in lock:events() do: ends when the handle is closed.
  function class:events()
    return function()
      local event = self:next_event()
      if event then return event end
    end
  end

  function class:free()
    if self.source then self.source:close() end
    core.release(self.handle)
    self.freed = true
  end

  -- What has nothing to take leave of; the others have a close of their own.
  function class:close()
    if not self.freed then self:free() end
    return true
  end

  function class:__close() self:close() end

  return class
end

-- Opens a handle of the core with a source of its own: open(queue) calls the core.
function handle.open(class, self, caller, open, keep)
  local source, err = caller:source(keep)
  if not source then return nil, err end
  local opened
  opened, err = errors.checked(open(source.queue))
  if not opened then
    source:close()
    return nil, err
  end
  self.caller, self.source, self.handle = caller, source, opened
  return setmetatable(self, class)
end

return handle
