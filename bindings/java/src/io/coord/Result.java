package io.coord;

import java.util.ArrayList;
import java.util.List;

/** The answer of a call. All of it is in {@link Core}: result_revision, result_lease_id and so on. */
public final class Result extends Handle {
  Result(long box) {
    super(box);
  }

  public List<KeyValue> kvs() {
    return kvs(-1);
  }

  /** Those of one part of a txn's result. */
  public List<KeyValue> kvs(int part) {
    List<KeyValue> kvs = new ArrayList<>();
    for (long i = 0, count = Core.part_count(this, part); i < count; i++) {
      kvs.add(new KeyValue(Core.kv_key(this, part, i), Core.kv_value(this, part, i), Core.kv_create_revision(this, part, i),
          Core.kv_mod_revision(this, part, i), Core.kv_version(this, part, i), Core.kv_lease_id(this, part, i)));
    }
    return kvs;
  }

  public boolean succeeded() {
    return Core.result_succeeded(this) != 0;
  }

  public long revision() {
    return Core.result_revision(this);
  }
}
