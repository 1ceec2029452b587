-- The verbs of scenarios, each by the package's own calls.

local t = require "support"
local coord = require "coord"
local values = require "conformance_values"

local ops, json = coord.ops, coord.json
local verbs = {}
local WAIT = 30
local value_of, fail = values.value, values.fail

local function failure(err)
  return {error = err.code, message = err.message, retriable = err.retriable, maybe_applied = err.maybe_applied}
end

-- A record of what a call has returned.
local function outcome(result, err, make)
  if not result and err then return failure(err) end
  return make and make(result) or (type(result) == "table" and result or {})
end

local function given(run, step, name)
  if step[name] == nil then return nil end
  return value_of(run, step[name])
end

local function seconds(run, step, otherwise)
  local ms = given(run, step, "timeout_ms")
  if ms then return ms < 0 and math.huge or ms / 1000 end
  return otherwise
end

local function add(run, name, kind, it, client)
  if run.handles[name] then fail("%s is there already", name) end
  run.handles[name] = {kind = kind, it = it, client = client, left = {}}
end

local function handle(run, step)
  local found = run.handles[step.of]
  if not found then fail("there is no %s", tostring(step.of)) end
  return found
end

-- ---- clients ---------------------------------------------------------------------------------

local function options_of(run, step)
  local options = {}
  for name, written in pairs(step.options or {}) do options[name] = value_of(run, written) end
  return options
end

local function open_client(run, name, step)
  local options = options_of(run, step)
  local defaults = {endpoints = step.door and run.door or run.endpoint, ["log.level"] = "off", ["request.timeout.ms"] = 30000,
    wire = os.getenv("COORD_TEST_WIRE") or "grpc"}
  for option, value in pairs(defaults) do if options[option] == nil then options[option] = value end end
  local client, err = coord.open(options)
  if not client then return failure(err) end
  add(run, name, "client", client, client)
  return {}
end

function verbs.client(run, step) return open_client(run, step.as, step) end

local function client_of(run, step)
  local name = step.client or "c"
  if not run.handles[name] then
    local record = open_client(run, name, {})
    if record.error then fail("%s: %s", record.error, record.message) end
  end
  return run.handles[name].it
end

-- ---- keys ------------------------------------------------------------------------------------

local RANGE = {prefix = "prefix", ["end"] = "range_end", limit = "limit", revision = "revision", serializable = "serializable",
  keys_only = "keys_only", count_only = "count_only", sort = "sort", descending = "descending", min_mod = "min_mod_revision",
  max_mod = "max_mod_revision", min_create = "min_create_revision", max_create = "max_create_revision", prev = "prev_kv",
  no_puts = "no_puts", no_deletes = "no_deletes", lease = "lease", ignore_value = "ignore_value", ignore_lease = "ignore_lease",
  idempotent = "idempotent", page = "page"}

local function options(run, step)
  local found = {timeout = seconds(run, step)}
  for name, option in pairs(RANGE) do found[option] = given(run, step, name) end
  return found
end

local function read_put(result)
  return {revision = result.revision, kvs = {result.previous}, count = result.previous and 1 or 0}
end

local function read_range(result)
  return {revision = result.revision, kvs = result.kvs, count = #result.kvs, total = result.total, more = result.more}
end
local function read_delete(result)
  return {revision = result.revision, deleted = result.deleted, kvs = result.previous, count = #result.previous}
end

-- Waits for it, or begins it.
local function operate(run, step, op, client, read)
  if not step.start then
    local result, err = client:run(op, seconds(run, step))
    return outcome(result, err, read)
  end
  local call, err = client:start(op, seconds(run, step, step["do"] ~= "put" and step["do"] ~= "get" and WAIT or nil))
  if not call then fail("it did not start: %s", tostring(err)) end
  add(run, step.start, "call", call)
  run.handles[step.start].read = read
  return {}
end

function verbs.put(run, step)
  local client, key, value = client_of(run, step), given(run, step, "key"), given(run, step, "value") or ""
  if step.start then return operate(run, step, ops.put(key, value, options(run, step)), client, read_put) end
  local result, err = client:put(key, value, options(run, step))
  return outcome(result, err, read_put)
end

function verbs.get(run, step)
  local client, key = client_of(run, step), given(run, step, "key")
  if step.start then return operate(run, step, ops.range(key, options(run, step)), client, read_range) end
  local result, err = client:range(key, options(run, step))
  return outcome(result, err, read_range)
end

function verbs.delete(run, step)
  local result, err = client_of(run, step):delete(given(run, step, "key"), options(run, step))
  return outcome(result, err, read_delete)
end

local TARGETS = {version = "version", create = "create_revision", mod = "mod_revision", lease = "lease", value = "value"}
local RELATIONS = {equal = "==", not_equal = "~=", greater = ">", less = "<"}
local make_txn

local function branch(run, list)
  local made, reads = {}, {}
  for i, one in ipairs(list or {}) do
    local verb, key = one["do"], given(run, one, "key")
    if verb == "put" then made[i], reads[i] = ops.put(key, given(run, one, "value") or "", options(run, one)), read_put end
    if verb == "get" then made[i], reads[i] = ops.range(key, options(run, one)), read_range end
    if verb == "delete" then made[i], reads[i] = ops.delete(key, options(run, one)), read_delete end
    if verb == "config_set" then
      made[i], reads[i] = handle(run, one).it:set_op(one.key, one.json, given(run, one, "version")), read_put
    elseif verb == "config_delete" then
      made[i], reads[i] = handle(run, one).it:delete_op(one.key, given(run, one, "version")), read_put
    elseif verb == "txn" then
      local txn, read = make_txn(run, client_of(run, {}), one)
      made[i], reads[i] = txn:op(), read
    end
  end
  return made, reads
end

function make_txn(run, client, step)
  local txn = client:txn()
  for _, condition in ipairs(step["if"] or {}) do
    local guard = condition.held or condition.leader
    if guard then
      txn:when(handle(run, {of = guard}).it)
    else
      local more = condition["end"] and {range_end = given(run, condition, "end")}
      txn:when(given(run, condition, "key"), TARGETS[condition.target], RELATIONS[condition.is], given(run, condition, "to"), more)
    end
  end
  local unpack = table.unpack or unpack
  local done, done_reads = branch(run, step["then"])
  local otherwise, otherwise_reads = branch(run, step["else"])
  txn:and_then(unpack(done)):otherwise(unpack(otherwise))
  return txn, function(result)
    local parts, reads = {}, result.succeeded and done_reads or otherwise_reads
    for i, part in ipairs(result.results) do parts[i] = reads[i](part) end
    return {revision = result.revision, succeeded = result.succeeded, parts = parts}
  end
end

function verbs.txn(run, step)
  local txn, read = make_txn(run, client_of(run, step), step)
  local result, err = txn:commit(seconds(run, step))
  return outcome(result, err, read)
end

function verbs.compact(run, step)
  return outcome(client_of(run, step):compact(given(run, step, "revision"), step.physical, seconds(run, step)))
end

function verbs.scan(run, step)
  local scan, err = client_of(run, step):scan(given(run, step, "key"), options(run, step))
  if not scan then return failure(err) end
  local kvs = {}
  while true do
    local page, why = scan:next_page()
    if not page then return failure(why) end
    if #page == 0 then break end
    for _, kv in ipairs(page) do kvs[#kvs + 1] = kv end
  end
  return {kvs = kvs, count = #kvs, revision = scan:revision()}
end

-- ---- leases ----------------------------------------------------------------------------------

function verbs.lease_grant(run, step)
  local lease, err = client_of(run, step):lease_grant(given(run, step, "ttl"), given(run, step, "id"), seconds(run, step))
  return outcome(lease, err, function() return {lease = lease.id, ttl = lease.ttl} end)
end

function verbs.lease_revoke(run, step) return outcome(client_of(run, step):lease_revoke(given(run, step, "lease"), seconds(run, step))) end

function verbs.lease_keepalive(run, step)
  local ttl, err = client_of(run, step):lease_keepalive(given(run, step, "lease"), seconds(run, step))
  return outcome(ttl, err, function() return {ttl = ttl} end)
end

function verbs.lease_info(run, step) return outcome(client_of(run, step):lease_info(given(run, step, "lease"), step.keys, seconds(run, step))) end

function verbs.lease_list(run, step)
  local list, err = client_of(run, step):lease_list(seconds(run, step))
  return outcome(list, err, function() return {leases = list} end)
end

local function look_lease(lease) return {lease = lease.id, ttl = lease.ttl, remaining_ms = math.floor(lease:remaining() * 1000)} end

local function open_lease(run, step, lease, err)
  if not lease then return failure(err) end
  add(run, step.as, "lease", lease)
  return look_lease(lease)
end

function verbs.lease(run, step) return open_lease(run, step, client_of(run, step):lease(given(run, step, "ttl"))) end
function verbs.adopt(run, step) return open_lease(run, step, client_of(run, step):adopt(given(run, step, "lease"))) end

-- ---- handles ---------------------------------------------------------------------------------

local function opened(run, step, kind, client, it, err)
  if not it then return failure(err) end
  add(run, step.as, kind, it, client)
  return {}
end

function verbs.watch(run, step)
  local wanted = options(run, step)
  wanted.from, wanted.timeout = given(run, step, "from"), 0
  local client = client_of(run, step)
  return opened(run, step, "watch", client, client:watch(given(run, step, "key"), wanted))
end

function verbs.lock(run, step)
  local client, names = client_of(run, step), given(run, step, "name")
  if step.names then
    names = {}
    for i, name in ipairs(step.names) do names[i] = value_of(run, name) end
  end
  return opened(run, step, "lock", client, client:locker(names, options_of(run, step)))
end

function verbs.acquire(run, step)
  local it = handle(run, step)
  local function read(result) return {token = result.revision} end
  if step.start then return operate(run, step, it.it:acquire_op(step.wait), it.client, read) end
  local token, err
  if step.wait == false then
    token, err = it.it:try_acquire(seconds(run, step, WAIT))
  else
    token, err = it.it:acquire(seconds(run, step, WAIT))
  end
  return outcome(token, err, function() return {token = token} end)
end

local function plain(method)
  return function(run, step)
    local it = handle(run, step).it
    return outcome(it[method](it, seconds(run, step, WAIT)))
  end
end

verbs.release, verbs.resign, verbs.deregister = plain("release"), plain("resign"), plain("deregister")

function verbs.renew(run, step)
  local ttl, err = handle(run, step).it:renew(seconds(run, step))
  return outcome(ttl, err, function() return {ttl = ttl} end)
end

function verbs.lock_queue(run, step)
  local kvs, err = client_of(run, step):lock_queue(given(run, step, "name"), seconds(run, step))
  return outcome(kvs, err, function() return {kvs = kvs, count = #kvs} end)
end

function verbs.election(run, step)
  local client = client_of(run, step)
  return opened(run, step, "election", client, client:election(given(run, step, "name"), options_of(run, step)))
end

function verbs.campaign(run, step)
  local it, value = handle(run, step), given(run, step, "value")
  local function read(result) return {token = result.revision} end
  if step.start then return operate(run, step, it.it:campaign_op(value), it.client, read) end
  local token, err = it.it:campaign(value, seconds(run, step, WAIT))
  return outcome(token, err, function() return {token = token} end)
end

function verbs.proclaim(run, step) return outcome(handle(run, step).it:proclaim(given(run, step, "value"), seconds(run, step, WAIT))) end
function verbs.observe(run, step) return outcome(handle(run, step).it:observe()) end

function verbs.leader(run, step)
  local kv, err = client_of(run, step):leader(given(run, step, "name"), seconds(run, step))
  if err then return failure(err) end
  return {kvs = {kv}, count = kv and 1 or 0}
end

-- ---- services --------------------------------------------------------------------------------

function verbs.registry(run, step)
  local client = client_of(run, step)
  return opened(run, step, "registry", client, client:registry(options_of(run, step)))
end

function verbs.register(run, step)
  local it = handle(run, step)
  return opened(run, step, "registration", it.client, it.it:register_json(json.encode(step.json), given(run, step, "ttl")))
end

function verbs.registered(run, step)
  local revision, err = handle(run, step).it:wait(seconds(run, step, WAIT))
  return outcome(revision, err, function() return {revision = revision} end)
end

function verbs.update(run, step) return outcome(handle(run, step).it:update(step.json, seconds(run, step, WAIT))) end

local function listed(name)
  return function(list, err) return outcome(list, err, function() return {[name] = list} end) end
end

function verbs.discover(run, step) return listed("instances")(handle(run, step).it:fetch(step.service, seconds(run, step))) end
function verbs.instances(run, step) return listed("instances")(handle(run, step).it:discover(step.service, WAIT)) end
function verbs.services(run, step) return listed("services")(handle(run, step).it:services(WAIT)) end

function verbs.discovery(run, step)
  local it = handle(run, step)
  return opened(run, step, "discovery", it.client, it.it:follow(step.service))
end

-- ---- configuration, mirrors ------------------------------------------------------------------

function verbs.config(run, step)
  local client = client_of(run, step)
  return opened(run, step, "config", client, client:config(step.application, options_of(run, step)))
end

function verbs.config_default(run, step) return outcome(handle(run, step).it:default(step.key, step.json)) end

function verbs.config_get(run, step)
  local nothing = {}
  local value, version = handle(run, step).it:get(step.key, nothing)
  if value == nothing then return {error = "NOT_FOUND", message = "", retriable = false, maybe_applied = false} end
  if value == nil and coord.is_error(version) then return failure(version) end
  return {json = value, version = version}
end

function verbs.config_all(run, step)
  local found, versions = handle(run, step).it:all()
  if not found then return failure(versions) end
  local entries = {}
  for key, value in pairs(found) do entries[#entries + 1] = {key = key, json = value, version = versions[key]} end
  table.sort(entries, function(a, b) return a.key < b.key end)
  return {entries = entries}
end

function verbs.config_set(run, step)
  local revision, err = handle(run, step).it:set(step.key, step.json, given(run, step, "version"), seconds(run, step))
  return outcome(revision, err, function() return {revision = revision} end)
end

function verbs.config_delete(run, step)
  local revision, err = handle(run, step).it:delete(step.key, given(run, step, "version"), seconds(run, step))
  return outcome(revision, err, function() return {revision = revision} end)
end

function verbs.config_history(run, step)
  local entries, more = handle(run, step).it:history(step.key, given(run, step, "most"), seconds(run, step))
  if not entries then return failure(more) end
  for _, entry in ipairs(entries) do entry.json = entry.value end
  return {entries = entries, more = more}
end

function verbs.accept(run, step)
  local it = handle(run, step)
  return outcome(it.it:accept(it.changes))
end

function verbs.mirror(run, step)
  local client = client_of(run, step)
  return opened(run, step, "mirror", client, client:mirror(given(run, step, "prefix"), options_of(run, step)))
end

function verbs.mirror_get(run, step)
  local mirror = handle(run, step).it
  local kv, err = mirror:get(given(run, step, "key"))
  if err then return failure(err) end
  return {revision = mirror:revision(), kvs = {kv}}
end

function verbs.mirror_all(run, step)
  local all, err = handle(run, step).it:all()
  return outcome(all, err, read_range)
end

-- ---- looking, events -------------------------------------------------------------------------

function verbs.look(run, step)
  local it = handle(run, step)
  local kind, one = it.kind, it.it
  if kind == "lease" then return look_lease(one) end
  if kind == "mirror" then
    return {count = one:count(), revision = one:revision(), staleness_ms = (one:staleness() or -0.001) * 1000}
  end
  local record = {remaining_ms = math.floor(one:remaining() * 1000)}
  if kind == "registration" then
    record.instance = one:instance()
    return record
  end
  if kind == "lock" then record.held = one:is_held() else record.held = one:is_leader() end
  record.token, record.key = one:token(), one:key()
  if record.key then record.lease = one:lease() end
  return record
end

local function record_change(change, kind)
  change.type, change.prev = change.type:upper(), change.previous
  if kind == "config" then change.json, change.prev_json = change.value, change.previous end
end

local PASSED_OVER = {AT_RISK = true, RESTORED = true, RESYNC = true}

-- The next event that is not passed over, or nil when none came in time.
local function take(run, it, wanted, ends)
  while true do
    local left = ends - run.now()
    local event = it.it:next_event(left > 0 and left or 0)
    if not event then return nil end
    local record = {type = event.type:upper(), code = event.error and event.error.code or "OK", revision = event.revision,
      token = event.revision, message = event.error and event.error.message or "", instances = event.instances}
    if event.changes then
      record.changes = event.changes
      for _, change in ipairs(record.changes) do record_change(change, it.kind) end
      it.changes = event
    end
    if record.type == wanted or not PASSED_OVER[record.type] then return record end
  end
end

local function no_changes_left(it)
  if #it.left > 0 then fail("it has changes that no step has asked for: %s", values.show(it.left)) end
end

function verbs.event(run, step)
  local it, ends = handle(run, step), run.now() + WAIT
  local expected = step["until"] or step.expect
  local wanted = expected and type(expected.type) == "string" and expected.type or nil
  no_changes_left(it)
  while true do
    local record = take(run, it, wanted, ends)
    if not record then fail("no event came") end
    if not step["until"] or values.compare(run, step["until"], record) then return record end
  end
end

function verbs.changes(run, step)
  local it, ends, count = handle(run, step), run.now() + WAIT, given(run, step, "count")
  while #it.left < count do
    local record = take(run, it, nil, ends)
    if not record or not record.changes then
      fail("%d of %d changes came, then %s", #it.left, count, values.show(record))
    end
    for _, change in ipairs(record.changes) do it.left[#it.left + 1] = change end
  end
  local list = {}
  for i = 1, count do list[i] = table.remove(it.left, 1) end
  return {changes = list}
end

function verbs.quiet(run, step)
  local it = handle(run, step)
  no_changes_left(it)
  local record = take(run, it, nil, run.now() + 0.1)
  if record then fail("an event came: %s", values.show(record)) end
end

-- ---- calls, ends, the server -----------------------------------------------------------------

function verbs.join(run, step)
  local call = run.handles[step.call]
  local result, err = call.it:wait(WAIT)
  if err and err.message == "the call has not ended yet" then fail("it does not end") end
  return outcome(result, err, call.read)
end

function verbs.cancel(run, step) return outcome(run.handles[step.call].it:cancel()) end

function verbs.pending(run, step)
  local result, err = run.handles[step.call].it:wait(0.1)
  if result or err.message ~= "the call has not ended yet" then fail("it has ended: %s", tostring(err)) end
end

function verbs.close(run, step)
  local it = handle(run, step)
  if it.kind == "watch" then
    it.it:cancel()
    return {}
  end
  return outcome(it.it:close(WAIT))
end

function verbs.free(run, step)
  local it = handle(run, step).it
  run.handles[step.of] = nil
  if it.free then it:free() else it:close() end
end

for _, name in ipairs {"server", "door", "auth"} do
  verbs[name] = function(_, step) t.command(name .. " " .. step.action) end
end

return verbs
