module example/ops

go 1.19
