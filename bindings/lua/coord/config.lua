-- Configuration: JSON values under an application, current without asking anybody, changed by compare-and-set.

local core = require "coord.core"
local errors = require "coord.errors"
local handle = require "coord.handle"
local json = require "coord.json"
local mirror = require "coord.mirror"
local ops = require "coord.ops"
local options = require "coord.options"

local config = {}

---@class coord.Config
---@field name string the application
local Config = handle.class("Config")

local OF_GLUE = {timeout = true, defaults = true}
local config_get = core.config_get

-- given: prefix, manual, live, wait, file; defaults, a table; timeout, until it is there, for coroutines.
function config.open(client, application, given)
  if type(application) ~= "string" then return errors.invalid("the name of an application is a %s", type(application)) end
  local settings, err, waits = mirror.settings(client, given, {"config_", "config.", "mirror_", "mirror.", ""}, OF_GLUE)
  if err then return nil, err end
  local self
  self, err = handle.open(Config, {name = application, decoded = {}}, client.caller, function(queue)
    return core.config_open(client.handle, application, settings, queue, 1)
  end, true)
  if not self then return nil, err end
  local done = true
  for key, value in pairs(given and given.defaults or {}) do
    if done then done, err = self:default(key, value) end
  end
  if done and waits and not (given and given.live == false) then
    done, err = mirror.wait_until_there(self, given and given.timeout or client.patience)
  end
  if done then return self end
  self:free()
  return nil, err
end

local function encode(value)
  local text, why = json.encode(value)
  if text then return text end
  return errors.invalid("the value cannot be JSON: %s", why)
end

-- What a key is when nobody has set it, for this handle; nil: nothing.
function Config:default(key, value)
  local text, err
  if value ~= nil then
    text, err = encode(value)
    if not text then return nil, err end
  end
  return errors.checked(core.config_default(self.handle, key, text))
end

-- What is current, and its version for set; `otherwise` and nothing when there is none. Values are shared: do not change what
-- is in them.
function Config:get(key, otherwise)
  local text, version, number, flags, endpoint = config_get(self.handle, key)
  if text == nil then
    if number == core.NOT_FOUND then return otherwise end
    return errors.fail(version, number, flags, endpoint)
  end
  local known = self.decoded[key]
  if known and known.text == text then return known.value, version end
  local value = json.decode(text)
  self.decoded[key] = {text = text, value = value}
  return value, version
end

-- All that is current: a table of values, and one of versions.
function Config:all()
  local result, message, number = core.config_all(self.handle)
  if result == nil then return errors.fail(message, number) end
  local values, versions = {}, {}
  for _, kv in ipairs(core.flat(result).kvs or {}) do
    values[kv.key] = json.decode(kv.value)
    versions[kv.key] = kv.version ~= 0 and kv.mod_revision or 0
  end
  return values, versions
end

-- Writing and deleting as ops, for transactions: many in one are a batch.
function Config:set_op(key, value, version)
  local text, err = encode(value)
  local op = ops.of(core.op_config_set(self.handle, key, text or "null", version or -1))
  op.err = err
  return op
end

function Config:delete_op(key, version) return ops.of(core.op_config_delete(self.handle, key, version or -1)) end

-- Writes a value. version: only if that is its version still (0: nothing is there), else CONFLICT. The revision.
function Config:set(key, value, version, timeout)
  local text, err = encode(value)
  if not text then return nil, err end
  local result
  result, err = self.caller:run(core.op_config_set(self.handle, key, text, version or -1), options.milliseconds(timeout, 0))
  if not result then return nil, err end
  return result.revision
end

function Config:delete(key, version, timeout)
  local op = core.op_config_delete(self.handle, key, version or -1)
  local result, err = self.caller:run(op, options.milliseconds(timeout, 0))
  if not result then return nil, err end
  return result.revision
end

-- The values that a key had, the newest first: {{value, revision}, ...}; and whether there were older ones.
function Config:history(key, most, timeout)
  local op = core.op_config_history(self.handle, key, most or 10)
  local result, err = self.caller:run(op, options.milliseconds(timeout, 0))
  if not result then return nil, err end
  local entries = {}
  for i, kv in ipairs(result.kvs or {}) do
    entries[i] = {key = key, value = json.decode(kv.value), json = kv.value, revision = kv.mod_revision, version = kv.mod_revision}
  end
  return entries, result.more or false
end

local function decoded(changes)
  for _, change in ipairs(changes) do
    local value, previous = change.value, change.previous
    change.json, change.value = nil, nil
    if change.type == "put" then change.json, change.value = value, json.decode(value) end
    change.previous = nil
    if previous then change.previous_json, change.previous = previous.value, json.decode(previous.value) end
  end
  return changes
end

-- "changes" have lists of {type, key, value, previous}; "rejected": a value is no JSON.
function Config:next_event(timeout)
  local raw = self.source:next(timeout)
  if not raw then return nil end
  local event = handle.event(raw)
  if event.changes then decoded(event.changes) end
  return event
end

-- With manual = true: what an event "changes" told is current from now on.
function Config:accept(event) return errors.checked(core.config_accept(self.handle, event.handle)) end

-- for changes in config:changes() do: all of one revision together; ends when the client is closed.
Config.changes = mirror.changes

return config
