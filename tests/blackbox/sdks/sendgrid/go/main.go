// Sends mail with SendGrid's own SDK; sdks.py runs it, and says what a job is.
package main

import (
	"bufio"
	"encoding/json"
	"os"

	"github.com/sendgrid/sendgrid-go"
	"github.com/sendgrid/sendgrid-go/helpers/mail"
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
	Categories  []string
	CustomArgs  map[string]any `json:"custom_args"`
	SendAt      int            `json:"send_at"`
	Template    string
	Data        map[string]any
	Sandbox     bool
	More        map[string]any
}

type job struct {
	URL, Key string
	Separate bool
	Mail     asked
}

type said struct {
	Status int    `json:"status"`
	ID     string `json:"id,omitempty"`
	Body   string `json:"body"`
	Errors any    `json:"errors,omitempty"`
	Text   string `json:"text,omitempty"`
	Error  string `json:"error,omitempty"`
}

func mailboxes(listed [][2]string) []*mail.Email {
	made := []*mail.Email{}
	for _, one := range listed {
		made = append(made, mail.NewEmail(one[0], one[1]))
	}
	return made
}

func personalization(a asked, to [][2]string) *mail.Personalization {
	p := mail.NewPersonalization()
	p.AddTos(mailboxes(to)...)
	p.AddCCs(mailboxes(a.Cc)...)
	p.AddBCCs(mailboxes(a.Bcc)...)
	for name, value := range a.Data {
		p.SetDynamicTemplateData(name, value)
	}
	return p
}

func addContent(m *mail.SGMailV3, a asked) {
	if a.Text != "" {
		m.AddContent(mail.NewContent("text/plain", a.Text))
	}
	if a.HTML != "" {
		m.AddContent(mail.NewContent("text/html", a.HTML))
	}
	for _, f := range a.Attachments {
		made := mail.NewAttachment().SetContent(f.Content).SetFilename(f.Filename).SetType(f.Type)
		made.SetDisposition("attachment")
		if f.Cid != "" {
			made.SetDisposition("inline").SetContentID(f.Cid)
		}
		m.AddAttachment(made)
	}
}

func message(j job) *mail.SGMailV3 {
	a, m := j.Mail, mail.NewV3Mail()
	m.SetFrom(mail.NewEmail(a.From[0], a.From[1]))
	m.Subject = a.Subject
	addContent(m, a)
	if j.Separate {
		for _, one := range a.To {
			m.AddPersonalizations(personalization(a, [][2]string{one}))
		}
	} else {
		m.AddPersonalizations(personalization(a, a.To))
	}
	if len(a.ReplyTo) == 1 {
		m.SetReplyTo(mailboxes(a.ReplyTo)[0])
	} else if len(a.ReplyTo) > 1 {
		m.SetReplyToList(mailboxes(a.ReplyTo))
	}
	for name, value := range a.Headers {
		m.SetHeader(name, value)
	}
	for name, value := range a.CustomArgs {
		m.SetCustomArg(name, value.(string))
	}
	m.AddCategories(a.Categories...)
	m.SetSendAt(a.SendAt)
	m.SetTemplateID(a.Template)
	if a.Sandbox {
		m.SetMailSettings(mail.NewMailSettings().SetSandboxMode(mail.NewSetting(true)))
	}
	return m
}

// The SDK's body, with the members that it has no function for.
func body(j job) []byte {
	made := mail.GetRequestBody(message(j))
	if len(j.Mail.More) == 0 {
		return made
	}
	members := map[string]any{}
	if json.Unmarshal(made, &members) != nil {
		return made
	}
	for name, value := range j.Mail.More {
		members[name] = value
	}
	made, _ = json.Marshal(members)
	return made
}

func send(j job) said {
	request := sendgrid.GetRequest(j.Key, "/v3/mail/send", j.URL)
	request.Method = "POST"
	request.Body = body(j)
	response, err := sendgrid.API(request)
	if err != nil {
		return said{Error: err.Error()}
	}
	answer := said{Status: response.StatusCode, Body: response.Body}
	if ids := response.Headers["X-Message-Id"]; len(ids) > 0 {
		answer.ID = ids[0]
	}
	refused := struct{ Errors any }{}
	if response.StatusCode >= 400 && json.Unmarshal([]byte(response.Body), &refused) == nil {
		answer.Errors, answer.Text = refused.Errors, response.Body
	}
	return answer
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
