// Benchmark peer: Go clientv3 keeping many leases alive. The same script as lease.c.
package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

const openers = 16

func fail(err error) {
	fmt.Fprintln(os.Stderr, "lease:", err)
	os.Exit(2)
}

func cpu() float64 {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		fail(err)
	}
	return float64(used.Utime.Nano()+used.Stime.Nano()) / 1e9
}

func main() {
	endpoint := flag.String("endpoint", "", "host:port")
	leases := flag.Int("leases", 10000, "how many")
	ttl := flag.Int64("ttl", 10, "seconds")
	seconds := flag.Int("seconds", 300, "how long")
	flag.Parse()
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{*endpoint}, DialTimeout: 5 * time.Second})
	if err != nil {
		fail(err)
	}
	var lost, next atomic.Int64
	var group sync.WaitGroup
	began := time.Now()
	for i := 0; i < openers; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			for next.Add(1) <= int64(*leases) {
				lease, err := client.Grant(context.Background(), *ttl)
				if err != nil {
					fail(err)
				}
				answers, err := client.KeepAlive(context.Background(), lease.ID)
				if err != nil {
					fail(err)
				}
				go func() {
					for range answers {
					}
					lost.Add(1)
				}()
			}
		}()
	}
	group.Wait()
	opened := time.Now()
	before := cpu()
	time.Sleep(time.Duration(*seconds) * time.Second)
	held := time.Since(opened).Seconds()
	used := cpu() - before
	fmt.Printf("{\"leases\":%d,\"held_s\":%.1f,\"open_s\":%.2f,\"lost\":%d,\"at_risk\":0,\"client_cpu_percent\":%.2f}\n",
		*leases, held, opened.Sub(began).Seconds(), lost.Load(), 100*used/held)
	bufio.NewReader(os.Stdin).ReadByte()
}
