package main

import (
	"io"
	"net"
	"time"
)

// A piece of the stream, and when it arrives.
type piece struct {
	data []byte
	at   time.Time
}

// distantConn is a connection over a long way: all that goes through is delayed, nothing else. The TCP handshake is
// not, and neither is there a limit of bandwidth.
type distantConn struct {
	net.Conn
	way      time.Duration
	incoming chan piece
	outgoing chan piece
	unread   []byte
}

func distant(connection net.Conn, way time.Duration) net.Conn {
	d := &distantConn{Conn: connection, way: way, incoming: make(chan piece, 4096), outgoing: make(chan piece, 4096)}
	go d.receive()
	go d.transmit()
	return d
}

func (d *distantConn) receive() {
	defer close(d.incoming)
	for {
		buffer := make([]byte, 16<<10)
		n, err := d.Conn.Read(buffer)
		if n > 0 {
			d.incoming <- piece{buffer[:n], time.Now().Add(d.way)}
		}
		if err != nil {
			return
		}
	}
}

func (d *distantConn) transmit() {
	for p := range d.outgoing {
		time.Sleep(time.Until(p.at))
		if _, err := d.Conn.Write(p.data); err != nil {
			break
		}
	}
	d.Conn.Close()
	for range d.outgoing { // nobody may be left waiting
	}
}

func (d *distantConn) Read(b []byte) (int, error) {
	if len(d.unread) == 0 {
		p, more := <-d.incoming
		if !more {
			return 0, io.EOF
		}
		time.Sleep(time.Until(p.at))
		d.unread = p.data
	}
	n := copy(b, d.unread)
	d.unread = d.unread[n:]
	return n, nil
}

func (d *distantConn) Write(b []byte) (int, error) {
	d.outgoing <- piece{append([]byte(nil), b...), time.Now().Add(d.way)}
	return len(b), nil
}

// Close lets what was written arrive; then the connection is closed, which ends receive().
func (d *distantConn) Close() error {
	close(d.outgoing)
	go func() {
		for range d.incoming {
		}
	}()
	return nil
}
