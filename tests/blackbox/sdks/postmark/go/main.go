// Sends mail with a Postmark client for Go; sdks.py runs it. As Node's, but for the names of the calls.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"os"

	"github.com/mrz1836/postmark"
)

type job struct {
	URL, Key, Call string
	Arguments      []json.RawMessage
}

func failure(err error) map[string]any {
	var refused postmark.APIError
	if errors.As(err, &refused) {
		return map[string]any{"failure": map[string]any{"code": refused.ErrorCode, "message": refused.Message}}
	}
	return map[string]any{"error": err.Error()}
}

// The struct's members have the wire's names.
func send(j job) (any, error) {
	client := postmark.NewClient(j.Key, "")
	client.BaseURL = j.URL
	given := j.Arguments[0]
	ctx := context.Background()
	switch j.Call {
	case "SendEmail":
		var mail postmark.Email
		if err := json.Unmarshal(given, &mail); err != nil {
			return nil, err
		}
		return client.SendEmail(ctx, mail)
	case "SendEmailBatch":
		var mails []postmark.Email
		if err := json.Unmarshal(given, &mails); err != nil {
			return nil, err
		}
		return client.SendEmailBatch(ctx, mails)
	case "SendTemplatedEmail":
		var mail postmark.TemplatedEmail
		if err := json.Unmarshal(given, &mail); err != nil {
			return nil, err
		}
		return client.SendTemplatedEmail(ctx, mail)
	case "SendTemplatedEmailBatch":
		var mails []postmark.TemplatedEmail
		if err := json.Unmarshal(given, &mails); err != nil {
			return nil, err
		}
		return client.SendTemplatedEmailBatch(ctx, mails)
	}
	return nil, errors.New("no such call")
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<28)
	out := json.NewEncoder(os.Stdout)
	for lines.Scan() {
		var j job
		if err := json.Unmarshal(lines.Bytes(), &j); err != nil {
			_ = out.Encode(map[string]any{"error": err.Error()})
			continue
		}
		if value, err := send(j); err != nil {
			_ = out.Encode(failure(err))
		} else {
			_ = out.Encode(map[string]any{"value": value})
		}
	}
}
