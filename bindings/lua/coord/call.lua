-- Calls that were started, and go on while the program does something else.

local core = require "coord.core"
local errors = require "coord.errors"

local call = {}

---@class coord.Call
local Call = {}
Call.__index = Call
Call.__name = "coord.Call"

function call.start(caller, op, timeout_ms)
  local source, err = caller:source()
  if not source then return nil, err end
  local id
  id, err = errors.checked(core.start(caller.handle, source.queue, timeout_ms, 1, op.handle))
  if not id then
    source:close()
    return nil, err
  end
  return setmetatable({caller = caller, source = source, id = id, read = op.read}, Call)
end

local function take(self, seconds)
  if not self.event then
    self.event = self.source:next(seconds)
    if self.event then self.source:close() end
  end
  return self.event
end

-- Whether it has ended. Without waiting.
function Call:is_done() return take(self, 0) ~= nil end

-- Its result as of client:run; TIMEOUT when it goes on for longer than so many seconds (nil: as long as it takes).
function Call:wait(seconds)
  local event = take(self, seconds)
  if not event then return errors.fail("the call has not ended yet", core.TIMEOUT, core.RETRIABLE) end
  if event.error then return nil, errors.of(event.error) end
  return self.read(event)
end

-- wait tells: CANCELED unless it had ended before.
function Call:cancel() return errors.checked(core.cancel(self.caller.handle, self.id)) end

return call
