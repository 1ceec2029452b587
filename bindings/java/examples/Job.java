import io.coord.Client;
import io.coord.Lock;
import io.coord.Op;
import io.coord.Watcher;
import java.util.Map;

/** A job that runs on one host at a time. */
public class Job {
  public static void main(String[] args) throws InterruptedException {
    String endpoints = args.length > 0 ? args[0] : "localhost:2379";
    try (Client client = Client.open(endpoints);
        Watcher watcher = client.watch("reports/");
        Lock lock = client.lock("report-job", Map.of("lock.ttl.s", "30")).acquire(-1)) {
      System.out.println("working, fenced by a token: " + (lock.token() > 0));
      client.call(Op.txn().whenHeld(lock).then(Op.put("reports/last", "done \uD83D\uDE80"))).close();
      for (var change : watcher.next(10_000)) {
        System.out.println(change.kv().keyText() + " = " + change.kv().text());
      }
    }
  }
}
