package mail

import (
	"html/template"
	"strings"
	"time"
)

// Letter is the usual form of what Paddock writes: a few paragraphs and at most one link to act on. Message
// renders it in plain text and HTML; everything is escaped.
type Letter struct {
	Subject    string
	Greeting   string   // "Hello Ada,"; "" for none
	Paragraphs []string // before the link
	Action     string   // what the link does, "Confirm my e-mail"; "" for no link
	URL        string
	After      []string // after the link: for how long it works, what to do when it was not you
	Life       time.Duration
}

var letterHTML = template.Must(template.New("letter").Parse(`<!doctype html>
<html><body style="margin:0;padding:24px;background:#f4f5f7;font-family:Arial,Helvetica,sans-serif;font-size:15px;line-height:1.5;color:#1f2933">
<div style="max-width:560px;margin:0 auto;padding:24px;background:#ffffff;border-radius:8px">
{{- with .Greeting}}<p>{{.}}</p>{{end}}
{{- range .Paragraphs}}<p>{{.}}</p>{{end}}
{{- if .Action}}<p><a href="{{.URL}}" style="display:inline-block;padding:10px 18px;border-radius:6px;background:#1b6e53;color:#ffffff;text-decoration:none">{{.Action}}</a></p>
<p style="font-size:13px;color:#52606d;word-break:break-all">{{.URL}}</p>{{end}}
{{- range .After}}<p style="font-size:13px;color:#52606d">{{.}}</p>{{end}}
</div></body></html>
`))

// Message renders the letter to one person.
func (l Letter) Message(to string) (Message, error) {
	var text []string
	if l.Greeting != "" {
		text = append(text, l.Greeting)
	}
	text = append(text, l.Paragraphs...)
	if l.Action != "" {
		text = append(text, l.Action+":\n"+l.URL)
	}
	text = append(text, l.After...)
	var html strings.Builder
	if err := letterHTML.Execute(&html, l); err != nil {
		return Message{}, err
	}
	return Message{To: to, Subject: l.Subject, Text: strings.Join(text, "\n\n") + "\n", HTML: html.String(), Life: l.Life}, nil
}
