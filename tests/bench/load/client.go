package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"
	"time"
)

type client struct {
	fd      int
	closed  bool
	writes  bool // whether epoll watches for room to write
	busy    bool
	since   time.Time
	written int
	resumes time.Time
	answer  answer
	request []byte // the loop's, or its own with a number in it
}

func socketAddress(a *net.TCPAddr) syscall.SockaddrInet4 {
	s := syscall.SockaddrInet4{Port: a.Port}
	copy(s.Addr[:], a.IP.To4())
	return s
}

// dial connects, waiting for it: on loopback that is done at once.
func dial(target *syscall.SockaddrInet4) (int, error) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	if err := syscall.Connect(fd, target); err != nil {
		syscall.Close(fd)
		if err == syscall.EINTR { // the runtime's own signals
			return dial(target)
		}
		return -1, err
	}
	syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1)
	return fd, nil
}

// read tries again where a signal of the runtime came between.
func read(fd int, buffer []byte) (int, error) {
	for {
		n, err := syscall.Read(fd, buffer)
		if err != syscall.EINTR {
			return n, err
		}
	}
}

// write is the same for the other direction.
func write(fd int, data []byte) (int, error) {
	for {
		n, err := syscall.Write(fd, data)
		if err != syscall.EINTR {
			return n, err
		}
	}
}

func (l *loop) connect(c *client) error {
	fd, err := dial(&l.target)
	if err != nil {
		return err
	}
	if err := syscall.SetNonblock(fd, true); err != nil {
		return err
	}
	c.fd, c.closed, c.writes = fd, false, false
	l.clients[int32(fd)] = c
	return syscall.EpollCtl(l.epoll, syscall.EPOLL_CTL_ADD, fd,
		&syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(fd)})
}

func (l *loop) disconnect(c *client) {
	if !c.closed {
		delete(l.clients, int32(c.fd))
		syscall.Close(c.fd)
		c.closed = true
	}
}

func (l *loop) watch(c *client, writes bool) {
	if c.writes == writes {
		return
	}
	c.writes = writes
	events := uint32(syscall.EPOLLIN)
	if writes {
		events |= syscall.EPOLLOUT
	}
	syscall.EpollCtl(l.epoll, syscall.EPOLL_CTL_MOD, c.fd, &syscall.EpollEvent{Events: events, Fd: int32(c.fd)})
}

const maxAnswer = 1 << 20

// answer is what has come of an HTTP answer with Content-Length.
type answer struct {
	buffer []byte
	length int
	whole  int // octets of head and body; 0: the head is not complete
	status int
	closes bool
}

func (a *answer) reset() {
	a.length, a.whole, a.status, a.closes = 0, 0, 0, false
}

func (a *answer) space() []byte {
	if len(a.buffer)-a.length < 2048 {
		a.buffer = append(a.buffer, make([]byte, 2048+len(a.buffer))...)
	}
	return a.buffer[a.length:]
}

// take says whether the answer is complete with the n octets read into space().
func (a *answer) take(n int) (bool, error) {
	a.length += n
	if a.whole == 0 {
		end := bytes.Index(a.buffer[:a.length], []byte("\r\n\r\n"))
		if end < 0 && a.length < maxAnswer {
			return false, nil
		}
		if end < 0 {
			return false, errors.New("an answer's head without end")
		}
		if err := a.head(a.buffer[:end+2]); err != nil {
			return false, err
		}
		a.whole += end + 4
	}
	if a.length > a.whole || a.whole > maxAnswer {
		return false, fmt.Errorf("%d octets where %d were announced", a.length, a.whole)
	}
	return a.length == a.whole, nil
}

func (a *answer) head(head []byte) error {
	if len(head) < 13 || !bytes.HasPrefix(head, []byte("HTTP/1.1 ")) {
		return errors.New("this is not HTTP/1.1")
	}
	status, err := strconv.Atoi(string(head[9:12]))
	if err != nil {
		return err
	}
	a.status = status
	length := member(head, "content-length")
	a.whole, err = strconv.Atoi(string(length))
	a.closes = bytes.EqualFold(member(head, "connection"), []byte("close"))
	return err
}

// member gives the value of a header whose name is written in lower case here.
func member(head []byte, name string) []byte {
	for len(head) > 0 {
		end := bytes.IndexByte(head, '\n')
		line := bytes.TrimRight(head[:end], "\r")
		head = head[end+1:]
		if len(line) > len(name) && line[len(name)] == ':' && bytes.EqualFold(line[:len(name)], []byte(name)) {
			return bytes.TrimSpace(line[len(name)+1:])
		}
	}
	return nil
}

func (a *answer) text() string {
	length := a.length
	if length > 1000 {
		length = 1000
	}
	return string(a.buffer[:length])
}
