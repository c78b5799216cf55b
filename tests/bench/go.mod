module postern/bench

go 1.19
