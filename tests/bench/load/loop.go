package main

import (
	"bytes"
	"fmt"
	"net"
	"strings"
	"syscall"
	"time"
)

const (
	numberMark = "{n}"
	numberRoom = "000000000000"
)

// loop owns the busy clients. Times are kept per status, in microseconds.
type loop struct {
	options *options
	target  syscall.SockaddrInet4
	request []byte
	number  int // where a request's number stands in it; -1: nowhere
	epoll   int
	clients map[int32]*client
	paused  []*client // in the order in which they go on: the pause is the same for all

	begin, end, last time.Time
	begun, underWay  int
	times            map[int][]uint32
	broken           int
	firstFault       string
}

func newLoop(o *options, target *net.TCPAddr, request []byte) (*loop, error) {
	epoll, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	l := &loop{options: o, target: socketAddress(target), request: request, number: numberAt(o, request), epoll: epoll,
		clients: map[int32]*client{}, times: map[int][]uint32{}}
	for i := 0; i < o.clients; i++ {
		c := &client{request: request}
		if l.number >= 0 {
			c.request = append([]byte(nil), request...)
		}
		if err := l.connect(c); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// numberAt: only a line that was asked for has a number.
func numberAt(o *options, request []byte) int {
	for _, line := range o.headers {
		if strings.Contains(line, numberMark) {
			return bytes.Index(request, []byte(numberRoom))
		}
	}
	return -1
}

func (l *loop) run() error {
	l.begin = time.Now()
	l.last = l.begin
	l.end = l.begin.Add(l.options.duration)
	all := make([]*client, 0, len(l.clients))
	for _, c := range l.clients {
		all = append(all, c)
	}
	for _, c := range all {
		l.start(c)
	}
	events := make([]syscall.EpollEvent, 512)
	for l.underWay > 0 || len(l.paused) > 0 {
		n, err := syscall.EpollWait(l.epoll, events, l.wait())
		if err != nil && err != syscall.EINTR {
			return err
		}
		for i := 0; i < n; i++ {
			if c := l.clients[events[i].Fd]; c != nil {
				l.event(c, events[i].Events)
			}
		}
		l.resume()
		if l.underWay > 0 && time.Since(l.end) > l.options.timeout {
			return fmt.Errorf("%d requests were not answered in %v", l.underWay, l.options.timeout)
		}
	}
	return nil
}

// wait is the timeout for epoll in ms.
func (l *loop) wait() int {
	if len(l.paused) == 0 {
		return 1000
	}
	ms := int(time.Until(l.paused[0].resumes)/time.Millisecond) + 1
	if ms < 0 {
		return 0
	}
	return ms
}

func (l *loop) resume() {
	now := time.Now()
	for len(l.paused) > 0 && !now.Before(l.paused[0].resumes) {
		c := l.paused[0]
		l.paused = l.paused[1:]
		l.start(c)
	}
}

// start begins a request, unless it is time to end.
func (l *loop) start(c *client) {
	now := time.Now()
	if now.After(l.end) || (l.options.count > 0 && l.begun >= l.options.count) {
		return
	}
	if c.closed {
		if err := l.connect(c); err != nil {
			l.fault("connect: %v", err)
			return
		}
	}
	if l.number >= 0 {
		copy(c.request[l.number:], fmt.Sprintf("%0*d", len(numberRoom), l.begun))
	}
	l.begun++
	l.underWay++
	c.busy, c.since, c.written = true, now, 0
	c.answer.reset()
	l.write(c)
}

func (l *loop) event(c *client, events uint32) {
	if events&syscall.EPOLLOUT != 0 && c.busy {
		l.write(c)
	}
	if events&(syscall.EPOLLIN|syscall.EPOLLHUP|syscall.EPOLLERR) != 0 && !c.closed {
		l.read(c)
	}
}

func (l *loop) write(c *client) {
	for c.written < len(c.request) {
		n, err := write(c.fd, c.request[c.written:])
		if err == syscall.EAGAIN {
			l.watch(c, true)
			return
		}
		if err == syscall.EPIPE || err == syscall.ECONNRESET {
			l.watch(c, false) // an early answer may be there to be read
			return
		}
		if err != nil {
			l.lost(c, err)
			return
		}
		c.written += n
	}
	l.watch(c, false)
}

func (l *loop) read(c *client) {
	for {
		n, err := read(c.fd, c.answer.space())
		if err == syscall.EAGAIN {
			return
		}
		if err != nil || n == 0 {
			l.lost(c, err)
			return
		}
		whole, fault := c.answer.take(n)
		if fault != nil {
			l.lost(c, fault)
			return
		}
		if whole {
			l.answered(c)
			return
		}
	}
}

func (l *loop) answered(c *client) {
	if !c.busy {
		l.lost(c, fmt.Errorf("an answer to no request"))
		return
	}
	now := time.Now()
	l.times[c.answer.status] = append(l.times[c.answer.status], uint32(now.Sub(c.since)/time.Microsecond))
	l.last = now
	l.underWay--
	c.busy = false
	if c.answer.status != 200 && l.firstFault == "" {
		l.fault("%s", c.answer.text())
	}
	if c.answer.closes || c.written < len(c.request) {
		l.disconnect(c)
	}
	if c.answer.status != 200 && l.options.backoff > 0 {
		c.resumes = now.Add(l.options.backoff)
		l.paused = append(l.paused, c)
		return
	}
	l.start(c)
}

// lost: the connection ended. Between two requests that is the server's right.
func (l *loop) lost(c *client, err error) {
	l.disconnect(c)
	if !c.busy {
		return
	}
	l.broken++
	l.underWay--
	l.last = time.Now()
	c.busy = false
	l.fault("connection lost: %v", err)
	if l.broken < 1000 {
		l.start(c)
	}
}

func (l *loop) fault(format string, arguments ...any) {
	if l.firstFault == "" {
		l.firstFault = fmt.Sprintf(format, arguments...)
	}
}
