// A relay for measuring: takes every mail and keeps nothing. Beside what Postfix's smtp-sink can, it has STARTTLS and
// AUTH, ends sessions after some mails, answers late, is a long way off, or says nothing at all. At the end (SIGTERM)
// it prints what it got, as JSON.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"net"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"
)

type options struct {
	listen    string
	cert      string
	perMail   time.Duration
	trip      time.Duration
	mails     int
	dump      string
	blackhole bool
}

// count is what was received, over all sessions.
type count struct {
	sessions, logins, mails, recipients, octets atomic.Int64
}

func main() {
	var o options
	flag.StringVar(&o.listen, "listen", "127.0.0.1:2525", "address")
	flag.StringVar(&o.cert, "tls", "", "demand STARTTLS and AUTH; write the certificate to this file")
	flag.DurationVar(&o.perMail, "work", 0, "time a mail takes until it is accepted")
	flag.DurationVar(&o.trip, "trip", 0, "round trip: what comes is read half of it later, replies are sent half of it later")
	flag.IntVar(&o.mails, "mails", 0, "close the session after so many mails; 0: never")
	flag.StringVar(&o.dump, "dump", "", "folder to write the mails to")
	flag.BoolVar(&o.blackhole, "blackhole", false, "accept connections and say nothing")
	flag.Parse()
	if err := run(&o); err != nil {
		log.Fatal(err)
	}
}

func run(o *options) error {
	s := &server{options: o}
	if o.cert != "" {
		config, err := selfSigned(o.cert)
		if err != nil {
			return err
		}
		s.tls = config
	}
	listener, err := net.Listen("tcp", o.listen)
	if err != nil {
		return err
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	go s.serve(listener)
	<-stop
	return s.report()
}

func (s *server) serve(listener net.Listener) {
	for {
		connection, err := listener.Accept()
		if err != nil {
			log.Print(err)
			time.Sleep(10 * time.Millisecond)
			continue
		}
		s.count.sessions.Add(1)
		if s.options.blackhole {
			continue // open, and never read
		}
		if s.options.trip > 0 {
			connection = distant(connection, s.options.trip/2)
		}
		go s.session(connection)
	}
}

func (s *server) report() error {
	out, err := json.Marshal(map[string]int64{
		"sessions":   s.count.sessions.Load(),
		"logins":     s.count.logins.Load(),
		"mails":      s.count.mails.Load(),
		"recipients": s.count.recipients.Load(),
		"octets":     s.count.octets.Load(),
	})
	if err == nil {
		_, err = fmt.Println(string(out))
	}
	return err
}
