// What Go's concurrency package makes of a name: a lock, a candidate, or one who looks who leads.
//
//	peer ENDPOINT lock NAME
//	peer ENDPOINT elect NAME VALUE
//	peer ENDPOINT observe NAME
//
// A lock or candidate prints one line, "held KEY", as soon as it has what it wants; it lets go when its standard
// input ends, prints "gone" and ends. An observer prints what each leader proclaims.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/concurrency"
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

func main() {
	if len(os.Args) < 4 || (os.Args[2] == "elect") != (len(os.Args) == 5) {
		fmt.Fprintln(os.Stderr, "usage: peer ENDPOINT lock NAME | elect NAME VALUE | observe NAME")
		os.Exit(2)
	}
	ctx := context.Background()
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{os.Args[1]}, DialTimeout: 5 * time.Second})
	check(err)
	session, err := concurrency.NewSession(client, concurrency.WithTTL(10))
	check(err)
	switch os.Args[2] {
	case "lock":
		lock(ctx, session, os.Args[3])
	case "elect":
		elect(ctx, session, os.Args[3], os.Args[4])
	case "observe":
		observe(ctx, session, os.Args[3])
	}
	check(session.Close())
	fmt.Println("gone")
}
