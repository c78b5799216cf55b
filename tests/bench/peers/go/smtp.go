package main

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/smtp"
	"os"
	"time"
)

// target is the relay and how to log in there.
type target struct {
	address string
	host    string
	auth    smtp.Auth
	tls     *tls.Config
}

func newTarget(address, user, password, ca string) (*target, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	t := &target{address: address, host: host}
	if user != "" {
		t.auth = smtp.PlainAuth("", user, password, host)
	}
	if ca != "" {
		pem, err := os.ReadFile(ca)
		if err != nil {
			return nil, err
		}
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(pem)
		t.tls = &tls.Config{ServerName: host, RootCAs: roots, ClientSessionCache: tls.NewLRUClientSessionCache(64)}
	}
	return t, nil
}

// sendMail is one session per mail. smtp.SendMail can't be given a CA: with one, its steps are done here.
func (t *target) sendMail(from string, to []string, message []byte) error {
	if t.tls == nil {
		return smtp.SendMail(t.address, t.auth, from, to, message)
	}
	client, err := t.open()
	if err != nil {
		return err
	}
	defer client.Close()
	if err := transact(client, from, to, message); err != nil {
		return err
	}
	return client.Quit()
}

// open gives a session up to and with AUTH.
func (t *target) open() (*smtp.Client, error) {
	connection, err := net.DialTimeout("tcp", t.address, 30*time.Second)
	if err != nil {
		return nil, err
	}
	client, err := smtp.NewClient(connection, t.host)
	if err != nil {
		connection.Close()
		return nil, err
	}
	if t.tls != nil {
		err = client.StartTLS(t.tls)
	}
	if err == nil && t.auth != nil {
		err = client.Auth(t.auth)
	}
	if err != nil {
		client.Close()
		return nil, err
	}
	return client, nil
}

func transact(client *smtp.Client, from string, to []string, message []byte) error {
	if err := client.Mail(from); err != nil {
		return err
	}
	return rest(client, to, message)
}

// pool keeps sessions: a token for each that may be open, nil until it is.
type pool struct {
	target   *target
	sessions chan *smtp.Client
}

func newPool(t *target, size int) *pool {
	p := &pool{target: t, sessions: make(chan *smtp.Client, size)}
	for i := 0; i < size; i++ {
		p.sessions <- nil
	}
	return p
}

// send uses a kept session; where the relay has closed it meanwhile, a new one.
func (p *pool) send(from string, to []string, message []byte) error {
	client := <-p.sessions
	if client != nil {
		if err := client.Mail(from); err == nil {
			return p.finish(client, rest(client, to, message))
		}
		client.Close()
	}
	client, err := p.target.open()
	if err != nil {
		p.sessions <- nil
		return err
	}
	return p.finish(client, transact(client, from, to, message))
}

// rest is what follows an accepted MAIL.
func rest(client *smtp.Client, to []string, message []byte) error {
	for _, recipient := range to {
		if err := client.Rcpt(recipient); err != nil {
			return err
		}
	}
	w, err := client.Data()
	if err != nil {
		return err
	}
	if _, err := w.Write(message); err != nil {
		return err
	}
	return w.Close()
}

// finish gives the session back, cleared with RSET where the transaction failed.
func (p *pool) finish(client *smtp.Client, err error) error {
	if err != nil && client.Reset() != nil {
		client.Close()
		client = nil
	}
	p.sessions <- client
	return err
}
