-- What the tests stand on: cases that print the lines that ./dev counts, and an etcd with faults, which
-- conformance_etcd runs (tests/conformance/README.md). run.sh has opened both of its pipes: 3 to it, 4 from it.

local support = {}

local to = assert(io.open("/dev/fd/3", "w"))
local from = assert(io.open("/dev/fd/4", "r"))

-- "3.4"
support.server_version = os.getenv("COORD_TEST_SERVER")

function support.command(line)
  to:write(line, "\n")
  to:flush()
  local answer = from:read("*l")
  assert(answer and answer:match("^ok"), "conformance_etcd: " .. line .. ": " .. tostring(answer))
  return answer:match("^ok ?(.*)")
end

-- An empty server: its endpoint, and that of the door before it.
function support.begin()
  return support.command("begin"):match("^(%S+) (%S+)$")
end

-- Do it again until it is true; what it was then.
function support.wait_for(holds, seconds)
  local ends = os.time() + (seconds or 30)
  while true do
    local value = holds()
    if value then return value end
    assert(os.time() <= ends, "this did not come about")
    os.execute("sleep 0.01")
  end
end

local function show(value)
  if type(value) == "string" then return string.format("%q", value) end
  return tostring(value)
end

function support.equal(have, want, what)
  if have ~= want then error((what and what .. ": " or "") .. "is " .. show(have) .. ", not " .. show(want), 2) end
end

-- That a call failed with this code.
function support.fails(code, value, err, ...)
  if value or not err then error("it did not fail, it gave " .. show(value), 2) end
  local have = type(err) == "table" and err.code or (select(1, ...))
  if have ~= code then error("failed with " .. tostring(have) .. " (" .. tostring(err) .. "), not " .. tostring(code), 2) end
  return err
end

local cases, failed = {}, 0

function support.case(name, body) cases[#cases + 1] = {name, body} end

-- Runs the cases, or those that the arguments name, and ends the process.
function support.run(prefix)
  local wanted = {}
  for i = 1, #arg do wanted[arg[i]] = true end
  for _, case in ipairs(cases) do
    local name, body = case[1], case[2]
    if next(wanted) == nil or wanted[name] then
      local good, why = xpcall(body, debug.traceback)
      if good and type(why) == "string" then
        print("skip " .. prefix .. name .. ": " .. why)
      elseif good then
        print("ok " .. prefix .. name)
      else
        failed = failed + 1
        io.stderr:write(tostring(why), "\n")
        print("not ok " .. prefix .. name .. ": " .. tostring(why):gsub("\n.*", ""))
      end
      io.stdout:flush()
    end
  end
  -- With "true" Lua 5.2 and newer close their state: all that is left is collected, and valgrind sees what is not.
  os.exit(failed == 0 and 0 or 1, true)
end

return support
