# Takes a job under a lock, once, however many run this: perl job.pl [ENDPOINT]
use v5.26;
use warnings;
use Coord;

my $done = eval {
    my $client = Coord->open($ARGV[0] // 'localhost:2379');
    $client->put('jobs/1', 'mail');
    my $held = $client->lock('locks/jobs', timeout => 60);
    $client->each('jobs/', sub {
        my ($job) = @_;
        # Written only as long as nobody else can hold the lock, and the job is as it was read.
        my $written = $client->txn->if($held)->if($job->{key}, 'mod', '==', $job->{mod_revision})
            ->then(Coord::op_put("done/$job->{key}", $job->{value}), Coord::op_delete($job->{key}))->commit;
        say "$job->{key}: ", $written ? 'done' : 'somebody was faster';
    });
    $held->release;
    1;
};
if (!$done) {
    my $error = $@;
    die $error unless ref $error && $error->isa('Coord::Error');
    warn $error->name, ': ', $error->message, $error->retriable ? ', may be tried again' : '', "\n";
}
