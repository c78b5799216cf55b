package main

import (
	"fmt"
	"net"
	"syscall"
)

const healthRequest = "GET /healthz HTTP/1.1\r\nHost: idle\r\n\r\n"

// openIdle makes connections that have asked once and then say nothing more.
func openIdle(target *net.TCPAddr, count int) ([]int, error) {
	address := socketAddress(target)
	fds := make([]int, 0, count)
	buffer := make([]byte, 4096)
	for i := 0; i < count; i++ {
		fd, err := dial(&address)
		if err != nil {
			return nil, fmt.Errorf("idle connection %d: %w", i+1, err)
		}
		syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &syscall.Timeval{Sec: 10})
		if _, err := syscall.Write(fd, []byte(healthRequest)); err != nil {
			return nil, fmt.Errorf("idle connection %d: %w", i+1, err)
		}
		if n, err := syscall.Read(fd, buffer); err != nil || n == 0 {
			return nil, fmt.Errorf("idle connection %d: no answer (%v)", i+1, err)
		}
		fds = append(fds, fd)
	}
	return fds, nil
}

// countClosed says how many the server has closed.
func countClosed(fds []int) int {
	closed := 0
	buffer := make([]byte, 1)
	for _, fd := range fds {
		n, _, err := syscall.Recvfrom(fd, buffer, syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		if err != syscall.EAGAIN && (err != nil || n == 0) {
			closed++
		}
	}
	return closed
}
