// Benchmark peer: locks with Go's concurrency package, or by the server's lock service. The same script as lock.c.
package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"flag"
	"fmt"
	"os"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/concurrency"
	"google.golang.org/grpc"
)

const (
	inFlight = 64
	hold     = time.Millisecond
	keep     = 5 * time.Second // longer than a third of the TTL of many
)

var (
	which   = flag.String("case", "", "uncontended, handover or many; service or service-handover")
	name    = flag.String("name", "bench/lock", "of the lock")
	ops     = flag.Int("ops", 1000, "how many")
	warmup  = flag.Int("warmup", 50, "how many before these")
	waiters = flag.Int("waiters", 16, "of handover")
	ctx     = context.Background()
	client  *clientv3.Client
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "lock:", err)
		os.Exit(2)
	}
}

func cpu() float64 {
	var used syscall.Rusage
	check(syscall.Getrusage(syscall.RUSAGE_SELF, &used))
	return float64(used.Utime.Nano()+used.Stime.Nano()) / 1e9
}

func status(field string) int {
	text, err := os.ReadFile("/proc/self/status")
	check(err)
	for _, line := range strings.Split(string(text), "\n") {
		if words := strings.Fields(line); len(words) > 1 && words[0] == field {
			value, err := strconv.Atoi(words[1])
			check(err)
			return value
		}
	}
	return 0
}

func session(ttl int) *concurrency.Session {
	s, err := concurrency.NewSession(client, concurrency.WithTTL(ttl))
	check(err)
	return s
}

func percentile(sorted []time.Duration, percent int) float64 {
	rank := max((len(sorted)*percent+99)/100, 1)
	return float64(sorted[rank-1].Nanoseconds()) / 1e3
}

func figures(samples []time.Duration, took, used float64) {
	sort.Slice(samples, func(i, j int) bool { return samples[i] < samples[j] })
	fmt.Printf("{\"ops\":%d,\"ops_per_s\":%.1f,\"p50_us\":%.1f,\"p99_us\":%.1f,\"client_cpu_us\":%.2f}\n", len(samples),
		float64(len(samples))/took, percentile(samples, 50), percentile(samples, 99), 1e6*used/float64(len(samples)))
}

func uncontended(acquire, release func() error) {
	samples := make([]time.Duration, *warmup+*ops)
	var began time.Time
	var before float64
	for i := range samples {
		start := time.Now()
		if i == *warmup {
			began, before = start, cpu()
		}
		check(acquire())
		check(release())
		samples[i] = time.Since(start)
	}
	took := time.Since(began).Seconds()
	figures(samples[*warmup:], took, cpu()-before)
}

// ---- the server's lock service, whose messages have two fields --------------------------------------------------

type raw struct{}

func (raw) Name() string                    { return "proto" }
func (raw) Marshal(v any) ([]byte, error)   { return *v.(*[]byte), nil }
func (raw) Unmarshal(b []byte, v any) error { *v.(*[]byte) = append([]byte(nil), b...); return nil }

func bytesField(number byte, data string) []byte {
	return append(binary.AppendUvarint([]byte{number<<3 | 2}, uint64(len(data))), data...)
}

func ask(method string, message []byte) error {
	var answer []byte
	return client.ActiveConnection().Invoke(ctx, "/v3lockpb.Lock/"+method, &message, &answer, grpc.ForceCodec(raw{}))
}

func service(s *concurrency.Session) (acquire, release func() error) {
	lock := binary.AppendUvarint(append(bytesField(1, *name), 2<<3), uint64(s.Lease()))
	unlock := bytesField(1, fmt.Sprintf("%s/%x", *name, s.Lease()))
	return func() error { return ask("Lock", lock) }, func() error { return ask("Unlock", unlock) }
}

func mutex(s *concurrency.Session) (acquire, release func() error) {
	m := concurrency.NewMutex(s, *name)
	return func() error { return m.Lock(ctx) }, func() error { return m.Unlock(ctx) }
}

// ---- handed on, and very many -----------------------------------------------------------------------------------

func handover(open func(*concurrency.Session) (acquire, release func() error)) {
	samples := make([]time.Duration, *warmup+*ops)
	var group sync.WaitGroup
	var released time.Time
	done := -1 // the first one gets it from nobody
	began, before := time.Now(), cpu()
	for i := 0; i <= *waiters; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			s := session(60)
			acquire, release := open(s)
			for more := true; more; {
				check(acquire())
				now := time.Now()
				more = done < len(samples)
				if more && done >= 0 {
					samples[done] = now.Sub(released)
				}
				done++
				time.Sleep(hold)
				released = time.Now()
				check(release())
			}
			check(s.Close())
		}()
	}
	group.Wait()
	figures(samples[*warmup:], time.Since(began).Seconds(), cpu()-before)
}

func allOf(do func(i int)) float64 {
	var next atomic.Int64
	var group sync.WaitGroup
	began := time.Now()
	for i := 0; i < inFlight; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			for i := next.Add(1) - 1; i < int64(*ops); i = next.Add(1) - 1 {
				do(int(i))
			}
		}()
	}
	group.Wait()
	return time.Since(began).Seconds()
}

func many() {
	_, err := client.Get(ctx, "bench/ready")
	check(err)
	threads, rss := status("Threads:"), status("VmRSS:")
	s := session(10)
	locks := make([]*concurrency.Mutex, *ops)
	for i := range locks {
		locks[i] = concurrency.NewMutex(s, fmt.Sprintf("%s-%d", *name, i))
	}
	before := cpu()
	took := allOf(func(i int) { check(locks[i].Lock(ctx)) })
	time.Sleep(keep)
	fmt.Printf("{\"locks\":%d,\"held\":%d,\"acquire_s\":%.3f,\"threads_before\":%d,\"threads\":%d,\"rss_kib\":%d,"+
		"\"client_cpu_us\":%.2f}\n", *ops, *ops, took, threads, status("Threads:"), status("VmRSS:")-rss,
		1e6*(cpu()-before)/float64(*ops))
	_, _ = bufio.NewReader(os.Stdin).ReadByte()
	fmt.Printf("{\"release_s\":%.3f}\n", allOf(func(i int) { check(locks[i].Unlock(ctx)) }))
}

func main() {
	endpoint := flag.String("endpoint", "", "host:port")
	flag.Parse()
	var err error
	client, err = clientv3.New(clientv3.Config{Endpoints: []string{*endpoint}, DialTimeout: 5 * time.Second})
	check(err)
	switch *which {
	case "uncontended":
		uncontended(mutex(session(60)))
	case "handover":
		handover(mutex)
	case "service":
		uncontended(service(session(60)))
	case "service-handover":
		handover(service)
	case "many":
		many()
	default:
		flag.Usage()
		os.Exit(2)
	}
}
