# The module for Ruby: typemaps, handles and their collection, waits and their end, on a real etcd.
require "coord"
require "socket"
require "timeout"
require_relative "support"

T = Support
BIG = 7587886321985764359

T.case("versions_and_constants") do
  T.truth(Coord.version_string.match?(/\A\d+\.\d+\.\d+\z/))
  T.equal(Coord::INVALID, -1)
  T.equal(Coord::EVENT_CHANGES, 1)
  T.equal(Coord.code_name(Coord::TIMEOUT), "TIMEOUT")
end

T.case("connect") do
  T.client.close
  T.equal(Coord.open(T::ENDPOINT) { |c| c.put("connect", "1") }.positive?, true)
  e = T.fails(Coord::Error, Coord::UNAVAILABLE) { Coord.open("127.0.0.1:1", log_level: "off") }
  T.truth(e.retriable?, "retriable")
  T.fails(Coord::Error, Coord::INVALID, /no\.such/) { Coord.open(T::ENDPOINT, no_such: 1) }
end

T.case("errors") do
  c = T.client
  e = T.fails(Coord::Error, Coord::INVALID, /key is empty/) { c.put("", "x") }
  T.equal([e.name, e.retriable?, e.maybe_applied?, e.fatal?, e.endpoint, e.grpc_status, e.message.encoding],
          ["INVALID", false, false, false, "", -1, Encoding::UTF_8])
  T.fails(Coord::Error, Coord::INVALID) { Coord.op_if_int(Coord.op_get("a"), "a", 0, 0, 0) }
  e = T.fails(Coord::Error, Coord::NOT_FOUND) { Coord.call(c, Coord.op_lease_revoke(4711), 0) }
  T.equal([e.endpoint, e.grpc_status], [T::ENDPOINT.sub(%r{\Ahttp://}, ""), 5])
  T.fails(Coord::Error, Coord::INVALID) { Coord.put(nil, "a", "b") }
  T.fails(ArgumentError, nil, /limt/) { c.get("a", limt: 1) }
end

T.case("wrong_arguments") do
  c = T.client
  T.fails(TypeError, nil, /put: client .* not String/) { Coord.put("x", "a", "b") }
  T.fails(TypeError, nil, /put: client .* not IO/) { Coord.put($stdout, "a", "b") }
  T.fails(TypeError, nil, /put: client .*Coord::Client, not Coord::Op/) { Coord.put(Coord.op_get("a"), "a", "b") }
  T.fails(TypeError, nil, /put: key .* String, not Integer/) { Coord.put(c, 7, "b") }
  T.fails(TypeError, nil, /timeout_ms .* not Float/) { Coord.call(c, Coord.op_get("a"), 1.5) }
  T.fails(ArgumentError) { Coord.put(c, "a") }
  T.fails(ArgumentError, nil, /name .* NUL/) { Coord.options_set(Coord.options_new, "endpoints\0x", "b") }
  T.fails(RangeError, nil, /target .* 32 bits/) { Coord.op_if_int(Coord.op_txn, "a", 2**31, 0, 0) }
  T.fails(RangeError, nil, /lease_id .* 64 bits/) { Coord.op_lease_revoke(2**63) }
  T.fails(RangeError) { Coord.op_lease_revoke(-2**63 - 1) }
  T.fails(RangeError, nil, /tag .* negative/) { Coord.submit(c, Coord.op_get("a"), 0, Coord.queue_open, -1) }
  T.fails(TypeError, nil, /names .* Array/) { Coord.lock_open_many(c, "a", nil, nil, 0) }
  T.fails(TypeError, nil, /names/) { Coord.lock_open_many(c, ["a", nil], nil, nil, 0) }
  T.fails(TypeError) { Coord::Client.new }
end

T.case("bytes_go_both_ways") do
  c = T.client
  value = (0..255).to_a.pack("C*")
  c.put("rb/\0key", value)
  kv = c.get("rb/\0key".b.freeze)
  T.equal([kv.key, kv.value], ["rb/\0key".b, value])
  T.equal(kv.value.encoding, Encoding::BINARY)
  c.put("rb/\u00e9", "\u00e9".encode("UTF-16LE").freeze)
  T.equal(c.get("rb/\xC3\xA9".b).value, "\xE9\0".b)
  c.put("rb/empty", "")
  T.equal(c.get("rb/empty").value, "")
  T.equal(c.delete("rb/empty"), 1)
  T.equal(c.delete("rb/empty"), 0)
  T.equal(c.get("rb/empty"), nil)
  result = Coord.get(c, "rb/\0key")
  T.equal([Coord.kv_value(result, -1, 0), Coord.kv_value(result, -1, 1)], [value, nil])
  text = "rb/part-of-a-longer-text-that-is-shared"[0, 7]
  o = Coord.options_new
  Coord.options_set(o, "lock.owner", text)
  T.equal(Coord.options_get(o, "lock.owner"), "rb/part")
end

T.case("integers_of_64_bits") do
  c = T.client
  c.call(Coord.op_lease_grant(60, BIG)) { |r| T.equal(Coord.result_lease_id(r), BIG) }
  revision = c.put("rb/leased", "x", lease: BIG)
  T.truth(revision.is_a?(Integer) && revision.positive?)
  kv = c.get("rb/leased")
  T.equal([kv.lease_id, kv.mod_revision], [BIG, revision])
  queue = Coord.queue_open
  id = Coord.submit(c, Coord.op_get("rb/leased"), 0, queue, 2**64 - 1)
  T.truth(id.positive?)
  T.equal(Coord.event_tag(Coord.queue_next(queue, 30_000)), 2**64 - 1)
  c.call(Coord.op_lease_revoke(BIG))
  T.equal(c.get("rb/leased"), nil)
end

T.case("txn") do
  c = T.client
  txn = c.txn.if("rb/txn", :version, :==, 0).then(Coord.op_put("rb/txn", "mine"), Coord.op_get("rb/txn"))
         .else(Coord.op_get("rb/txn"))
  done = txn.commit
  T.equal([done.succeeded, done.parts.map { |part| part.map(&:value) }], [true, [[], ["mine"]]])
  done = txn.commit
  T.equal([done.succeeded, done.parts[0][0].value], [false, "mine"])
  T.equal(c.txn.if("rb/txn", :value, :==, "mine").if("rb/txn", :create, :!=, 0).commit.succeeded, true)
  T.fails(KeyError) { c.txn.if("a", :version, :about, 1) }
end

T.case("scan_in_pages") do
  c = T.client
  25.times { |i| c.put(format("rb/scan/%02d", i), i.to_s) }
  c.put("rb/scan0", "behind")
  T.equal(c.each("rb/scan/", page: 4).map(&:value), (0..24).map(&:to_s))
  T.equal(c.each("rb/scan/", page: 4).lazy.first(5).size, 5)
  T.equal(c.each("rb/scan/", limit: 7, keys_only: true).map(&:value).uniq, [""])
  T.equal(c.delete("rb/scan/", prefix: true), 25)
  T.equal(c.each("rb/scan/").to_a, [])
end

T.case("lease") do
  c = T.client
  id = c.lease(60) do |lease|
    T.truth(lease.remaining.positive?)
    c.put("rb/lease", "x", lease: lease.id)
    T.equal(c.get("rb/lease").lease_id, lease.id)
    lease.id
  end
  T.truth(id > 2**53 || id.positive?)
  T.equal(c.get("rb/lease"), nil)
end

T.case("lock_and_fence") do
  c = T.client
  first = c.lock("rb/lock", ttl_s: 5) do |held|
    T.truth(held.held?)
    T.fails(Coord::Error, Coord::CONFLICT) { c.lock("rb/lock", wait: false) }
    T.truth(c.txn.if(held).then(Coord.op_put("rb/guarded", "x")).commit.succeeded)
    held.token
  end
  T.truth(c.lock("rb/lock") { |held| held.token } > first)
  both = Coord.lock_open_many(c, ["rb/a", "rb/b\0"], nil, nil, 0)
  c.call(Coord.op_acquire(both, true))
  T.truth(Coord.lock_key_of(both, 1).match?(%r{\Arb/b\0/\h+\z}n))
  lock = c.lock("rb/lock")
  lock.release
  T.fails(Coord::Error, Coord::NOT_HELD) { lock.release }
end

T.case("watch_through_the_queue") do
  c = T.client
  queue = Coord.queue_open
  Coord.op_set_prefix(get = Coord.op_get("rb/watch/"))
  watch = Coord.watch_open(c, get, 0, queue, 77)
  T.equal(Coord.event_type(Coord.queue_next(queue, 60_000)), Coord::EVENT_RESYNC)
  c.put("rb/watch/a\0", "1")
  event = Coord.queue_next(queue, 60_000)
  T.equal([Coord.event_type(event), Coord.event_tag(event), Coord.event_count(event)], [Coord::EVENT_CHANGES, 77, 1])
  T.equal([Coord.change_key(event, 0), Coord.change_previous(event, 0)], ["rb/watch/a\0", nil])
  Coord.watch_close(watch)
  T.equal(Coord.event_type(Coord.queue_next(queue, 60_000)), Coord::EVENT_CLOSED)
  T.equal(Coord.queue_next(queue, 0), nil)
  T.equal(Coord.queue_next(queue, 1), nil)

  seen = []
  c.watch("rb/watch/", prefix: true, prev_kv: true, ready: ->(_) { c.put("rb/watch/a\0", "2"); c.delete("rb/watch/a\0") }) do |change|
    seen << change
    break if change.type == :delete
  end
  T.equal(seen.map { |change| [change.type, change.value, change.previous] }, [[:put, "2", "1"], [:delete, "", "2"]])
  c.call(Coord.op_compact(seen.last.mod_revision))
  e = T.fails(Coord::Error, Coord::COMPACTED) { c.watch("rb/watch/", prefix: true, from: 1) { nil } }
  T.equal(e.name, "COMPACTED")
end

T.case("mirror") do
  c = T.client
  c.put("rb/m/a", "1")
  mirror = c.mirror("rb/m/")
  T.equal(mirror.get("rb/m/a").value, "1")
  T.equal(mirror.get("rb/m/b"), nil)
  T.fails(Coord::Error, Coord::INVALID) { mirror.get("elsewhere") }
  c.put("rb/m/b", "2")
  T.wait_for { mirror.get("rb/m/b") }
  T.equal(mirror.each.map(&:value), %w[1 2])
  c.close
  T.equal(mirror.get("rb/m/a").value, "1")
  mirror.close
end

T.case("configuration_and_registry") do
  c = T.client
  config = Coord.config_open(c, "rb", nil, nil, 0)
  c.call(Coord.op_config_set(config, "most", "{\"a\":1}", 0))
  T.equal(T.wait_for { Coord.config_get(config, "most") rescue nil }.first, "{\"a\":1}")
  registry = Coord.registry_open(c, nil)
  me = Coord.registry_register(registry, '{"name":"web","address":"h","port":1}', 10, nil, 0)
  c.call(Coord.op_registered(me), 60)
  found = T.wait_for { (all = Coord.registry_discover(registry, "web", 30_000)) && Coord.instances_count(all) == 1 && all }
  T.equal(Coord.instance_address(Coord.instances_get(found, 0)), "h")
  T.truth(Coord.instances_json(found).start_with?("["))
  T.equal(Coord.registry_services(registry, 30_000), '["web"]')
  T.fails(Coord::Error) { Coord.config_get(config, "none") }
end

# ---- handles --------------------------------------------------------------------------------------

# Handles that hang on each other, with things under way.
def family
  c = T.client
  queue = Coord.queue_open
  get = Coord.op_get("rb/w")
  watch = Coord.watch_open(c, get, 0, queue, 1)
  lock = Coord.lock_open(c, "rb/gc", nil, queue, 2)
  acquire = Coord.op_acquire(lock, true)
  Coord.submit(c, acquire, 30_000, queue, 3)
  c.put("rb/w", "x")
  result = Coord.get(c, "rb/w")
  mirror = Coord.mirror_open(c, "rb/m/", nil, queue, 4)
  registry = Coord.registry_open(c, nil)
  picker = Coord.picker_open(registry, "web", 1, "")
  [c, queue, get, watch, lock, acquire, result, mirror, registry, picker]
end

T.case("collected_in_any_order") do
  random = Random.new(1)
  Integer(ENV["COORD_RUBY_ROUNDS"] || 16).times do |round|
    handles = family.shuffle(random: random)
    until handles.empty?
      handle = handles.pop
      if round.even?
        2.times { Coord.release(handle) }
      else
        handle = nil
        GC.start
      end
    end
  end
end

T.case("released_handles_are_refused") do
  c = T.client
  Coord.release(c)
  T.fails(Coord::Error, Coord::INVALID, /put: client was released/) { Coord.put(c, "a", "b") }
  T.fails(TypeError, nil, /release: handle/) { Coord.release("x") }
  T.fails(TypeError, nil, /release: handle/) { Coord.release($stdout) }
  c = T.client
  c.close
  T.fails(Coord::Error, Coord::CLOSED) { c.put("a", "b") }
  c.close
end

def resident = File.read("/proc/self/statm").split[1].to_i * 4
def descriptors = Dir.children("/proc/self/fd").size

T.case("flat_memory") do
  c = T.client
  calls = Integer(ENV["COORD_RUBY_CALLS"] || 20_000)
  c.put("rb/flat", "x" * 1000)
  mirror = c.mirror("rb/flat")
  body = lambda do |times|
    times.times do |i|
      mirror.get("rb/flat")
      Coord.mirror_get(mirror, "rb/flat") # left to the collector
      Coord.get(c, "rb/flat") if (i % 10).zero?
      c.txn.if("rb/flat", :version, :>, 0).then(Coord.op_get("rb/flat")).commit if (i % 40).zero?
      Coord.watch_open(c, Coord.op_get("rb/flat"), 0, Coord.queue_open, 0) if (i % 100).zero?
      begin
        c.put("", "x")
      rescue Coord::Error
        nil
      end
      begin
        Coord.put(c, 7, "x")
      rescue TypeError
        nil
      end
    end
    GC.start
  end
  body.call(calls / 4)
  before = [resident, descriptors]
  body.call(calls)
  grown = resident - before[0]
  T.truth(grown < 8192, "it has grown by #{grown} KiB; less than 8192")
  # One or two handles of the last round may still be seen on a stack.
  T.truth(descriptors <= before[1] + 4, "#{descriptors} descriptors after #{before[1]}; as many")
end

# ---- waits ----------------------------------------------------------------------------------------

# Waits, in a thread of its own, until it sleeps; while it waits this thread goes on.
def blocked
  thread = Thread.new do
    Thread.current.report_on_exception = false
    yield
  end
  T.wait_for { thread.status == "sleep" || !thread.alive? }
  T.truth(thread.alive?, "the thread waits")
  100.times { Thread.pass }
  T.truth(thread.alive?, "the thread waits still")
  thread
end

Stop = Class.new(StandardError)

T.case("a_wait_for_an_event_ends_with_its_thread") do
  queue = Coord.queue_open
  killed, raised, stays = Array.new(3) { blocked { Coord.queue_next(queue, -1) } }
  killed.kill
  T.truth(killed.join(60), "killed")
  raised.raise(Stop)
  T.fails(Stop) { raised.join(60) }
  c = T.client
  T.truth(stays.alive?, "the other one waits on")
  Coord.submit(c, Coord.op_get("a"), 0, queue, 5)
  T.equal(Coord.event_tag(stays.value), 5)
  T.fails(Timeout::Error) { Timeout.timeout(0.05) { Coord.queue_next(queue, -1) } }
  waiting = blocked { Coord.queue_next(queue, -1) }
  Coord.release(queue)
  waiting.kill
  T.truth(waiting.join(60), "of a queue that was released")
end

T.case("a_call_ends_with_its_thread") do
  c = T.client
  other = T.client
  c.lock("rb/busy") do
    waiting = blocked { other.lock("rb/busy") { nil } }
    T.wait_for { c.call(Coord.op_lock_queue("rb/busy")) { |r| Coord.result_count(r) } == 2 }
    T.equal(c.get("none"), nil, "another thread calls meanwhile")
    waiting.raise(Stop)
    T.fails(Stop) { waiting.join(60) }
    # The op was cancelled: its place in the queue is free.
    T.wait_for { c.call(Coord.op_lock_queue("rb/busy")) { |r| Coord.result_count(r) } == 1 }
    T.fails(Timeout::Error) { Timeout.timeout(0.05) { other.lock("rb/busy") } }
  end
  other.lock("rb/busy", timeout: 60) { |held| T.truth(held.held?) }
end

T.case("signals_end_a_wait") do
  c = T.client
  c.put("rb/barrier", "")
  main = Thread.current
  [-> { Coord.queue_next(Coord.queue_open, -1) }, -> { Coord.call(c, Coord.op_barrier_wait("rb/barrier"), -1) }].each do |wait|
    # The handler runs while the wait goes on, which a second signal ends.
    handled = 0
    before = trap("USR1") { handled += 1 }
    Thread.new do
      T.wait_for { main.status == "sleep" }
      Process.kill("USR1", Process.pid)
      T.wait_for { handled == 1 }
      T.wait_for { main.status == "sleep" }
      Process.kill("INT", Process.pid)
    end
    T.fails(Interrupt, &wait)
    T.equal(handled, 1)
    trap("USR1", before)
  end
end

T.case("other_threads_run_while_a_client_opens") do
  silent = TCPServer.new("127.0.0.1", 0)
  opening = Thread.new do
    Thread.current.report_on_exception = false
    Coord.open("127.0.0.1:#{silent.addr[1]}", log_level: "off", connect_timeout_ms: 2000)
  end
  accepted = silent.accept # by this thread, which runs
  T.fails(Coord::Error, Coord::TIMEOUT) { opening.join }
  accepted.close
  silent.close
end

T.case("many_threads_one_client") do
  c = T.client
  threads = Array.new(8) { |i| Thread.new { 50.times { |j| c.put("rb/t/#{i}", j.to_s) } } }
  threads.each { |thread| T.truth(thread.join(120), "thread") }
  T.equal(c.each("rb/t/").map(&:value).uniq, ["49"])
end

T.case("fork") do
  c = T.client
  queue = Coord.queue_open
  reader, writer = IO.pipe
  pid = fork do
    codes = [-> { c.put("a", "b") }, -> { Coord.queue_next(queue, -1) }].map do |call|
      call.call
      "none"
    rescue Coord::Error => e
      e.name
    end
    mine = T.client
    mine.put("rb/child", "1")
    writer.puts(codes.join(" "))
    exit!(0)
  end
  writer.close
  T.equal(reader.read, "FORKED FORKED\n")
  Process.wait(pid)
  T.equal(c.get("rb/child").value, "1")
end

# ---- the example ----------------------------------------------------------------------------------

T.case("example_as_printed") do
  here = File.expand_path("..", __dir__)
  source = File.read("#{here}/examples/jobs.rb")
  printed = File.read("#{here}/README.md")[/^```ruby\n(.*?)^```/m, 1]
  T.truth(source.include?(printed), "the example of the README is examples/jobs.rb")
  said = IO.popen([RbConfig.ruby, *$LOAD_PATH.map { |path| "-I#{path}" }, "#{here}/examples/jobs.rb", T::ENDPOINT], &:read)
  T.equal(said, "jobs/1: done\n")
  T.equal(T.client.get("done/jobs/1").value, "mail")
end

Support.run
