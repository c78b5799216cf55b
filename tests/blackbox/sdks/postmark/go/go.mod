module postern-test-postmark

go 1.18

require github.com/mrz1836/postmark v1.7.4
