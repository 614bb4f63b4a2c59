# SPDX-License-Identifier: GPL-3.0-or-later
# What report.py is, for Ruby.
$features = []
def feature(name, &body)
  $features << [name, body]
end

def run
  failed = false
  $features.each do |name, body|
    next unless ARGV.empty? || ARGV.include?(name)

    begin
      body.call
      puts "ok #{name}"
    rescue Exception => error
      failed = true
      warn error.backtrace.first(20) unless ARGV.empty?
      puts "not ok #{name}: #{error.class}: #{error.message.split.join(' ')[0, 1500]}"
    end
    $stdout.flush
  end
  exit(failed ? 1 : 0)
end
