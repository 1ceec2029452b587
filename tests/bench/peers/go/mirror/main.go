// Benchmark peer: all keys of a prefix into a map by Go's clientv3/mirror. The same as the case "open" of mirror.c.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/mirror"
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "mirror:", err)
		os.Exit(2)
	}
}

func main() {
	endpoint := flag.String("endpoint", "127.0.0.1:2379", "host:port of etcd")
	prefix := flag.String("prefix", "bench/mirror/", "of the keys")
	keys := flag.Int("keys", 100000, "how many there are")
	flag.Parse()
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{*endpoint}, DialTimeout: 5 * time.Second})
	check(err)
	defer client.Close()
	began := time.Now()
	content := map[string]*mvccpb.KeyValue{}
	pages, errs := mirror.NewSyncer(client, *prefix, 0).SyncBase(context.Background())
	for page := range pages {
		for _, kv := range page.Kvs {
			content[string(kv.Key)] = kv
		}
	}
	check(<-errs)
	took := time.Since(began)
	if len(content) != *keys {
		check(fmt.Errorf("%d keys, not %d", len(content), *keys))
	}
	fmt.Printf("{\"open_s\":%.4f}\n", took.Seconds())
}
