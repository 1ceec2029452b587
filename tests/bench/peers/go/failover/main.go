// Benchmark peer: Go clientv3 under a steady load while nodes of its cluster fail. The same script as failover.c.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

const (
	warmCalls = 100
	pause     = 2 * time.Millisecond
	// What etcdctl documents as its own: --keepalive-time=2s, --keepalive-timeout=6s. gRPC pings every 10 s at most.
	keepAliveTime    = 2 * time.Second
	keepAliveTimeout = 6 * time.Second
)

// tally is what the goroutines of one kind have met.
type tally struct {
	ok, errors uint64
	last       time.Time
	gap        time.Duration
	slowest    time.Duration
	firstError string
}

type load struct {
	lock    sync.Mutex
	stop    bool
	counts  bool
	of      [2]tally
	allOK   uint64
	allLast time.Time
	allGap  time.Duration
}

const (
	reads = iota
	writes
)

func widen(gap *time.Duration, last *time.Time, now time.Time) {
	*gap = max(*gap, now.Sub(*last))
	*last = now
}

func (l *load) account(kind int, start time.Time, err error) {
	l.lock.Lock()
	defer l.lock.Unlock()
	t, now := &l.of[kind], time.Now()
	t.slowest = max(t.slowest, now.Sub(start))
	if err != nil {
		t.errors++
		if t.firstError == "" {
			t.firstError = err.Error()
		}
		return
	}
	t.ok++
	l.allOK++
	if l.counts {
		widen(&t.gap, &t.last, now)
		widen(&l.allGap, &l.allLast, now)
	}
}

// count begins or ends the time that counts: a gap may reach to either end.
func (l *load) count(on bool) {
	l.lock.Lock()
	defer l.lock.Unlock()
	now := time.Now()
	if !on {
		widen(&l.allGap, &l.allLast, now)
	}
	l.allLast = now
	for kind := range l.of {
		if !on {
			widen(&l.of[kind].gap, &l.of[kind].last, now)
		}
		l.of[kind].last = now
	}
	l.counts, l.stop = on, !on
}

func (l *load) stopped() bool {
	l.lock.Lock()
	defer l.lock.Unlock()
	return l.stop
}

func (l *load) warm() bool {
	l.lock.Lock()
	defer l.lock.Unlock()
	return l.allOK >= warmCalls
}

func fail(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "go failover: "+format+"\n", args...)
	os.Exit(2)
}

func milliseconds(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e6 }

func main() {
	endpoints := flag.String("endpoints", "", "host:port,... of etcd")
	key := flag.String("key", "", "the key to read; those written begin with it")
	readers := flag.Int("readers", 4, "goroutines that read")
	writers := flag.Int("writers", 4, "goroutines that write")
	timeout := flag.Int("timeout-ms", 5000, "deadline of a call")
	flag.Parse()
	if *endpoints == "" || *key == "" || *readers < 0 || *writers < 0 || *timeout < 1 {
		fail("bad arguments; see --help")
	}
	client, err := clientv3.New(clientv3.Config{
		Endpoints: strings.Split(*endpoints, ","), DialTimeout: 5 * time.Second,
		DialKeepAliveTime: keepAliveTime, DialKeepAliveTimeout: keepAliveTimeout,
	})
	if err != nil {
		fail("%v", err)
	}
	defer client.Close()
	deadline := time.Duration(*timeout) * time.Millisecond
	put := func(key string) error {
		ctx, cancel := context.WithTimeout(context.Background(), deadline)
		defer cancel()
		_, err := client.Put(ctx, key, "v")
		return err
	}
	get := func(key string) error {
		ctx, cancel := context.WithTimeout(context.Background(), deadline)
		defer cancel()
		_, err := client.Get(ctx, key)
		return err
	}
	if err := put(*key); err != nil {
		fail("%v", err)
	}
	var l load
	var group sync.WaitGroup
	work := func(kind int, call func(string) error, key string) {
		defer group.Done()
		for !l.stopped() {
			start := time.Now()
			l.account(kind, start, call(key))
			time.Sleep(pause)
		}
	}
	group.Add(*readers + *writers)
	for range *readers {
		go work(reads, get, *key)
	}
	for number := range *writers {
		go work(writes, put, fmt.Sprintf("%s/%d", *key, number))
	}
	for begin := time.Now(); !l.warm(); time.Sleep(time.Millisecond) {
		if time.Since(begin) > 10*time.Second {
			fail("too few calls succeeded in 10 s: %s%s", l.of[reads].firstError, l.of[writes].firstError)
		}
	}
	l.count(true)
	fmt.Println("ready")
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		fail("%v", err)
	}
	l.count(false)
	group.Wait()
	r, w := &l.of[reads], &l.of[writes]
	out := map[string]any{
		"gap_ms": milliseconds(l.allGap),
		"reads":  r.ok, "read_errors": r.errors, "read_gap_ms": milliseconds(r.gap),
		"read_slowest_ms": milliseconds(r.slowest), "read_error": r.firstError,
		"writes": w.ok, "write_errors": w.errors, "write_gap_ms": milliseconds(w.gap),
		"write_slowest_ms": milliseconds(w.slowest), "write_error": w.firstError,
	}
	if err := json.NewEncoder(os.Stdout).Encode(out); err != nil {
		fail("%v", err)
	}
}
