-- The conformance scenarios (tests/conformance/README.md): conformance.lua [FILE...] [--only NAME]. run.sh starts the server.

local t = require "support"
local values = require "conformance_values"
local verbs = require "conformance_verbs"
local coord = require "coord"

local BIN, DIR = os.getenv("COORD_CONFORMANCE_BIN"), os.getenv("COORD_CONFORMANCE_DIR")

local function now()
  local file = io.open("/proc/uptime")
  local seconds = file:read("*n")
  file:close()
  return seconds
end

-- Does a step until it is as it shall be; an event is waited for, not repeated.
local function do_step(run, step)
  local body = verbs[step["do"]]
  if not body then error({skip = "no verb " .. step["do"]}, 0) end
  local expected = step["until"] or step.expect
  local ends = now() + 30
  while true do
    local record = body(run, step) or {}
    local good, why = values.compare(run, expected, record)
    if good then return values.save(run, step.save, record) end
    if not step["until"] or step["do"] == "event" or now() > ends then error({fail = why}, 0) end
    os.execute("sleep 0.02")
  end
end

local function free_all(run)
  for _, handle in pairs(run.handles) do
    if handle.kind ~= "client" and handle.it then pcall(handle.it.free or handle.it.close, handle.it) end
  end
  for _, handle in pairs(run.handles) do
    if handle.kind == "client" then pcall(handle.it.close, handle.it, 0) end
  end
  collectgarbage()
end

local function at_least(have, want)
  local a, b = have:match("(%d+)%.(%d+)")
  local c, d = want:match("(%d+)%.(%d+)")
  return tonumber(a) > tonumber(c) or (a == c and tonumber(b) >= tonumber(d))
end

local function reason_to_skip(needs)
  if not needs then return nil end
  local wire = os.getenv("COORD_TEST_WIRE") or "grpc"
  if needs.wire and needs.wire ~= wire then return needs.why end
  if needs.etcd and not at_least(t.server_version, needs.etcd) then return needs.why end
end

local function run_scenario(scenario)
  local skip = reason_to_skip(scenario.needs)
  if skip then
    print("skip " .. scenario.name .. ": " .. skip)
    return true
  end
  local run = {handles = {}, variables = {}, now = now}
  run.endpoint, run.door = t.begin()
  local line = scenario.line
  local good, why = xpcall(function()
    for _, step in ipairs(scenario.steps) do
      line = step.line
      do_step(run, step)
    end
  end, function(problem)
    if type(problem) == "table" and (problem.fail or problem.skip) then return problem end
    return {fail = debug.traceback(tostring(problem))}
  end)
  free_all(run)
  if good then
    print("ok " .. scenario.name)
  elseif why.skip then
    print("skip " .. scenario.name .. ": " .. why.skip)
  else
    print(("not ok %s: %s:%d: %s"):format(scenario.name, scenario.file, line, (tostring(why.fail):gsub("\n", " "))))
  end
  io.stdout:flush()
  return good or why.skip
end

local files, only = {}, nil
local i = 1
while arg[i] do
  if arg[i] == "--only" then
    only = arg[i + 1]
    i = i + 1
  else
    files[#files + 1] = arg[i]
  end
  i = i + 1
end
local listed = #files > 0 and table.concat(files, " ") or DIR .. "/scenarios/*.yaml"
local failed = false
for line in io.popen(BIN .. "/conformance_scenarios " .. listed):lines() do
  local scenario = assert(coord.json.decode(line))
  if not only or only == scenario.name then failed = not run_scenario(scenario) or failed end
end
os.exit(failed and 1 or 0)
