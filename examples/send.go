// Sends a mail with an attachment through Postern.
//
//	go run send.go [-queue] FILE TO...
//
// POSTERN_URL says where Postern is, POSTERN_API_KEY who asks. The exit status is 0 if the mail was sent (with -queue:
// is kept, and will be) to everyone.
package main

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

const (
	attempts = 5
	timeout  = 90 * time.Second // more than Postern gives a relay (POSTERN_TIMEOUT)
)

type message struct {
	From        string       `json:"from"`
	To          []string     `json:"to"`
	Subject     string       `json:"subject"`
	HTML        string       `json:"html"`
	Text        string       `json:"text"`
	Attachments []attachment `json:"attachments"`
}

type attachment struct {
	Filename string `json:"filename"`
	Content  []byte `json:"content"` // encoding/json writes bytes in base64
}

// What Postern answers: of a message, or a problem (RFC 9457).
type answer struct {
	Status     int           `json:"-"` // of HTTP; 0: nothing of Postern's came
	RetryAfter time.Duration `json:"-"`

	ID         string     `json:"id"`
	Relay      string     `json:"relay"`
	SMTP       *reply     `json:"smtp"`
	Rejected   []rejected `json:"rejected"`
	Suppressed []string   `json:"suppressed"` // of 202: addresses that are known to be gone

	Title     string  `json:"title"`
	Detail    string  `json:"detail"`
	Errors    []fault `json:"errors"`
	Hint      string  `json:"hint"`
	Retryable bool    `json:"retryable"`
	Outcome   string  `json:"outcome"`
}

type reply struct {
	Code     int    `json:"code"`
	Enhanced string `json:"enhanced"`
	Message  string `json:"message"`
}

type rejected struct {
	Email string `json:"email"`
	SMTP  *reply `json:"smtp"`
	Code  string `json:"code"` // where there is no reply
}

type fault struct {
	Pointer string `json:"pointer"`
	Detail  string `json:"detail"`
}

func (r *reply) String() string { return fmt.Sprintf("%d %s %s", r.Code, r.Enhanced, r.Message) }

var client = http.Client{Timeout: timeout}

// One request.
func attempt(path string, body []byte, key string) answer {
	nothing := func(why error) answer {
		return answer{Title: "No answer", Detail: why.Error(), Retryable: true, Outcome: "unknown"}
	}
	url := os.Getenv("POSTERN_URL")
	if url == "" {
		url = "http://127.0.0.1:8025"
	}
	request, err := http.NewRequest("POST", url+path, bytes.NewReader(body))
	if err != nil {
		return nothing(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Idempotency-Key", strconv.Quote(key))
	if apiKey := os.Getenv("POSTERN_API_KEY"); apiKey != "" {
		request.Header.Set("Authorization", "Bearer "+apiKey)
	}
	response, err := client.Do(request)
	if err != nil {
		return nothing(err)
	}
	defer response.Body.Close()
	var a answer
	if err := json.NewDecoder(response.Body).Decode(&a); err != nil { // a proxy's
		return nothing(err)
	}
	seconds, _ := strconv.Atoi(response.Header.Get("Retry-After"))
	a.Status, a.RetryAfter = response.StatusCode, time.Duration(seconds)*time.Second
	return a
}

// The answer, when there is one that another attempt wouldn't change.
func post(path string, m message) answer {
	body, err := json.Marshal(m)
	if err != nil {
		panic(err) // of these types it can't be
	}
	// By its key Postern knows a mail that comes again, and sends it once. Better than chance is what the mail is about
	// ("order-1234-thanks"): then it is sent once if this program is started again, too.
	random := make([]byte, 16)
	if _, err := rand.Read(random); err != nil {
		panic(err)
	}
	key := fmt.Sprintf("%x", random)
	for n, backoff := 1, time.Second; ; n, backoff = n+1, 2*backoff {
		a := attempt(path, body, key)
		if a.Status == 200 || a.Status == 202 || a.Status == 207 {
			return a
		}
		a.tell()
		if !a.Retryable || n == attempts {
			return a
		}
		wait := backoff
		if a.RetryAfter > wait {
			wait = a.RetryAfter
		}
		fmt.Fprintf(os.Stderr, "  The next attempt is in %v.\n", wait)
		time.Sleep(wait)
	}
}

// What went wrong.
func (a answer) tell() {
	fmt.Fprintf(os.Stderr, "%d %s: %s\n", a.Status, a.Title, a.Detail)
	for _, one := range a.Errors { // every fault of the request, and where it is
		fmt.Fprintf(os.Stderr, "  %s: %s\n", one.Pointer, one.Detail)
	}
	if a.SMTP != nil {
		fmt.Fprintf(os.Stderr, "  The relay said: %v\n", a.SMTP)
	}
	if a.Hint != "" {
		fmt.Fprintf(os.Stderr, "  %s\n", a.Hint)
	}
	if a.Outcome == "unknown" {
		fmt.Fprintln(os.Stderr, "  It may have been sent all the same.")
	}
}

func main() {
	queue := flag.Bool("queue", false, "hand it to the queue, which tries until it is delivered")
	flag.Parse()
	if flag.NArg() < 2 {
		fmt.Fprintln(os.Stderr, "usage: go run send.go [-queue] FILE TO...")
		os.Exit(1)
	}
	content, err := os.ReadFile(flag.Arg(0))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	path := "/v1/send"
	if *queue {
		path = "/v1/messages"
	}
	a := post(path, message{
		From:        "Shop <shop@example.com>",
		To:          flag.Args()[1:],
		Subject:     "您的订单 №1234",
		HTML:        "<p>谢谢您的订单。</p>",
		Text:        "谢谢您的订单。",
		Attachments: []attachment{{filepath.Base(flag.Arg(0)), content}},
	})
	switch a.Status {
	case 202:
		fmt.Printf("Kept as %s: GET /v1/messages/%s says what becomes of it.\n", a.ID, a.ID)
	case 200, 207:
		fmt.Printf("Sent by relay %s: %v\n", a.Relay, a.SMTP)
	}
	leftOut := a.Suppressed
	for _, one := range a.Rejected {
		if one.SMTP != nil {
			leftOut = append(leftOut, fmt.Sprintf("%s: %v", one.Email, one.SMTP))
		} else {
			leftOut = append(leftOut, one.Email+": "+one.Code)
		}
	}
	for _, one := range leftOut {
		fmt.Fprintln(os.Stderr, "  not to", one)
	}
	if len(leftOut) > 0 || a.Status != 200 && a.Status != 202 {
		os.Exit(1)
	}
}
