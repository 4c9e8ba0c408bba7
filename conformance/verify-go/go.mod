module signet.example/verify

go 1.19
