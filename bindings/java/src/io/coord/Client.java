package io.coord;

import java.util.List;
import java.util.Map;
import java.util.function.Consumer;

/** One is enough for a process and all its threads. */
public final class Client extends Handle {
  Client(long box) {
    super(box);
  }

  public static Client open(String endpoints) {
    return open(Map.of("endpoints", endpoints));
  }

  public static Client open(Map<String, String> options) {
    try (Options made = Options.of(options)) {
      return Core.client_open(made);
    }
  }

  /** null: there is no such key. */
  public byte[] get(byte[] key) {
    try (Result result = Core.get(this, key)) {
      return Core.kv_value(result, -1, 0);
    }
  }

  public String get(String key) {
    return Text.of(get(Text.bytes(key, "key")));
  }

  public void put(byte[] key, byte[] value) {
    Core.put(this, key, value);
  }

  public void put(String key, String value) {
    put(Text.bytes(key, "key"), Text.bytes(value, "value"));
  }

  /** Whether there was such a key. */
  public boolean delete(byte[] key) {
    return Core.delete(this, key) > 0;
  }

  public boolean delete(String key) {
    return delete(Text.bytes(key, "key"));
  }

  /** All keys of a prefix, of any number, as they are at one revision; page by page. */
  public void scan(String prefix, Consumer<KeyValue> each) {
    try (Op get = Op.get(prefix).prefix(); Scan scan = Core.scan_open(this, get, 0)) {
      for (;;) {
        try (Result page = Core.scan_next(scan, 0)) {
          if (page == null) return;
          page.kvs().forEach(each);
        }
      }
    }
  }

  /** Executes an op. Not interrupted before its deadline, the option request.timeout.ms; closing the client ends it. */
  public Result call(Op op) {
    return Core.call(this, op, 0);
  }

  /** The same for an op that may wait long; -1: without a deadline. Interrupting the thread cancels it. */
  public Result await(Op op, int timeoutMs) throws InterruptedException {
    try (Queue queue = Core.queue_open()) {
      long id = Core.submit(this, op, timeoutMs, queue, 0);
      InterruptedException interrupted = null;
      Event event = null;
      while (event == null) {
        try {
          event = queue.next(-1);
        } catch (InterruptedException e) {
          interrupted = e;
          Core.cancel(this, id);
        }
      }
      try (Event done = event) {
        if (interrupted != null) throw interrupted;
        Watcher.check(done);
        return Core.event_take_result(done);
      }
    }
  }

  /** A lease that is kept alive until it is closed. */
  public Lease lease(long ttlSeconds) {
    return Core.lease_open(this, ttlSeconds, 0, null, 0);
  }

  /** To be acquired. Options: lock.ttl.s, lock.kind and so on. */
  public Lock lock(String name, Map<String, String> options) {
    try (Options made = options.isEmpty() ? null : Options.of(options)) {
      Lock lock = Core.lock_open(this, Text.bytes(name, "name"), made, null, 0);
      lock.client = this;
      return lock;
    }
  }

  public Lock lock(String name) {
    return lock(name, Map.of());
  }

  /** Changes of the keys of a prefix, from now on. */
  public Watcher watch(String prefix) throws InterruptedException {
    return new Watcher(this, prefix);
  }

  /** Ends what is under way with CLOSED, watches too; twice is fine. To let it finish, {@link Core#client_close} before this. */
  @Override
  public void close() {
    try {
      Core.client_close(this, 0);
    } catch (IllegalStateException | CoordException e) { // it is closed; or something had to be ended
    } finally {
      super.close();
    }
  }
}
