package io.coord;

import java.lang.ref.Cleaner;

/**
 * What the library holds for Java: freed by {@link #close}, or else when it is collected, in any order. A call that still uses
 * it in another thread is not disturbed: it is freed after that, and those that wait for a client or a queue return.
 */
public abstract class Handle implements AutoCloseable {
  private static final Cleaner CLEANER = Cleaner.create();

  private final long box; // C reads it

  Handle(long box) {
    this.box = box;
    CLEANER.register(this, new Drop(box));
  }

  /** Frees it now; twice is fine. Using it after that throws IllegalStateException. */
  @Override
  public void close() {
    release(this);
  }

  private record Drop(long box) implements Runnable {
    @Override
    public void run() {
      drop(box);
    }
  }

  private static native void release(Handle handle);

  private static native void drop(long box);
}
