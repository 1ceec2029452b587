package io.coord;

/** Where events arrive. */
public final class Queue extends Handle {
  private static final int SLICE_MS = 200; // C cannot be interrupted

  Queue(long box) {
    super(box);
  }

  /** The oldest event; null: none came in that time. -1: no limit. */
  public Event next(long timeoutMs) throws InterruptedException {
    long start = System.nanoTime();
    for (;;) {
      if (Thread.interrupted()) throw new InterruptedException();
      long left = timeoutMs < 0 ? SLICE_MS : timeoutMs - (System.nanoTime() - start) / 1_000_000;
      Event event = Core.queue_next(this, (int) Math.max(0, Math.min(left, SLICE_MS)));
      if (event != null || left <= 0) return event;
    }
  }
}
