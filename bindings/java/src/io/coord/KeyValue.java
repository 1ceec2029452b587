package io.coord;

/** A key and what it has. Of a deleted one only key and modRevision. */
public record KeyValue(byte[] key, byte[] value, long createRevision, long modRevision, long version, long leaseId) {
  public String keyText() {
    return Text.of(key);
  }

  public String text() {
    return Text.of(value);
  }
}
