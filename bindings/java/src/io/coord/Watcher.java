package io.coord;

import java.util.ArrayList;
import java.util.List;

/** The changes of a prefix, none left out. */
public final class Watcher implements AutoCloseable {
  private final Queue queue = Core.queue_open();
  private final Watch watch;

  Watcher(Client client, String prefix) throws InterruptedException {
    try (Op get = Op.get(prefix).prefix()) {
      watch = Core.watch_open(client, get, 0, queue, 0);
    }
    try (Event stands = queue.next(-1)) {
      check(stands);
    }
  }

  /** The next changes; null: none came in that time. It ends with a CoordException, as COMPACTED for one that is too slow. */
  public List<Change> next(long timeoutMs) throws InterruptedException {
    long start = System.nanoTime();
    for (;;) {
      long passed = (System.nanoTime() - start) / 1_000_000;
      try (Event event = queue.next(timeoutMs < 0 ? -1 : Math.max(0, timeoutMs - passed))) {
        if (event == null) return null;
        if (Core.event_type(event) == Core.EVENT_CHANGES) return changes(event);
        if (Core.event_type(event) == Core.EVENT_CLOSED) check(event);
      }
    }
  }

  private static List<Change> changes(Event event) {
    List<Change> changes = new ArrayList<>();
    for (long i = 0, count = Core.event_count(event); i < count; i++) {
      KeyValue kv = new KeyValue(Core.change_key(event, i), Core.change_value(event, i), Core.change_create_revision(event, i),
          Core.change_mod_revision(event, i), Core.change_version(event, i), Core.change_lease_id(event, i));
      changes.add(new Change(Core.change_type(event, i) == Core.CHANGE_DELETE, kv));
    }
    return changes;
  }

  /** Throws what an event says. */
  static void check(Event event) {
    int code = Core.event_code(event);
    if (code == Core.OK) return;
    throw new CoordException(code, Text.bytes(Core.event_message(event), ""), (int) Core.event_flags(event), new byte[0], -1, -1);
  }

  @Override
  public void close() {
    watch.close();
    queue.close();
  }
}
