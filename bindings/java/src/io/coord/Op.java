package io.coord;

/** Something to be executed, as often as wanted: {@link Client#call}, {@link Client#await}. */
public final class Op extends Handle {
  Op(long box) {
    super(box);
  }

  public static Op get(String key) {
    return Core.op_get(Text.bytes(key, "key"));
  }

  public static Op put(String key, String value) {
    return Core.op_put(Text.bytes(key, "key"), Text.bytes(value, "value"));
  }

  public static Op delete(String key) {
    return Core.op_delete(Text.bytes(key, "key"));
  }

  public static Op txn() {
    return Core.op_txn();
  }

  /** All keys that begin with it. */
  public Op prefix() {
    Core.op_set_prefix(this);
    return this;
  }

  /** {@link Core#OP_LEASE}, OP_LIMIT and so on. */
  public Op set(int attribute, long value) {
    Core.op_set(this, attribute, value);
    return this;
  }

  /** {@link Core#COMPARE_VERSION} and so on, {@link Core#EQUAL} and so on. */
  public Op when(String key, int target, int relation, long operand) {
    Core.op_if_int(this, Text.bytes(key, "key"), target, relation, operand);
    return this;
  }

  public Op whenHeld(Lock lock) {
    Core.op_if_held(this, lock);
    return this;
  }

  public Op then(Op op) {
    Core.op_then(this, op);
    return this;
  }

  public Op otherwise(Op op) {
    Core.op_else(this, op);
    return this;
  }
}
