-- Errors: tables with code, message, retriable, maybe_applied; tostring says it in a line.

local core = require "coord.core"

local errors = {}

---@class coord.Error
---@field code string name, as in docs/ERRORS.md: "TIMEOUT", "CONFLICT", ...
---@field number integer that of the C interface
---@field message string what went wrong, for a person
---@field retriable boolean the same call may succeed later without any change
---@field maybe_applied boolean a write that may have taken effect: read before repeating it
---@field fatal boolean the handle is of no further use
---@field endpoint string? that the failing call talked to
---@field grpc_status integer? that the server sent
---@field http_status integer? that the server sent, when it was not 200
local Error = {}
Error.__index = Error
Error.__name = "coord.Error"

function Error:__tostring() return "coord: " .. self.code .. ": " .. self.message end

local names = setmetatable({}, {
  __index = function(cache, number)
    local name = core.code_name(number)
    cache[number] = name
    return name
  end,
})

local function known(number) if number and number >= 0 then return number end end

---@return coord.Error
function errors.make(message, number, flags, endpoint, grpc_status, http_status)
  flags = flags or 0
  return setmetatable({
    code = names[number],
    number = number,
    message = message,
    retriable = flags % 2 == 1,
    maybe_applied = flags % 4 >= 2,
    fatal = flags % 8 >= 4,
    endpoint = endpoint ~= "" and endpoint or nil,
    grpc_status = known(grpc_status),
    http_status = known(http_status),
  }, Error)
end

-- Of an event: its field `error` as flat.h has filled it.
function errors.of(raw)
  return errors.make(raw.message, raw.number, raw.flags, raw.endpoint, raw.grpc_status, raw.http_status)
end

-- nil and the error for what a function of the core has returned after its first nil.
function errors.fail(message, number, flags, endpoint, grpc_status, http_status)
  return nil, errors.make(message, number, flags, endpoint, grpc_status, http_status)
end

function errors.invalid(message, ...) return errors.fail(message:format(...), core.INVALID) end

-- All that a function of the core has returned, or nil and the error.
function errors.checked(first, ...)
  if first == nil then return errors.fail(...) end
  return first, ...
end

function errors.is(value) return getmetatable(value) == Error end

return errors
