# A job that runs on one machine at a time: tclsh job.tcl ?ENDPOINT?. Started twice, the second waits for the first.
package require coord

set client [coord::connect [expr {$argc ? [lindex $argv 0] : "localhost:2379"}]]
try {
  coord::with_lock $client reports {lock token} {
    puts "working, with token $token"
    # Whatever is written under the lock is written only as long as nobody else can hold it.
    set done [coord::txn $client [list $lock] [list [coord::op_put reports/last [clock format [clock seconds]]]]]
    puts [expr {[dict get $done succeeded] ? "done" : "the lock was lost: nothing was written"}]
  } lock.ttl.s 10 timeout 60000
} trap {COORD TIMEOUT} {message} {
  puts "somebody else has it: $message"
} finally {
  coord::free $client
}
