module zk

go 1.26
