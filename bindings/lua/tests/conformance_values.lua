-- Values of scenarios: as they are written, compared, saved.

local json = require("coord").json

local values = {}

local OPERATORS = {gt = true, ge = true, lt = true, ne = true, has = true, ["in"] = true}

local function is_array(value) return type(value) == "table" and getmetatable(value) ~= nil and value ~= json.null end

-- The name of the only member, and the member.
local function only(value)
  if type(value) ~= "table" or value == json.null or is_array(value) then return nil end
  local name, member = next(value)
  if name ~= nil and next(value, name) == nil then return name, member end
end

local function integer(text)
  if math.type then return math.tointeger(tonumber(text)) end
  local number = tonumber(text)
  if number > -2 ^ 53 and number < 2 ^ 53 then return number end
  return loadstring("return " .. text .. "LL")()
end

local function fail(message, ...) error({fail = message:format(...)}, 0) end

function values.value(run, written)
  local name, member = only(written)
  if name == "hex" then return (member:gsub("%x%x", function(digits) return string.char(tonumber(digits, 16)) end)) end
  if name == "int" then return integer(member) end
  if written == json.null then return nil end
  if type(written) ~= "string" or written:sub(1, 1) ~= "$" then return written end
  if written:sub(2, 2) == "$" then return written:sub(2) end
  local saved = run.variables[written:sub(2)]
  if saved == nil then fail("nothing was saved as %s", written:sub(2)) end
  return saved
end

local function same_json(a, b)
  if type(a) ~= "table" or a == json.null then return a == b or (a == json.null and b == nil) end
  if type(b) ~= "table" or b == json.null or is_array(a) ~= is_array(b) then return false end
  for name, value in pairs(a) do if not same_json(value, b[name]) then return false end end
  for name in pairs(b) do if a[name] == nil then return false end end
  return true
end

local function is_number(value) return type(value) == "number" or type(value) == "cdata" end

local fits

local function by_operator(run, name, operand, actual)
  if name == "in" then
    for _, one in ipairs(operand) do if fits(run, "", one, actual) then return true end end
    return false
  end
  if name == "ne" then return not fits(run, "", operand, actual) end
  if name == "has" and type(actual) == "table" then
    for _, one in ipairs(actual) do if fits(run, "", operand, one) then return true end end
    return false
  end
  operand = values.value(run, operand)
  if name == "has" then return type(actual) == "string" and actual:find(operand, 1, true) ~= nil end
  if not is_number(actual) then return false end
  if name == "gt" then return actual > operand end
  if name == "ge" then return actual >= operand end
  return actual < operand
end

function fits(run, name, expected, actual)
  if actual == json.null then actual = nil end
  if name == "json" or name == "prev_json" then
    if expected == json.null then return actual == nil end
    return same_json(expected, actual)
  end
  local operator, operand = only(expected)
  if operator and OPERATORS[operator] then return by_operator(run, operator, operand, actual) end
  expected = values.value(run, expected)
  if type(expected) ~= "table" then
    if is_number(expected) and is_number(actual) then return expected == actual end
    return type(expected) == type(actual) and expected == actual
  end
  if type(actual) ~= "table" then return false end
  if is_array(expected) then
    if #expected ~= #actual then return false end
    for i, one in ipairs(expected) do if not fits(run, "", one, actual[i]) then return false end end
    return true
  end
  for part, value in pairs(expected) do if not fits(run, part, value, actual[part]) then return false end end
  return true
end

function values.show(value)
  if type(value) == "table" and value ~= json.null then
    local parts = {}
    for name, member in pairs(value) do parts[#parts + 1] = tostring(name) .. ": " .. values.show(member) end
    return "{" .. table.concat(parts, ", ") .. "}"
  end
  return tostring(value)
end

-- True, or false and why not.
function values.compare(run, expected, actual)
  if actual.error ~= nil and (not expected or expected.error == nil) then
    return false, "it failed: " .. actual.error .. ": " .. tostring(actual.message)
  end
  for name, value in pairs(expected or {}) do
    if not fits(run, name, value, actual[name]) then
      return false, ("%s is %s, not %s; %s"):format(name, values.show(actual[name]), values.show(value), tostring(actual.message))
    end
  end
  return true
end

function values.save(run, wanted, record)
  for name, place in pairs(wanted or {}) do
    local value = record
    for part in place:gmatch("[^.]+") do
      local index = tonumber(part)
      value = type(value) == "table" and value[index and index + 1 or part] or nil
    end
    if value == nil then fail("there is no %s to save", place) end
    run.variables[name] = value
  end
end

values.fail = fail
return values
