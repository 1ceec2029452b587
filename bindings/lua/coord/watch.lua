-- Watches: every change, once, in order. And scans: ranges of any size, page by page.

local core = require "coord.core"
local errors = require "coord.errors"
local handle = require "coord.handle"
local options = require "coord.options"

local watch = {}

---@class coord.Watch
---@field revision integer all after it will be told
local Watch = handle.class("Watch")

watch.of_glue = {from = true, timeout = true}

local function without(given, names)
  local rest = {}
  for name, value in pairs(given or {}) do if not names[name] then rest[name] = value end end
  return rest
end

-- Waits until it stands, so that nothing is missed after it. given: prefix, range_end, prev_kv, no_puts, no_deletes, progress;
-- from, the first revision to tell; timeout, until it stands.
function watch.open(client, key, given)
  given = given or {}
  if type(given) ~= "table" then return errors.invalid("the options are a %s; a table is wanted", type(given)) end
  local op, message, number = core.kv(0, key, nil, without(given, watch.of_glue))
  if op == nil then return errors.fail(message, number) end
  local self, err = handle.open(Watch, {name = key}, client.caller, function(queue)
    return core.watch_open(client.handle, op, given.from or 0, queue, 1)
  end)
  if not self or given.timeout == 0 then return self, err end
  local first = self:next_event(given.timeout)
  if not first then
    self:free()
    return errors.fail("the watch does not stand yet", core.TIMEOUT, core.RETRIABLE)
  end
  if first.type == "closed" then
    self:free()
    return nil, first.error
  end
  self.revision = first.revision
  return self
end

local function remember(self, event)
  if event.revision ~= 0 then self.revision = event.revision end
  if event.type ~= "closed" then return end
  self.ended = event.error or errors.make("the watch was closed", core.CLOSED)
  self.compacted = event.error and event.error.code == "COMPACTED" and event.revision or nil
end

-- The changes of one revision or of several, as a list. nil and an error: TIMEOUT; CLOSED; COMPACTED, and watch.compacted is
-- the oldest revision that is left; what the server said.
function Watch:next_batch(timeout)
  if self.ended then return nil, self.ended end
  while true do
    local raw = self.source:next(timeout)
    if not raw then
      if self.freed then return errors.fail("the watch was closed", core.CLOSED) end
      return errors.fail("no change came", core.TIMEOUT, core.RETRIABLE)
    end
    if raw.event == core.EVENT_CHANGES then
      self.revision = raw.revision
      return raw.changes
    end
    remember(self, handle.event(raw))
    if self.ended then return nil, self.ended end
  end
end

-- The next change: {type = "put" or "delete", key, value, mod_revision, ..., previous}. Failures as of next_batch.
function Watch:next(timeout)
  local batch, at = self.batch, self.at
  while not batch or at > #batch do
    local err
    batch, err = self:next_batch(timeout)
    if not batch then return nil, err end
    at = 1
  end
  self.batch, self.at = batch, at + 1
  return batch[at]
end

local function iterate(self, take)
  return function()
    local item, err = take(self)
    if item then return item end
    if err.code ~= "CLOSED" then error(err, 2) end
  end
end

-- for change in watch:changes() do: ends when the watch is closed; any other end is an error.
function Watch:changes() return iterate(self, self.next) end
-- for batch in watch:batches() do
function Watch:batches() return iterate(self, self.next_batch) end

-- Ends it; what waits still comes, and then CLOSED.
function Watch:cancel() core.watch_close(self.handle) end

-- ---- scans -----------------------------------------------------------------------------------

---@class coord.Scan
local Scan = {}
Scan.__index = Scan
Scan.__name = "coord.Scan"

-- given: prefix or range_end, limit, revision, serializable, keys_only; page, keys to each.
function watch.scan(client, key, given)
  given = given or {prefix = true}
  if type(given) ~= "table" then return errors.invalid("the options are a %s; a table is wanted", type(given)) end
  local op, timeout_ms, number = core.kv(0, key, nil, without(given, {page = true}))
  if op == nil then return errors.fail(timeout_ms, number) end
  local opened, err = errors.checked(core.scan_open(client.handle, op, given.page or 0))
  if not opened then return nil, err end
  return setmetatable({caller = client.caller, handle = opened, timeout_ms = timeout_ms, next_op = core.op_scan_next(opened)}, Scan)
end

-- A list of key-values, empty at the end.
function Scan:next_page()
  local result, err = self.caller:run(self.next_op, self.timeout_ms)
  if not result then return nil, err end
  return result.kvs or {}
end

-- The revision of all pages; 0 before the first.
function Scan:revision() return core.scan_revision(self.handle) end
-- Keys in the range; nil before the first page.
function Scan:total()
  local total = core.scan_total(self.handle)
  if total >= 0 then return total end
end

-- for kv in scan:each() do; a failure is an error.
function Scan:each()
  local page, at = {}, 1
  return function()
    if not page then return nil end
    if at > #page then
      local err
      page, err = self:next_page()
      if not page then error(err, 2) end
      if #page == 0 then
        page = nil
        return nil
      end
      at = 1
    end
    at = at + 1
    return page[at - 1]
  end
end

function Scan:close()
  core.release(self.next_op)
  core.release(self.handle)
  return true
end

Scan.__close = Scan.close

watch.milliseconds = options.milliseconds
return watch
