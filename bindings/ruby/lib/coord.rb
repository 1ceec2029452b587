# coord for Ruby: what SWIG makes, and methods on it. README.md says what is what.
require "coord/coord"

module Coord
  # What fails raises this. `code` is one of Coord::INVALID, Coord::TIMEOUT...; `name` its name.
  class Error
    attr_reader :code, :endpoint, :grpc_status, :http_status

    def name = Coord.code_name(code)
    def retriable? = @flags & RETRIABLE != 0
    def maybe_applied? = @flags & MAYBE_APPLIED != 0
    def fatal? = @flags & FATAL != 0
  end

  KeyValue = Struct.new(:key, :value, :mod_revision, :create_revision, :version, :lease_id)
  Change = Struct.new(:type, :key, :value, :mod_revision, :create_revision, :version, :lease_id, :previous)
  Outcome = Struct.new(:succeeded, :parts, :revision)

  # open("host:2379", request_timeout_ms: 2000): options are those of docs/CONFIGURATION.md, with _ for dots. With a block the
  # client is closed in the end.
  def self.open(endpoints = nil, **given)
    given[:endpoints] = endpoints if endpoints
    client = client_open(options(given))
    return client unless block_given?
    begin
      yield client
    ensure
      client.close
    end
  end

  def self.options(given)
    return nil if given.empty?
    given.each_with_object(options_new) { |(name, value), o| options_set(o, name.to_s.tr("_", "."), value.to_s) }
  end

  # Seconds, or nil for the default, as the library counts.
  def self.ms(seconds) = seconds ? (seconds == Float::INFINITY ? -1 : [(seconds * 1000).ceil, 1].max) : 0

  # set(op, prev_kv: true, limit: 10)
  def self.set(op, given)
    given.each { |name, value| op_set(op, const_get("OP_#{name.to_s.upcase}"), value) unless value.nil? }
    op
  rescue NameError => e
    raise ArgumentError, "there is no option #{e.name.to_s.delete_prefix("OP_").downcase}"
  end

  def self.kvs(result, part = -1)
    Array.new(part_count(result, part)) do |i|
      KeyValue.new(kv_key(result, part, i), kv_value(result, part, i), kv_mod_revision(result, part, i),
                   kv_create_revision(result, part, i), kv_version(result, part, i), kv_lease_id(result, part, i))
    end
  end

  class Client
    def close(timeout = 0) = Coord.client_close(self, timeout.zero? ? 0 : Coord.ms(timeout))

    # Executes an op, whose result a block may read; it is freed then.
    def call(op, timeout = nil)
      result = Coord.call(self, op, Coord.ms(timeout))
      return result unless block_given?
      begin
        yield result
      ensure
        Coord.release(result)
      end
    end

    # The revision.
    def put(key, value, timeout: nil, **given)
      call(Coord.set(Coord.op_put(key, value), given), timeout) { |r| Coord.result_revision(r) }
    end

    # A KeyValue, or nil.
    def get(key, timeout: nil, **given)
      call(Coord.set(Coord.op_get(key), given), timeout) { |r| Coord.kvs(r).first }
    end

    # How many.
    def delete(key, prefix: false, timeout: nil, **given)
      op = Coord.set(Coord.op_delete(key), given)
      Coord.op_set_prefix(op) if prefix
      call(op, timeout) { |r| Coord.result_total(r) }
    end

    # All key-values with a prefix, page by page, all of one revision.
    def each(prefix = "", page: 0, timeout: nil, **given)
      return enum_for(:each, prefix, page: page, timeout: timeout, **given) unless block_given?
      Coord.op_set_prefix(op = Coord.set(Coord.op_get(prefix), given))
      scan = Coord.scan_open(self, op, page)
      while (result = Coord.scan_next(scan, Coord.ms(timeout)))
        kvs = Coord.kvs(result)
        Coord.release(result)
        kvs.each { |kv| yield kv }
      end
    end

    def txn = Txn.new(self)

    # lock("name", timeout: 5, ttl_s: 30) { |held| held.token }: options of the library without "lock."; timeout for the wait.
    def lock(name, timeout: Float::INFINITY, wait: true, **given)
      options = Coord.options(given.transform_keys { |key| "lock.#{key}" })
      lock = Coord.lock_open(self, name, options, nil, 0)
      lock.acquire(self, wait, timeout)
      return lock unless block_given?
      begin
        yield lock
      ensure
        lock.release
      end
    end

    # Kept alive; with a block it is revoked in the end.
    def lease(ttl, timeout: nil)
      lease = Coord.lease_open(self, ttl, Coord.ms(timeout), nil, 0)
      return lease unless block_given?
      begin
        yield lease
      ensure
        lease.close
      end
    end

    # Yields each Change, from when it stands; `ready` is called then, with the revision. Leave it with break, or raise.
    def watch(key, prefix: false, from: 0, ready: nil, **given)
      Coord.op_set_prefix(op = Coord.set(Coord.op_get(key), given)) if prefix
      op ||= Coord.set(Coord.op_get(key), given)
      watch = Coord.watch_open(self, op, from, queue = Coord.queue_open, 0)
      loop do
        event = Coord.queue_next(queue, -1)
        case Coord.event_type(event)
        when EVENT_RESYNC then ready&.call(Coord.event_revision(event))
        when EVENT_CHANGES then Coord.changes(event).each { |change| yield change }
        when EVENT_CLOSED then raise Coord.event_error(event)
        end
      end
    ensure
      Coord.release(watch) if watch
      Coord.release(queue) if queue
    end

    # A live copy of all keys with a prefix; options of the library without "mirror.".
    def mirror(prefix, **given)
      Coord.mirror_open(self, prefix, Coord.options(given.transform_keys { |key| "mirror.#{key}" }), nil, 0)
    end
  end

  def self.changes(event)
    Array.new(event_count(event)) do |i|
      Change.new(change_type(event, i) == CHANGE_PUT ? :put : :delete, change_key(event, i), change_value(event, i),
                 change_mod_revision(event, i), change_create_revision(event, i), change_version(event, i),
                 change_lease_id(event, i), change_previous(event, i))
    end
  end

  class Txn
    RELATIONS = { :== => EQUAL, :> => GREATER, :< => LESS, :!= => NOT_EQUAL }.freeze

    def initialize(client) = (@client, @op = client, Coord.op_txn)

    # if("key", :version, :==, 0): also :create, :mod, :lease and :value; or if(lock).
    def if(key, target = nil, relation = :==, operand = nil)
      how = RELATIONS.fetch(relation)
      case target
      when nil then Coord.op_if_held(@op, key)
      when :value then Coord.op_if_value(@op, key, how, operand)
      else Coord.op_if_int(@op, key, Coord.const_get("COMPARE_#{target.to_s.upcase}"), how, operand)
      end
      self
    end

    def then(*ops) = tap { ops.each { |op| Coord.op_then(@op, op) } }
    def else(*ops) = tap { ops.each { |op| Coord.op_else(@op, op) } }

    # An Outcome, whose parts have the key-values of each op done.
    def commit(timeout: nil)
      @client.call(@op, timeout) do |r|
        Outcome.new(Coord.result_succeeded(r) == 1, Array.new(Coord.result_parts(r)) { |i| Coord.kvs(r, i) },
                    Coord.result_revision(r))
      end
    end
  end

  class Lock
    def token = Coord.lock_token(self)
    def held? = Coord.lock_is_held(self) == 1
    def release(timeout: nil) = @client.call(Coord.op_release(self), timeout) { nil }

    # Again, after release. One that is interrupted leaves nothing behind.
    def acquire(client = @client, wait = true, timeout = Float::INFINITY)
      client.call(Coord.op_acquire(self, wait), timeout) { @client = client }
    ensure
      Coord.release(self) unless @client
    end
  end

  class Lease
    def id = Coord.lease_id(self)
    def remaining = Coord.lease_remaining_ms(self) / 1000.0
    def close(timeout: nil) = Coord.lease_close(self, Coord.ms(timeout))
  end

  class Mirror
    def close = Coord.release(self)

    # A KeyValue, or nil. Nobody is asked.
    def get(key)
      result = Coord.mirror_get(self, key)
      Coord.kvs(result).first
    ensure
      Coord.release(result) if result
    end

    def each(prefix = nil, &block)
      result = prefix ? Coord.mirror_prefix(self, prefix) : Coord.mirror_all(self)
      Coord.kvs(result).each(&block)
    ensure
      Coord.release(result) if result
    end
  end
end
