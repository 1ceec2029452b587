-- Options by keywords: request.timeout.ms is request_timeout in seconds, lock.ttl.s is lock_ttl, all others have "_" for ".".
-- An option may also be given by its own name, as text or number: ["request.timeout.ms"] = 2500.

local core = require "coord.core"
local errors = require "coord.errors"

local options = {}

-- keyword -> {name, scale}
local keywords = {}
for i = 0, core.options_count() - 1 do
  local name = core.options_name(i)
  keywords[name] = {name, 1}
  local keyword, scale = name, 1
  if name:match("%.ms$") then
    keyword, scale = name:sub(1, -4), 1000
  elseif name:match("%.s$") then
    keyword = name:sub(1, -3)
  end
  keywords[(keyword:gsub("%.", "_"))] = {name, scale}
end

local function text_of(value, scale)
  if type(value) == "table" then return table.concat(value, ",") end
  if type(value) == "number" then
    if value == math.huge then return "-1" end
    return (("%.0f"):format(math.ceil(value * scale)))
  end
  return tostring(value)
end

local function find(keyword, prefixes)
  for _, prefix in ipairs(prefixes) do
    local found = keywords[prefix .. keyword]
    if found then return found end
  end
end

-- Sets all of the table, under keywords that may lack one of the prefixes. True, or nil and an error.
local function apply(handle, given, prefixes, skipped)
  for keyword, value in pairs(given) do
    if not skipped[keyword] then
      local found = type(keyword) == "string" and find(keyword, prefixes)
      if not found then return errors.invalid('there is no option "%s"', tostring(keyword)) end
      local done, err = errors.checked(core.options_set(handle, found[1], text_of(value, found[2])))
      if not done then return nil, err end
    end
  end
  return true
end

local none = {}

-- A handle of options: those of the client, then those given. nil when none are given.
function options.make(base, given, prefixes, skipped)
  if given == nil then return nil end
  if type(given) ~= "table" then return errors.invalid("the options are a %s; a table is wanted", type(given)) end
  if next(given) == nil then return nil end
  local handle = assert(core.options_new())
  local done, err = apply(handle, base or none, {""}, options.of_glue)
  if done then done, err = apply(handle, given, prefixes or {""}, skipped or none) end
  if not done then return nil, err end
  return handle
end

-- What coord.open takes beside options of the library.
options.of_glue = {loop = true, env = true, file = true, section = true}

-- For coord.open: also file, section, env.
function options.of_client(given)
  local handle = assert(core.options_new())
  local done, err = true, nil
  if given.file then done, err = errors.checked(core.options_load(handle, given.file, given.section)) end
  if done and given.env then done, err = errors.checked(core.options_env(handle)) end
  if done then done, err = apply(handle, given, {""}, options.of_glue) end
  if not done then return nil, err end
  return handle
end

-- Seconds as whole milliseconds; `otherwise` for nil; math.huge is -1.
function options.milliseconds(seconds, otherwise)
  if seconds == nil then return otherwise end
  if type(seconds) ~= "number" or seconds ~= seconds or seconds < 0 then
    error("a time in seconds is wanted, not " .. tostring(seconds), 3)
  end
  if seconds > 2147483 then return -1 end
  return math.ceil(seconds * 1000)
end

return options
