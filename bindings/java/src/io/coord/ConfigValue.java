package io.coord;

/** What {@link Core#config_get} answers. */
public record ConfigValue(String json, long version) {
  ConfigValue(byte[] json, long version) {
    this(Text.of(json), version);
  }
}
