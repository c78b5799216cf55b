package main

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"net/textproto"
	"path"
	"strings"
	"time"
)

// Mail is the request.
type Mail struct {
	From        string       `json:"from"`
	To          Addresses    `json:"to"`
	Subject     string       `json:"subject"`
	HTML        string       `json:"html"`
	Text        string       `json:"text"`
	Attachments []Attachment `json:"attachments"`
}

// Attachment has its content in base64, which encoding/json decodes.
type Attachment struct {
	Filename string `json:"filename"`
	Content  []byte `json:"content"`
}

// Addresses is one address or a list of them.
type Addresses []string

// UnmarshalJSON takes both forms.
func (a *Addresses) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '"' {
		var one string
		if err := json.Unmarshal(data, &one); err != nil {
			return err
		}
		*a = Addresses{one}
		return nil
	}
	var many []string
	err := json.Unmarshal(data, &many)
	*a = many
	return err
}

// compose gives the envelope and the message.
func compose(m *Mail) (from string, to []string, message []byte, err error) {
	sender, err := mail.ParseAddress(m.From)
	if err != nil {
		return "", nil, nil, fmt.Errorf("from: %w", err)
	}
	if len(m.To) == 0 {
		return "", nil, nil, errors.New("to: no recipient")
	}
	header := make([]string, 0, len(m.To))
	for _, one := range m.To {
		address, err := mail.ParseAddress(one)
		if err != nil {
			return "", nil, nil, fmt.Errorf("to: %w", err)
		}
		to = append(to, address.Address)
		header = append(header, address.String())
	}
	if m.Text == "" {
		m.Text = textOf(m.HTML)
	}
	var b bytes.Buffer
	b.Grow(4096 + 2*(len(m.HTML)+len(m.Text)) + attachmentsSize(m.Attachments))
	fmt.Fprintf(&b, "From: %s\r\nTo: %s\r\nSubject: %s\r\nDate: %s\r\nMessage-ID: %s\r\nMIME-Version: 1.0\r\n",
		sender.String(), strings.Join(header, ",\r\n "), mime.QEncoding.Encode("utf-8", m.Subject),
		time.Now().Format(time.RFC1123Z), messageID(sender.Address))
	if err := writeBody(&b, m); err != nil {
		return "", nil, nil, err
	}
	return sender.Address, to, b.Bytes(), nil
}

func attachmentsSize(attachments []Attachment) int {
	size := 0
	for _, a := range attachments {
		size += len(a.Content)*4/3*78/76 + 512
	}
	return size
}

func messageID(address string) string {
	var id [16]byte
	if _, err := rand.Read(id[:]); err != nil {
		panic(err)
	}
	return "<" + hex.EncodeToString(id[:]) + address[strings.LastIndexByte(address, '@'):] + ">"
}

// writeBody: alternative(text, html), inside mixed where there are attachments.
func writeBody(b *bytes.Buffer, m *Mail) error {
	if len(m.Attachments) == 0 {
		alternative := multipart.NewWriter(b)
		fmt.Fprintf(b, "Content-Type: multipart/alternative; boundary=%s\r\n\r\n", alternative.Boundary())
		return writeTexts(alternative, m)
	}
	mixed := multipart.NewWriter(b)
	fmt.Fprintf(b, "Content-Type: multipart/mixed; boundary=%s\r\n\r\n", mixed.Boundary())
	// The inner multipart's boundary has to be known before its part's header is written.
	boundary := multipart.NewWriter(io.Discard).Boundary()
	part, err := mixed.CreatePart(textproto.MIMEHeader{
		"Content-Type": {"multipart/alternative; boundary=" + boundary}})
	if err != nil {
		return err
	}
	alternative := multipart.NewWriter(part)
	if err := alternative.SetBoundary(boundary); err != nil {
		return err
	}
	if err := writeTexts(alternative, m); err != nil {
		return err
	}
	for i := range m.Attachments {
		if err := writeAttachment(mixed, &m.Attachments[i]); err != nil {
			return err
		}
	}
	return mixed.Close()
}

func writeTexts(w *multipart.Writer, m *Mail) error {
	for _, text := range []struct{ kind, content string }{{"text/plain", m.Text}, {"text/html", m.HTML}} {
		if text.content == "" {
			continue
		}
		part, err := w.CreatePart(textproto.MIMEHeader{
			"Content-Type":              {text.kind + "; charset=utf-8"},
			"Content-Transfer-Encoding": {"quoted-printable"}})
		if err != nil {
			return err
		}
		q := quotedprintable.NewWriter(part)
		if _, err := io.WriteString(q, text.content); err != nil {
			return err
		}
		if err := q.Close(); err != nil {
			return err
		}
	}
	return w.Close()
}

func writeAttachment(w *multipart.Writer, a *Attachment) error {
	kind := mime.TypeByExtension(path.Ext(a.Filename))
	if kind == "" {
		kind = "application/octet-stream"
	}
	part, err := w.CreatePart(textproto.MIMEHeader{
		"Content-Type":              {kind},
		"Content-Disposition":       {mime.FormatMediaType("attachment", map[string]string{"filename": a.Filename})},
		"Content-Transfer-Encoding": {"base64"}})
	if err != nil {
		return err
	}
	return writeBase64(part, a.Content)
}

// writeBase64 writes lines of 76 characters.
func writeBase64(w io.Writer, content []byte) error {
	const octets, lines = 57, 512
	out := make([]byte, 0, lines*78)
	var line [76]byte
	for len(content) > 0 {
		n := len(content)
		if n > octets {
			n = octets
		}
		base64.StdEncoding.Encode(line[:], content[:n])
		out = append(out, line[:base64.StdEncoding.EncodedLen(n)]...)
		out = append(out, '\r', '\n')
		content = content[n:]
		if len(out) == cap(out) || len(content) == 0 {
			if _, err := w.Write(out); err != nil {
				return err
			}
			out = out[:0]
		}
	}
	return nil
}

// textOf strips the tags: good enough for a mail's plain text.
func textOf(source string) string {
	var b strings.Builder
	b.Grow(len(source))
	for {
		begin := strings.IndexByte(source, '<')
		if begin < 0 {
			b.WriteString(source)
			break
		}
		b.WriteString(source[:begin])
		source = source[begin:]
		end := strings.IndexByte(source, '>')
		if end < 0 {
			break
		}
		if breaks(source[1:end]) {
			b.WriteByte('\n')
		}
		source = source[end+1:]
	}
	return html.UnescapeString(b.String())
}

// breaks says whether a tag ends a line of text.
func breaks(tag string) bool {
	switch strings.ToLower(strings.TrimSuffix(tag, "/")) {
	case "br", "br ", "/p", "/h1", "/h2", "/h3", "/div", "/tr", "/li", "/table":
		return true
	}
	return false
}
