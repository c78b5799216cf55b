// Sends mail with Mailgun's own SDK; sdks.py runs it, and says what a job is.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/mail"
	"os"
	"strings"
	"time"

	"github.com/mailgun/mailgun-go/v4"
)

type file struct {
	Content, Filename, Type, Cid string
}

type asked struct {
	From        [2]string
	To, Cc, Bcc [][2]string
	ReplyTo     [][2]string `json:"reply_to"`
	Subject     string
	Text, HTML  string
	Attachments []file
	Headers     map[string]string
	Tags        []string
	Metadata    map[string]string
	SendAt      int64 `json:"send_at"`
	Template    string
	Data        map[string]any
	Test        bool
	Variables   map[string]map[string]any
	Mime        string
}

type job struct {
	URL, Key, Domain string
	Separate         bool
	Mail             asked
}

type said struct {
	Status  int    `json:"status"`
	ID      string `json:"id,omitempty"`
	Message string `json:"message,omitempty"`
	Details string `json:"details,omitempty"`
	Text    string `json:"text,omitempty"`
	Error   string `json:"error,omitempty"`
}

func mailbox(one [2]string) string {
	if one[0] == "" {
		return one[1]
	}
	quoted := strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(one[0])
	return `"` + quoted + `" <` + one[1] + `>`
}

func mailboxes(listed [][2]string) []string {
	made := []string{}
	for _, one := range listed {
		made = append(made, mailbox(one))
	}
	return made
}

func decoded(text string) []byte {
	octets, _ := base64.StdEncoding.DecodeString(text)
	return octets
}

func addFiles(m *mailgun.Message, files []file) {
	for _, f := range files {
		if f.Cid != "" {
			m.AddReaderInline(f.Cid, io.NopCloser(bytes.NewReader(decoded(f.Content))))
		} else {
			m.AddBufferAttachment(f.Filename, decoded(f.Content))
		}
	}
}

func addRecipients(m *mailgun.Message, j job) error {
	for _, one := range j.Mail.To {
		variables := map[string]any(nil)
		if j.Separate {
			address, err := mail.ParseAddress(mailbox(one))
			if err != nil {
				return err
			}
			variables = j.Mail.Variables[address.Address]
			if variables == nil {
				variables = map[string]any{}
			}
		}
		if err := m.AddRecipientAndVariables(mailbox(one), variables); err != nil {
			return err
		}
	}
	return nil
}

func message(mg mailgun.Mailgun, j job) (*mailgun.Message, error) {
	a := j.Mail
	if a.Mime != "" {
		return mg.NewMIMEMessage(io.NopCloser(bytes.NewReader(decoded(a.Mime))), mailboxes(a.To)...), nil
	}
	m := mg.NewMessage(mailbox(a.From), a.Subject, a.Text)
	if err := addRecipients(m, j); err != nil {
		return nil, err
	}
	for _, one := range a.Cc {
		m.AddCC(mailbox(one))
	}
	for _, one := range a.Bcc {
		m.AddBCC(mailbox(one))
	}
	if a.HTML != "" {
		m.SetHtml(a.HTML)
	}
	if len(a.ReplyTo) > 0 {
		m.SetReplyTo(strings.Join(mailboxes(a.ReplyTo), ", "))
	}
	addFiles(m, a.Attachments)
	for name, value := range a.Headers {
		m.AddHeader(name, value)
	}
	for name, value := range a.Metadata {
		if err := m.AddVariable(name, value); err != nil {
			return nil, err
		}
	}
	if a.SendAt > 0 {
		m.SetDeliveryTime(time.Unix(a.SendAt, 0))
	}
	if a.Test {
		m.EnableTestMode()
	}
	if a.Template != "" {
		m.SetTemplate(a.Template)
	}
	for name, value := range a.Data {
		if err := m.AddTemplateVariable(name, value); err != nil {
			return nil, err
		}
	}
	return m, m.AddTag(a.Tags...)
}

func send(j job) said {
	mg := mailgun.NewMailgun(j.Domain, j.Key)
	mg.SetAPIBase(j.URL + "/v3")
	m, err := message(mg, j)
	if err != nil {
		return said{Error: err.Error()}
	}
	text, id, err := mg.Send(context.Background(), m)
	refused := &mailgun.UnexpectedResponseError{}
	if errors.As(err, &refused) {
		body := struct{ Message string }{}
		_ = json.Unmarshal(refused.Data, &body)
		return said{Status: refused.Actual, Details: body.Message, Text: err.Error()}
	}
	if err != nil {
		return said{Error: err.Error()}
	}
	return said{Status: 200, ID: id, Message: text}
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<28)
	out := json.NewEncoder(os.Stdout)
	for lines.Scan() {
		var j job
		if err := json.Unmarshal(lines.Bytes(), &j); err != nil {
			_ = out.Encode(said{Error: err.Error()})
			continue
		}
		_ = out.Encode(send(j))
	}
}
