-- Transactions: conditions, what is done when they all hold, and what when not.

local core = require "coord.core"
local errors = require "coord.errors"
local ops = require "coord.ops"
local options = require "coord.options"

local txn = {}

local TARGETS = {version = core.COMPARE_VERSION, create_revision = core.COMPARE_CREATE, mod_revision = core.COMPARE_MOD,
  value = core.COMPARE_VALUE, lease = core.COMPARE_LEASE}
local RELATIONS = {["=="] = core.EQUAL, ["="] = core.EQUAL, [">"] = core.GREATER, ["<"] = core.LESS, ["~="] = core.NOT_EQUAL,
  ["!="] = core.NOT_EQUAL}

---@class coord.Txn
local Txn = {}
Txn.__index = Txn
Txn.__name = "coord.Txn"

function txn.new(caller) return setmetatable({caller = caller, handle = core.op_txn(), branches = {{}, {}}}, Txn) end

-- The first thing that was wrong is what commit tells.
local function note(self, first, ...)
  if first == nil and not self.err then
    local _, err = errors.fail(...)
    self.err = err
  end
  return self
end

local function wrong(self, message, ...) return note(self, nil, message:format(...), core.INVALID) end

-- txn:when("jobs/7", "version", "==", 0); a lock or an election is a condition too. With more: {prefix = true} or
-- {range_end = "..."}: for each key in there.
---@param target "version"|"create_revision"|"mod_revision"|"value"|"lease"|nil
---@param relation "=="|"~="|">"|"<"|nil
function Txn:when(key, target, relation, operand, more)
  if type(key) == "table" then
    if not key.add_guard then return wrong(self, "a condition is a key, a lock or an election") end
    return note(self, key:add_guard(self.handle))
  end
  local what, how = TARGETS[target], RELATIONS[relation]
  if type(key) ~= "string" then return wrong(self, "the key of a condition is a %s", type(key)) end
  if not what then return wrong(self, 'a condition on "%s"; there are version, create_revision, mod_revision, value and lease', tostring(target)) end
  if not how then return wrong(self, 'a condition with "%s"; there are == ~= < and >', tostring(relation)) end
  if what == core.COMPARE_VALUE then
    if type(operand) ~= "string" then return wrong(self, "a value is compared with a %s", type(operand)) end
    note(self, core.op_if_value(self.handle, key, how, operand))
  else
    if type(operand) == "table" then operand = operand.id end
    note(self, core.op_if_int(self.handle, key, what, how, operand))
  end
  if more and (more.prefix or more.range_end) then note(self, core.op_if_range(self.handle, more.range_end)) end
  return self
end

local function nothing() return false end

local function add(self, branch, add_op, list)
  for _, op in ipairs(list) do
    if getmetatable(op) == Txn then op = op:op() end
    if ops.is(op) and op.err then
      self.err = self.err or op.err
    elseif ops.is(op) then
      note(self, add_op(self.handle, op.handle))
      table.insert(self.branches[branch], {read = op.read, parts = 1})
    elseif branch == 1 and type(op) == "table" and op.add_to then
      note(self, op:add_to(self.handle))
      table.insert(self.branches[branch], {read = nothing, parts = op.parts})
    else
      return wrong(self, "an op is wanted (coord.ops), not a %s", type(op))
    end
  end
  return self
end

-- What is done when all conditions hold: txn:and_then(ops.put(...), ops.get(...)); that an item of work is done, too.
function Txn:and_then(...) return add(self, 1, core.op_then, {...}) end

-- What is done when one does not.
function Txn:otherwise(...) return add(self, 2, core.op_else, {...}) end

-- Doing it twice is as good as once: it may be repeated when an answer was lost.
function Txn:idempotent() return note(self, core.op_set(self.handle, core.OP_IDEMPOTENT, 1)) end

local function reader(branches)
  return function(result)
    local succeeded = result.succeeded ~= false
    local reads, results = branches[succeeded and 1 or 2], {}
    local parts, at = result.parts or {}, 1
    for i, one in ipairs(reads) do
      results[i] = one.read(parts[at]) or false
      at = at + one.parts
    end
    return {succeeded = succeeded, revision = result.revision, results = results}
  end
end

-- As an op, for coord.ops and for a txn in a txn.
function Txn:op()
  local op = ops.of(self.handle, reader(self.branches))
  op.err = self.err
  return op
end

-- {succeeded, revision, results}; results in the order of the ops, `false` for a get that found nothing.
---@param timeout number? seconds
function Txn:commit(timeout)
  if self.err then return nil, self.err end
  local result, err = self.caller:run(self.handle, options.milliseconds(timeout, 0))
  if not result then return nil, err end
  return reader(self.branches)(result)
end

return txn
