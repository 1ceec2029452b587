-- A job that runs on one machine at a time: lua5.4 job.lua [ENDPOINT]. Started twice, the second waits for the first.

local coord <const> = require "coord"

local client <close> = assert(coord.open(arg[1] or "localhost:2379"))
local held <close> = assert(client:lock("reports", {ttl = 10, timeout = 60}))

print("working, with token", held:token())
-- Whatever is written under the lock is written only as long as nobody else can hold it.
local done = assert(client:txn():when(held):and_then(coord.ops.put("reports/last", os.date("!%FT%TZ"))):commit(5))
print(done.succeeded and "done" or "the lock was lost: nothing was written")
