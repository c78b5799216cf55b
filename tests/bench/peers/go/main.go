// The Go peer: an HTTP-to-SMTP gateway as a team would write it with the standard library: net/http,
// encoding/json, mime/multipart, net/smtp. It takes the same request as Postern's /v1/send.
//
// It logs a line for each mail to stderr, as Postern does.
//
// With -pool N sessions to the relay are kept and reused; without, each mail is one smtp.SendMail, as most
// tutorials have it.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"log"
	"net/http"
	"os"
	"time"
)

const maxBody = 48 << 20

type deliver func(from string, to []string, message []byte) error

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "address to serve on")
	relay := flag.String("relay", "127.0.0.1:25", "the relay's host:port")
	user := flag.String("user", "", "login at the relay; none: no AUTH, no STARTTLS")
	ca := flag.String("ca", "", "PEM file of the CA to trust")
	pool := flag.Int("pool", 0, "sessions kept; 0: smtp.SendMail for each mail")
	quiet := flag.Bool("quiet", false, "logs no mails")
	flag.Parse()

	target, err := newTarget(*relay, *user, os.Getenv("RELAY_PASSWORD"), *ca)
	if err != nil {
		log.Fatal(err)
	}
	send := target.sendMail
	if *pool > 0 {
		send = newPool(target, *pool).send
	}
	http.Handle("/v1/send", handler(send, !*quiet))
	log.Fatal(http.ListenAndServe(*listen, nil))
}

func handler(send deliver, logs bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		begun := time.Now()
		if r.Method != http.MethodPost {
			answer(w, http.StatusMethodNotAllowed, map[string]string{"detail": "POST"})
			return
		}
		var mail Mail
		decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
		if err := decoder.Decode(&mail); err != nil {
			answer(w, http.StatusBadRequest, map[string]string{"detail": err.Error()})
			return
		}
		from, to, message, err := compose(&mail)
		if err != nil {
			answer(w, http.StatusUnprocessableEntity, map[string]string{"detail": err.Error()})
			return
		}
		if err := send(from, to, message); err != nil {
			log.Printf("not sent remote=%s recipients=%d error=%q", r.RemoteAddr, len(to), err)
			answer(w, http.StatusBadGateway, map[string]string{"detail": err.Error()})
			return
		}
		answer(w, http.StatusOK, map[string]any{"status": "sent", "accepted": to, "size": len(message)})
		if logs {
			log.Printf("sent remote=%s recipients=%d size=%d ms=%.3f", r.RemoteAddr, len(to), len(message),
				float64(time.Since(begun).Microseconds())/1000)
		}
	}
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(body); err != nil && !errors.Is(err, http.ErrBodyNotAllowed) {
		log.Print(err)
	}
}
