package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

type server struct {
	options *options
	tls     *tls.Config
	count   count
}

// session is one connection. Replies are flushed when nothing more is there to be read, as pipelining wants.
type session struct {
	server     *server
	connection net.Conn
	in         *bufio.Reader
	out        *bufio.Writer
	secure     bool
	mails      int
	envelope   []string
}

var errQuit = errors.New("quit")

func (s *server) session(connection net.Conn) {
	c := &session{server: s}
	c.use(connection)
	c.reply("220 sink.example ESMTP\r\n")
	for {
		line, err := c.line()
		if err == nil {
			err = c.command(line)
		}
		if err != nil {
			break
		}
	}
	c.out.Flush()
	c.connection.Close()
}

func (c *session) use(connection net.Conn) {
	c.connection = connection
	c.in = bufio.NewReaderSize(connection, 64<<10)
	c.out = bufio.NewWriter(connection)
}

func (c *session) reply(text string) {
	c.out.WriteString(text)
}

// line flushes what was said before it waits.
func (c *session) line() (string, error) {
	if c.in.Buffered() == 0 {
		if err := c.out.Flush(); err != nil {
			return "", err
		}
	}
	line, err := c.in.ReadString('\n')
	return strings.TrimRight(line, "\r\n"), err
}

func (c *session) command(line string) error {
	verb := strings.ToUpper(line)
	if space := strings.IndexByte(verb, ' '); space >= 0 {
		verb = verb[:space]
	}
	switch verb {
	case "EHLO":
		c.ehlo()
	case "HELO", "NOOP":
		c.reply("250 2.0.0 Ok\r\n")
	case "RSET":
		c.envelope = c.envelope[:0]
		c.reply("250 2.0.0 Ok\r\n")
	case "STARTTLS":
		return c.startTLS()
	case "AUTH":
		return c.auth(line)
	case "MAIL":
		c.mail(line)
	case "RCPT":
		c.envelope = append(c.envelope, line)
		c.server.count.recipients.Add(1)
		c.reply("250 2.1.5 Ok\r\n")
	case "DATA":
		return c.data()
	case "QUIT":
		c.reply("221 2.0.0 Bye\r\n")
		return errQuit
	default:
		c.reply("502 5.5.1 Unknown command\r\n")
	}
	return nil
}

func (c *session) ehlo() {
	c.reply("250-sink.example\r\n250-PIPELINING\r\n250-SIZE 104857600\r\n250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n")
	switch {
	case c.server.tls == nil:
		c.reply("250 SMTPUTF8\r\n")
	case c.secure:
		c.reply("250 AUTH PLAIN\r\n")
	default:
		c.reply("250 STARTTLS\r\n")
	}
}

func (c *session) startTLS() error {
	if c.server.tls == nil || c.secure {
		c.reply("503 5.5.1 No STARTTLS now\r\n")
		return nil
	}
	c.reply("220 2.0.0 Go ahead\r\n")
	if err := c.out.Flush(); err != nil {
		return err
	}
	secured := tls.Server(c.connection, c.server.tls)
	if err := secured.Handshake(); err != nil {
		return err
	}
	c.secure = true
	c.use(secured)
	return nil
}

// auth takes any user and password, with the initial response or after a 334.
func (c *session) auth(line string) error {
	if len(strings.Fields(line)) < 3 {
		c.reply("334 \r\n")
		if _, err := c.line(); err != nil {
			return err
		}
	}
	c.server.count.logins.Add(1)
	c.reply("235 2.7.0 Ok\r\n")
	return nil
}

func (c *session) mail(line string) {
	if c.server.tls != nil && !c.secure {
		c.reply("530 5.7.0 STARTTLS first\r\n")
		return
	}
	c.envelope = append(c.envelope[:0], line)
	c.reply("250 2.1.0 Ok\r\n")
}

func (c *session) data() error {
	if len(c.envelope) < 2 {
		c.reply("503 5.5.1 MAIL and RCPT first\r\n")
		return nil
	}
	c.reply("354 Go on\r\n")
	if err := c.out.Flush(); err != nil {
		return err
	}
	var kept *bytes.Buffer
	if c.server.options.dump != "" {
		kept = &bytes.Buffer{}
	}
	size, err := c.body(kept)
	if err != nil {
		return err
	}
	if err := c.keep(kept); err != nil {
		return err
	}
	c.server.count.octets.Add(size)
	number := c.server.count.mails.Add(1)
	if c.server.options.perMail > 0 {
		time.Sleep(c.server.options.perMail)
	}
	c.reply(fmt.Sprintf("250 2.0.0 Ok: queued as %08X\r\n", number))
	c.envelope = c.envelope[:0]
	c.mails++
	if c.mails == c.server.options.mails {
		return errQuit
	}
	return nil
}

// body reads up to the line with only a dot. A line longer than the buffer comes in parts; only a first part counts.
func (c *session) body(kept *bytes.Buffer) (int64, error) {
	var size int64
	for first := true; ; {
		line, err := c.in.ReadSlice('\n')
		if err != nil && err != bufio.ErrBufferFull {
			return size, err
		}
		if first && len(line) == 3 && line[0] == '.' && line[1] == '\r' {
			return size, nil
		}
		if first && line[0] == '.' {
			line = line[1:]
		}
		size += int64(len(line))
		if kept != nil {
			kept.Write(line)
		}
		first = err == nil
	}
}

// keep writes a mail as NUMBER.eml, the envelope in front as X-Envelope lines.
func (c *session) keep(message *bytes.Buffer) error {
	if message == nil {
		return nil
	}
	name := filepath.Join(c.server.options.dump, fmt.Sprintf("%d.eml", time.Now().UnixNano()))
	head := ""
	for _, line := range c.envelope {
		head += "X-Envelope: " + line + "\r\n"
	}
	return os.WriteFile(name, append([]byte(head), message.Bytes()...), 0o600)
}
