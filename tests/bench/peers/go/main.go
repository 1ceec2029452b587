// Benchmark peer: Go clientv3. One client (one connection), as many goroutines as ops in flight.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

type report struct {
	OpsPerS     float64 `json:"ops_per_s"`
	P50us       float64 `json:"p50_us"`
	P99us       float64 `json:"p99_us"`
	ClientCPUus float64 `json:"client_cpu_us"`
	Errors      int64   `json:"errors"`
	Error       string  `json:"error,omitempty"`
}

func cpuMicroseconds() float64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return float64(usage.Utime.Sec+usage.Stime.Sec)*1e6 + float64(usage.Utime.Usec+usage.Stime.Usec)
}

// rank is the nearest-rank percentile of sorted latencies, in microseconds.
func rank(sorted []int64, percent int) float64 {
	if len(sorted) == 0 {
		return 0
	}
	return float64(sorted[max((len(sorted)*percent+99)/100, 1)-1]) / 1e3
}

func fail(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "go peer: "+format+"\n", args...)
	os.Exit(2)
}

func main() {
	endpoint := flag.String("endpoint", "127.0.0.1:2379", "host:port of etcd")
	verb := flag.String("verb", "put", "put or get")
	mode := flag.String("mode", "async", "async or sync: both are goroutines here")
	inFlight := flag.Int("n", 1, "goroutines")
	size := flag.Int("size", 3, "bytes of the value")
	ops := flag.Int64("ops", 1000, "operations to measure")
	warm := flag.Int64("warmup", 0, "operations before measuring")
	key := flag.String("key", "", "the key")
	flag.Parse()
	if (*verb != "put" && *verb != "get") || (*mode != "async" && *mode != "sync") ||
		*inFlight < 1 || *size < 0 || *ops < 1 || *warm < 0 || *key == "" {
		fail("bad arguments; see --help")
	}
	client, err := clientv3.New(clientv3.Config{
		Endpoints: []string{*endpoint}, DialTimeout: 5 * time.Second,
	})
	if err != nil {
		fail("%v", err)
	}
	defer client.Close()
	value := string(bytes.Repeat([]byte("v"), *size))

	var errors atomic.Int64
	var firstError atomic.Pointer[string]
	one := func(ctx context.Context) {
		var err error
		if *verb == "put" {
			_, err = client.Put(ctx, *key, value)
		} else {
			var response *clientv3.GetResponse
			response, err = client.Get(ctx, *key)
			if err == nil && (len(response.Kvs) != 1 || len(response.Kvs[0].Value) != *size) {
				err = fmt.Errorf("the answer is not the one value of %d bytes", *size)
			}
		}
		if err != nil {
			text := err.Error()
			errors.Add(1)
			firstError.CompareAndSwap(nil, &text)
		}
	}
	run := func(total int64) []int64 {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
		defer cancel()
		var left atomic.Int64
		var group sync.WaitGroup
		left.Store(total)
		latencies := make([][]int64, *inFlight)
		for worker := range *inFlight {
			latencies[worker] = make([]int64, 0, total/int64(*inFlight)+64)
			group.Add(1)
			go func() {
				defer group.Done()
				for left.Add(-1) >= 0 {
					start := time.Now()
					one(ctx)
					latencies[worker] = append(latencies[worker], time.Since(start).Nanoseconds())
				}
			}()
		}
		group.Wait()
		return slices.Concat(latencies...)
	}

	run(*warm)
	cpu := cpuMicroseconds()
	start := time.Now()
	latencies := run(*ops)
	elapsed := time.Since(start).Seconds()
	cpu = cpuMicroseconds() - cpu
	slices.Sort(latencies)
	out := report{
		OpsPerS: float64(*ops) / elapsed, P50us: rank(latencies, 50), P99us: rank(latencies, 99),
		ClientCPUus: cpu / float64(*ops), Errors: errors.Load(),
	}
	if text := firstError.Load(); text != nil {
		out.Error = *text
	}
	if err := json.NewEncoder(os.Stdout).Encode(out); err != nil {
		fail("%v", err)
	}
}
