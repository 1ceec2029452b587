# Cases that print the lines that ./dev counts.

set endpoint $env(COORD_ENDPOINT)
set failed 0
fconfigure stdout -buffering line

proc equal {have want {what ""}} {
  if {$have ne $want} {error "$what is \"$have\", not \"$want\""}
}

proc like {have pattern} {
  if {![regexp -- $pattern $have]} {error "\"$have\" is not like $pattern"}
}

# That a script fails with a code of coord; its message.
proc fails {code script} {
  if {![catch {uplevel 1 $script} message how]} {error "it did not fail, it gave \"$message\""}
  equal [lrange [dict get $how -errorcode] 0 1] [list COORD $code] $message
  return $message
}

# Runs it in a procedure of its own, unless the arguments name others.
proc check {name body} {
  if {$::argc && $name ni $::argv} return
  if {[catch {apply [list {} $body ::]} message how]} {
    incr ::failed
    puts stderr [dict get $how -errorinfo]
    puts "not ok $name: [lindex [split $message \n] 0]"
  } else {
    puts [expr {$message ne "" && [string match "skip *" $message] ? "skip $name: [string range $message 5 end]" : "ok $name"}]
  }
}

proc rss {} {
  set file [open /proc/self/status]
  regexp -line {^VmRSS:\s+(\d+)} [read $file] all kilobytes
  close $file
  return $kilobytes
}
