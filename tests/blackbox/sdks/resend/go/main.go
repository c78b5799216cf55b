// Sends mail with Resend's own SDK; sdks.py runs it. As Node's, but for the names of the calls.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"os"

	"github.com/resend/resend-go/v3"
)

type file struct {
	Content     []byte
	Filename    string
	ContentType string `json:"content_type"`
	ContentID   string `json:"content_id"`
	Path        string
}

type mail struct {
	resend.SendEmailRequest
	Attachments []file `json:"attachments"`
}

type job struct {
	URL, Key, Call string
	Arguments      []json.RawMessage
	Options        struct {
		IdempotencyKey string `json:"idempotency_key"`
		Validation     string `json:"batch_validation"`
	}
}

func request(m mail) *resend.SendEmailRequest {
	made := m.SendEmailRequest
	for _, f := range m.Attachments {
		made.Attachments = append(made.Attachments, &resend.Attachment{
			Content: f.Content, Filename: f.Filename, ContentType: f.ContentType, ContentId: f.ContentID, Path: f.Path})
	}
	return &made
}

func send(j job) (any, error) {
	client := resend.NewClient(j.Key)
	client.BaseURL, _ = url.Parse(j.URL + "/")
	ctx := context.Background()
	var one mail
	var several []mail
	var id string
	var into any = &id
	switch j.Call {
	case "Emails.Send":
		into = &one
	case "Batch.Send":
		into = &several
	}
	var update resend.UpdateEmailRequest
	if j.Call == "Emails.Update" {
		into = &update
	}
	if err := json.Unmarshal(j.Arguments[0], into); err != nil {
		return nil, err
	}
	switch j.Call {
	case "Emails.Send":
		return client.Emails.SendWithOptions(ctx, request(one), &resend.SendEmailOptions{IdempotencyKey: j.Options.IdempotencyKey})
	case "Batch.Send":
		made := []*resend.SendEmailRequest{}
		for _, m := range several {
			made = append(made, request(m))
		}
		return client.Batch.SendWithOptions(ctx, made, &resend.BatchSendEmailOptions{
			IdempotencyKey: j.Options.IdempotencyKey, BatchValidation: resend.BatchValidationMode(j.Options.Validation)})
	case "Emails.Get":
		return client.Emails.Get(id)
	case "Emails.Update":
		return client.Emails.Update(&update)
	case "Emails.Cancel":
		return client.Emails.Cancel(id)
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
			_ = out.Encode(map[string]any{"failure": map[string]any{"message": err.Error()}})
		} else {
			_ = out.Encode(map[string]any{"value": value})
		}
	}
}
