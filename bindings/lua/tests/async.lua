-- The package under luv and cqueues: calls suspend their coroutine, and nothing else.

local t = require "support"
local coord = require "coord"

local endpoint = t.begin()

local function have(name)
  local good, module = pcall(require, name)
  return good and module
end

-- Each driver runs a function in a coroutine of its loop, and others beside it.
local drivers = {}

if have "luv" then
  local uv = require "luv"
  drivers.luv = {
    loop = require "coord.luv",
    go = function(body) assert(coroutine.resume(coroutine.create(body))) end,
    run = function() uv.run() end,
    sleep = function(seconds)
      local co, timer = coroutine.running(), uv.new_timer()
      timer:start(math.ceil(seconds * 1000), 0, function()
        timer:close()
        assert(coroutine.resume(co))
      end)
      coroutine.yield()
    end,
  }
end

if have "cqueues" then
  local cqueues = require "cqueues"
  local controller
  drivers.cqueues = {
    loop = require "coord.cqueues",
    go = function(body)
      controller = controller or cqueues.new()
      controller:wrap(body)
    end,
    run = function()
      local one = controller
      assert(one:loop())
      controller = nil
    end,
    sleep = function(seconds) cqueues.sleep(seconds) end,
  }
end

for _, name in ipairs {"luv", "cqueues"} do
  local driver = drivers[name]
  local function case(title, body)
    t.case(name .. "_" .. title, function()
      if not driver then return "there is no lua-" .. name end
      local failure, ended
      local client
      local function fail(why) failure = failure or why end
      driver.go(function()
        local good, why = xpcall(function()
          client = assert(coord.open(endpoint, {loop = driver.loop, log_level = "off"}))
          body(client, function(other)
            driver.go(function()
              local fine, reason = xpcall(other, debug.traceback)
              if not fine then fail(reason) end
            end)
          end)
        end, debug.traceback)
        if not good then fail(why) end
        client:close()
        ended = true
      end)
      driver.run()
      if failure then error(failure, 0) end
      t.equal(ended, true, "the loop has ended before the coroutine")
    end)
  end

  case("calls", function(client)
    assert(client:put("a", "1"))
    t.equal(client:get("a").value, "1")
    t.fails("INVALID", client:put("", "1"))
    t.fails("INVALID", client:get("a", {limt = 1}))
    t.equal(client:txn():when("a", "value", "==", "1"):and_then(coord.ops.delete("a")):commit().succeeded, true)
    t.equal(client:get("a"), nil)
    t.equal(#client:pipeline {coord.ops.put("p", "1"), coord.ops.get("none")}, 2)
  end)

  case("many_at_once", function(client, go)
    local ended, most, now = 0, 0, 0
    for i = 1, 64 do
      go(function()
        for j = 1, 20 do
          now = now + 1
          if now > most then most = now end
          assert(client:put(("many/%d"):format(i), tostring(j)))
          now = now - 1
        end
        ended = ended + 1
      end)
    end
    while ended < 64 do driver.sleep(0.005) end
    t.equal(most > 32, true, "in flight at once")
    t.equal(client:range("many/", {prefix = true, count_only = true}).total, 64)
  end)

  case("waits_let_others_run", function(client, go)
    local held = assert(client:lock("async"))
    local order = {}
    local got
    go(function()
      local other = assert(client:lock("async", {timeout = 30}))
      order[#order + 1] = "got"
      got = true
      other:close()
    end)
    while #client:lock_queue("async") < 2 do driver.sleep(0.01) end
    order[#order + 1] = "release"
    held:close()
    while not got do driver.sleep(0.01) end
    t.equal(table.concat(order, " "), "release got")
  end)

  case("watches", function(client, go)
    local watch = assert(client:watch("w/", {prefix = true}))
    local seen = {}
    local ended
    go(function()
      for change in watch:changes() do
        seen[#seen + 1] = change.value
        if #seen == 3 then break end
      end
      ended = true
    end)
    for i = 1, 3 do assert(client:put("w/a", tostring(i))) end
    while not ended do driver.sleep(0.01) end
    t.equal(table.concat(seen, ","), "1,2,3")
    t.fails("TIMEOUT", watch:next(0.05))
    local told
    go(function() told = {watch:next()} end)
    driver.sleep(0.02)
    watch:close()
    while not told do driver.sleep(0.01) end
    t.equal(told[2].code, "CLOSED")
  end)

  case("leases_mirrors_configuration", function(client)
    local lease = assert(client:lease(60))
    assert(client:put("m/a", "1", {lease = lease}))
    local mirror = assert(client:mirror("m/"))
    t.equal(mirror:value("m/a"), "1")
    assert(lease:close())
    for changes in mirror:changes() do
      t.equal(changes[1].type, "delete")
      break
    end
    mirror:close()
    local config = assert(client:config("app"))
    assert(config:set("limit", 5))
    for changes in config:changes() do
      t.equal(changes[1].value, 5)
      break
    end
    t.equal(config:get("limit"), 5)
    config:close()
  end)

  case("services", function(client)
    local registry = assert(client:registry())
    local me = assert(registry:register(name, {address = "10.0.0.7", port = 80, ttl = 10}))
    assert(me:wait(30))
    local picker = assert(registry:picker(name))
    while not picker:pick() do driver.sleep(0.01) end
    t.equal(picker:pick().endpoint, "10.0.0.7:80")
    t.equal(#assert(registry:discover(name)), 1)
    t.equal(registry:services()[1], name)
    assert(me:close())
  end)

  case("elections", function(client, go)
    local election = assert(client:election("e"))
    local leaders, seen = election:leaders(), {}
    go(function()
      for leader in leaders do
        seen[#seen + 1] = leader and leader.value or "nobody"
        if leader and leader.value == "b" then break end
      end
    end)
    assert(election:campaign("a"))
    while seen[#seen] ~= "a" do driver.sleep(0.01) end
    assert(election:proclaim("b"))
    while seen[#seen] ~= "b" do driver.sleep(0.01) end
    election:close()
  end)

  case("closing_ends_what_waits", function(client, go)
    local held = assert(client:lock("closing"))
    local told
    go(function() told = {client:lock("closing")} end)
    while #client:lock_queue("closing") < 2 do driver.sleep(0.01) end
    client:close()
    while not told do driver.sleep(0.01) end
    t.equal(told[1], nil)
    t.equal(told[2].code == "CLOSED" or told[2].code == "CANCELED", true, told[2].code)
    held:free()
  end)

  t.case(name .. "_blocks_outside_of_coroutines", function()
    if not driver then return "there is no lua-" .. name end
    local client = assert(coord.open(endpoint, {loop = driver.loop}))
    assert(client:put("outside", "1"))
    t.equal(client:get("outside").value, "1")
    client:close()
  end)
end

t.run("")
