-- Verbs as data, for transactions and pipelines: coord.ops.put("a", "1"). An op can be used any number of times.

local core = require "coord.core"
local errors = require "coord.errors"

local ops = {}

local GET, PUT, DELETE = 0, 1, 2

---@class coord.Op
---@field handle userdata?
---@field timeout_ms integer
---@field read fun(result: table): any
---@field err coord.Error? why it could not be made
local Op = {}
Op.__index = Op

-- ---- what results say ------------------------------------------------------------------------

function ops.read_put(result)
  return {revision = result.revision, previous = result.kvs and result.kvs[1]}
end

function ops.read_get(result) return result.kvs and result.kvs[1] end

function ops.read_range(result)
  return {kvs = result.kvs or {}, total = result.total or 0, more = result.more or false, revision = result.revision}
end

function ops.read_delete(result)
  return {deleted = result.total or 0, revision = result.revision, previous = result.kvs or {}}
end

local function read_revision(result) return {revision = result.revision} end

-- ---- making them -----------------------------------------------------------------------------

local function make(verb, read, key, value, options)
  local handle, timeout_ms, number = core.kv(verb, key, value, options)
  if handle == nil then
    local _, err = errors.fail(timeout_ms, number)
    return setmetatable({err = err, read = read, timeout_ms = 0}, Op)
  end
  return setmetatable({handle = handle, timeout_ms = timeout_ms, read = read}, Op)
end

---@param options {lease: any, prev_kv: boolean, ignore_value: boolean, ignore_lease: boolean, idempotent: boolean, timeout: number}?
function ops.put(key, value, options) return make(PUT, ops.read_put, key, value, options) end

-- One key: a key-value or nil.
function ops.get(key, options) return make(GET, ops.read_get, key, nil, options) end

-- A range or prefix: {kvs, total, more, revision}.
function ops.range(key, options) return make(GET, ops.read_range, key, nil, options) end

function ops.delete(key, options) return make(DELETE, ops.read_delete, key, nil, options) end

-- An op that the core has made.
function ops.of(handle, read) return setmetatable({handle = handle, timeout_ms = 0, read = read or read_revision}, Op) end

function ops.is(value) return getmetatable(value) == Op end

return ops
