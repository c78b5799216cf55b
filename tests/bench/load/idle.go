package main

import (
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"
)

const healthRequest = "GET /healthz HTTP/1.1\r\nHost: idle\r\n\r\n"

// keepIdle holds the connections until SIGTERM.
func keepIdle(target *net.TCPAddr, count int) error {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	fds, err := openIdle(target, count)
	if err != nil {
		return err
	}
	fmt.Println("ready")
	<-stop
	fmt.Printf("{\"closed\": %d}\n", countClosed(fds))
	return nil
}

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
		if _, err := write(fd, []byte(healthRequest)); err != nil {
			return nil, fmt.Errorf("idle connection %d: %w", i+1, err)
		}
		if n, err := read(fd, buffer); err != nil || n == 0 {
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
