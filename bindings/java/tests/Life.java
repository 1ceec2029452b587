import io.coord.Client;
import io.coord.CoordException;
import io.coord.Core;
import io.coord.Event;
import io.coord.Handle;
import io.coord.Lock;
import io.coord.Op;
import io.coord.Queue;
import io.coord.Result;
import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.atomic.AtomicReference;

/** How handles end: collected, closed, closed while they are used; and what is left of them. */
final class Life {
  private static final Path FOLDER = Path.of(System.getProperty("coord.folder", "."));

  private Life() {}

  private static int descriptors() {
    return new File("/proc/self/fd").list().length;
  }

  /** Handles that hang on each other, with things under way. */
  private static List<Handle> family() {
    Client client = Smoke.connect();
    Queue queue = Core.queue_open();
    Op get = Op.get("life/w");
    var watch = Core.watch_open(client, get, 0, queue, 1);
    Lock lock = Core.lock_open(client, Smoke.bytes("life/gc"), null, queue, 2);
    Op acquire = Core.op_acquire(lock, 1);
    Core.submit(client, acquire, 30_000, queue, 3);
    client.put("life/w", "x");
    Result result = Core.get(client, Smoke.bytes("life/w"));
    var mirror = Core.mirror_open(client, Smoke.bytes("life/m/"), null, queue, 4);
    var registry = Core.registry_open(client, null);
    var picker = Core.picker_open(registry, "web", 1, "");
    return new ArrayList<>(List.of(client, queue, get, watch, lock, acquire, result, mirror, registry, picker));
  }

  private static void collect() throws Exception {
    System.gc();
    Thread.sleep(1); // the cleaner has a thread of its own
  }

  private static void anyOrder() throws Exception {
    Random random = new Random(1);
    family().forEach(Handle::close);
    int before = descriptors();
    for (int round = 0; round < 8; round++) {
      for (List<Handle> handles = family(); !handles.isEmpty(); ) {
        Handle one = handles.remove(random.nextInt(handles.size()));
        if (round % 2 == 0) {
          one.close();
          one.close();
        } else {
          one = null;
          collect();
        }
      }
    }
    Support.waitFor(() -> {
      collect();
      return descriptors() <= before;
    });
  }

  private interface Waits {
    Object run() throws Exception;
  }

  /** Threads that do this while another closes it: what they got, an exception or a result. */
  private static List<Object> meanwhile(int threads, Handle closed, long afterMs, Waits body) throws Exception {
    List<Object> got = new ArrayList<>();
    List<Thread> all = new ArrayList<>();
    for (int i = 0; i < threads; i++) {
      Thread thread = new Thread(() -> {
        Object gave;
        try {
          gave = body.run();
        } catch (Exception e) {
          gave = e;
        }
        synchronized (got) {
          got.add(gave == null ? "null" : gave);
        }
      });
      all.add(thread);
      thread.start();
    }
    Thread.sleep(afterMs);
    closed.close();
    for (Thread thread : all) {
      thread.join(60_000);
      Support.check(!thread.isAlive(), "it still waits");
    }
    return got;
  }

  private static void closedWhileWaiting() throws Exception {
    for (int round = 0; round < 60; round++) {
      Queue queue = Core.queue_open();
      for (Object got : meanwhile(4, queue, round % 4, () -> Core.queue_next(queue, -1))) {
        Support.check(got.equals("null") || got instanceof IllegalStateException, got.toString());
      }
    }
    for (int round = 0; round < 12; round++) {
      String name = "life/held" + round;
      try (Client holder = Smoke.connect(); Lock held = holder.lock(name).acquire(-1)) {
        Support.check(held.isHeld(), "held");
        Client client = Smoke.connect();
        var got = meanwhile(4, client, round * 3 % 20, () -> {
          try (Lock lock = client.lock(name)) {
            return Core.call(client, Core.op_acquire(lock, 1), -1);
          }
        });
        for (Object one : got) {
          Support.check(one instanceof IllegalStateException || one instanceof CoordException e && e.code() == Core.CLOSED,
              one.toString());
        }
      }
    }
  }

  private static void interrupted() throws Exception {
    try (Client client = Smoke.connect(); Lock held = client.lock("life/int").acquire(-1);
        Lock other = client.lock("life/int"); Queue queue = Core.queue_open()) {
      AtomicReference<Exception> got = new AtomicReference<>();
      Thread thread = new Thread(() -> {
        try {
          other.acquire(-1);
        } catch (Exception e) {
          got.set(e);
        }
      });
      thread.start();
      Support.waitFor(() -> client.call(Core.op_lock_queue(Smoke.bytes("life/int"))).kvs().size() == 2);
      thread.interrupt();
      thread.join(60_000);
      Support.check(got.get() instanceof InterruptedException, String.valueOf(got.get()));
      Support.waitFor(() -> client.call(Core.op_lock_queue(Smoke.bytes("life/int"))).kvs().size() == 1);
      Thread.currentThread().interrupt();
      Support.fails(InterruptedException.class, () -> queue.next(-1));
    }
  }

  /** A call that is refused for one argument lets go of the others. */
  private static void refusedCalls() throws Exception {
    Smoke.connect().close();
    for (int i = 0; i < 20; i++) collect();
    int before = descriptors();
    Client client = Smoke.connect();
    Queue closed = Core.queue_open();
    closed.close();
    Support.fails(IllegalStateException.class, () -> Core.submit(client, Op.get("a"), 0, closed, 0));
    Support.fails(NullPointerException.class, () -> Core.call(client, null, 0));
    Support.fails(IllegalArgumentException.class, () -> Core.client_set_endpoints(client, "\0"));
    Support.fails(CoordException.class, () -> Core.client_set_endpoints(client, "a b"));
    Queue queue = Core.queue_open();
    Support.fails(CoordException.class, () -> Core.submit(client, Op.put("", "x"), 0, queue, 0));
    queue.close();
    client.close();
    Support.waitFor(() -> descriptors() <= before);
  }

  /** Does it so many times, after a tenth of that, and looks at what the process has grown by. */
  private static void flat(int times, Support.Body body) throws Exception {
    for (int i = 0; i < times / 10; i++) body.run();
    System.gc();
    long before = Support.resident();
    for (int i = 0; i < times; i++) body.run();
    System.gc();
    long grown = Support.resident() - before;
    Support.check(grown < 40_000, times + " times have grown it by " + grown + " KiB");
  }

  private static void flatMemory() throws Exception {
    int calls = Integer.getInteger("coord.calls", 20_000);
    byte[] large = new byte[20_000];
    Arrays.fill(large, (byte) 'x');
    byte[] key = Smoke.bytes("life/large");
    try (Client client = Smoke.connect(); Op txn = Op.txn()) {
      client.put(key, large);
      flat(calls / 4, () -> client.get(key));
      flat(calls, () -> {
        try {
          client.put(new byte[0], large);
        } catch (CoordException e) {
          Support.equal(e.code(), Core.INVALID);
        }
      });
      flat(calls * 5, () -> {
        try {
          Core.op_then(txn, null);
        } catch (NullPointerException e) {
          return;
        }
      });
      flat(calls, () -> Core.op_put(key, key)); // left to the collector
      flat(calls / 10, () -> {
        try (Queue queue = Core.queue_open(); Op op = Core.op_get(key)) {
          Core.submit(client, op, 0, queue, 1);
          try (Event event = queue.next(-1)) {
            Support.equal(Core.event_code(event), Core.OK);
          }
        }
      });
    }
  }

  private static void example() throws Exception {
    String readme = Files.readString(FOLDER.resolve("README.md"));
    Support.check(readme.contains(Files.readString(FOLDER.resolve("examples/Job.java"))), "README.md has another program");
    String[] said = readme.split("```text\n|```\n");
    Process process = new ProcessBuilder(ProcessHandle.current().info().command().orElse("java"), "-cp",
        System.getProperty("java.class.path").split(":")[0], FOLDER.resolve("examples/Job.java").toString(), Smoke.ENDPOINT)
        .redirectErrorStream(true).start();
    String out = new String(process.getInputStream().readAllBytes(), "UTF-8");
    Support.equal(process.waitFor(), 0);
    Support.check(!out.isEmpty() && List.of(said).contains(out), out);
  }

  static void tests() {
    Support.test("any_order", Life::anyOrder);
    Support.test("closed_while_waiting", Life::closedWhileWaiting);
    Support.test("interrupted", Life::interrupted);
    Support.test("refused_calls", Life::refusedCalls);
    Support.test("flat_memory", Life::flatMemory);
    Support.test("example", Life::example);
  }
}
