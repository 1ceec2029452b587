-- Mirrors: live copies of all keys under a prefix, read without asking anybody.

local core = require "coord.core"
local errors = require "coord.errors"
local handle = require "coord.handle"
local options = require "coord.options"

local mirror = {}

---@class coord.Mirror
---@field name string the prefix
local Mirror = handle.class("Mirror")

local read_kv, read_value = core.read_kv, core.read_value

-- Waits for the first answer of a handle that was opened without waiting: a "resync".
function mirror.wait_until_there(self, timeout)
  while true do
    local raw = self.source:next(timeout)
    if not raw then return errors.fail("it is not there yet", core.TIMEOUT, core.RETRIABLE) end
    local event = handle.event(raw)
    if event.type == "closed" then return nil, event.error end
    if event.type == "resync" and not event.error then return true end
  end
end

-- Options that make an open that suspends instead of blocking: it returns at once, and events tell.
function mirror.settings(client, given, prefixes, skipped)
  local waits = not (given and given.wait == false) and client.caller:is_async()
  local with = given
  if waits then
    with = {["mirror.wait"] = false}
    for name, value in pairs(given or {}) do if name ~= "wait" then with[name] = value end end
  end
  local settings, err = options.make(client.options, with, prefixes, skipped)
  return settings, err, waits
end

-- given: wait, file, file_interval; timeout, until the content is there, for coroutines.
function mirror.open(client, prefix, given)
  local settings, err, waits = mirror.settings(client, given, {"mirror_", "mirror.", ""}, {timeout = true})
  if err then return nil, err end
  local self
  self, err = handle.open(Mirror, {name = prefix}, client.caller, function(queue)
    return core.mirror_open(client.handle, prefix, settings, queue, 1)
  end)
  if not self or not waits then return self, err end
  local there
  there, err = mirror.wait_until_there(self, given and given.timeout or client.patience)
  if there then return self end
  self:free()
  return nil, err
end


-- A key-value; nil when there is none. Without asking anybody.
function Mirror:get(key)
  local found, value, mod_revision, create_revision, version, lease = read_kv(self.handle, key)
  if found then
    return {key = found, value = value, mod_revision = mod_revision, create_revision = create_revision, version = version,
      lease = lease}
  end
  if value then return errors.fail(value, mod_revision) end
end

-- Its value alone.
function Mirror:value(key)
  local value, message, number = read_value(self.handle, key)
  if value or message == nil then return value end
  return errors.fail(message, number)
end

local function listed(result, ...)
  if result == nil then return errors.fail(...) end
  local flat = core.flat(result)
  return {kvs = flat.kvs or {}, total = flat.total or 0, more = flat.more or false, revision = flat.revision}
end

-- All keys, or those that begin with `prefix`: {kvs, total, revision}, at one revision.
function Mirror:all(prefix)
  if prefix then return listed(core.mirror_prefix(self.handle, prefix)) end
  return listed(core.mirror_all(self.handle))
end

-- From one key up to another, without it; "" is the beginning or the end.
function Mirror:range(from, to, limit) return listed(core.mirror_range(self.handle, from or "", to or "", limit or 0)) end

function Mirror:count() return core.mirror_count(self.handle) end
function Mirror:revision() return core.mirror_revision(self.handle) end
-- Seconds since the content was surely that of the server; 0: it is now. nil: it is not loaded.
function Mirror:staleness()
  local ms = core.mirror_staleness_ms(self.handle)
  if ms >= 0 then return ms / 1000 end
end

-- for changes in mirror:changes() do: lists of changes, as of a watch; ends when the client is closed.
function Mirror:changes()
  return function()
    while true do
      local event = self:next_event()
      if not event then return nil end
      if event.type == "closed" then
        if event.error and event.error.code ~= "CLOSED" then error(event.error, 2) end
        return nil
      end
      if event.type == "changes" then return event.changes end
    end
  end
end

mirror.changes = Mirror.changes

return mirror
