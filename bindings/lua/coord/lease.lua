-- Leases that the client keeps alive.

local core = require "coord.core"
local errors = require "coord.errors"
local handle = require "coord.handle"
local options = require "coord.options"

local lease = {}

---@class coord.Lease
---@field id integer for the option `lease` of puts, which also takes the lease itself
---@field ttl integer seconds that the server has granted
local Lease = handle.class("Lease")

-- ttl seconds; or id, to adopt one that is there.
function lease.open(client, ttl, id, timeout)
  local caller = client.caller
  local timeout_ms = options.milliseconds(timeout, 0)
  local self, err = handle.open(Lease, {}, caller, function(queue)
    return core.lease_start(client.handle, ttl or 0, id or 0, timeout_ms, queue, 1)
  end)
  if not self then return nil, err end
  while true do
    local event = self:next_event()
    if event.type == "acquired" then break end
    if event.type == "closed" then
      self:free()
      return nil, event.error
    end
  end
  self.id = core.lease_id(self.handle)
  self.ttl = core.lease_ttl_s(self.handle)
  return self
end

-- Seconds that it lives at least; 0: act as if it is lost. Without asking anybody.
function Lease:remaining() return core.lease_remaining_ms(self.handle) / 1000 end

-- Ends it, and with it its keys.
function Lease:close(timeout)
  if self.freed or self.ended then return true end
  self.ended = true
  if self.caller:is_async() then
    -- The handle would block; an op does the same.
    local done, err = self.caller:run(core.op_lease_revoke(self.id), options.milliseconds(timeout, 0))
    core.release(self.handle)
    if not done and err.code ~= "NOT_FOUND" then return nil, err end
    return true
  end
  return errors.checked(core.lease_close(self.handle, options.milliseconds(timeout, 0)))
end

function Lease:__close()
  self:close()
  self:free()
end

return lease
