# coord for Tcl 8.6: what a program does most, over the commands that coord.so has under the names of the C interface
# (coord::put, coord::op_get; coord::free frees what they hand out). Times are milliseconds; -1 waits for as long as it takes, 0
# is the option request.timeout.ms. What fails is an error with -errorcode {COORD NAME number retriable|final ...}.

namespace eval coord {
  variable event_names {result changes resync at_risk lost restored acquired state log closed rejected}
}

# A client. Options of docs/CONFIGURATION.md: coord::connect localhost:2379 request.timeout.ms 2500
proc coord::connect {endpoints args} {
  set options [options endpoints $endpoints {*}$args]
  try {client_open $options} finally {free $options}
}

proc coord::options {args} {
  set options [options_new]
  try {
    foreach {name value} $args {options_set $options $name $value}
  } on error {message how} {
    free $options
    return -options $how $message
  }
  return $options
}

proc coord::invalid {message} {return -code error -errorcode {COORD INVALID -1 final {} {}} $message}

# Attributes of an op, which it returns, or frees when it fails: prefix 1, lease $id, limit 10, prev_kv 1, and all else that is
# $coord::OP_...
proc coord::with {op args} {
  try {
    foreach {name value} $args {
      if {$name eq "prefix"} {
        if {$value} {op_set_prefix $op}
      } elseif {[info exists ::coord::OP_[string toupper $name]]} {
        op_set $op [set ::coord::OP_[string toupper $name]] $value
      } else {
        invalid "an op has no attribute \"$name\""
      }
    }
  } on error {message how} {
    free $op
    return -options $how $message
  }
  return $op
}

# Executes an op and frees it: {revision total more succeeded kvs parts lease}, where parts has the kvs of each op of a txn.
proc coord::run {client op {timeout 0}} {
  try {call $client $op $timeout} on ok result {flat $result} finally {free $op}
}

# The same of a result that it frees.
proc coord::flat result {
  try {
    set parts {}
    for {set i 0; set n [result_parts $result]} {$i < $n} {incr i} {lappend parts [kvs $result $i]}
    dict create revision [result_revision $result] total [result_total $result] more [result_more $result] \
      succeeded [result_succeeded $result] kvs [kvs $result] parts $parts lease [result_lease_id $result]
  } finally {free $result}
}

proc coord::kvs {result {part -1}} {
  set all {}
  for {set i 0; set n [part_count $result $part]} {$i < $n} {incr i} {
    lappend all [dict create key [kv_key $result $part $i] value [kv_value $result $part $i] \
      mod_revision [kv_mod_revision $result $part $i] create_revision [kv_create_revision $result $part $i] \
      version [kv_version $result $part $i] lease [kv_lease_id $result $part $i]]
  }
  return $all
}

# A key-value as a dict; empty: there is none.
proc coord::kv {client key} {lindex [dict get [run $client [op_get $key]] kvs] 0}

# Its value, or what to give when there is none.
proc coord::value {client key {default {}}} {
  set kv [kv $client $key]
  if {$kv eq ""} {return $default}
  dict get $kv value
}

# Of all keys with this prefix, page by page, all of one revision.
proc coord::each {client prefix variable body {page 0}} {
  upvar 1 $variable kv
  set get [with [op_get $prefix] prefix 1]
  try {
    set scan [scan_open $client $get $page]
    try {
      while {[set result [scan_next $scan 0]] ne ""} {
        foreach kv [dict get [flat $result] kvs] {
          set status [catch {uplevel 1 $body} value how]
          if {$status == 3} return
          if {$status == 0 || $status == 4} continue
          dict incr how -level
          return -options $how $value
        }
      }
    } finally {free $scan}
  } finally {free $get}
}

# coord::txn $client {{key version == 0} $lock ...} ops ?ops?: what run gives. Frees the ops.
proc coord::txn {client compares then {otherwise {}} {timeout 0}} {
  variable EQUAL; variable NOT_EQUAL; variable GREATER; variable LESS
  set relations [list == $EQUAL != $NOT_EQUAL > $GREATER < $LESS]
  set txn [op_txn]
  try {
    foreach compare $compares {
      if {[llength $compare] == 1} {
        op_if_held $txn $compare
        continue
      }
      lassign $compare key what relation operand
      set what [string map {_REVISION ""} [string toupper $what]]
      if {![dict exists $relations $relation] || ![info exists ::coord::COMPARE_$what]} {
        invalid "no compare of a txn: \"$compare\""
      }
      set relation [dict get $relations $relation]
      if {$what eq "VALUE"} {
        op_if_value $txn $key $relation $operand
      } else {
        op_if_int $txn $key [set ::coord::COMPARE_$what] $relation $operand
      }
    }
    foreach op $then {op_then $txn $op}
    foreach op $otherwise {op_else $txn $op}
    return [flat [call $client $txn $timeout]]
  } finally {free $txn {*}$then {*}$otherwise}
}

# Runs body while the lock is held, of which the variables have the handle and the token; what it gives. Options as of connect,
# and timeout. COORD LOST: it was not held all the time.
proc coord::with_lock {client name variables body args} {
  lassign $variables handle number
  if {$handle ne ""} {upvar 1 $handle lock}
  if {$number ne ""} {upvar 1 $number token}
  set timeout -1
  if {[dict exists $args timeout]} {
    set timeout [dict get $args timeout]
    dict unset args timeout
  }
  set options [expr {[llength $args] ? [options {*}$args] : ""}]
  set held ""
  try {
    set held [set lock [lock_open $client $name $options "" 0]]
    run $client [op_acquire $held 1] $timeout
    set token [lock_token $held]
    set status [catch {uplevel 1 $body} value how]
    if {$status != 1} {run $client [op_release $held]}
    dict incr how -level
    return -options $how $value
  } finally {free $held $options}
}

# Changes go to the queue, from now on. Attributes as of with, and from, the first revision to tell. The handle: free it.
proc coord::watch {client queue key args} {
  set from 0
  if {[dict exists $args from]} {
    set from [dict get $args from]
    dict unset args from
  }
  set get [with [op_get $key] {*}$args]
  try {watch_open $client $get $from $queue 0} finally {free $get}
}

# The next event of a queue as a dict, empty when none came: event (changes, result, lost, closed ...) tag code name message
# revision changes; and result, as of run, of one that was submitted.
proc coord::next {queue {timeout -1}} {
  set event [queue_next $queue $timeout]
  if {$event ne ""} {taken $event}
}

proc coord::taken event {
  variable event_names
  try {
    set code [event_code $event]
    set changes {}
    for {set i 0; set n [event_count $event]} {$i < $n} {incr i} {
      lappend changes [dict create type [expr {[change_type $event $i] == 0 ? "put" : "delete"}] \
        key [change_key $event $i] value [change_value $event $i] previous [change_previous $event $i] \
        mod_revision [change_mod_revision $event $i] version [change_version $event $i] lease [change_lease_id $event $i]]
    }
    set all [dict create event [lindex $event_names [event_type $event]] tag [event_tag $event] code $code \
      name [code_name $code] message [event_message $event] revision [event_revision $event] changes $changes]
    set result [event_take_result $event]
    if {$result ne ""} {dict set all result [flat $result]}
    return $all
  } finally {free $event}
}

# For each event, in the event loop: the command with such a dict behind it. An empty command ends that.
proc coord::on_event {queue command} {
  queue_script $queue [expr {$command eq "" ? "" : [list ::coord::tell $command]}]
}

proc coord::tell {command event} {uplevel #0 [list {*}$command [taken $event]]}
