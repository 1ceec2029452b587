-- A registry of services: registering, discovering, picking.

local core = require "coord.core"
local errors = require "coord.errors"
local handle = require "coord.handle"
local json = require "coord.json"
local options = require "coord.options"

local registry = {}

-- ---- instances -------------------------------------------------------------------------------

---@class coord.Instance
---@field id string
---@field name string the service
---@field address string
---@field port integer 0: none
---@field endpoint string address:port
---@field metadata table<string, string>
---@field weight integer
---@field status string
---@field version string
---@field json string all of it
local Instance = {}
Instance.__index = Instance
Instance.__name = "coord.Instance"

function Instance:__tostring() return "coord.Instance: " .. self.name .. "/" .. self.id end

-- address in memory -> Instance: each is decoded once. It keeps the handle, so no other can come to lie at that address.
local known = setmetatable({}, {__mode = "v"})

local function instance_of(opened)
  local address = core.address(opened)
  local found = known[address]
  if found then return found end
  local text = core.instance_json(opened)
  local fields = json.decode(text) or {}
  local self = setmetatable({handle = opened, json = text}, Instance)
  for name, value in pairs(fields) do self[name] = value end
  self.metadata = self.metadata or {}
  self.port = core.instance_port(opened)
  self.endpoint = self.port ~= 0 and self.address .. ":" .. self.port or self.address
  known[address] = self
  return self
end

-- Work on it begins, and ends: for the policy least_pending.
function Instance:begin() core.instance_begin(self.handle) end
function Instance:done() core.instance_done(self.handle) end
-- It has failed: left out by pickers for so many seconds, as long as there is another one.
function Instance:failed(seconds) core.instance_failed(self.handle, options.milliseconds(seconds, 0)) end

-- ---- registrations ---------------------------------------------------------------------------

---@class coord.Registration
local Registration = handle.class("Registration")

-- Waits until it is registered as it was described last: the revision.
function Registration:wait(timeout)
  local result, err = self.caller:run(core.op_registered(self.handle), options.milliseconds(timeout, 0), true)
  if not result then return nil, err end
  return result.revision
end

-- Changes fields: {status = "draining"}; json.null takes one away.
function Registration:update(fields, timeout)
  local text, why = json.encode(fields)
  if not text then return errors.invalid("the fields cannot be JSON: %s", why) end
  local op = core.op_update_instance(self.handle, text == "[]" and "{}" or text)
  local result, err = self.caller:run(op, options.milliseconds(timeout, 0))
  if not result then return nil, err end
  return true
end

-- Takes it out of the registry.
function Registration:deregister(timeout)
  local result, err = self.caller:run(core.op_deregister(self.handle), options.milliseconds(timeout, 0))
  if not result then return nil, err end
  self.ended = true
  return true
end

-- As it was described last.
function Registration:instance()
  local opened = core.registration_instance(self.handle)
  return opened and instance_of(opened)
end

-- Seconds for which it is registered at least.
function Registration:remaining() return core.registration_remaining_ms(self.handle) / 1000 end

function Registration:close(timeout)
  if self.freed then return true end
  local done, err = true, nil
  if not self.ended then done, err = self:deregister(timeout) end
  self:free()
  return done, err
end

Registration.__close = function(self) self:close() end

-- ---- following a service ---------------------------------------------------------------------

---@class coord.Discovery
local Discovery = handle.class("Discovery")

local CHANGES = {[0] = "up", "down", "changed"}

local function instances_of(list)
  local found = {}
  for i, opened in ipairs(list or {}) do found[i] = instance_of(opened) end
  return found
end

function Discovery:next_event(timeout)
  local raw = self.source:next(timeout)
  if not raw then return nil end
  local event = handle.event(raw)
  if event.changes then
    for _, change in ipairs(event.changes) do
      change.type, change.instance = CHANGES[change.type], instance_of(change.instance)
    end
    event.instances = instances_of(event.instances)
  end
  return event
end

-- for event in discovery:events() do: event.changes ({type = "up", "down" or "changed", instance}), event.instances.

-- ---- pickers ---------------------------------------------------------------------------------

---@class coord.Picker
local Picker = {}
Picker.__index = Picker
Picker.__name = "coord.Picker"

local pick = core.pick

-- An instance that is up; nil: there is none. hash_key: what it is for, with policy consistent_hash.
---@return coord.Instance?, coord.Error?
function Picker:pick(hash_key)
  local found, message, number = pick(self.handle, hash_key, known)
  if type(found) == "table" then return found end
  if found then return instance_of(found) end
  if message then return errors.fail(message, number) end
end

function Picker:close()
  core.release(self.handle)
  return true
end

Picker.__close = Picker.close

-- ---- the registry ----------------------------------------------------------------------------

---@class coord.Registry
local Registry = {}
Registry.__index = Registry
Registry.__name = "coord.Registry"

local POLICIES = {first = core.PICK_FIRST, round_robin = core.PICK_ROUND_ROBIN, random = core.PICK_RANDOM,
  weighted = core.PICK_WEIGHTED, least_pending = core.PICK_LEAST_PENDING, consistent_hash = core.PICK_CONSISTENT_HASH}

-- given: prefix, format ("etcd-naming" to meet gRPC-Go), replace, guard_percent, guard, and options of mirrors.
function registry.open(client, given)
  local settings, err = options.make(client.options, given, {"registry_", "registry.", "mirror_", "mirror.", ""})
  if err then return nil, err end
  local opened
  opened, err = errors.checked(core.registry_open(client.handle, settings))
  if not opened then return nil, err end
  return setmetatable({handle = opened, caller = client.caller, client = client}, Registry)
end

local NO_FIELDS = {ttl = true}

-- Registers an instance: address, port, id, metadata, weight, status, version and others; ttl, seconds that it outlives
-- its process (30). It is done in the background: registration:wait().
function Registry:register(service, given)
  local fields, ttl = {name = service}, given and given.ttl or 30
  for name, value in pairs(given or {}) do if not NO_FIELDS[name] then fields[name] = value end end
  local text, why = json.encode(fields)
  if not text then return errors.invalid("the instance cannot be JSON: %s", why) end
  return self:register_json(text, ttl)
end

function Registry:register_json(text, ttl)
  return handle.open(Registration, {}, self.caller, function(queue)
    return core.registry_register(self.handle, text, ttl, queue, 1)
  end)
end

-- Follows a service: its first event tells those that are there.
function Registry:follow(service)
  return handle.open(Discovery, {name = service}, self.caller, function(queue)
    return core.discovery_open(self.handle, service, queue, 1)
  end)
end

-- The first use has to read the local copy: what waits for that, without blocking a loop.
local function load(self, service)
  if self.loaded or not self.caller:is_async() then return true end
  local discovery, err = self:follow(service)
  if not discovery then return nil, err end
  local event = discovery:next_event(self.client.patience)
  discovery:close()
  if event and event.type == "closed" then return nil, event.error end
  if not event then return errors.fail("the registry was not read in time", core.TIMEOUT, core.RETRIABLE) end
  self.loaded = true
  return true
end

-- All instances of a service, from the local copy.
---@return coord.Instance[]?, coord.Error?
function Registry:discover(service, timeout)
  local loaded, err = load(self, service)
  if not loaded then return nil, err end
  local list
  list, err = errors.checked(core.registry_discover(self.handle, service, options.milliseconds(timeout, 0)))
  if not list then return nil, err end
  self.loaded = true
  local found = {}
  for i = 1, core.instances_count(list) do found[i] = instance_of(core.instances_get(list, i - 1)) end
  return found
end

-- The names of all services that have an instance.
function Registry:services(timeout)
  local loaded, err = load(self, "-")
  if not loaded then return nil, err end
  local text
  text, err = errors.checked(core.registry_services(self.handle, options.milliseconds(timeout, 0)))
  if not text then return nil, err end
  return json.decode(text)
end

-- Asks the server instead of the local copy: plain tables.
function Registry:fetch(service, timeout)
  local result, err = self.caller:run(core.op_discover(self.handle, service), options.milliseconds(timeout, 0))
  if not result then return nil, err end
  return json.decode(result.json)
end

-- policy: first, round_robin, random, weighted, least_pending, consistent_hash; subset: {zone = "eu"}.
---@return coord.Picker?, coord.Error?
function Registry:picker(service, policy, subset)
  local number = POLICIES[policy or "round_robin"]
  if not number then return errors.invalid('there is no policy "%s"', tostring(policy)) end
  local wanted = {}
  for name, value in pairs(subset or {}) do wanted[#wanted + 1] = name .. "=" .. value end
  local there, err = self:discover(service)
  if not there then return nil, err end
  local opened
  opened, err = errors.checked(core.picker_open(self.handle, service, number, table.concat(wanted, ",")))
  if not opened then return nil, err end
  return setmetatable({handle = opened}, Picker)
end

-- Seconds since the local copy was surely what the server has; nil: there is none yet.
function Registry:staleness()
  local ms = core.registry_staleness_ms(self.handle)
  if ms >= 0 then return ms / 1000 end
end

function Registry:close()
  core.release(self.handle)
  return true
end

Registry.__close = Registry.close

return registry
