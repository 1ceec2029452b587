// What Go's packages concurrency and naming/endpoints make of a name: a lock, a candidate, or one who looks who leads; an
// endpoint, or one who lists those that are there.
//
//	peer ENDPOINT lock NAME
//	peer ENDPOINT elect NAME VALUE
//	peer ENDPOINT observe NAME
//	peer ENDPOINT add TARGET ID ADDRESS METADATA
//	peer ENDPOINT list TARGET
//
// A lock, candidate or endpoint prints one line, "held KEY", as soon as it has what it wants; it lets go when its
// standard input ends, prints "gone" and ends. An observer prints what each leader proclaims, a list "KEY ADDRESS
// METADATA" for each endpoint, in the order of keys. METADATA is JSON.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/concurrency"
	"go.etcd.io/etcd/client/v3/naming/endpoints"
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "peer:", err)
		os.Exit(2)
	}
}

func untilInputEnds() {
	_, _ = io.Copy(io.Discard, os.Stdin)
}

func lock(ctx context.Context, session *concurrency.Session, name string) {
	mutex := concurrency.NewMutex(session, name)
	check(mutex.Lock(ctx))
	fmt.Println("held", mutex.Key())
	untilInputEnds()
	check(mutex.Unlock(ctx))
}

func elect(ctx context.Context, session *concurrency.Session, name, value string) {
	election := concurrency.NewElection(session, name)
	check(election.Campaign(ctx, value))
	fmt.Println("held", election.Key())
	untilInputEnds()
	check(election.Resign(ctx))
}

func observe(ctx context.Context, session *concurrency.Session, name string) {
	for answer := range concurrency.NewElection(session, name).Observe(ctx) {
		fmt.Println(string(answer.Kvs[0].Value))
	}
}

func add(ctx context.Context, session *concurrency.Session, target, id, address, metadata string) {
	manager, err := endpoints.NewManager(session.Client(), target)
	check(err)
	endpoint := endpoints.Endpoint{Addr: address}
	check(json.Unmarshal([]byte(metadata), &endpoint.Metadata))
	key := target + "/" + id
	check(manager.AddEndpoint(ctx, key, endpoint, clientv3.WithLease(session.Lease())))
	fmt.Println("held", key)
	untilInputEnds()
	check(manager.DeleteEndpoint(ctx, key))
}

func list(ctx context.Context, client *clientv3.Client, target string) {
	manager, err := endpoints.NewManager(client, target)
	check(err)
	found, err := manager.List(ctx)
	check(err)
	var lines []string
	for key, endpoint := range found {
		metadata, err := json.Marshal(endpoint.Metadata)
		check(err)
		lines = append(lines, fmt.Sprintf("%s %s %s", key, endpoint.Addr, metadata))
	}
	slices.Sort(lines)
	for _, line := range lines {
		fmt.Println(line)
	}
}

func main() {
	words := map[string]int{"lock": 4, "elect": 5, "observe": 4, "add": 7, "list": 4}
	if len(os.Args) < 3 || len(os.Args) != words[os.Args[2]] {
		fmt.Fprintln(os.Stderr, "usage: peer ENDPOINT lock NAME | elect NAME VALUE | observe NAME |"+
			" add TARGET ID ADDRESS METADATA | list TARGET")
		os.Exit(2)
	}
	ctx := context.Background()
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{os.Args[1]}, DialTimeout: 5 * time.Second})
	check(err)
	if os.Args[2] == "list" {
		list(ctx, client, os.Args[3])
		return
	}
	session, err := concurrency.NewSession(client, concurrency.WithTTL(10))
	check(err)
	switch os.Args[2] {
	case "lock":
		lock(ctx, session, os.Args[3])
	case "elect":
		elect(ctx, session, os.Args[3], os.Args[4])
	case "observe":
		observe(ctx, session, os.Args[3])
	case "add":
		add(ctx, session, os.Args[3], os.Args[4], os.Args[5], os.Args[6])
	}
	check(session.Close())
	fmt.Println("gone")
}
