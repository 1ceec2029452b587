import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/** Cases that print the lines that ./dev counts. */
final class Support {
  interface Body {
    void run() throws Exception;
  }

  private static final Map<String, Body> CASES = new LinkedHashMap<>();

  private Support() {}

  static void test(String name, Body body) {
    CASES.put(name, body);
  }

  /** Runs the cases, or those that are named, and ends the process. */
  static void run(String... wanted) {
    boolean good = true;
    for (var test : CASES.entrySet()) {
      if (wanted.length > 0 && !List.of(wanted).contains(test.getKey())) continue;
      try {
        test.getValue().run();
        System.out.println("ok " + test.getKey());
      } catch (Throwable e) {
        good = false;
        e.printStackTrace();
        System.out.println("not ok " + test.getKey() + ": " + e.toString().replaceAll("\n.*", ""));
      }
    }
    System.exit(good ? 0 : 1);
  }

  static void check(boolean holds, String what) {
    if (!holds) throw new AssertionError(what);
  }

  static void equal(Object have, Object want) {
    check(Objects.equals(have, want), "is " + have + ", not " + want);
  }

  static void equal(byte[] have, byte[] want) {
    check(Arrays.equals(have, want), "is " + Arrays.toString(have) + ", not " + Arrays.toString(want));
  }

  /** That it throws this; what it has thrown. */
  static <T extends Throwable> T fails(Class<T> with, Body body) throws Exception {
    try {
      body.run();
    } catch (Throwable e) {
      if (with.isInstance(e)) return with.cast(e);
      throw new AssertionError("failed with " + e + ", not " + with.getSimpleName(), e);
    }
    throw new AssertionError("did not fail");
  }

  interface Condition {
    boolean holds() throws Exception;
  }

  static void waitFor(Condition condition) throws Exception {
    for (long ends = System.nanoTime() + 60_000_000_000L; !condition.holds(); Thread.sleep(5)) {
      check(System.nanoTime() < ends, "this did not come about");
    }
  }

  /** Of this process, in KiB. */
  static long resident() throws IOException {
    for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
      if (line.startsWith("VmRSS:")) return Long.parseLong(line.replaceAll("\\D", ""));
    }
    throw new AssertionError("no VmRSS");
  }
}
