# The module and coord.tcl, beside an empty etcd whose address is in COORD_ENDPOINT. Under valgrind with COORD_CALLS=500.

source [file join [file dirname [info script]] support.tcl]
package require coord

proc connect {} {coord::connect $::endpoint log.level off}

check connect {
  set client [connect]
  like [coord::version_string] {^\d+\.\d+\.\d+}
  equal $coord::INVALID -1
  like [coord::client_stats $client] {^\{}
  fails UNAVAILABLE {coord::connect 127.0.0.1:1 log.level off}
  equal [lrange $::errorCode 2 3] {-3 retriable}
  equal [lindex $::errorCode 5] 127.0.0.1:1
  coord::free $client
}

check failures_are_errors {
  set client [connect]
  fails INVALID {coord::put $client "" x}
  equal $::errorCode {COORD INVALID -1 final {} {}}
  like [fails INVALID {coord::connect $::endpoint no.such 1}] no.such
  set op [coord::op_get a]
  equal [fails INVALID {coord::op_if_int $op a 0 0 0}] INVALID "without an error object"
  fails INVALID {coord::put "" a b}
  fails INVALID {coord::call $client "" 0}
  coord::client_close $client 0
  fails CLOSED {coord::put $client a b}
  coord::free $client $op
  like [fails INVALID {coord::put $client a b}] {argument 1 \(client\) must be a coord_client that is not freed}
  like [fails INVALID {coord::free $client}] {argument 1 \(handle\)}
  coord::free "" [coord::op_get a]
}

check wrong_types_name_the_argument {
  set client [connect]
  set op [coord::op_txn]
  foreach {script message} {
    {coord::put nobody a b} {put: argument 1 \(client\) must be a coord_client that is not freed, not "nobody"}
    {coord::put $op a b} {argument 1 \(client\) must be a coord_client}
    {coord::put _0000000000000000_p_coord_client a b} {argument 1 \(client\)}
    {coord::op_compact 1.5} {argument 1 \(revision\) must be an integer of 64 bits, not "1.5"}
    {coord::op_compact x} {argument 1 \(revision\)}
    {coord::op_compact 9223372036854775808} {argument 1 \(revision\) must be in the range}
    {coord::op_compact -9223372036854775809} {argument 1 \(revision\)}
    {coord::op_compact 99999999999999999999999} {argument 1 \(revision\)}
    {coord::submit $client $op 0 "" -1} {argument 5 \(tag\) must be in the range}
    {coord::op_if_int $op a 1099511627776 0 0} {argument 3 \(target\) must be in the range}
    {coord::op_get \u0100} {argument 1 \(key\) has a character above 255}
    {coord::lock_open_many $client "a \u0100" "" "" 0} {argument 2 \(names\) has a character above 255}
    {coord::lock_open_many $client "a \{" "" "" 0} {argument 2 \(names\) must be a list}
    {coord::client_set_endpoints $client a\0b} {argument 2 \(endpoints\) is text and has a NUL}
    {coord::queue_script $client x} {argument 1 \(queue\) must be a coord_queue}
    {coord::txn $client {{a version = 1}} {}} {no compare of a txn}
    {coord::with [coord::op_get a] size 1} {no attribute "size"}
  } {
    like [fails INVALID $script] $message
  }
  equal [catch {coord::put $client a} message] 1
  equal $message "wrong # args: coord::put takes 3, not 2"
  # SWIG's own commands, which believe any text to be a pointer.
  equal [info commands ::coord::delete_*] ""
  equal [info commands ::coord::client] ""
  coord::free $op $client
}

check bytes_go_both_ways {
  set client [connect]
  set every ""
  for {set i 0} {$i < 256} {incr i} {append every [format %c $i]}
  equal [coord::put $client raw/\0key $every] ""
  set kv [coord::kv $client raw/\0key]
  equal [dict get $kv key] raw/\0key
  equal [dict get $kv value] $every
  coord::put $client raw/binary [binary format H* 00ff80c3a900]
  binary scan [coord::value $client raw/binary] H* hex
  equal $hex 00ff80c3a900
  set text "\u20ac gr\u00fc\u00df"
  coord::put $client raw/text [encoding convertto utf-8 $text]
  equal [encoding convertfrom utf-8 [coord::value $client raw/text]] $text
  coord::put $client raw/number 0x10
  equal [coord::value $client raw/number] 0x10
  coord::put $client raw/empty ""
  equal [dict get [coord::kv $client raw/empty] value] ""
  equal [coord::delete $client raw/empty] 1
  equal [coord::delete $client raw/empty] 0
  equal [coord::kv $client raw/empty] ""
  equal [coord::value $client raw/empty none] none
  # One object in two places, as bytes and as a number.
  set same [string trim " 0 "]
  set op [coord::op_txn]
  coord::op_if_int $op $same $same $same $same
  coord::free $op $client
}

check integers_of_64_bits_are_exact {
  set client [connect]
  set id 7587886321985764359
  equal [dict get [coord::run $client [coord::op_lease_grant 60 $id]] lease] $id
  set done [coord::run $client [coord::with [coord::op_put raw/leased x] lease $id]]
  set kv [coord::kv $client raw/leased]
  equal [dict get $kv lease] $id
  equal [dict get $kv mod_revision] [dict get $done revision]
  coord::run $client [coord::op_lease_revoke $id]
  set queue [coord::queue_open]
  set op [coord::op_get a]
  foreach tag {0 9223372036854775807 9223372036854775808 18446744073709551615} {
    coord::submit $client $op 0 $queue $tag
    equal [dict get [coord::next $queue 20000] tag] $tag
  }
  set result [coord::get $client a]
  equal [expr {[coord::result_cluster_id $result] > 0}] 1 "an unsigned id"
  coord::free $result $op $queue $client
}

check txn {
  set client [connect]
  foreach {succeeded parts} {1 2 0 1} {
    set done [coord::txn $client {{raw/txn version == 0}} \
      [list [coord::op_put raw/txn mine] [coord::op_get raw/txn]] [list [coord::op_get raw/txn]]]
    equal [dict get $done succeeded] $succeeded
    equal [llength [dict get $done parts]] $parts
    equal [dict get [lindex [dict get $done parts] end 0] value] mine
  }
  equal [dict get [coord::txn $client {{raw/txn value != mine}} {}] succeeded] 0
  equal [dict get [coord::txn $client {{raw/txn create_revision > 0} {raw/txn lease == 0}} {}] succeeded] 1
  coord::free $client
}

check prefix_in_pages {
  set client [connect]
  for {set i 0} {$i < 25} {incr i} {coord::put $client [format raw/scan/%02d $i] $i}
  set seen {}
  coord::each $client raw/scan/ kv {
    if {[dict get $kv value] == 3} continue
    lappend seen [dict get $kv key]
  } 7
  equal [llength $seen] 24
  equal [lindex $seen end] raw/scan/24
  set seen {}
  coord::each $client raw/scan/ kv {
    lappend seen $kv
    break
  } 7
  equal [llength $seen] 1
  equal [apply {client {coord::each $client raw/scan/ kv {return [dict get $kv key]}}} $client] raw/scan/00
  equal [catch {coord::each $client raw/scan/ kv {error mine}} message] 1
  equal $message mine
  equal [dict get [coord::run $client [coord::with [coord::op_delete raw/scan/] prefix 1]] total] 25
  coord::free $client
}

check lease {
  set client [connect]
  set lease [coord::lease_open $client 30 0 "" 0]
  equal [expr {[coord::lease_remaining_ms $lease] > 0}] 1
  coord::run $client [coord::with [coord::op_put raw/alive 1] lease [coord::lease_id $lease]]
  coord::lease_close $lease 0
  equal [coord::kv $client raw/alive] ""
  equal [coord::lease_remaining_ms $lease] 0
  coord::free $lease $client
}

check lock_and_fence {
  set client [connect]
  set tokens {}
  for {set i 0} {$i < 2} {incr i} {
    set value [coord::with_lock $client raw/lock {lock token} {
      lappend tokens $token
      equal [coord::lock_is_held $lock] 1
      equal [dict get [coord::txn $client [list $lock] [list [coord::op_put raw/fenced $token]]] succeeded] 1
      like [coord::lock_key_of $lock 0] {^raw/lock/[0-9a-f]+$}
      set other [coord::lock_open $client raw/lock "" "" 0]
      fails CONFLICT {coord::run $client [coord::op_acquire $other no] 30000}
      coord::free $other
      fails TIMEOUT {coord::with_lock $client raw/lock {} {error here} timeout 100}
      set token
    } timeout 60000 lock.ttl.s 30]
    equal $value [lindex $tokens end]
  }
  equal [expr {[lindex $tokens 1] > [lindex $tokens 0]}] 1 "a later token"
  equal [catch {coord::with_lock $client raw/lock {} {error mine}} message] 1
  equal $message mine
  equal [apply {client {coord::with_lock $client raw/lock {} {return early}; return late}} $client] early
  foreach once {1 2} {coord::with_lock $client raw/lock {} break timeout 60000}
  equal $once 1
  fails LOST {
    coord::with_lock $client raw/lock lock {
      coord::delete $client [coord::lock_key_of $lock 0]
      while {[coord::lock_is_held $lock]} {after 1} ;# told by a watch
    } timeout 60000
  }
  set both [coord::lock_open_many $client [list raw/a raw/b\0] "" "" 0]
  coord::run $client [coord::op_acquire $both 1] 30000
  like [coord::lock_key_of $both 1] {^raw/b\0/[0-9a-f]+$}
  coord::free $both $client
}

check watch_through_the_queue {
  set client [connect]
  set queue [coord::queue_open]
  set watch [coord::watch $client $queue raw/watch/ prefix 1 prev_kv 1]
  equal [dict get [coord::next $queue 20000] event] resync
  coord::put $client raw/watch/a\0 1
  coord::put $client raw/watch/a\0 2
  coord::delete $client raw/watch/a\0
  set seen {}
  while {[llength $seen] < 3} {
    foreach change [dict get [coord::next $queue 20000] changes] {
      dict with change {lappend seen [list $type $key $value $previous]}
    }
  }
  equal $seen [list [list put raw/watch/a\0 1 {}] [list put raw/watch/a\0 2 1] [list delete raw/watch/a\0 {} 2]]
  coord::watch_close $watch
  set event [coord::next $queue 20000]
  equal [dict get $event event] closed
  equal [coord::next $queue 0] ""
  coord::free $watch $queue $client
}

proc told {client queue event} {
  if {[dict get $event event] eq "resync"} { # it stands
    foreach i {1 2 3} {after [expr {$i * 5}] [list coord::put $client raw/loop/$i $i]}
  }
  foreach change [dict get $event changes] {lappend ::seen [dict get $change value]}
  if {[llength $::seen] >= 3} {
    coord::on_event $queue {}
    set ::done 1
  }
}

check watch_in_the_event_loop {
  set client [connect]
  set queue [coord::queue_open]
  set watch [coord::watch $client $queue raw/loop/ prefix 1]
  set ::seen {}
  unset -nocomplain ::done
  coord::on_event $queue [list told $client $queue]
  set timer [after 30000 {set ::done 0}]
  vwait ::done
  after cancel $timer
  equal $::done 1
  equal $::seen {1 2 3}
  # A command that frees the queue, one that fails, and one that is left behind.
  coord::on_event $queue [list apply {{queue watch event} {coord::free $queue $watch; set ::done 2}} $queue $watch]
  coord::put $client raw/loop/4 4
  vwait ::done
  equal $::done 2
  set queue [coord::queue_open]
  interp bgerror {} {apply {{message how} {set ::done $message}}}
  coord::on_event $queue {error wrong}
  set op [coord::op_get a]
  coord::submit $client $op 0 $queue 1
  vwait ::done
  like $::done wrong
  coord::free $op $client $queue
}

check submit_and_cancel {
  set client [connect]
  set queue [coord::queue_open]
  set op [coord::op_put raw/submit 1]
  set id [coord::submit $client $op 0 $queue 9]
  set event [coord::next $queue 20000]
  equal [list [dict get $event event] [dict get $event tag] [dict get $event name]] {result 9 OK}
  equal [expr {[dict get $event result revision] > 0}] 1
  equal [coord::cancel $client $id] ""
  fails INVALID {coord::cancel $client 1000000000}
  coord::free $op $queue $client
}

check mirror_and_config {
  set client [connect]
  coord::put $client raw/m/a 1
  set mirror [coord::mirror_open $client raw/m/ "" "" 0]
  equal [dict get [coord::flat [coord::mirror_get $mirror raw/m/a]] kvs] [list [coord::kv $client raw/m/a]]
  equal [dict get [coord::flat [coord::mirror_get $mirror raw/m/b]] kvs] ""
  fails INVALID {coord::mirror_get $mirror elsewhere}
  set config [coord::config_open $client raw.tcl "" "" 0]
  coord::config_default $config carts {{"most":7}}
  equal [coord::config_get $config carts] [list {{"most":7}} 0] "two that are handed out"
  fails NOT_FOUND {coord::config_get $config none}
  coord::free $client
  equal [llength [dict get [coord::flat [coord::mirror_all $mirror]] kvs]] 1
  coord::free $mirror $config
}

# Handles that hang on each other, with things under way.
proc family {} {
  set client [connect]
  set queue [coord::queue_open]
  set get [coord::op_get raw/w]
  set watch [coord::watch_open $client $get 0 $queue 1]
  set lock [coord::lock_open $client raw/gc "" $queue 2]
  set acquire [coord::op_acquire $lock 1]
  coord::submit $client $acquire 30000 $queue 3
  coord::put $client raw/w x
  set mirror [coord::mirror_open $client raw/m/ "" $queue 4]
  set registry [coord::registry_open $client ""]
  list $client $queue $watch $lock $acquire $mirror $registry [coord::picker_open $registry web 1 ""] $get \
    [coord::get $client raw/w] [coord::queue_next $queue 20000]
}

check freed_in_any_order {
  expr {srand(1)}
  for {set round 0} {$round < 20} {incr round} {
    set handles [family]
    while {[llength $handles]} {
      set i [expr {int(rand() * [llength $handles])}]
      set handle [lindex $handles $i]
      set handles [lreplace $handles $i $i]
      coord::free $handle
      fails INVALID {coord::free $handle}
    }
  }
  # All that an interpreter has left is freed with it.
  set child [interp create]
  $child eval [list set auto_path $::auto_path]
  $child eval [list set endpoint $::endpoint]
  $child eval {package require coord}
  $child eval [list proc connect {} [info body connect]]
  $child eval [list proc family {} [info body family]]
  $child eval {coord::on_event [lindex [family] 1] error}
  interp delete $child
}

check flat_memory {
  set client [connect]
  coord::put $client raw/leak x
  set calls [expr {[info exists ::env(COORD_CALLS)] ? $::env(COORD_CALLS) : 20000}]
  set round {{client n} {
    for {set i 0} {$i < $n} {incr i} {
      coord::kv $client raw/leak
      catch {coord::put $client "" x}
      catch {coord::lock_open_many $client [list a \u0100] "" "" 0}
      catch {coord::with [coord::op_get a] nothing 1}
    }
  }}
  apply $round $client [expr {$calls / 5}]
  set before [rss]
  apply $round $client $calls
  set grown [expr {[rss] - $before}]
  if {![info exists ::env(COORD_CALLS)] && $grown > 1024} {error "memory of the process, in kB, grew by $grown"}
  coord::free $client
}

check example {
  set folder [file dirname [file dirname [file normalize [info script]]]]
  foreach {name path} {readme README.md example examples/job.tcl} {
    set file [open [file join $folder $path]]
    set $name [read $file]
    close $file
  }
  regexp {```tcl\n(.*?)```} $readme all printed
  equal $printed $example "what README.md prints"
  like [exec [info nameofexecutable] [file join $folder examples/job.tcl] $::endpoint 2>@1] "^working, with token \\d+\ndone$"
}

exit [expr {$failed != 0}]
