// Benchmark peer: Go clientv3 watching. The same cases as watch.c.
package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"os"
	"runtime/debug"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

const (
	openers  = 16
	warmPuts = 200
	// As in the peer of failover.
	keepAliveTime    = 2 * time.Second
	keepAliveTimeout = 6 * time.Second
)

var (
	name      = flag.String("case", "", "live, replay, many, clients, latency or stall")
	endpoints = flag.String("endpoints", "", "host:port,... of etcd")
	key       = flag.String("key", "", "what all keys begin with")
	watches   = flag.Int("watches", 1, "how many")
	events    = flag.Int("events", 1, "of all watches together")
	keys      = flag.Int("keys", 0, "0: watch number i has the key number i; else each has all of so many")
	revision  = flag.Int64("revision", 0, "0: from now on")
	_         = flag.Int("lazy", 0, "ours alone")
	input     = bufio.NewReader(os.Stdin)
)

func fail(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "go watch: "+format+"\n", args...)
	os.Exit(2)
}

func cpu() float64 {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		fail("%v", err)
	}
	return float64(used.Utime.Nano()+used.Stime.Nano()) / 1e3
}

// statusOf is a number in /proc/self/status.
func statusOf(field string) int {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		fail("%v", err)
	}
	for _, line := range strings.Split(string(text), "\n") {
		if words := strings.Fields(line); len(words) > 1 && words[0] == field+":" {
			value, _ := strconv.Atoi(words[1])
			return value
		}
	}
	return -1
}

// residentBytes is what is left after a collection.
func residentBytes() float64 {
	debug.FreeOSMemory()
	return 1024 * float64(statusOf("VmRSS"))
}

func open() *clientv3.Client {
	client, err := clientv3.New(clientv3.Config{
		Endpoints: strings.Split(*endpoints, ","), DialTimeout: 5 * time.Second,
		DialKeepAliveTime: keepAliveTime, DialKeepAliveTimeout: keepAliveTimeout,
	})
	if err != nil {
		fail("%v", err)
	}
	return client
}

func keyOf(number int) string { return fmt.Sprintf("%s%06d", *key, number) }

// seen is what one watch has seen. Each has a goroutine of its own.
type seen struct {
	number   int
	events   int
	revision int64
	channel  clientv3.WatchChan
	cancel   context.CancelFunc
}

func openWatch(client *clientv3.Client, number int) *seen {
	s := &seen{number: number}
	ctx, cancel := context.WithCancel(clientv3.WithRequireLeader(context.Background()))
	s.cancel = cancel
	options := []clientv3.OpOption{clientv3.WithRev(*revision)}
	what := keyOf(number)
	if *keys > 0 {
		what = *key
		options = append(options, clientv3.WithPrefix())
	}
	s.channel = client.Watch(ctx, what, options...)
	return s
}

// take checks that event number n is of the key number n, in turn, and of the version that follows from that.
func (s *seen) take(response clientv3.WatchResponse) int {
	if err := response.Err(); err != nil {
		fail("watch %d: %v", s.number, err)
	}
	for _, event := range response.Events {
		kv, several, number := event.Kv, max(*keys, 1), s.number
		if *keys > 0 {
			number = s.events % several
		}
		version := int64(s.events/several + 1)
		if string(kv.Key) != keyOf(number) || kv.Version != version || kv.ModRevision < s.revision ||
			(several == 1 && kv.ModRevision == s.revision) {
			fail("watch %d: event %d is %s version %d at revision %d instead of %s version %d after %d", s.number,
				s.events, kv.Key, kv.Version, kv.ModRevision, keyOf(number), version, s.revision)
		}
		s.events++
		s.revision = kv.ModRevision
	}
	return len(response.Events)
}

// openAll opens the watches, several at a time: each one waits for the server's word that it stands.
func openAll(open func(number int) *seen) []*seen {
	all := make([]*seen, *watches)
	var next atomic.Int64
	var group sync.WaitGroup
	for range openers {
		group.Add(1)
		go func() {
			defer group.Done()
			for i := int(next.Add(1)) - 1; i < *watches; i = int(next.Add(1)) - 1 {
				all[i] = open(i)
			}
		}()
	}
	group.Wait()
	return all
}

// follow reads all watches to their ends; done is called with how many events have come.
func follow(all []*seen, done func(count int)) *sync.WaitGroup {
	var group sync.WaitGroup
	for _, s := range all {
		group.Add(1)
		go func() {
			defer group.Done()
			for response := range s.channel {
				if count := s.take(response); count > 0 {
					done(count)
				}
			}
		}()
	}
	return &group
}

func waitForGo() {
	fmt.Println("ready")
	if _, err := input.ReadString('\n'); err != nil {
		fail("the standard input ended before \"go\"")
	}
}

func finished(ended chan struct{}) {
	select {
	case <-ended:
	case <-time.After(100 * time.Second):
		fail("not all events came in 100 s")
	}
}

func printRate(start time.Time, before float64) {
	seconds := time.Since(start).Seconds()
	fmt.Printf("{\"events\": %d, \"seconds\": %.4f, \"events_per_s\": %.1f, \"client_cpu_us\": %.4f}\n",
		*events, seconds, float64(*events)/seconds, (cpu()-before)/float64(*events))
}

func counter() (chan struct{}, func(count int)) {
	ended := make(chan struct{})
	var total atomic.Int64
	return ended, func(count int) {
		if total.Add(int64(count)) == int64(*events) {
			close(ended)
		}
	}
}

func live() {
	client := open()
	ended, done := counter()
	follow(openAll(func(i int) *seen { return openWatch(client, i) }), done)
	waitForGo()
	before, start := cpu(), time.Now()
	finished(ended)
	printRate(start, before)
}

func replay() {
	client := open()
	if _, err := client.Get(context.Background(), *key); err != nil { // connected
		fail("%v", err)
	}
	ended, done := counter()
	waitForGo()
	before, start := cpu(), time.Now()
	follow([]*seen{openWatch(client, 0)}, done)
	finished(ended)
	printRate(start, before)
}

func many() {
	client := open()
	if _, err := client.Get(context.Background(), *key); err != nil {
		fail("%v", err)
	}
	waitForGo()
	before, start := residentBytes(), time.Now()
	all := openAll(func(i int) *seen { return openWatch(client, i) })
	group := follow(all, func(int) {})
	openS := time.Since(start).Seconds()
	bytes := (residentBytes() - before) / float64(*watches)
	threads := statusOf("Threads")
	start = time.Now()
	for _, s := range all {
		s.cancel()
	}
	group.Wait()
	fmt.Printf("{\"watches\": %d, \"open_s\": %.3f, \"close_s\": %.3f, \"bytes_per_watch\": %.0f, \"threads\": %d}\n",
		*watches, openS, time.Since(start).Seconds(), bytes, threads)
}

func clients() {
	list := make([]*clientv3.Client, *watches)
	waitForGo()
	before, start := residentBytes(), time.Now()
	all := openAll(func(i int) *seen {
		list[i] = open()
		return openWatch(list[i], i)
	})
	follow(all, func(int) {})
	openS := time.Since(start).Seconds()
	bytes := (residentBytes() - before) / float64(*watches)
	threads := statusOf("Threads")
	start = time.Now()
	for _, client := range list {
		client.Close()
	}
	fmt.Printf("{\"clients\": %d, \"open_s\": %.3f, \"close_s\": %.3f, \"bytes_per_client\": %.0f, \"threads\": %d}\n",
		*watches, openS, time.Since(start).Seconds(), bytes, threads)
}

// latency is from the call of put to the event in the hands of another goroutine.
func latency() {
	client, writer := open(), open()
	count := *events + warmPuts
	sent, came := make([]time.Time, count), make([]time.Time, count)
	next := make(chan struct{}, 1)
	s := openWatch(client, 0)
	waitForGo()
	go func() {
		for i := range count {
			sent[i] = time.Now()
			if _, err := writer.Put(context.Background(), keyOf(0), "v"); err != nil {
				fail("put: %v", err)
			}
			<-next
		}
	}()
	for i := range count {
		response := <-s.channel
		came[i] = time.Now()
		if s.take(response) != 1 {
			fail("put %d: no event", i)
		}
		next <- struct{}{}
	}
	took := make([]float64, *events)
	for i := range took {
		took[i] = float64(came[i+warmPuts].Sub(sent[i+warmPuts]).Nanoseconds()) / 1e3
	}
	sort.Float64s(took)
	rank := func(percent int) float64 { return took[max((len(took)*percent+99)/100, 1)-1] }
	fmt.Printf("{\"events\": %d, \"p50_us\": %.3f, \"p99_us\": %.3f}\n", *events, rank(50), rank(99))
}

func stall() {
	const notable = 500 * time.Millisecond
	s := openWatch(open(), 0)
	waitForGo()
	var gap time.Duration
	var last, end time.Time
	for response := range s.channel {
		if s.take(response) == 0 {
			continue
		}
		now := time.Now()
		if !last.IsZero() {
			gap = max(gap, now.Sub(last))
		}
		last = now
		if end.IsZero() && gap > notable {
			end = now.Add(time.Second)
		}
		if !end.IsZero() && now.After(end) {
			break
		}
	}
	if end.IsZero() {
		fail("the watch ended")
	}
	fmt.Printf("{\"gap_ms\": %.1f, \"events\": %d}\n", float64(gap.Nanoseconds())/1e6, s.events)
}

func main() {
	cases := map[string]func(){"live": live, "replay": replay, "many": many, "clients": clients, "latency": latency,
		"stall": stall}
	flag.Parse()
	measure := cases[*name]
	if measure == nil || *endpoints == "" || *key == "" || *watches < 1 || *events < 1 {
		fail("bad arguments; see --help")
	}
	measure()
}
