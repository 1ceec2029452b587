import static java.nio.charset.StandardCharsets.UTF_8;

import io.coord.Client;
import io.coord.ConfigValue;
import io.coord.CoordException;
import io.coord.Core;
import io.coord.Event;
import io.coord.KeyValue;
import io.coord.Lease;
import io.coord.Lock;
import io.coord.Mirror;
import io.coord.Op;
import io.coord.Options;
import io.coord.Queue;
import io.coord.Result;
import io.coord.Watch;
import io.coord.Watcher;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/** The raw functions and the classes over them, beside a real etcd. The life of handles is in Life. */
public final class Smoke {
  static final String ENDPOINT = System.getenv("COORD_ENDPOINT");
  static final String ROCKET = "smoke/\0\uD83D\uDE80\u00e9"; // NUL, one beyond 16 bits, one of two bytes

  private Smoke() {}

  static Client connect() {
    return Client.open(Map.of("endpoints", ENDPOINT, "log.level", "off"));
  }

  static byte[] bytes(String text) {
    return text.getBytes(UTF_8);
  }

  static int code(Support.Body body) throws Exception {
    return Support.fails(CoordException.class, body).code();
  }

  static void opens() throws Exception {
    Support.check(Core.version_string().matches("\\d+\\.\\d+\\.\\d+"), Core.version_string());
    Support.equal(Core.INVALID, -1);
    connect().close();
    CoordException e = Support.fails(CoordException.class,
        () -> Client.open(Map.of("endpoints", "127.0.0.1:1", "log.level", "off")));
    Support.equal(e.code(), Core.UNAVAILABLE);
    Support.equal(e.codeName(), "UNAVAILABLE");
    Support.check(e.isRetriable() && !e.isMaybeApplied(), "flags");
    Support.check(e.getMessage().contains("127.0.0.1:1"), e.getMessage());
    Support.equal(e.grpcStatus(), -1);
  }

  static void failures() throws Exception {
    try (Client client = connect(); Op txn = Op.txn(); Queue queue = Core.queue_open()) {
      CoordException e = Support.fails(CoordException.class, () -> client.put("", "x"));
      Support.equal(e.code(), Core.INVALID);
      Support.check(!e.isRetriable() && e.getMessage().contains("key"), e.getMessage());
      e = Support.fails(CoordException.class, () -> Options.of(Map.of("no.such", "1")));
      Support.check(e.getMessage().contains("no.such"), e.getMessage());
      // A failure without an error of its own.
      Support.equal(Support.fails(CoordException.class, () -> Core.op_if_int(Op.get("a"), bytes("a"), 0, 0, 0)).getMessage(),
          "INVALID");
      Support.equal(code(() -> Core.op_compact(-1).set(99, 1)), Core.INVALID);
      e = Support.fails(CoordException.class, () -> client.call(Core.op_lease_keepalive(12345)));
      Support.equal(e.code(), Core.NOT_FOUND);
      Support.check(e.endpoint().contains(":"), e.endpoint());
    }
  }

  static void named(Class<? extends Throwable> with, String name, Support.Body body) throws Exception {
    String message = Support.fails(with, body).getMessage();
    Support.check(message.startsWith(name + " "), message);
  }

  static void arguments() throws Exception {
    try (Client client = connect(); Op txn = Op.txn()) {
      named(NullPointerException.class, "client", () -> Core.put(null, bytes("a"), bytes("b")));
      named(NullPointerException.class, "op", () -> Core.op_then(txn, null));
      named(NullPointerException.class, "queue", () -> Core.queue_next(null, 0));
      named(NullPointerException.class, "name", () -> Core.options_set(Core.options_new(), null, "x"));
      named(NullPointerException.class, "names", () -> Core.lock_open_many(client, null, null, null, 0));
      named(NullPointerException.class, "names", () -> Core.lock_open_many(client, new byte[][] {{1}, null}, null, null, 0));
      named(IllegalArgumentException.class, "value", () -> Core.options_set(Core.options_new(), "endpoints", "a\0b"));
      named(IllegalArgumentException.class, "key", () -> client.get("half \uD83D"));
      Support.equal(code(() -> client.get((byte[]) null)), Core.INVALID);
      Support.equal(code(() -> Core.submit(client, txn, 0, null, 0)), Core.INVALID);
      Queue closed = Core.queue_open();
      closed.close();
      closed.close();
      named(IllegalStateException.class, "queue", () -> Core.queue_next(closed, -1));
      named(IllegalStateException.class, "queue", () -> Core.submit(client, txn, 0, closed, 0));
      client.close();
      named(IllegalStateException.class, "client", () -> client.put("a", "b"));
    }
  }

  static void bytesBothWays() {
    byte[] every = new byte[5000];
    for (int i = 0; i < every.length; i++) every[i] = (byte) i;
    byte[] key = {'s', 0, (byte) 0xff, (byte) 0xc0, 0};
    try (Client client = connect()) {
      client.put(key, every);
      try (Result result = Core.get(client, key)) {
        Support.equal(Core.kv_key(result, -1, 0), key);
        Support.equal(Core.kv_value(result, -1, 0), every);
        Support.equal(Core.kv_value(result, -1, 1), (byte[]) null);
        Support.equal(Core.kv_value(result, -1, -1), (byte[]) null);
      }
      client.put(key, new byte[0]);
      Support.equal(client.get(key), new byte[0]);
      client.put(key, null);
      Support.equal(client.get(key), new byte[0]);
      Support.check(client.delete(key), "it was there");
      Support.check(!client.delete(key), "it was not");
      Support.equal(client.get(key), (byte[]) null);
    }
  }

  static void text() {
    try (Client client = connect(); Options options = Options.of(Map.of("lock.owner", "\uD83D\uDE80 \u00e9"))) {
      client.put(ROCKET, ROCKET);
      Support.equal(client.get(ROCKET), ROCKET);
      Support.equal(client.get(bytes(ROCKET)), bytes(ROCKET));
      Support.equal(Core.options_get(options, "lock.owner"), "\uD83D\uDE80 \u00e9");
      Support.check(Core.client_stats(client).startsWith("{"), "JSON");
    }
  }

  static void longs() {
    long id = 7587886321985764359L;
    try (Client client = connect(); Queue queue = Core.queue_open()) {
      Support.equal(Core.result_lease_id(client.call(Core.op_lease_grant(60, id))), id);
      client.call(Op.put("smoke/leased", "x").set(Core.OP_LEASE, id));
      Result result = client.call(Op.get("smoke/leased"));
      Support.equal(result.kvs().get(0).leaseId(), id);
      // Unsigned ones are the same 64 bits.
      Support.check(Long.toUnsignedString(Core.result_cluster_id(result)).matches("\\d+"), "cluster");
      Core.submit(client, Op.get("a"), 0, queue, -2);
      Support.equal(Core.event_tag(Core.queue_next(queue, 60_000)), -2L);
      client.call(Core.op_lease_revoke(id)).close();
    }
  }

  static void txn() {
    try (Client client = connect()) {
      Op txn = Op.txn().when("smoke/txn", Core.COMPARE_VERSION, Core.EQUAL, 0)
          .then(Op.put("smoke/txn", "mine")).then(Op.get("smoke/txn")).otherwise(Op.get("smoke/txn"));
      Result result = client.call(txn);
      Support.check(result.succeeded(), "it was not there");
      Support.equal(Core.result_parts(result), 2L);
      Support.equal(result.kvs(1).get(0).text(), "mine");
      Support.equal(result.kvs(1).get(0).modRevision(), result.revision());
      result = client.call(txn);
      Support.check(!result.succeeded(), "it was there");
      Support.equal(result.kvs(0).size(), 1);
    }
  }

  static void scan() {
    try (Client client = connect()) {
      for (int i = 0; i < 25; i++) client.put("smoke/scan/" + (char) ('a' + i), "" + i);
      List<String> keys = new ArrayList<>();
      client.scan("smoke/scan/", kv -> keys.add(kv.keyText().substring(11)));
      Support.equal(String.join("", keys), "abcdefghijklmnopqrstuvwxy");
      try (var scan = Core.scan_open(client, Op.get("smoke/scan/").prefix(), 10)) {
        List<Long> pages = new ArrayList<>();
        for (Result page; (page = Core.scan_next(scan, 0)) != null; page.close()) pages.add(Core.result_count(page));
        Support.equal(pages.stream().mapToLong(n -> n).sum(), 25L);
        Support.check(pages.size() >= 3, pages.toString());
      }
    }
  }

  static void lease() {
    try (Client client = connect()) {
      long id;
      try (Lease lease = client.lease(60)) {
        id = lease.id();
        client.call(Op.put("smoke/lease", "x").set(Core.OP_LEASE, id));
        Support.check(lease.remainingMs() > 0, "it lives");
      }
      Support.equal(client.get("smoke/lease"), (String) null);
      Support.equal(Core.result_ttl_s(client.call(Core.op_lease_info(id, 0))), -1L);
    }
  }

  static void lock() throws Exception {
    try (Client client = connect()) {
      long token;
      try (Lock lock = client.lock("smoke/lock", Map.of("lock.ttl.s", "60")).acquire(-1)) {
        token = lock.token();
        Support.check(lock.isHeld() && token > 0, "held");
        try (Lock other = client.lock("smoke/lock")) {
          Support.check(!other.tryAcquire(), "it is another's");
        }
        client.call(Op.txn().whenHeld(lock).then(Op.put("smoke/fenced", "x"))).close();
      }
      try (Lock lock = client.lock("smoke/lock")) {
        Support.check(lock.tryAcquire() && lock.token() > token, "it was released, and the token grows");
        lock.release();
        Support.equal(lock.token(), 0L);
      }
      Lock lost = client.lock("smoke/lock").acquire(-1);
      client.delete(Core.lock_key_of(lost, 0));
      Support.waitFor(() -> !lost.isHeld());
      Support.equal(code(lost::close), Core.LOST);
      lost.close();
      try (Lock both = Core.lock_open_many(client, new byte[][] {bytes("smoke/a"), {'s', 0}}, null, null, 0)) {
        Core.call(client, Core.op_acquire(both, 1), 60_000).close();
        Support.check(new String(Core.lock_key_of(both, 0), UTF_8).startsWith("s\0/"), "in their order");
      }
    }
  }

  static void watch() throws Exception {
    try (Client client = connect(); Queue queue = Core.queue_open()) {
      Watch watch = Core.watch_open(client, Op.get("smoke/w/").prefix(), 0, queue, 77);
      Support.equal(Core.event_type(queue.next(60_000)), Core.EVENT_RESYNC);
      client.put("smoke/w/a\0", "1");
      try (Event event = queue.next(60_000)) {
        Support.equal(Core.event_type(event), Core.EVENT_CHANGES);
        Support.equal(Core.event_tag(event), 77L);
        Support.equal(Core.change_key(event, 0), bytes("smoke/w/a\0"));
        Support.equal(Core.change_previous(event, 0), (byte[]) null);
      }
      Core.watch_close(watch);
      Support.equal(Core.event_type(queue.next(60_000)), Core.EVENT_CLOSED);
      Support.equal(queue.next(0), null);
      try (Watcher watcher = client.watch("smoke/w/")) {
        client.delete("smoke/w/a\0");
        var change = watcher.next(60_000).get(0);
        Support.check(change.isDelete() && change.kv().keyText().equals("smoke/w/a\0"), change.toString());
        Support.equal(watcher.next(10), null);
        client.close();
        Support.equal(code(() -> watcher.next(60_000)), Core.CLOSED);
      }
    }
  }

  static void local() throws Exception {
    try (Client client = connect()) {
      client.put("smoke/m/a", "1");
      Mirror mirror = Core.mirror_open(client, bytes("smoke/m/"), null, null, 0);
      Support.equal(Core.mirror_get(mirror, bytes("smoke/m/a")).kvs().get(0).text(), "1");
      Support.equal(Core.mirror_all(mirror).kvs().stream().map(KeyValue::keyText).collect(Collectors.toList()),
          List.of("smoke/m/a"));
      Support.equal(code(() -> Core.mirror_get(mirror, bytes("elsewhere"))), Core.INVALID);
      var config = Core.config_open(client, "smoke", null, null, 0);
      Core.config_default(config, "a", "\"\uD83D\uDE80\"");
      Support.equal(Core.config_get(config, "a").json(), "\"\uD83D\uDE80\"");
      Result set = client.call(Core.op_config_set(config, "a", "{\"b\":1}", 0));
      Support.waitFor(() -> Core.config_get(config, "a").version() > 0);
      ConfigValue value = Core.config_get(config, "a");
      Support.equal(value.json(), "{\"b\":1}");
      set.close();
      client.close();
      Support.equal(Core.mirror_get(mirror, bytes("smoke/m/a")).kvs().get(0).text(), "1");
    }
  }

  public static void main(String[] args) {
    Support.test("opens", Smoke::opens);
    Support.test("failures", Smoke::failures);
    Support.test("arguments", Smoke::arguments);
    Support.test("bytes_both_ways", Smoke::bytesBothWays);
    Support.test("text", Smoke::text);
    Support.test("longs", Smoke::longs);
    Support.test("txn", Smoke::txn);
    Support.test("scan", Smoke::scan);
    Support.test("lease", Smoke::lease);
    Support.test("lock", Smoke::lock);
    Support.test("watch", Smoke::watch);
    Support.test("local", Smoke::local);
    Life.tests();
    Support.run(args);
  }
}
