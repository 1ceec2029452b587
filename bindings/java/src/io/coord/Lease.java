package io.coord;

/** A lease that the library keeps alive. */
public final class Lease extends Handle {
  Lease(long box) {
    super(box);
  }

  public long id() {
    return Core.lease_id(this);
  }

  /** How long it lives at least; 0: act as if it is lost. */
  public long remainingMs() {
    return Core.lease_remaining_ms(this);
  }

  /** Revokes it, and with it its keys go. */
  @Override
  public void close() {
    try {
      Core.lease_close(this, 0);
    } catch (IllegalStateException e) { // it is closed
    } finally {
      super.close();
    }
  }
}
