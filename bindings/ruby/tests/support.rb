# Cases that print the lines that ./dev counts.
module Support
  CASES = {}
  ENDPOINT = ENV.fetch("COORD_ENDPOINT")

  class Failure < StandardError; end

  def self.skip(why) = throw(:skip, why)
  def self.case(name, &body) = CASES[name] = body
  def self.truth(have, what = "this") = have || raise(Failure, "#{what} is not so")

  def self.equal(have, want, what = nil)
    raise Failure, "#{"#{what}: " if what}is #{have.inspect}, not #{want.inspect}" unless have == want
  end

  # That it raises this, and what; `code` is that of a Coord::Error.
  def self.fails(error, code = nil, match = nil)
    value = yield
  rescue error => e
    equal(e.code, code, e.message) if code
    raise Failure, "says #{e.message.inspect}, which has no #{match}" if match && !e.message.match?(match)
    e
  else
    raise Failure, "did not fail, it gave #{value.inspect}"
  end

  # Do it again until it is true; what it was then.
  def self.wait_for(seconds = 60)
    ends = Process.clock_gettime(Process::CLOCK_MONOTONIC) + seconds
    until (value = yield)
      raise Failure, "this did not come about" if Process.clock_gettime(Process::CLOCK_MONOTONIC) > ends
      sleep 0.01
    end
    value
  end

  def self.client = Coord.open(ENDPOINT, log_level: "off")

  # All cases, or those that the arguments name.
  def self.run
    failed = 0
    CASES.each do |name, body|
      next unless ARGV.empty? || ARGV.include?(name)
      why = catch(:skip) { body.call; nil }
      puts why ? "skip #{name}: #{why}" : "ok #{name}"
    rescue StandardError, Interrupt, NoMemoryError => e
      failed += 1
      warn e.full_message(highlight: false)
      puts "not ok #{name}: #{e.message.lines.first&.chomp}"
    ensure
      $stdout.flush
    end
    exit(failed.zero?)
  end
end
