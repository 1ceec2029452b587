# Takes a job under a lock, once, however many run this: ruby jobs.rb [ENDPOINT]
require "coord"

Coord.open(ARGV[0] || "localhost:2379") do |client|
  client.put("jobs/1", "mail")
  client.lock("locks/jobs", timeout: 60) do |held|
    client.each("jobs/") do |job|
      # Written only as long as nobody else can hold the lock, and the job is as it was read.
      done = client.txn.if(held).if(job.key, :mod, :==, job.mod_revision)
                   .then(Coord.op_put("done/#{job.key}", job.value), Coord.op_delete(job.key)).commit
      puts "#{job.key}: #{done.succeeded ? "done" : "somebody was faster"}"
    end
  end
rescue Coord::Error => e
  warn "#{e.name}: #{e.message}#{", may be tried again" if e.retriable?}"
end
