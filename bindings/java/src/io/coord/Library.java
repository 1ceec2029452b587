package io.coord;

import java.nio.file.Files;
import java.nio.file.Path;

/** Loads libcoordjni.so: the property coord.library names it; else the one beside coord.jar, or of java.library.path. */
final class Library {
  static {
    String path = System.getProperty("coord.library");
    Path beside = path == null ? beside() : null;
    if (path != null) {
      System.load(Path.of(path).toAbsolutePath().toString());
    } else if (beside != null && Files.exists(beside)) {
      System.load(beside.toString());
    } else {
      System.loadLibrary("coordjni");
    }
  }

  private Library() {}

  static void load() {}

  private static Path beside() {
    try {
      var source = Library.class.getProtectionDomain().getCodeSource();
      return Path.of(source.getLocation().toURI()).resolveSibling("libcoordjni.so");
    } catch (Exception e) { // the jar is no file
      return null;
    }
  }
}
