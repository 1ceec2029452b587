package io.coord;

/** See {@code docs/LOCKS.md} for what it promises, and why the token matters. */
public final class Lock extends Handle {
  Client client; // null: of Core.lock_open, for op_acquire and op_release
  private boolean acquired;

  Lock(long box) {
    super(box);
  }

  /** Waits for it; -1: for as long as it takes. Interrupting the thread gives it up. */
  public Lock acquire(int timeoutMs) throws InterruptedException {
    try (Op op = Core.op_acquire(this, 1)) {
      client.await(op, timeoutMs).close();
      acquired = true;
      return this;
    }
  }

  /** false: somebody else has it. */
  public boolean tryAcquire() {
    try (Op op = Core.op_acquire(this, 0)) {
      client.call(op).close();
      acquired = true;
      return true;
    } catch (CoordException e) {
      if (e.code() == Core.CONFLICT) return false;
      throw e;
    }
  }

  /** Throws CoordException LOST when it was lost before. */
  public void release() {
    acquired = false;
    try (Op op = Core.op_release(this)) {
      client.call(op).close();
    }
  }

  /** The fencing token; 0: it is not held. */
  public long token() {
    return Core.lock_token(this);
  }

  public boolean isHeld() {
    return Core.lock_is_held(this) != 0;
  }

  /** Releases it if it was acquired, as {@link #release} does, and frees it. */
  @Override
  public void close() {
    try {
      if (acquired) release();
    } catch (IllegalStateException e) { // it, or the client, is closed
    } finally {
      super.close();
    }
  }
}
