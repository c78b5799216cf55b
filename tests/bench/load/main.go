// Load for an HTTP server: clients on keep-alive connections, each posting the same body again and again. One thread
// around epoll, so that it takes little from what it measures. It ends after -n requests or -d, whichever is first;
// what is under way then is waited for and counted. Prints one line of JSON.
//
// -header adds a line to each request, and may be repeated; a {n} in one becomes a number of 12 digits that is another for
// each request. Where none says otherwise, the body is JSON.
//
// With -idle N it only opens N connections and keeps them: prints "ready" when they are there, and at SIGTERM how many
// the server has closed meanwhile.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"net"
	"os"
	"sort"
	"strings"
	"time"
)

type options struct {
	address  string
	path     string
	body     string
	clients  int
	idle     int
	count    int
	duration time.Duration
	timeout  time.Duration
	backoff  time.Duration
	headers  lines
}

// lines are the values of a flag that may be repeated.
type lines []string

func (l *lines) String() string { return strings.Join(*l, ", ") }

func (l *lines) Set(value string) error {
	*l = append(*l, value)
	return nil
}

func main() {
	var o options
	flag.StringVar(&o.address, "to", "127.0.0.1:8025", "host:port")
	flag.StringVar(&o.path, "path", "/v1/send", "what is posted to")
	flag.StringVar(&o.body, "body", "", "file with the request's body")
	flag.IntVar(&o.clients, "c", 64, "busy clients")
	flag.IntVar(&o.idle, "idle", 0, "only keep so many connections, each after one GET /healthz")
	flag.IntVar(&o.count, "n", 0, "requests; 0: as many as the time allows")
	flag.DurationVar(&o.duration, "d", 10*time.Second, "time in which requests are begun")
	flag.DurationVar(&o.timeout, "timeout", 120*time.Second, "time to wait for what is under way at the end")
	flag.Var(&o.headers, "header", "a line such as \"X-Id: {n}\" of each request")
	flag.DurationVar(&o.backoff, "backoff", 0, "a client's pause after an answer that is not 200")
	flag.Parse()
	if err := run(&o); err != nil {
		log.Fatal(err)
	}
}

func run(o *options) error {
	target, err := net.ResolveTCPAddr("tcp4", o.address)
	if err != nil {
		return err
	}
	if o.idle > 0 {
		return keepIdle(target, o.idle)
	}
	body, err := os.ReadFile(o.body)
	if err != nil {
		return err
	}
	l, err := newLoop(o, target, request(o, body))
	if err != nil {
		return err
	}
	if err := l.run(); err != nil {
		return err
	}
	out, err := json.Marshal(l.result())
	if err == nil {
		fmt.Println(string(out))
	}
	return err
}

func request(o *options, body []byte) []byte {
	head := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n", o.path, o.address, len(body))
	typed := false
	for _, line := range o.headers {
		head += strings.Replace(line, numberMark, numberRoom, 1) + "\r\n"
		typed = typed || strings.HasPrefix(line, "Content-Type:")
	}
	if !typed {
		head += "Content-Type: application/json\r\n"
	}
	return append([]byte(head+"\r\n"), body...)
}

type perStatus struct {
	Count int     `json:"count"`
	P50   float64 `json:"p50_ms"`
	P99   float64 `json:"p99_ms"`
}

type result struct {
	Seconds    float64              `json:"seconds"`
	Statuses   map[string]perStatus `json:"statuses"`
	Broken     int                  `json:"broken"` // requests whose connection ended before the answer
	FirstFault string               `json:"first_fault,omitempty"`
}

func (l *loop) result() result {
	r := result{Seconds: l.last.Sub(l.begin).Seconds(), Statuses: map[string]perStatus{}, Broken: l.broken,
		FirstFault: l.firstFault}
	for status, times := range l.times {
		sort.Slice(times, func(i, j int) bool { return times[i] < times[j] })
		r.Statuses[fmt.Sprint(status)] = perStatus{len(times), percentile(times, 50), percentile(times, 99)}
	}
	return r
}

// percentile of sorted microseconds, in ms.
func percentile(times []uint32, p int) float64 {
	index := len(times) * p / 100
	if index == len(times) {
		index--
	}
	return float64(times[index]) / 1000
}
