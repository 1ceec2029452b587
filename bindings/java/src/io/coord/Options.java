package io.coord;

import java.util.Map;

/** Options by the names of {@code docs/CONFIGURATION.md}. */
public final class Options extends Handle {
  Options(long box) {
    super(box);
  }

  public static Options of(Map<String, String> options) {
    Options made = Core.options_new();
    options.forEach((name, value) -> Core.options_set(made, name, value));
    return made;
  }
}
