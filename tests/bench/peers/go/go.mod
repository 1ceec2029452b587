module bench/peer

go 1.25

require go.etcd.io/etcd/client/v3 v3.7.3
