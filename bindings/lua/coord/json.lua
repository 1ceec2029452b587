-- JSON, as little as configuration and instances need. null is json.null; an empty array is made by json.array().

local json = {}

json.null = setmetatable({}, {__tostring = function() return "null" end, __name = "json.null"})
local Array = {__name = "json.array"}

function json.array(list) return setmetatable(list or {}, Array) end

-- ---- reading ---------------------------------------------------------------------------------

local ESCAPES = {b = "\b", f = "\f", n = "\n", r = "\r", t = "\t", ['"'] = '"', ["\\"] = "\\", ["/"] = "/"}

local function fail(text, at, what) error({what .. " at byte " .. at .. ": " .. text:sub(at, at + 20)}, 0) end

local function utf8_of(code)
  local char = string.char
  if code < 0x80 then return char(code) end
  if code < 0x800 then return char(0xC0 + math.floor(code / 64), 0x80 + code % 64) end
  if code < 0x10000 then
    return char(0xE0 + math.floor(code / 4096), 0x80 + math.floor(code / 64) % 64, 0x80 + code % 64)
  end
  return char(0xF0 + math.floor(code / 262144), 0x80 + math.floor(code / 4096) % 64, 0x80 + math.floor(code / 64) % 64,
    0x80 + code % 64)
end

local function read_escape(text, at)
  local letter = text:sub(at, at)
  if letter ~= "u" then
    if not ESCAPES[letter] then fail(text, at, "no such escape") end
    return ESCAPES[letter], at + 1
  end
  local digits = text:match("^%x%x%x%x", at + 1)
  if not digits then fail(text, at, "four digits are wanted") end
  local code = tonumber(digits, 16)
  at = at + 5
  if code >= 0xD800 and code < 0xDC00 then
    local low = text:match("^\\u([dD][c-fC-F]%x%x)", at)
    if low then
      code = 0x10000 + (code - 0xD800) * 1024 + tonumber(low, 16) - 0xDC00
      at = at + 6
    end
  end
  return utf8_of(code), at
end

local function read_string(text, at)
  local parts = {}
  while true do
    local stop = text:find('["\\]', at)
    if not stop then fail(text, at, "a string without end") end
    parts[#parts + 1] = text:sub(at, stop - 1)
    if text:byte(stop) == 34 then return table.concat(parts), stop + 1 end
    parts[#parts + 1], at = read_escape(text, stop + 1)
  end
end

local function space(text, at) return text:find("[^ \t\r\n]", at) or #text + 1 end

local read

local function read_array(text, at, depth)
  local list = json.array()
  at = space(text, at)
  if text:sub(at, at) == "]" then return list, at + 1 end
  while true do
    local value
    value, at = read(text, at, depth)
    list[#list + 1] = value
    at = space(text, at)
    local mark = text:sub(at, at)
    at = at + 1
    if mark == "]" then return list, at end
    if mark ~= "," then fail(text, at - 1, "a comma or ] is wanted") end
  end
end

local function read_object(text, at, depth)
  local object = {}
  at = space(text, at)
  if text:sub(at, at) == "}" then return object, at + 1 end
  while true do
    at = space(text, at)
    if text:sub(at, at) ~= '"' then fail(text, at, "a name is wanted") end
    local name
    name, at = read_string(text, at + 1)
    at = space(text, at)
    if text:sub(at, at) ~= ":" then fail(text, at, "a colon is wanted") end
    object[name], at = read(text, at + 1, depth)
    at = space(text, at)
    local mark = text:sub(at, at)
    at = at + 1
    if mark == "}" then return object, at end
    if mark ~= "," then fail(text, at - 1, "a comma or } is wanted") end
  end
end

local WORDS = {["true"] = true, ["false"] = false, null = json.null}

function read(text, at, depth)
  if depth > 200 then fail(text, at, "nested too deep") end
  at = space(text, at)
  local mark = text:sub(at, at)
  if mark == "{" then return read_object(text, at + 1, depth + 1) end
  if mark == "[" then return read_array(text, at + 1, depth + 1) end
  if mark == '"' then return read_string(text, at + 1) end
  local word = text:match("^%a+", at)
  if word and WORDS[word] ~= nil then return WORDS[word], at + #word end
  local digits = text:match("^-?%d+%.?%d*[eE]?[+-]?%d*", at)
  local number = digits and tonumber(digits)
  if not number then fail(text, at, "a value is wanted") end
  return number, at + #digits
end

-- The value, or nil and a message.
function json.decode(text)
  local good, value, at = pcall(read, text, 1, 0)
  if not good then return nil, type(value) == "table" and value[1] or value end
  if space(text, at) <= #text then return nil, "more behind the value, at byte " .. at end
  return value
end

-- ---- writing ---------------------------------------------------------------------------------

local function write_string(text)
  return '"' .. text:gsub('[%c"\\]', function(c)
    return c == '"' and '\\"' or c == "\\" and "\\\\" or ("\\u%04x"):format(c:byte())
  end) .. '"'
end

local function write_number(value)
  if value ~= value or value == math.huge or value == -math.huge then error({"JSON has no " .. tostring(value)}, 0) end
  if value == math.floor(value) and value > -2 ^ 53 and value < 2 ^ 53 then return ("%.0f"):format(value) end
  if math.type and math.type(value) == "integer" then return tostring(value) end
  return ("%.17g"):format(value)
end

local write

local function write_table(value, depth)
  local parts = {}
  if getmetatable(value) == Array or #value > 0 then
    for i = 1, #value do parts[i] = write(value[i], depth) end
    return "[" .. table.concat(parts, ",") .. "]"
  end
  for name, member in pairs(value) do
    if type(name) ~= "string" then error({"the name of a member is a " .. type(name)}, 0) end
    parts[#parts + 1] = write_string(name) .. ":" .. write(member, depth)
  end
  table.sort(parts)
  return "{" .. table.concat(parts, ",") .. "}"
end

function write(value, depth)
  local kind = type(value)
  if depth > 200 then error({"nested too deep"}, 0) end
  if value == json.null then return "null" end
  if kind == "string" then return write_string(value) end
  if kind == "boolean" then return tostring(value) end
  if kind == "number" then return write_number(value) end
  if kind == "table" then return write_table(value, depth + 1) end
  error({"a " .. kind .. " cannot be JSON"}, 0)
end

-- The text, or nil and a message.
function json.encode(value)
  local good, text = pcall(write, value, 0)
  if not good then return nil, type(text) == "table" and text[1] or text end
  return text
end

return json
